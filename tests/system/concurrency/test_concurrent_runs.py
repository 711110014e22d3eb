"""Concurrent runs on one destination: one publishes, the others exit 5 at once and name the lease holder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import Rfm
from support.shops import check_consistency, current, day, history, rows_of, runs, write_orders

RUN_COUNT = 10
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the first run waits for a pipe")


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RFM_")}
    return subprocess.Popen(
        [sys.executable, "-m", "rfm_pipeline", *arguments],
        cwd=folder, env=plain, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_ten_concurrent_runs_publish_the_result_of_a_single_run(tmp_path: Path, rfm: Rfm) -> None:
    orders = write_orders(tmp_path)
    outcome = rfm("run", orders, "--as-of", day(20), "--to", "duckdb:alone.duckdb")
    assert outcome.code == 0
    running = [start(tmp_path, "run", "orders.csv", "--as-of", day(20), "--json") for _ in range(RUN_COUNT)]
    outcomes = [(*one.communicate(timeout=120), one.returncode) for one in running]
    codes = sorted(code for _, _, code in outcomes)
    # A run that starts after the first has ended publishes the same result again.
    assert set(codes) <= {0, 5}, outcomes
    assert codes[0] == 0
    published = {json.loads(out)["run_id"] for out, _, code in outcomes if code == 0}
    assert {run["run_id"] for run in runs(tmp_path / "rfm.duckdb")} == published
    assert current(tmp_path / "rfm.duckdb") == current(tmp_path / "alone.duckdb")
    assert history(tmp_path / "rfm.duckdb") == history(tmp_path / "alone.duckdb")
    check_consistency(tmp_path / "rfm.duckdb")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.duckdb", "orders.csv", "rfm.duckdb"]


@pytest.mark.guarantee("one-run-at-a-time", "exit-codes")
def test_while_one_run_is_active_nine_other_commands_exit_5_and_name_it(tmp_path: Path) -> None:
    """The first run reads its standard input, which ends only after the other commands have ended."""
    orders = write_orders(tmp_path)
    first = start(tmp_path, "run", "-", "--as-of", day(20), "--json")
    lease = tmp_path / "rfm.duckdb.rfm_segments.lease"
    while not (lease.exists() and lease.read_text(encoding="utf-8")):
        assert first.poll() is None, first.communicate()
    holder = json.loads(lease.read_text(encoding="utf-8"))
    assert holder["process"] == first.pid
    others = [
        start(tmp_path, *arguments)
        for arguments in (
            *(("run", "orders.csv") for _ in range(RUN_COUNT - 3)),
            ("rollback",),
            ("backfill", "orders.csv", "--from", day(10), "--until", day(12)),
        )
    ]
    for other in others:
        out, err = other.communicate(timeout=120)
        assert (other.returncode, out) == (5, "")
        assert (
            f"duckdb:rfm.duckdb#rfm_segments is held by the run {holder['run_id']} (process {first.pid}"
            in err
        )
        assert "hint: wait for it to end" in err
    assert not (tmp_path / "rfm.duckdb").exists()
    out, err = first.communicate(orders.read_text(encoding="utf-8"), timeout=120)
    assert first.returncode == 0, err
    assert json.loads(out)["run_id"] == holder["run_id"]
    assert [run["run_id"] for run in runs(tmp_path / "rfm.duckdb")] == [holder["run_id"]]
    assert not lease.exists()


def test_an_active_run_is_found_by_links_to_its_file_and_by_its_table_in_capitals(
    tmp_path: Path, rfm: Rfm
) -> None:
    orders = write_orders(tmp_path)
    assert rfm("run", orders, "--as-of", day(10)).code == 0
    (tmp_path / "link.duckdb").symlink_to("rfm.duckdb")
    names = ["link.duckdb", "rfm.duckdb#RFM_SEGMENTS"]
    if sys.platform == "linux":
        (tmp_path / "hard.duckdb").hardlink_to(tmp_path / "rfm.duckdb")
        names.append("hard.duckdb")
    before = current(tmp_path / "rfm.duckdb"), runs(tmp_path / "rfm.duckdb")
    first = start(tmp_path, "run", "-", "--as-of", day(20), "--json")
    lease = tmp_path / "rfm.duckdb.rfm_segments.lease"
    while not (lease.exists() and lease.read_text(encoding="utf-8")):
        assert first.poll() is None, first.communicate()
    others = [
        start(tmp_path, "run", "orders.csv", "--as-of", day(number), "--to", f"duckdb:{name}")
        for name in names
        for number in (5, 30)
    ]
    for other in others:
        out, err = other.communicate(timeout=120)
        assert (other.returncode, out) == (5, ""), err
    assert (current(tmp_path / "rfm.duckdb"), runs(tmp_path / "rfm.duckdb")) == before
    _, err = first.communicate(orders.read_text(encoding="utf-8"), timeout=120)
    assert first.returncode == 0, err
    assert check_consistency(tmp_path / "rfm.duckdb") == (day(20), 2)


def test_two_tables_of_one_file_are_two_destinations(tmp_path: Path) -> None:
    write_orders(tmp_path)
    names = ("daily", "weekly")
    running = [start(tmp_path, "run", "orders.csv", "--to", f"duckdb:shop.duckdb#{name}") for name in names]
    for one in running:
        _, err = one.communicate(timeout=120)
        assert one.returncode == 0, err
    for name in names:
        assert rows_of(tmp_path / "shop.duckdb", f"SELECT COUNT(*) AS n FROM {name}_runs") == [{"n": 1}]
