"""What goes wrong around a run: a full disk, too little memory, files that are held or closed, a stop signal.

What needs a process of its own runs in one: a limit, another user, a signal.
"""

from __future__ import annotations

import os
import pty
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
from support.bad_input import HEADER, Case, case, check, said_well, shop
from support.cli import Outcome, Rfm
from support.orders import contents, published, refused

pytestmark = pytest.mark.slow

# Outputs and databases of these are larger than LIMIT, and their source is not.
MANY = HEADER + "".join(f"c{n},o{n},2025-02-{n % 28 + 1:02d},{n + 1}\n" for n in range(1500))
LIMIT = 60_000

# A file that would grow beyond the limit can't be written to, as on a full disk; Python ignores the signal.
FULL_DISK = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}));"
START = "from rfm_pipeline.cli import main; main()"
# The superuser may write everywhere by two of its capabilities, which it can lay down: from the next program
# on, permissions bind it too.
BOUND = f"""
import ctypes, os, sys
if not os.getuid():
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability)  # PR_CAPBSET_DROP
    os.execv(sys.executable, [sys.executable, "-c", {START!r}, *sys.argv[1:]])
"""


def environment(**given: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RFM_")}
    return {**plain, "COLUMNS": "120", **given}


def process(folder: Path, before: str, *arguments: str, **given: str) -> Outcome:
    """`rfm` in a process of its own, in which something happens first."""
    done = subprocess.run(
        [sys.executable, "-c", before + START, *arguments],
        cwd=folder,
        env=environment(**given),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@contextmanager
def holding(file: Path, mode: str = "read_only=False") -> Iterator[subprocess.Popen[str]]:
    """Another process that has the database open, until its standard input is closed."""
    hold = (
        f"import duckdb; c = duckdb.connect({str(file)!r}, {mode}); print('held', flush=True);"
        " input() if False else __import__('sys').stdin.read()"
    )
    command = [sys.executable, "-c", hold]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder


# A full disk


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "json", "ndjson", "xlsx"])
def test_a_disk_that_is_full_on_output_publishes_nothing_and_leaves_no_draft(
    suffix: str, tmp_path: Path
) -> None:
    shop(tmp_path)
    (tmp_path / "many.csv").write_text(MANY, encoding="utf-8")
    earlier = tmp_path / f"segments.{suffix}"
    earlier.touch(exist_ok=True)
    before = contents(tmp_path)
    ended = process(tmp_path, FULL_DISK, "run", "many.csv", "-o", "first.ndjson", "-o", earlier.name)
    said_well(ended, Case("", ("The output", "can't be written: file too large"), "free space", 4))
    assert contents(tmp_path) == before


def test_the_output_that_does_not_fit_is_the_one_that_is_named(tmp_path: Path) -> None:
    shop(tmp_path)
    # Half of the lines: as Parquet they fit, and as JSON they do not.
    (tmp_path / "some.csv").write_text(MANY[: len(MANY) // 4].rpartition("\n")[0], encoding="utf-8")
    before = contents(tmp_path)
    ended = process(tmp_path, FULL_DISK, "run", "some.csv", "-o", "segments.parquet", "-o", "a.json")
    said_well(ended, Case("", ("The output a.json can't be written",), "nothing was published", 4))
    assert contents(tmp_path) == before


def test_a_disk_that_is_full_on_the_destination_leaves_the_earlier_result(tmp_path: Path) -> None:
    file = shop(tmp_path) / "rfm.duckdb"
    (tmp_path / "many.csv").write_text(MANY, encoding="utf-8")
    rows, before = published(file), contents(tmp_path)
    ended = process(tmp_path, FULL_DISK, "run", "many.csv", "-o", "segments.parquet")
    said_well(ended, Case("", ("rfm.duckdb: file too large",), "the earlier result is unchanged", 4))
    assert published(file) == rows
    # DuckDB may leave its log behind, empty.
    assert {name: state for name, state in contents(tmp_path).items() if "duckdb" not in name} == {
        name: state for name, state in before.items() if "duckdb" not in name
    }
    assert process(tmp_path, "", "run", "many.csv", "--quiet") == Outcome(0, "", "")
    assert len(published(file)) == 1500


def test_a_disk_that_is_full_leaves_no_half_of_a_new_database(tmp_path: Path) -> None:
    (shop(tmp_path) / "many.csv").write_text(MANY, encoding="utf-8")
    before = contents(tmp_path)
    ended = process(tmp_path, FULL_DISK, "run", "many.csv", "--to", "duckdb:new.duckdb")
    said_well(ended, Case("", ("new.duckdb", "file too large"), "the earlier result is unchanged", 4))
    assert contents(tmp_path) == before


def test_an_output_that_can_not_be_moved_to_its_place_is_told_after_the_publish(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(shop(tmp_path))

    def full(_: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    sentence, _ = refused(rfm("run", "orders.csv", "--as-of", "2025-03-01", "-o", "segments.csv"), code=4)
    assert sentence == (
        "The result was published, but the output segments.csv can't be written: no space left on device."
    )
    assert published(tmp_path / "rfm.duckdb", "SELECT DISTINCT as_of_date::TEXT FROM rfm_segments") == [
        ("2025-03-01",)
    ]
    assert contents(tmp_path).keys() == before.keys()
    assert contents(tmp_path)["segments.csv"] == before["segments.csv"]


def test_a_draft_that_was_only_half_written_is_taken_away(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_: object, __: str, path: Path, ___: Path) -> None:
        path.write_text("customer_id,recency_d", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(export._WRITERS, ".csv", half)
    spoiled = case(
        "", "run orders.csv -o segments.csv", "segments.csv can't be written: no space left on device",
        hints="nothing was published", code=4,
    )  # fmt: skip
    check(spoiled.values[0], tmp_path, rfm, monkeypatch)


# Memory


@pytest.mark.parametrize(
    "spoiled",
    [
        case("to look at the destination", "run orders.csv --memory-limit 1MB", "rfm.duckdb", "its limit is",
             hints="--memory-limit", code=4),
        case("for anything", "run orders.csv --memory-limit 1KB", "its limit is", hints="--memory-limit",
             code=4),
        case("to compute", "run orders.csv --to duckdb:new.duckdb --memory-limit 1MB --threads 1",
             "to compute the segments: its limit is", hints="--memory-limit", code=4),
    ],
)  # fmt: skip
def test_too_little_memory_is_said_and_changes_nothing(
    spoiled: Case, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(spoiled, tmp_path, rfm, monkeypatch)


def test_a_full_temporary_folder_is_told_from_too_little_memory(tmp_path: Path) -> None:
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


# Files that are held


@pytest.mark.parametrize("mode", ["read_only=False", "read_only=True"])
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_destination_that_is_held_is_waited_for_and_its_holder_named(
    command: str, mode: str, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFM_DUCKDB__LOCK_TIMEOUT", "0.2")
    before = contents(shop(tmp_path))
    with holding(tmp_path / "rfm.duckdb", mode) as holder:
        ended = rfm(command, "orders.csv", *(["-o", "segments.csv"] if command == "run" else []))
    if mode == "read_only=True" and command == "check":
        assert (ended.code, ended.stderr) == (0, "")
    else:
        said = ("rfm.duckdb is held by", f"(process {holder.pid})")
        said_well(ended, Case("", said, "the earlier result is unchanged", 5))
    assert contents(tmp_path) == before


def test_a_source_that_is_held_is_named_with_its_holder(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop(tmp_path)
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(f"CREATE TABLE orders AS FROM '{tmp_path / 'orders.csv'}'")
    before = contents(tmp_path)
    with holding(tmp_path / "shop.duckdb") as holder:
        ended = rfm("run", "duckdb:shop.duckdb#orders")
    said_well(ended, Case("", ("shop.duckdb is held by", f"(process {holder.pid})"), "close it", 5))
    assert contents(tmp_path) == before


def test_a_holder_that_lets_go_in_time_is_waited_for(tmp_path: Path) -> None:
    file = shop(tmp_path) / "rfm.duckdb"
    command = [sys.executable, "-c", START, "run", "orders.csv", "--as-of", "2025-03-01", "--quiet"]
    with (
        holding(file) as holder,
        subprocess.Popen(command, cwd=tmp_path, env=environment(RFM_DUCKDB__LOCK_TIMEOUT="60")) as waiting,
    ):
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1.5)
        assert holder.stdin is not None
        holder.stdin.close()
        assert waiting.wait(60) == 0
    assert published(file, "SELECT DISTINCT as_of_date::TEXT FROM rfm_segments") == [("2025-03-01",)]


# Files that are closed to us


@pytest.fixture
def bound(tmp_path: Path) -> Iterator[Path]:
    """A shop in a folder whose permissions are to bind whoever runs this; they are given back afterwards."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    tried = BOUND.replace(START, "open('closed/tried', 'w')")
    if not subprocess.run(
        [sys.executable, "-c", tried], cwd=tmp_path, stderr=subprocess.DEVNULL, check=False
    ).returncode:
        pytest.skip("permissions do not bind this user, and can't be made to")
    closed.rmdir()
    yield shop(tmp_path)
    tmp_path.chmod(0o755)


@pytest.mark.parametrize(
    ("closed", "arguments", "says", "code"),
    [
        ("rfm.duckdb", ["run", "orders.csv"], "no permission to write rfm.duckdb", 4),
        ("rfm.duckdb", ["check", "orders.csv"], "no permission to write rfm.duckdb", 4),
        (".", ["run", "orders.csv", "--to", "duckdb:new.duckdb"], "no permission to write into .", 4),
        (".", ["run", "orders.csv", "--to", "duckdb:rfm.duckdb"], "no permission to write into .", 4),
        ("marts", ["run", "orders.csv", "-o", "marts/a.csv"], "marts/a.csv can't be written: permission", 4),
        (
            "marts",
            ["run", "orders.csv", "-o", "marts/a.xlsx"],
            "marts/a.xlsx can't be written: permission",
            4,
        ),
    ],
)
def test_what_is_read_only_is_named_and_nothing_changes(
    closed: str, arguments: Sequence[str], says: str, code: int, bound: Path
) -> None:
    (bound / "marts").mkdir()
    (bound / closed).chmod(0o555)
    before = contents(bound)
    said_well(process(bound, BOUND, *arguments), Case("", (says,), "", code))
    assert contents(bound) == before


@pytest.mark.parametrize("closed", ["orders.csv", "rfm.toml"])
def test_what_can_not_be_read_is_named_and_nothing_changes(closed: str, bound: Path) -> None:
    (bound / "rfm.toml").write_text("timezone = 'UTC'\n", encoding="utf-8")
    (bound / closed).chmod(0)
    before = contents(bound)
    sentence, _ = refused(process(bound, BOUND, "run", "orders.csv"))
    assert closed in sentence
    assert "permission" in sentence
    assert contents(bound) == before


# Stop signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_in_the_middle_of_its_query_leaves_all_as_it_was(
    number: signal.Signals, tmp_path: Path
) -> None:
    shop(tmp_path)
    duckdb.connect().execute(
        "COPY (SELECT 'c' || i AS customer_id, DATE '2025-01-01' AS ordered_at, 1 AS amount"
        f" FROM range(300000) lines(i)) TO '{tmp_path / 'many.parquet'}'"
    )
    (tmp_path / "scratch").mkdir()
    before = contents(tmp_path)
    # Minutes of work.
    slow = "slow=LENGTH(SHA256(REPEAT(customer_id, 10000))) < 0"
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-c", START, "run", "many.parquet", "-o", "segments.csv", "--exclude", slow],
        cwd=tmp_path,
        env=environment(RFM_DUCKDB__TEMP_DIRECTORY="scratch", TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    with running:
        # A terminal is told where the run is.
        while b"Reading, cleaning and measuring" not in said:
            said += os.read(ours, 4096)
        running.send_signal(number)
        while more := read_on(ours):
            said += more
        assert running.wait(60) == 130
        assert running.stdout is not None
        assert running.stdout.read() == b""
    os.close(ours)
    assert said.endswith(b"error: Stopped; nothing was published.\r\n")
    assert b"Traceback" not in said
    assert contents(tmp_path) == before
    assert list((tmp_path / "scratch").iterdir()) == []


def read_on(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # what Linux says at the end of a terminal
        return b""


def test_a_run_that_is_stopped_while_it_waits_for_a_holder_leaves_all_as_it_was(tmp_path: Path) -> None:
    shop(tmp_path)
    (tmp_path / "scratch").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    before = contents(tmp_path)
    given = environment(RFM_DUCKDB__TEMP_DIRECTORY="scratch", RFM_DUCKDB__LOCK_TIMEOUT="600")
    with holding(tmp_path / "rfm.duckdb"):
        command = [sys.executable, "-c", START, "run", "pipe.csv"]
        with subprocess.Popen(
            command, cwd=tmp_path, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as waiting:
            # Once the source is read, the destination is what it waits for.
            (tmp_path / "pipe.csv").write_bytes((tmp_path / "orders.csv").read_bytes())
            with pytest.raises(subprocess.TimeoutExpired):
                waiting.wait(1)
            waiting.send_signal(signal.SIGTERM)
            said = waiting.communicate(timeout=60)
    assert (waiting.returncode, said) == (130, (b"", b"error: Stopped; nothing was published.\n"))
    assert contents(tmp_path) == before
    assert list((tmp_path / "scratch").iterdir()) == []
