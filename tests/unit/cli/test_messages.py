"""Messages on stderr: wrapped and coloured on a terminal, and one plain line elsewhere."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from datetime import date
from decimal import Decimal

import pytest

from rfm_pipeline.cli.next_step import print_next_step
from rfm_pipeline.cli.streams import print_labelled
from rfm_pipeline.results.run_result import RunResult
from rfm_pipeline.results.statistics import RunStatistics


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


LONG = (
    "set one of the columns with `rfm run orders.csv --customer-id Account --as-of 2025-12-31`, or\nrename it"
)


def test_a_message_is_wrapped_at_the_width_and_its_commands_stay_whole(terminal: Terminal) -> None:
    with redirect_stderr(terminal):
        print_labelled("hint", LONG)
    label, _, text = terminal.getvalue().partition("\x1b[0m")
    assert label == "\x1b[36mhint:"
    lines = text.splitlines()
    assert lines == [
        " set one of the columns with",
        "      `rfm run orders.csv --customer-id Account --as-of 2025-12-31`,",
        "      or rename it",
    ]


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_without_colours_gets_no_escape_codes(
    name: str, value: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with redirect_stderr(terminal):
        print_labelled("error", "Red \x1b[31m text.")
    assert terminal.getvalue() == "error: Red \ufffd[31m text.\n"


def test_a_stream_that_is_no_terminal_gets_one_plain_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setenv("FORCE_COLOR", "1")
    with redirect_stderr(stream):
        print_labelled("error", f"{'word ' * 40}jane@example.com.")
    assert stream.getvalue() == f"error: {'word ' * 40}j...@example.com.\n"


def result(status: str = "published") -> RunResult:
    statistics = RunStatistics(1, 1, Decimal(1), (), 1, 1, Decimal(1), date(2025, 1, 1), (), ())
    return RunResult("run", status, date(2025, 1, 1), "duckdb", "a.csv", "duckdb:a", statistics, ())


@pytest.mark.parametrize(
    ("status", "flags", "commands"),
    [
        ("published", {}, "`rfm report` writes it as a page; `rfm movers`"),
        ("published", {"to": "duckdb:my shop.duckdb"}, "`rfm report --to 'duckdb:my shop.duckdb'`"),
        ("published", {"report": {"file": "a.html"}}, "next: `rfm movers`"),
        ("history_only", {}, "next: `rfm transitions --from 2025-01-01`"),
    ],
)
def test_the_next_commands_name_the_same_destination(
    status: str, flags: dict[str, object], commands: str, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    with redirect_stderr(terminal):
        print_next_step(result(status), flags, None)
    assert commands in terminal.getvalue()


def test_a_log_gets_no_next_commands() -> None:
    stream = io.StringIO()
    with redirect_stderr(stream):
        print_next_step(result(), {}, None)
    assert stream.getvalue() == ""
