"""Terminals, pipes and signals: colours and progress on terminals only, closed pipes, and cancellation."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.common.duckdb_engine import execute_interruptibly
from support.cli import Rfm
from support.orders import ORDERS

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Environment variables of a terminal, a test runner or a CI server that change the output.
DISPLAY_VARIABLES = {
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "PY_COLORS",
    "GITHUB_ACTIONS",
    "TTY_COMPATIBLE",
    "COLUMNS",
}


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


def environment(**variables: str) -> dict[str, str]:
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RFM_") and name not in DISPLAY_VARIABLES
    }
    return {**plain, "TERM": "xterm-256color", **variables}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "rfm_pipeline", *map(str, arguments)]


@dataclass(frozen=True)
class Screen:
    """Output on two pseudo-terminals, one for stdout and one for stderr."""

    code: int
    stdout: str
    stderr: str


def on_terminals(folder: Path, *arguments: object, **variables: str) -> Screen:
    """Run `rfm` with one pseudo-terminal for stdout and another for stderr."""
    screens: list[bytes] = [b"", b""]
    pairs = [pty.openpty() for _ in screens]

    def watch(position: int) -> None:
        try:
            while some := os.read(pairs[position][0], 65_536):
                screens[position] += some
        except OSError:
            # Linux raises this when the other end of a pseudo-terminal is closed.
            pass

    process = subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=pairs[0][1],
        stderr=pairs[1][1],
    )
    watchers = [threading.Thread(target=watch, args=(position,)) for position in range(len(pairs))]
    for (_, theirs), watcher in zip(pairs, watchers, strict=True):
        os.close(theirs)
        watcher.start()
    code = process.wait(timeout=120)
    for (ours, _), watcher in zip(pairs, watchers, strict=True):
        watcher.join(timeout=120)
        os.close(ours)
    stdout, stderr = (screen.decode("utf-8").replace("\r\n", "\n") for screen in screens)
    return Screen(code, stdout, stderr)


# Colours and progress


@pytest.mark.slow
def test_a_terminal_gets_colours_and_a_progress_line_that_is_erased(orders: Path) -> None:
    seen = on_terminals(orders.parent, "run", orders)
    assert seen.code == 0
    assert COLOUR.search(seen.stdout)
    assert "Segment" in seen.stdout
    # A short run shows at least its first and its last step.
    assert "Starting" in seen.stderr
    assert "Publishing" in seen.stderr
    # The cursor is hidden for the line and shown after it, and the line is erased.
    assert seen.stderr.startswith("\x1b[?25l")
    assert "\x1b[?25h" in seen.stderr
    assert "next: `rfm report` writes it as a page" in COLOUR.sub("", seen.stderr.rpartition("\x1b[2K")[2])


@pytest.mark.slow
def test_an_evaluation_shows_each_date_on_a_progress_line_that_is_erased(tmp_path: Path) -> None:
    days = [date(2024, 1, 1) + timedelta(days=7 * number) for number in range(40)]
    lines = [f"c{number % 9},{day},5" for number, day in enumerate(days)]
    (tmp_path / "o.csv").write_text("\n".join(["customer_id,date,amount", *lines]), encoding="utf-8")
    seen = on_terminals(tmp_path, "evaluate", "o.csv", "--horizon", "60d", "--as-of", "2024-06-30")
    assert seen.code == 0
    assert "As of 2024-06-30 (2 of 2)" in COLOUR.sub("", seen.stderr)
    assert seen.stderr.startswith("\x1b[?25l")
    assert "\x1b[?25h" in seen.stderr
    assert "As of" not in seen.stderr.rpartition("\x1b[2K")[2]


@pytest.mark.matrix
@pytest.mark.parametrize("arguments", [["run"], ["run", "--json"], ["check"], ["sql"]], ids=" ".join)
def test_no_escape_codes_are_written_to_a_pipe(arguments: Sequence[str], orders: Path) -> None:
    done = subprocess.run(
        command(*arguments, orders),
        cwd=orders.parent,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stderr == ""
    assert len(done.stdout) > 200
    assert ESCAPE not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["presets"], ["sql", "orders.csv"]], ids=" ".join)
def test_no_color_removes_the_colours_on_a_terminal(arguments: Sequence[str], orders: Path) -> None:
    coloured = on_terminals(orders.parent, *arguments)
    plain = on_terminals(orders.parent, *arguments, NO_COLOR="1")
    assert COLOUR.search(coloured.stdout)
    assert ESCAPE not in plain.stdout
    words = " ".join(COLOUR.sub("", coloured.stdout).split())
    assert words == " ".join(plain.stdout.split())


@pytest.mark.slow
def test_with_no_color_a_run_prints_no_escape_codes(orders: Path) -> None:
    seen = on_terminals(orders.parent, "run", orders, NO_COLOR="1")
    assert seen.code == 0
    assert "Published duckdb:rfm.duckdb#rfm_segments" in seen.stdout
    assert ESCAPE not in seen.stdout
    assert not COLOUR.search(seen.stderr)


@pytest.mark.slow
def test_quiet_prints_nothing_on_a_terminal(orders: Path) -> None:
    assert on_terminals(orders.parent, "run", orders, "--quiet") == Screen(0, "", "")


@pytest.mark.slow
def test_json_on_a_terminal_has_no_escape_codes(orders: Path) -> None:
    seen = on_terminals(orders.parent, "run", orders, "--json")
    assert json.loads(seen.stdout)["customers"] == 4


@pytest.mark.slow
def test_an_error_on_a_terminal_follows_the_erased_progress_line(orders: Path) -> None:
    seen = on_terminals(orders.parent, "run", "order.csv")
    assert (seen.code, seen.stdout) == (2, "")
    message = seen.stderr.rpartition("\x1b[2K")[2]
    plain = " ".join(COLOUR.sub("", message).split())
    assert re.fullmatch(r"error: order.csv .+ hint: .*orders.csv.*", plain)
    assert message.startswith("\x1b[1;31merror:\x1b[0m order.csv")


@pytest.mark.slow
@pytest.mark.parametrize("width", [40, 80, 200])
def test_output_fits_the_width_of_the_terminal(width: int, orders: Path) -> None:
    seen = on_terminals(orders.parent, "run", orders, COLUMNS=str(width), NO_COLOR="1")
    assert seen.code == 0
    lines = seen.stdout.splitlines()
    assert max(map(len, lines)) <= width
    # Names and figures are not cut if they fit; the bars get the remaining width.
    complete_row = re.search(r"^Champions +1 +25\.0 % +125\.50 +76\.8 % +█+", seen.stdout, re.MULTILINE)
    assert bool(complete_row) is (width >= 80)


LARGE = "customer_id,order_id,ordered_at,amount\n" + "".join(
    f"c{number},o{number},2025-01-{1 + number % 28:02d},{number}234567.25\n" for number in range(1, 41)
)
EXCLUDED = "".join(
    f",a{number},2025-01-01,8765432.1\nc1,b{number},the day before the first,7\nc1,d{number},2025-01-02,-3\n"
    for number in range(5)
)


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("width", "shown"), [(40, "name"), (50, "figures"), (60, "figures"), (62, "shares"), (66, "bars")]
)
def test_figures_and_reasons_are_not_cut_on_a_narrow_terminal(
    width: int, shown: str, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text(LARGE + EXCLUDED, encoding="utf-8")
    monkeypatch.setenv("COLUMNS", str(width))
    seen = rfm("run", "a.csv")
    assert seen.code == 0, seen.stderr
    lines = seen.stdout.splitlines()
    assert max(map(len, lines)) <= width
    assert any(re.fullmatch(r" *5 +missing_customer +43,827,160.50 *", line) for line in lines)
    assert any(re.fullmatch(r" *5 +non_positive_amount +-15.00 *", line) for line in lines)
    (invalid,) = (line for line in lines if re.match(r" *5 +invalid_date", line))
    assert ("such as" in invalid) is (width >= 60)
    segments = lines[next(index for index, line in enumerate(lines) if line.startswith("Segment")) :]
    segments = segments[: segments.index("")]
    pattern = {
        "name": r".{,15} +\d+ +([\d,]+\.\d\d)",
        "figures": r"[\w -]+ +\d+ +([\d,]+\.\d\d)",
        "shares": r"[\w -]+ +\d+ +\d+\.\d % +([\d,]+\.\d\d) +\d+\.\d %",
        "bars": r"[\w -]+ +\d+ +\d+\.\d % +([\d,]+\.\d\d) +\d+\.\d %.*",
    }[shown]
    revenues = [re.fullmatch(pattern, line.rstrip()) for line in segments[1:-1]]
    assert all(revenues), segments
    total = sum(Decimal(match[1].replace(",", "")) for match in revenues if match)
    assert total == sum(Decimal(line.split(",")[3]) for line in LARGE.splitlines()[1:])
    assert segments[-1].split() == ["Total", "40", f"{total:,}"]
    assert ("█" in seen.stdout) is (width >= 66)
    assert any("…" in line for line in segments) is (shown == "name")


@pytest.mark.parametrize(
    "arguments", [["run", "orders.csv"], ["check", "orders.csv"], ["presets", "classic"]]
)
def test_lines_in_a_pipe_have_no_trailing_spaces(arguments: Sequence[str], orders: Path, rfm: Rfm) -> None:
    lines = rfm(*arguments).stdout.split("\n")
    assert len(lines) > 10
    assert [line for line in lines if line.endswith(" ")] == []


# Encoding


@pytest.mark.slow
def test_output_is_utf_8_in_any_locale(orders: Path) -> None:
    orders.write_text(ORDERS.replace("ann", "Zoë"), encoding="utf-8")
    for arguments in (["run", orders], ["run", orders, "--json"], ["sql", orders]):
        done = subprocess.run(
            command(*arguments, "--exclude", "odd=country = '€'"),
            cwd=orders.parent,
            env=environment(PYTHONIOENCODING="ascii", LC_ALL="C"),
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.decode("utf-8")


# Pipes


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [["presets"], ["presets", "--json"], ["--help"], ["sql", "orders.csv"], ["run", "orders.csv"]],
    ids=" ".join,
)
def test_a_closed_pipe_is_no_error(arguments: Sequence[str], orders: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command(*arguments),
            cwd=orders.parent,
            env=environment(),
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


# Signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_run_publishes_nothing_and_leaves_no_files(
    number: signal.Signals, tmp_path: Path
) -> None:
    pipe, scratch = tmp_path / "orders.csv", tmp_path / "scratch"
    os.mkfifo(pipe)
    scratch.mkdir()
    process = subprocess.Popen(
        command("run", pipe, "--to", "duckdb:shop.duckdb"),
        cwd=tmp_path,
        env=environment(RFM_DUCKDB__TEMP_DIRECTORY=str(scratch)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    # Opening the pipe blocks until the run reads from it.
    with process, pipe.open("wb"):
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130
    assert (stdout, stderr) == (b"", b"error: Stopped; nothing was published.\n")
    assert list(scratch.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if path != scratch] == ["orders.csv"]


# A run that gets a signal while Python ignores exceptions, as it does in `__del__`.
SIGNAL_IN_DEL = """
import os, signal, sys, time
from rfm_pipeline.cli import main
from rfm_pipeline.pipeline import run

class SignalInDel:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)

def open_plan(*arguments, original=run.open_plan, **named):
    SignalInDel()
    return original(*arguments, **named)

run.open_plan = open_plan
sys.argv = ["rfm", *sys.argv[1:]]
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("source", ["-", "orders.csv"])
def test_a_signal_in_a_finalizer_still_cancels_the_run(source: str, orders: Path, tmp_path: Path) -> None:
    with tempfile.TemporaryFile("w+") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", SIGNAL_IN_DEL, "run", source],
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
        try:
            # Standard input stays open and empty.
            assert process.wait(timeout=60) == 130
        finally:
            process.kill()
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
        stderr.seek(0)
        messages = stderr.read()
    assert "Exception ignored in" in messages
    assert messages.endswith("error: Stopped; nothing was published.\n")
    assert [path.name for path in tmp_path.iterdir()] == [orders.name]


def test_a_received_signal_interrupts_a_long_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfm_pipeline.common.cancellation.received_signals", [signal.SIGTERM])
    connection = duckdb.connect()
    endless = "SELECT COUNT(*) FROM range(10_000_000_000) AS a(i), range(1_000) AS b(j) WHERE i * j = -1"
    with pytest.raises(KeyboardInterrupt):
        execute_interruptibly(connection, endless)
    # The connection can be used again.
    assert connection.execute("SELECT 1").fetchone() == (1,)
