"""A run that is killed while it replaces a result: readers see the old one or the new one, whole.

It is killed after a while, and at a line of the modules that publish, which a tracer in its process counts.
RFM_EVERY_FAULT=1 kills it at 200 random moments and at every line, and writes how that ended into
build/kills.tsv; without it, at a few of both.
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

import pytest

import rfm_pipeline
from support.cli import Rfm
from support.paths import ROOT
from support.shops import current, day, history, whole, write_orders

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")

EVERY = bool(os.environ.get("RFM_EVERY_FAULT"))
MOMENTS = 200 if EVERY else 12
LINES = 1 if EVERY else 60
"""Every how many lines it is killed."""
RECORD = ROOT / "build" / "kills.tsv"
BEFORE, AFTER = day(20), day(30)
RUN = ("run", "orders.csv", "--as-of", AFTER, "-o", "segments.csv", "-o", "segments.parquet")
PACKAGE = Path(rfm_pipeline.__file__).parent
TRACED = tuple(
    str(PACKAGE / module)
    for module in (
        "pipeline/run.py",
        "pipeline/staging.py",
        "pipeline/output_files.py",
        "warehouse/duckdb/destination.py",
        "common/file_lock.py",
        "common/atomic_file.py",
    )
)
"""The modules that publish, by their full paths: a run is killed on each of their lines."""
TRACING = f"""
import os, signal, sys
kill_at, seen = int(sys.argv.pop(1)), 0
def lines(frame, event, arg):
    global seen
    if event == "line":
        seen += 1
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    return lines
def calls(frame, event, arg):
    return lines if frame.f_code.co_filename in {TRACED!r} else None
from rfm_pipeline.cli import main
sys.settrace(calls)
try:
    main()
finally:
    sys.settrace(None)
    if not kill_at:
        print(seen)
"""


class Killed:
    """A folder with a result that stands, and a run that is killed while it replaces it."""

    def __init__(self, folder: Path, rfm: Rfm) -> None:
        self.folder, self._rfm = folder, rfm
        write_orders(folder)
        (folder / "scratch").mkdir()
        (folder / "rfm.toml").write_text('duckdb.temp_directory = "scratch"\n', encoding="utf-8")
        ended = rfm("run", "orders.csv", "--as-of", BEFORE, *RUN[4:])
        assert ended.code == 0, ended.stderr
        self._kept = folder.with_name(f"{folder.name}-kept")
        shutil.copytree(folder, self._kept)
        assert rfm(*RUN).code == 0
        self._names = self.names()
        self._rows = {BEFORE: current(self._kept / "rfm.duckdb"), AFTER: current(folder / "rfm.duckdb")}
        self._texts = {
            BEFORE: (self._kept / "segments.csv").read_bytes().splitlines(),
            AFTER: (folder / "segments.csv").read_bytes().splitlines(),
        }
        self.seen: Counter[str] = Counter()

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))

    def restore(self) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self._kept, self.folder)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("RFM_")}
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder, env=plain, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def check(self) -> None:
        """What readers see after the kill, and what the next run leaves."""
        file = self.folder / "rfm.duckdb"
        as_of, published = whole(file)
        assert as_of in {BEFORE, AFTER}
        assert published == (2 if as_of == AFTER else 1)
        assert sorted(history(file)) == ([BEFORE, AFTER] if as_of == AFTER else [BEFORE])
        assert current(file) == self._rows[as_of]
        written = without_run_id((self.folder / "segments.csv").read_bytes().splitlines())
        assert written in [without_run_id(lines) for lines in self._texts.values()]
        self.seen["new" if as_of == AFTER else "old"] += 1
        ended = self._rfm(*RUN)
        assert ended.code == 0, ended.stderr
        assert whole(file)[0] == AFTER
        assert current(file) == self._rows[AFTER]
        assert without_run_id((self.folder / "segments.csv").read_bytes().splitlines()) == without_run_id(
            self._texts[AFTER]
        )
        assert self.names() == self._names


def told(what: str, seen: Counter[str]) -> None:
    """Writes how the kills ended where all were made, for whoever asks."""
    if EVERY:
        with RECORD.open("a", encoding="utf-8") as record:
            record.write(f"{what}\t{dict(seen)}\n")


def without_run_id(lines: list[bytes]) -> list[bytes]:
    return [line.rpartition(b",")[0] for line in lines]


@pytest.fixture
def killed(tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> Killed:
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Killed(folder, rfm)


def test_a_kill_at_any_moment_leaves_a_whole_result(killed: Killed, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with killed.start("-m", "rfm_pipeline", *RUN) as whole_run:
        whole_run.communicate(timeout=120)
    lasts, random = time.monotonic() - began, Random(9)
    for _ in range(MOMENTS):
        killed.restore()
        monkeypatch.chdir(killed.folder)
        began = time.monotonic()
        with killed.start("-m", "rfm_pipeline", *RUN) as running:
            try:
                # Starting up changes nothing: most of the kills are for what comes after.
                running.communicate(timeout=lasts * random.uniform(0.3, 1.05))
                # A machine that has less to do than before is faster.
                lasts = min(lasts, time.monotonic() - began)
            except subprocess.TimeoutExpired:
                running.send_signal(signal.SIGKILL)
                running.communicate(timeout=60)
        killed.seen["killed"] += running.returncode == -signal.SIGKILL
        killed.check()
    told("moments", killed.seen)
    assert killed.seen["killed"]


def test_a_kill_at_any_line_of_a_publish_leaves_a_whole_result(
    killed: Killed, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed.restore()
    monkeypatch.chdir(killed.folder)
    with killed.start("-c", TRACING, "0", *RUN) as counting:
        out, err = counting.communicate(timeout=120)
        assert counting.returncode == 0, err
    lines = int(out.splitlines()[-1])
    assert lines > 150
    for line in range(1 + LINES // 2, lines + 1, LINES):
        killed.restore()
        monkeypatch.chdir(killed.folder)
        with killed.start("-c", TRACING, str(line), *RUN) as running:
            _, err = running.communicate(timeout=120)
        # How often it looks whether a query is over differs, so that the last lines may not come.
        assert running.returncode in {-signal.SIGKILL, 0}, err
        killed.seen["killed"] += running.returncode == -signal.SIGKILL
        killed.check()
    told(f"lines, of {lines}", killed.seen)
    assert killed.seen["old"]
    assert killed.seen["new"]
