"""A client that is killed at a request of its run: readers see the old result or the new one, whole.

The request goes on, and is answered to nobody. RFM_EVERY_FAULT=1 kills at every request, and writes how that
ended into build/kills.tsv; without it, at a few.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from support.bigquery_faults import TABLES, Scene, kept, made, scene, torn
from support.bigquery_process import started
from support.bigquery_proxy import Request
from support.paths import ROOT

pytestmark = pytest.mark.xdist_group("bigquery")

__all__ = ["made", "scene"]
EVERY = bool(os.environ.get("RFM_EVERY_FAULT"))
RECORD = ROOT / "build" / "kills.tsv"


def test_a_client_that_is_killed_leaves_a_whole_result(scene: Scene, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    points = range(1, len(scene.requests) + 1) if EVERY else range(3, len(scene.requests) + 1, 8)
    for point in points:
        kill_at(scene, point, tmp_path)
        rows = scene.shop.published()
        is_new = [row[:-1] for row in rows] == scene.expected
        assert is_new or rows == scene.before, f"killed at request {point}"
        assert list(torn(scene, rows, is_new=is_new)) == [], f"killed at request {point}"
        seen["new" if is_new else "old"] += 1
        left = [table for table in scene.shop.tables() if "__" in table]
        # What nobody will sweep goes by itself; the lease has its expiry from the request that made it.
        staged = [sql for sql in scene.proxy.statements if sql.startswith("CREATE OR REPLACE TABLE")]
        assert all("expiration_timestamp" in sql for sql in staged)
        assert all(
            request.json["expirationTime"] for request in scene.proxy.requests if request.kind == "make"
        )
        scene.proxy.forget()
        if "rfm_segments__lease" in left:
            # BigQuery drops it once its time is up.
            scene.shop.execute(f"DROP TABLE {scene.shop.name('rfm_segments__lease')}")
        assert scene.run() is None
        assert scene.shop.without_run_id() == scene.expected
        assert scene.shop.tables() == sorted(["orders", *TABLES, *map(kept, TABLES)])
        scene.restore()
        scene.proxy.forget()
    if EVERY:
        with RECORD.open("a", encoding="utf-8") as record:
            record.write(f"requests of a client, of {len(scene.requests)}\t{dict(seen)}\n")
    assert seen["old"]
    assert seen["new"] or not EVERY


def kill_at(scene: Scene, point: int, folder: Path) -> None:
    """Runs the program up to its request of that number."""
    running: list[subprocess.Popen[str]] = []

    def look(_: Request) -> None:
        if len(scene.proxy.requests) == point and running:
            running.pop().kill()

    scene.proxy.seen = look
    to = scene.shop.destination
    arguments = ("run", scene.shop.source(), "--to", to, "--as-of", "2024-03-01", "--quiet")
    with started(scene.proxy, folder, *arguments) as program:
        running.append(program)
        program.communicate(timeout=120)
