"""Faults around a run: a full disk, too little memory, locked or protected files, a stop signal.

Tests of limits, permissions and signals run the command in a process of its own.
"""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.warehouse.duckdb import export
from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors
from support.bad_input import HEADER, Case, assert_error, case, check, make_shop
from support.cli import Outcome, Rfm
from support.orders import contents, published, refused

pytestmark = pytest.mark.slow

# Outputs and databases of these lines exceed FILE_SIZE_LIMIT; the source itself does not.
LARGE_SOURCE = HEADER + "".join(f"c{n},o{n},2025-02-{n % 28 + 1:02d},{n + 1}\n" for n in range(1500))
FILE_SIZE_LIMIT = 60_000

# Writing beyond the limit fails, as on a full disk; Python ignores the signal SIGXFSZ.
FULL_DISK = (
    f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({FILE_SIZE_LIMIT}, {FILE_SIZE_LIMIT}));"
)
RUN_MAIN = "from rfm_pipeline.cli import main; main()"
# Root ignores permissions by two capabilities. They are dropped from the bounding set, which takes an exec.
DROP_CAPABILITIES = f"""
import ctypes, os, sys
if not os.getuid():
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability)  # PR_CAPBSET_DROP
    os.execv(sys.executable, [sys.executable, "-c", {RUN_MAIN!r}, *sys.argv[1:]])
"""


def environment(**variables: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RFM_")}
    return {**plain, "COLUMNS": "120", **variables}


def run_rfm(folder: Path, before: str, *arguments: str, **variables: str) -> Outcome:
    """Run `rfm` in a process of its own, after the Python code `before`."""
    done = subprocess.run(
        [sys.executable, "-c", before + RUN_MAIN, *arguments],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@contextmanager
def locked_by_process(file: Path, mode: str = "read_only=False") -> Iterator[subprocess.Popen[str]]:
    """Hold the database open in another process until its standard input is closed."""
    program = (
        f"import duckdb; c = duckdb.connect({str(file)!r}, {mode}); print('held', flush=True);"
        " input() if False else __import__('sys').stdin.read()"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder


# A full disk


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "json", "ndjson", "xlsx"])
def test_a_full_disk_while_writing_an_output_publishes_nothing_and_leaves_no_temporary_file(
    suffix: str, tmp_path: Path
) -> None:
    make_shop(tmp_path)
    (tmp_path / "many.csv").write_text(LARGE_SOURCE, encoding="utf-8")
    earlier = tmp_path / f"segments.{suffix}"
    earlier.touch(exist_ok=True)
    before = contents(tmp_path)
    ended = run_rfm(tmp_path, FULL_DISK, "run", "many.csv", "-o", "first.ndjson", "-o", earlier.name)
    assert_error(ended, Case("", ("The output", "can't be written: file too large"), "free space", 4))
    assert contents(tmp_path) == before


def test_the_error_names_the_output_that_does_not_fit(tmp_path: Path) -> None:
    make_shop(tmp_path)
    # A quarter of the lines: as Parquet they fit, and as JSON they do not.
    (tmp_path / "some.csv").write_text(
        LARGE_SOURCE[: len(LARGE_SOURCE) // 4].rpartition("\n")[0], encoding="utf-8"
    )
    before = contents(tmp_path)
    ended = run_rfm(tmp_path, FULL_DISK, "run", "some.csv", "-o", "segments.parquet", "-o", "a.json")
    assert_error(ended, Case("", ("The output a.json can't be written",), "nothing was published", 4))
    assert contents(tmp_path) == before


def test_a_full_disk_while_publishing_leaves_the_earlier_result(tmp_path: Path) -> None:
    file = make_shop(tmp_path) / "rfm.duckdb"
    (tmp_path / "many.csv").write_text(LARGE_SOURCE, encoding="utf-8")
    rows, before = published(file), contents(tmp_path)
    ended = run_rfm(tmp_path, FULL_DISK, "run", "many.csv", "-o", "segments.parquet")
    assert_error(ended, Case("", ("rfm.duckdb: file too large",), "the earlier result is unchanged", 4))
    assert published(file) == rows
    # DuckDB may leave an empty write-ahead log.
    assert {name: state for name, state in contents(tmp_path).items() if "duckdb" not in name} == {
        name: state for name, state in before.items() if "duckdb" not in name
    }
    assert run_rfm(tmp_path, "", "run", "many.csv", "--quiet") == Outcome(0, "", "")
    assert len(published(file)) == 1500


def test_a_full_disk_leaves_no_partial_new_database(tmp_path: Path) -> None:
    (make_shop(tmp_path) / "many.csv").write_text(LARGE_SOURCE, encoding="utf-8")
    before = contents(tmp_path)
    ended = run_rfm(tmp_path, FULL_DISK, "run", "many.csv", "--to", "duckdb:new.duckdb")
    assert_error(ended, Case("", ("new.duckdb", "file too large"), "the earlier result is unchanged", 4))
    assert contents(tmp_path) == before


def test_an_output_that_can_not_be_renamed_is_reported_after_the_publish(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(make_shop(tmp_path))

    def fail(_: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", fail)
    sentence, _ = refused(rfm("run", "orders.csv", "--as-of", "2025-03-01", "-o", "segments.csv"), code=4)
    assert sentence == (
        "The result was published, but the output segments.csv can't be written: no space left on device."
    )
    assert published(tmp_path / "rfm.duckdb", "SELECT DISTINCT as_of_date::TEXT FROM rfm_segments") == [
        ("2025-03-01",)
    ]
    assert contents(tmp_path).keys() == before.keys()
    assert contents(tmp_path)["segments.csv"] == before["segments.csv"]


def test_a_partially_written_temporary_file_is_removed(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_part(_: object, __: str, path: Path, ___: Path) -> None:
        path.write_text("customer_id,recency_d", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(export._WRITERS, ".csv", write_part)
    bad_case = case(
        "", "run orders.csv -o segments.csv", "segments.csv can't be written: no space left on device",
        hints="nothing was published", code=4,
    )  # fmt: skip
    check(bad_case.values[0], tmp_path, rfm, monkeypatch)


# Memory


@pytest.mark.parametrize(
    "bad_case",
    [
        case("to look at the destination", "run orders.csv --memory-limit 1MB", "rfm.duckdb", "its limit is",
             hints="--memory-limit", code=4),
        case("for anything", "run orders.csv --memory-limit 1KB", "its limit is", hints="--memory-limit",
             code=4),
        case("to compute", "run orders.csv --to duckdb:new.duckdb --memory-limit 1MB --threads 1",
             "to compute the segments: its limit is", hints="--memory-limit", code=4),
    ],
)  # fmt: skip
def test_too_little_memory_is_reported_and_changes_nothing(
    bad_case: Case, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(bad_case, tmp_path, rfm, monkeypatch)


def test_a_full_temporary_folder_is_not_reported_as_too_little_memory(tmp_path: Path) -> None:
    many = "CREATE TABLE texts AS SELECT md5(i::VARCHAR) AS text FROM range(5_000_000) AS numbers(i)"
    with duckdb.connect() as connection:
        connection.execute(f"SET temp_directory = '{tmp_path}'")
        connection.execute("SET max_temp_directory_size = '16MiB'")
        connection.execute("SET memory_limit = '64MiB'")
        with pytest.raises(WarehouseError) as raised, translate_duckdb_errors("compute the segments"):
            connection.execute(many)
    assert raised.value.message == (
        "DuckDB has too little disk space to compute the segments: its temporary folder holds 16.0 MiB."
    )
    assert raised.value.hint is not None
    assert "duckdb.temp_directory" in raised.value.hint


# Locked files


@pytest.mark.parametrize("mode", ["read_only=False", "read_only=True"])
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_locked_destination_is_waited_for_and_the_error_names_the_process(
    command: str, mode: str, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFM_DUCKDB__LOCK_TIMEOUT", "0.2")
    before = contents(make_shop(tmp_path))
    with locked_by_process(tmp_path / "rfm.duckdb", mode) as holder:
        ended = rfm(command, "orders.csv", *(["-o", "segments.csv"] if command == "run" else []))
    if mode == "read_only=True" and command == "check":
        assert (ended.code, ended.stderr) == (0, "")
    else:
        output = ("rfm.duckdb is held by", f"(process {holder.pid})")
        assert_error(ended, Case("", output, "the earlier result is unchanged", 5))
    assert contents(tmp_path) == before


def test_the_error_for_a_locked_source_names_the_process(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_shop(tmp_path)
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(f"CREATE TABLE orders AS FROM '{tmp_path / 'orders.csv'}'")
    before = contents(tmp_path)
    with locked_by_process(tmp_path / "shop.duckdb") as holder:
        ended = rfm("run", "duckdb:shop.duckdb#orders")
    assert_error(ended, Case("", ("shop.duckdb is held by", f"(process {holder.pid})"), "close it", 5))
    assert contents(tmp_path) == before


def test_a_lock_released_in_time_is_waited_for(tmp_path: Path) -> None:
    file = make_shop(tmp_path) / "rfm.duckdb"
    command = [sys.executable, "-c", RUN_MAIN, "run", "orders.csv", "--as-of", "2025-03-01", "--quiet"]
    with (
        locked_by_process(file) as holder,
        subprocess.Popen(
            command, cwd=tmp_path, env=environment(RFM_DUCKDB__LOCK_TIMEOUT="60")
        ) as run_process,
    ):
        with pytest.raises(subprocess.TimeoutExpired):
            run_process.wait(1.5)
        assert holder.stdin is not None
        holder.stdin.close()
        assert run_process.wait(60) == 0
    assert published(file, "SELECT DISTINCT as_of_date::TEXT FROM rfm_segments") == [("2025-03-01",)]


# Permissions


@pytest.fixture
def restricted_shop(tmp_path: Path) -> Iterator[Path]:
    """A shop folder in which permissions also apply to root; the folder is made writable again afterwards."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    tried = DROP_CAPABILITIES.replace(RUN_MAIN, "open('closed/tried', 'w')")
    if not subprocess.run(
        [sys.executable, "-c", tried], cwd=tmp_path, stderr=subprocess.DEVNULL, check=False
    ).returncode:
        pytest.skip("permissions do not apply to this user")
    closed.rmdir()
    yield make_shop(tmp_path)
    tmp_path.chmod(0o755)


@pytest.mark.parametrize(
    ("closed", "arguments", "expected", "code"),
    [
        ("rfm.duckdb", ["run", "orders.csv"], "no permission to write rfm.duckdb", 4),
        ("rfm.duckdb", ["check", "orders.csv"], "no permission to write rfm.duckdb", 4),
        (
            ".",
            ["run", "orders.csv", "--to", "duckdb:new.duckdb"],
            "no permission to write into the folder /",
            4,
        ),
        (
            ".",
            ["run", "orders.csv", "--to", "duckdb:rfm.duckdb"],
            "no permission to write into the folder /",
            4,
        ),
        ("marts", ["run", "orders.csv", "-o", "marts/a.csv"], "marts/a.csv can't be written: permission", 4),
        (
            "marts",
            ["run", "orders.csv", "-o", "marts/a.xlsx"],
            "marts/a.xlsx can't be written: permission",
            4,
        ),
    ],
)
def test_a_read_only_target_is_named_and_nothing_changes(
    closed: str, arguments: Sequence[str], expected: str, code: int, restricted_shop: Path
) -> None:
    (restricted_shop / "marts").mkdir()
    (restricted_shop / closed).chmod(0o555)
    before = contents(restricted_shop)
    assert_error(run_rfm(restricted_shop, DROP_CAPABILITIES, *arguments), Case("", (expected,), "", code))
    assert contents(restricted_shop) == before


@pytest.mark.parametrize("closed", ["orders.csv", "rfm.toml"])
def test_an_unreadable_file_is_named_and_nothing_changes(closed: str, restricted_shop: Path) -> None:
    (restricted_shop / "rfm.toml").write_text("timezone = 'UTC'\n", encoding="utf-8")
    (restricted_shop / closed).chmod(0)
    before = contents(restricted_shop)
    sentence, _ = refused(run_rfm(restricted_shop, DROP_CAPABILITIES, "run", "orders.csv"))
    assert closed in sentence
    assert "permission" in sentence
    assert contents(restricted_shop) == before


# Stop signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_stopped_during_its_query_changes_nothing(number: signal.Signals, tmp_path: Path) -> None:
    make_shop(tmp_path)
    duckdb.connect().execute(
        "COPY (SELECT 'c' || i AS customer_id, DATE '2025-01-01' AS ordered_at, 1 AS amount"
        f" FROM range(300000) lines(i)) TO '{tmp_path / 'many.parquet'}'"
    )
    (tmp_path / "scratch").mkdir()
    before = contents(tmp_path)
    # Minutes of work.
    slow = "slow=LENGTH(SHA256(REPEAT(customer_id, 10000))) < 0"
    controller, terminal = pty.openpty()
    arguments = ["run", "many.parquet", "-o", "segments.csv", "--exclude", slow, "--replace-source"]
    run_process = subprocess.Popen(
        [sys.executable, "-c", RUN_MAIN, *arguments],
        cwd=tmp_path,
        env=environment(RFM_DUCKDB__TEMP_DIRECTORY="scratch", TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    os.close(terminal)
    output = b""
    with run_process:
        # On a terminal, the run shows its progress.
        while b"Reading, cleaning and measuring" not in output:
            output += os.read(controller, 4096)
        run_process.send_signal(number)
        while more := read_terminal(controller):
            output += more
        assert run_process.wait(60) == 130
        assert run_process.stdout is not None
        assert run_process.stdout.read() == b""
    os.close(controller)
    plain = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", output)
    assert plain.endswith(b"error: Stopped; nothing was published.\r\n")
    assert b"Traceback" not in output
    assert contents(tmp_path) == before
    assert list((tmp_path / "scratch").iterdir()) == []


def read_terminal(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # EIO: the other side of the pseudo-terminal is closed
        return b""


def test_a_run_stopped_while_waiting_for_a_lock_changes_nothing(tmp_path: Path) -> None:
    make_shop(tmp_path)
    (tmp_path / "scratch").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    before = contents(tmp_path)
    variables = environment(RFM_DUCKDB__TEMP_DIRECTORY="scratch", RFM_DUCKDB__LOCK_TIMEOUT="600")
    with locked_by_process(tmp_path / "rfm.duckdb"):
        command = [sys.executable, "-c", RUN_MAIN, "run", "pipe.csv"]
        with subprocess.Popen(
            command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as run_process:
            # Once the source is read, the run waits for the lock of the destination.
            (tmp_path / "pipe.csv").write_bytes((tmp_path / "orders.csv").read_bytes())
            with pytest.raises(subprocess.TimeoutExpired):
                run_process.wait(1)
            run_process.send_signal(signal.SIGTERM)
            output = run_process.communicate(timeout=60)
    assert (run_process.returncode, output) == (130, (b"", b"error: Stopped; nothing was published.\n"))
    assert contents(tmp_path) == before
    assert list((tmp_path / "scratch").iterdir()) == []
