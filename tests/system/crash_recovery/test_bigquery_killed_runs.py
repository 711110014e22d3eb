"""A client process that is killed during a request of its run: readers see either the old or the new result.

The request itself is still executed. In the long lane the test kills at every request and appends the
outcomes to build/kills.tsv; in the other lanes, at every eighth.
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import pytest

from support.bigquery_faults import TABLES, Scene, backup_name, inconsistencies
from support.bigquery_proxy import Request
from support.fork_server import ForkServer, Running
from support.lanes import sample_and_all
from support.paths import ROOT

pytestmark = pytest.mark.xdist_group("bigquery")

RECORD = ROOT / "build" / "kills.tsv"


@pytest.mark.guarantee("one-transaction")
@sample_and_all
def test_a_killed_client_leaves_a_consistent_result(
    every: bool, scene: Scene, fork_server: ForkServer, tmp_path: Path
) -> None:
    outcomes: Counter[str] = Counter()
    points = range(1, len(scene.requests) + 1) if every else range(3, len(scene.requests) + 1, 8)
    for point in points:
        kill_at(scene, point, fork_server, tmp_path)
        rows = scene.shop.published_rows()
        is_new = [row[:-1] for row in rows] == scene.expected
        assert is_new or rows == scene.before, f"killed at request {point}"
        assert list(inconsistencies(scene, rows, is_new=is_new)) == [], f"killed at request {point}"
        outcomes["new" if is_new else "old"] += 1
        remaining = [table for table in scene.shop.tables() if "__" in table]
        # Staged tables and the lease expire by themselves.
        staged = [sql for sql in scene.proxy.statements if sql.startswith("CREATE OR REPLACE TABLE")]
        assert all("expiration_timestamp" in sql for sql in staged)
        assert all(
            request.json["expirationTime"] for request in scene.proxy.requests if request.kind == "create"
        )
        scene.proxy.reset()
        if "rfm_segments__lease" in remaining:
            # BigQuery would drop the table at its expiry.
            scene.shop.execute(f"DROP TABLE {scene.shop.name('rfm_segments__lease')}")
        assert scene.run() is None
        assert scene.shop.published_without_run_id() == scene.expected
        assert scene.shop.tables() == sorted(["orders", *TABLES, *map(backup_name, TABLES)])
        scene.restore()
        scene.proxy.reset()
    if every:
        RECORD.parent.mkdir(exist_ok=True)
        with RECORD.open("a", encoding="utf-8") as record:
            record.write(f"requests of a client, of {len(scene.requests)}\t{dict(outcomes)}\n")
    assert outcomes["old"]
    assert outcomes["new"] or not every


def kill_at(scene: Scene, point: int, server: ForkServer, folder: Path) -> None:
    """Run `rfm`, and kill it at the request with this number."""
    running: list[Running] = []
    is_started = threading.Event()

    def kill(_: Request) -> None:
        if len(scene.proxy.requests) == point and is_started.wait(60):
            running[0].kill()

    scene.proxy.on_request = kill
    to = scene.shop.destination
    arguments = ("run", scene.shop.source(), "--to", to, "--as-of", "2024-03-01", "--quiet")
    running.append(server.start(arguments, folder, {"BIGQUERY_EMULATOR_HOST": scene.proxy.address}))
    is_started.set()
    running[0].wait()
