"""Streams that are closed or full, failures after a failure, and what the operating system refuses."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.pipeline import run_records
from rfm_pipeline.warehouse.duckdb.destination import DuckDBDestination
from support.cli import Rfm
from support.orders import ORDERS, published, refused

FULL = "Standard output can't be written: no space left on device."
PUBLISHED_FULL = "The result was published, but standard output can't be written: no space left on device."
RICH = "[audits.queries]\nrich = 'SELECT customer_id FROM segments WHERE monetary > 50'\n"


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


class FullStream(io.StringIO):
    """A stream that fails as a file on a full disk does, when it is flushed or at once."""

    def __init__(self, *, at_once: bool) -> None:
        super().__init__()
        self._at_once = at_once

    def write(self, text: str) -> int:
        if self._at_once:
            raise OSError(28, "No space left on device")
        return super().write(text)

    def flush(self) -> None:
        if self.getvalue():
            raise OSError(28, "No space left on device")


# Streams


@pytest.mark.matrix
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "orders.csv"], PUBLISHED_FULL),
        (["run", "orders.csv", "--json"], PUBLISHED_FULL),
        (["rollback"], PUBLISHED_FULL),
        (["calibrate", "orders.csv"], FULL),
        (["check", "orders.csv"], FULL),
        (["runs"], FULL),
        (["sql", "orders.csv"], FULL),
        (["--version"], FULL),
        (["--help"], FULL),
        (["run", "--help"], FULL),
    ],
)
def test_a_full_stdout_says_what_was_published(
    *,
    arguments: list[str],
    sentence: str,
    at_once: bool,
    rfm: Rfm,
    orders: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for day in ("2024-02-26", "2024-03-01"):
        assert rfm("run", orders, "--as-of", day, "--quiet").code == 0
    monkeypatch.setattr(sys, "stdout", FullStream(at_once=at_once))
    ended = rfm(*arguments)
    assert refused(ended, code=4)[0] == sentence


def test_a_failure_before_a_full_stdout_decides_the_code(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = FullStream(at_once=False)
    io.StringIO.write(stream, "written before")
    monkeypatch.setattr(sys, "stdout", stream)
    assert refused(rfm("run", "missing.csv"), code=2)[0] == "missing.csv does not exist."


@pytest.mark.slow
@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
@pytest.mark.parametrize(("source", "code"), [("orders.csv", 0), ("missing.csv", 2)])
def test_closed_streams_do_not_change_the_outcome(
    closed: tuple[int, ...], source: str, code: int, orders: Path, tmp_path: Path
) -> None:
    close = "; ".join(f"os.close({number})" for number in closed)
    # Python sets the streams of closed descriptors to None when it starts.
    starter = f"import os, sys; {close}; os.execv(sys.executable, sys.argv[1:])"
    rfm_command = [sys.executable, "-m", "rfm_pipeline", "run", source, "--json"]
    done = subprocess.run(
        [sys.executable, "-c", starter, *rfm_command],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("RFM_")},
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    if not code:
        assert len(published(tmp_path / "rfm.duckdb")) == 4
    assert orders.read_text(encoding="utf-8") == ORDERS


# Failures after a failure


@pytest.mark.slow
def test_a_failed_audit_is_reported_if_its_result_can_not_be_kept(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert rfm("run", orders, "--quiet").code == 0
    Path("rfm.toml").write_text(RICH, encoding="utf-8")

    def fail(*_: object) -> str:
        raise WarehouseError("The disk is full.")

    monkeypatch.setattr(DuckDBDestination, "retain_tables", fail)
    monkeypatch.setattr(DuckDBDestination, "apply", fail)
    sentence, hint = refused(rfm("run", orders), code=3)
    assert "`rich` found 1 row" in sentence
    assert "The staged tables can't be kept: the disk is full." in hint
    assert "The run can't be put on record: the disk is full." in hint
    assert {path.name for path in tmp_path.iterdir()} == {"orders.csv", "rfm.duckdb", "rfm.toml"}


@pytest.mark.slow
def test_a_failure_is_reported_if_it_can_not_be_put_on_record(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rfm("run", orders, "--quiet").code == 0

    def fail(*_: object) -> None:
        raise WarehouseError("The disk is full.")

    monkeypatch.setattr(DuckDBDestination, "apply", fail)
    query = "SELECT CAST(customer_id AS INT) FROM segments"
    Path("rfm.toml").write_text(f"[audits.queries]\nodd = '{query}'\n", encoding="utf-8")
    sentence, hint = refused(rfm("run", orders), code=2)
    assert sentence.startswith("The audit `odd` can't be run")
    assert "The run can't be put on record: the disk is full." in hint


@pytest.mark.slow
def test_the_next_run_removes_what_a_run_makes(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert rfm("run", orders, "--quiet").code == 0
    before = {path.name for path in tmp_path.iterdir()}
    stem = "rfm.rfm_segments.rejected-20200101T000000-abcdef.duckdb"
    leftovers = [
        f"{stem}.wal",
        ".rfm.duckdb.rfm_segments.0a1b2c3d.new",
        ".rfm.duckdb.rfm_segments.0a1b2c3d.new.wal",
    ]
    for name in leftovers:
        (tmp_path / name).write_bytes(b"x")
    orphan = tmp_path / ".rfm-abcdefgh"
    orphan.mkdir()
    for name in ("lock", "segments.csv", f"{stem}", f"{stem}.wal"):
        (orphan / name).write_bytes(b"")
    kept = tmp_path / stem
    kept.write_bytes(b"x")
    os.utime(kept, (0, 0))
    assert rfm("run", orders, "--quiet").code == 0
    assert {path.name for path in tmp_path.iterdir()} == before


# What the operating system refuses


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "orders.csv", "--to", f"duckdb:{'x' * 300}.duckdb"], 4),
        (["run", "orders.csv", "-o", f"{'x' * 300}.csv"], 4),
        (["run", f"{'x' * 300}.csv"], 2),
        (["run", "orders.csv", "-c", "x" * 300], 2),
    ],
)
def test_a_name_that_is_too_long_is_no_bug(arguments: list[str], code: int, rfm: Rfm, orders: Path) -> None:
    assert "name too long" in refused(rfm(*arguments), code=code)[0].casefold()


@pytest.mark.parametrize("command", ["run", "init", "demo", "runs", "report"])
def test_a_current_folder_that_was_removed_is_named(
    command: str, rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert refused(rfm(command))[0] == "The current folder can't be used: no such file or directory."
    assert rfm("--version").code == 0


def test_an_unexpected_refusal_of_the_system_is_no_bug(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "somewhere")

    monkeypatch.setattr(run_records, "source_identity", fail)
    sentence, _ = refused(rfm("run", orders), code=4)
    assert sentence == "The operating system refused to use somewhere: permission denied."


def test_a_device_is_no_source_and_a_pipe_no_destination(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert refused(rfm("run", "/dev/zero"))[0] == "/dev/zero is a device, not a file."
    os.mkfifo(tmp_path / "pipe.duckdb")
    for command in ("run", "check"):
        sentence, _ = refused(rfm(command, orders, "--to", "duckdb:pipe.duckdb"))
        assert sentence == "pipe.duckdb is a pipe, a socket or a device, not a file."


def test_too_little_address_space_is_reported_before_a_thread_aborts(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (500 * 2**20, -1))
    sentence, hint = refused(rfm("run", orders), code=4)
    assert sentence == "The address space is limited to 500 MiB, and DuckDB needs 1 GB."
    assert "ulimit -v unlimited" in hint


def test_a_thread_that_can_not_start_is_no_bug(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", fail)
    assert "too few threads" in refused(rfm("run", orders), code=4)[0]


# Settings


@pytest.mark.parametrize(
    "nested", ["[" * 1000 + "]" * 1000, "{a=" * 1000 + "1" + "}" * 1000, "[" * 50 + "]" * 50]
)
def test_settings_that_are_nested_too_deeply_are_refused(nested: str, rfm: Rfm, orders: Path) -> None:
    Path("rfm.toml").write_text(f"x = {nested}\n", encoding="utf-8")
    assert "nested more than 20 levels deep" in refused(rfm("run", orders))[0]


@pytest.mark.parametrize("nested", ["[" * 1000 + "]" * 1000, '{"a":' * 1000 + "1" + "}" * 1000])
def test_variables_that_are_nested_too_deeply_are_refused(
    nested: str, rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFM_EXCLUDE", nested)
    sentence, _ = refused(rfm("run", orders))
    assert sentence == "The value of the environment variable RFM_EXCLUDE is nested more than 20 levels deep."
    monkeypatch.setenv("RFM_EXCLUDE", "")
    monkeypatch.setenv(f"RFM_{'__'.join(['A'] * 2000)}", "1")
    assert refused(rfm("run", orders))[0]


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('source = "a\\u0000b"', "The setting `source` contains a NUL character."),
        ('to = "duckdb:a\\u0000b"', "The setting `to` contains a NUL character."),
        ('output = ["a\\u0000b.csv"]', "The setting `output` contains a NUL character."),
        (
            "[report]\nfile = 'a\\u0000'".replace("'", '"'),
            "The setting `report.file` contains a NUL character.",
        ),
        (f"[scoring]\nbins = {'9' * 5000}", "rfm.toml is not valid TOML: Exceeds the limit"),
    ],
)
def test_settings_that_no_system_takes_are_refused(toml: str, problem: str, rfm: Rfm, orders: Path) -> None:
    Path("rfm.toml").write_text(f"{toml}\n", encoding="utf-8")
    assert refused(rfm("check"))[0].startswith(problem)


@pytest.mark.parametrize(
    "flag", ["--to=duckdb:\udcff.duckdb", "--output=\udcff.csv", "--exclude=x=country = '\udcff'"]
)
def test_settings_that_are_no_utf_8_are_refused(flag: str, rfm: Rfm, orders: Path) -> None:
    assert refused(rfm("run", orders, flag))[0].endswith("is not text in UTF-8.")


@pytest.mark.parametrize(
    "to", ["duckdb:https://example.com/a.duckdb", "https://example.com/a.duckdb", "s3://b/a.db"]
)
def test_a_destination_is_no_address(to: str, rfm: Rfm, orders: Path) -> None:
    sentence, hint = refused(rfm("run", orders, "--to", to))
    assert "is an address" in sentence
    assert "create" not in hint


def test_a_folder_of_a_schedule_is_no_address(rfm: Rfm, tmp_path: Path) -> None:
    ended = rfm("schedule", "cron", "--write", "https://example.com/a", "--", "run", "orders.csv")
    assert "is an address" in refused(ended)[0]
    assert list(tmp_path.iterdir()) == []
