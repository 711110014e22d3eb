"""A run that is killed while it replaces a result: readers see either the old or the new result, complete.

Of Parquet files, other programs see each file complete; rfm, and the next run, see one result in all files.

The run is killed at random moments, and at lines of the modules that publish (`support.fork_server.TRACED`).
In the long lane that is 200 moments and every line, and the outcomes are appended to build/kills.tsv; in the
other lanes it is 12 moments and every 60th line, and for Parquet three of the last lines.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import duckdb
import pytest

from support.cli import Rfm
from support.fork_server import ForkServer
from support.lanes import sample_and_all
from support.parquet_files import as_database
from support.paths import ROOT
from support.shops import check_consistency, current, day, history, write_orders

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")

RECORD = ROOT / "build" / "kills.tsv"
BEFORE, AFTER = day(20), day(30)
OUTPUTS = ("-o", "segments.csv", "-o", "segments.parquet")


class KilledRun:
    """A folder with a result, and a run that is killed while it replaces that result.

    Args:
        folder: The folder, which is empty.
        rfm: Runs a command in this process.
        to: The destination: `rfm.duckdb`, or `rfm.parquet`.
    """

    def __init__(self, folder: Path, rfm: Rfm, to: str) -> None:
        self.folder, self._rfm, self._to = folder, rfm, to
        self.run = ("run", "orders.csv", "--as-of", AFTER, "--to", to, *OUTPUTS)
        write_orders(folder)
        (folder / "scratch").mkdir()
        (folder / "rfm.toml").write_text('duckdb.temp_directory = "scratch"\n', encoding="utf-8")
        outcome = rfm("run", "orders.csv", "--as-of", BEFORE, *self.run[4:])
        assert outcome.code == 0, outcome.stderr
        self._backup = folder.with_name(f"{folder.name}-backup")
        shutil.copytree(folder, self._backup)
        assert rfm(*self.run).code == 0
        self._names = self.names()
        self._rows = {BEFORE: current(self._database(self._backup)), AFTER: current(self._database(folder))}
        self._texts = {
            BEFORE: (self._backup / "segments.csv").read_bytes().splitlines(),
            AFTER: (folder / "segments.csv").read_bytes().splitlines(),
        }
        self.outcomes: Counter[str] = Counter()

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))

    def restore(self) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self._backup, self.folder)

    def _database(self, folder: Path) -> Path:
        """Return a DuckDB file with the tables of the destination in a folder."""
        if self._to == "rfm.duckdb":
            return folder / self._to
        return as_database(folder / self._to, folder.with_name(f"{folder.name}.duckdb"))

    def _check_files(self) -> None:
        """Assert that each Parquet file that others read is complete, of the old or the new result."""
        for file in (self.folder / "rfm.parquet", *self.folder.glob("rfm_history/*.parquet")):
            with duckdb.connect() as connection:
                found = connection.execute(f"FROM '{file}' ORDER BY customer_id").fetchall()
            rows = [row[:-1] for row in found]
            assert rows in [[tuple(row.values()) for row in result] for result in self._rows.values()]

    def sampled_lines(self, lines: int) -> range:
        """Return the lines to kill the run at, of all that it has."""
        # Of a publish to Parquet, few lines before and after the commit; those of the run are the same.
        return range(31, lines + 1, 60) if self._to == "rfm.duckdb" else range(lines // 2, lines, lines // 7)

    def start(self) -> subprocess.Popen[str]:
        """Start the run in an interpreter of its own."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("RFM_")}
        return subprocess.Popen(
            [sys.executable, "-m", "rfm_pipeline", *self.run],
            cwd=self.folder, env=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def check(self) -> None:
        """Assert what readers see after the kill, and what the next run leaves."""
        if self._to == "rfm.parquet":
            self._check_files()
        file = self._database(self.folder)
        as_of, published = check_consistency(file)
        assert as_of in {BEFORE, AFTER}
        assert published == (2 if as_of == AFTER else 1)
        assert sorted(history(file)) == ([BEFORE, AFTER] if as_of == AFTER else [BEFORE])
        assert current(file) == self._rows[as_of]
        written = without_run_id((self.folder / "segments.csv").read_bytes().splitlines())
        assert written in [without_run_id(lines) for lines in self._texts.values()]
        self.outcomes["new" if as_of == AFTER else "old"] += 1
        outcome = self._rfm(*self.run)
        assert outcome.code == 0, outcome.stderr
        file = self._database(self.folder)
        assert check_consistency(file)[0] == AFTER
        assert current(file) == self._rows[AFTER]
        assert without_run_id((self.folder / "segments.csv").read_bytes().splitlines()) == without_run_id(
            self._texts[AFTER]
        )
        assert self.names() == self._names


def record(kills: str, outcomes: Counter[str]) -> None:
    """Append the outcomes of all kills of a kind to `RECORD`."""
    RECORD.parent.mkdir(exist_ok=True)
    with RECORD.open("a", encoding="utf-8") as file:
        file.write(f"{kills}\t{dict(outcomes)}\n")


def without_run_id(lines: list[bytes]) -> list[bytes]:
    return [line.rpartition(b",")[0] for line in lines]


@pytest.fixture(params=["rfm.duckdb", "rfm.parquet"])
def killed_run(
    request: pytest.FixtureRequest, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> KilledRun:
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return KilledRun(folder, rfm, request.param)


@pytest.mark.guarantee("one-transaction")
@pytest.mark.parametrize(
    "killed_run", ["rfm.duckdb", pytest.param("rfm.parquet", marks=pytest.mark.long)], indirect=True
)
@sample_and_all
def test_a_kill_at_any_moment_leaves_a_complete_result(
    every: bool, killed_run: KilledRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = time.monotonic()
    with killed_run.start() as whole_run:
        whole_run.communicate(timeout=120)
    duration_s, random = time.monotonic() - started, Random(9)
    for _ in range(200 if every else 12):
        killed_run.restore()
        monkeypatch.chdir(killed_run.folder)
        started = time.monotonic()
        with killed_run.start() as running:
            try:
                # The start-up changes nothing, so most of the kills come after it.
                running.communicate(timeout=duration_s * random.uniform(0.3, 1.05))
                # A machine with less to do than before is faster.
                duration_s = min(duration_s, time.monotonic() - started)
            except subprocess.TimeoutExpired:
                running.send_signal(signal.SIGKILL)
                running.communicate(timeout=60)
        killed_run.outcomes["killed"] += running.returncode == -signal.SIGKILL
        killed_run.check()
    if every:
        record("moments", killed_run.outcomes)
    assert killed_run.outcomes["killed"]


@pytest.mark.guarantee("one-transaction")
@sample_and_all
def test_a_kill_at_any_line_of_a_publish_leaves_a_complete_result(
    every: bool, killed_run: KilledRun, fork_server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_run.restore()
    monkeypatch.chdir(killed_run.folder)
    whole_run = fork_server.start(killed_run.run, killed_run.folder, {}, kill_at=sys.maxsize)
    code, err = whole_run.wait()
    assert code == 0, err
    lines = whole_run.lines()
    assert lines > 150
    for line in range(1, lines + 1) if every else killed_run.sampled_lines(lines):
        killed_run.restore()
        monkeypatch.chdir(killed_run.folder)
        code, err = fork_server.start(killed_run.run, killed_run.folder, {}, kill_at=line).wait()
        # How often a run polls a query differs from run to run, so that the last lines may not be reached.
        assert code in {-signal.SIGKILL, 0}, err
        killed_run.outcomes["killed"] += code == -signal.SIGKILL
        killed_run.check()
    if every:
        record(f"lines, of {lines}", killed_run.outcomes)
    assert killed_run.outcomes["old"]
    assert killed_run.outcomes["new"]


@pytest.mark.guarantee("incremental")
@sample_and_all
def test_a_kill_at_any_line_of_an_incremental_run_leaves_right_orders(
    every: bool, tmp_path: Path, rfm: Rfm, fork_server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Copies of an order are not looked for, so that customers are taken over.
    run = ("run", "orders", "--incremental", "--same-order", "both", "--as-of", AFTER, "-q")
    folder, backup = tmp_path / "shop", tmp_path / "backup"
    (folder / "orders").mkdir(parents=True)
    write_orders(folder / "orders")
    monkeypatch.chdir(folder)
    assert rfm(*run[:-2], BEFORE, "-q").code == 0
    more = f"customer_id,order_id,date,amount\nc001,new,{BEFORE},5\nnew,new2,{AFTER},7\n"
    (folder / "orders" / "more.csv").write_text(more, encoding="utf-8")
    shutil.copytree(folder, backup)

    def restore() -> None:
        shutil.rmtree(folder)
        shutil.copytree(backup, folder)
        monkeypatch.chdir(folder)

    whole_run = fork_server.start(run, folder, {}, kill_at=sys.maxsize)
    assert whole_run.wait() == (0, "")
    file = folder / "rfm.duckdb"
    expected = current(file)
    names = len(list(folder.rglob("*")))
    outcomes: Counter[str] = Counter()
    step, lines = 1 if every else 150, whole_run.lines()
    # The last lines come after the commit.
    for line in [*range(1 + step // 2, lines - 4, step), lines - 4]:
        restore()
        code, err = fork_server.start(run, folder, {}, kill_at=line).wait()
        assert code in {-signal.SIGKILL, 0}, err
        as_of = check_consistency(file)[0]
        outcomes["new" if as_of == AFTER else "old"] += 1
        assert rfm(*run).code == 0
        assert current(file) == expected
        assert len(list(folder.rglob("*"))) == names
    if every:
        record(f"lines of an incremental run, of {lines}", outcomes)
    assert outcomes["old"]
    assert outcomes["new"]
