"""`rfm --help`: what there is, drawn without what a command needs, so that it is there at once.

It looks as typer draws the help of a command.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Mapping

COMMANDS = {
    "run": "Segment the customers of a shop, and publish the result.",
    "calibrate": "Put the edges between scores on record, for later runs to score by. Nothing is published.",
    "demo": "Make up a shop, and segment its customers.",
    "init": "Write a configuration file that says everything there is to say, with the columns of a source.",
    "check": "Validate everything that a run needs, and say what it would do. Nothing is written.",
    "sql": "Print the whole computation as one query, to read or to run by hand.",
    "explain": "Say why a customer is in a segment, and what would lead to another. Nothing is published.",
    "runs": "List the runs on record, or show one: what it read, found, left out, checked and cost.",
    "transitions": "Tell who moved from which segment to which between two as-of dates, and why.",
    "rollback": "Make an earlier result the current one again, from the history, in one transaction.",
    "backfill": "Fill the history: publish the result as of each of many dates, from the oldest on.",
    "load": "Load files into a table of BigQuery, which is made where there is none.",
    "presets": "List the segment maps and well-known exports, or show one.",
    "schedule": "Print what starts a run every day, for the scheduler of your choice.",
    "export": "Write the customers of some segments to a file, as another program takes it.",
    "report": "Write what stands at the destination to one page of HTML, or one chart of it to a picture.",
}
"""Each is a module beside this one, with a function of the same name; what it does, in a sentence."""

OPTIONS = {
    "--version": "Print the version.",
    "--debug": "Show what goes on, and the traceback of an error.",
    "--help, -h": "Show this message and exit.",
}
ABOUT = "Recency, frequency and monetary value for every customer, scored and segmented."
EPILOG = (
    "Start with `rfm demo`, or with `rfm run orders.csv`. Exit codes: 0 done, 1 a bug, 2 usage, 3 an audit"
    " failed, 4 the warehouse failed, 5 the destination is held, 6 over the cost limit."
)

_WIDEST = 100
_STYLES = {"dim": "2", "bold": "1", "name": "1;36", "flag": "33"}


def overview() -> str:
    """The commands and what each does, as wide as the terminal, in colour where it takes it."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    usage = f"{_styled('Usage:', 'flag')} {_styled('rfm [OPTIONS] COMMAND [ARGS]...', 'bold')}"
    return "\n".join(
        [
            "",
            f" {usage}",
            "",
            *_wrapped(ABOUT, width),
            "",
            *_panel("Options", OPTIONS, width),
            *_panel("Commands", COMMANDS, width),
            "",
            *_wrapped(EPILOG, width),
            "",
        ]
    )


def _panel(title: str, rows: Mapping[str, str], width: int) -> list[str]:
    """A frame around names and what they do."""
    names = max(map(len, rows))
    lines = [_styled(f"╭─ {title} {'─' * (width - len(title) - 5)}╮", "dim")]
    side = _styled("│", "dim")
    for name, does in rows.items():
        first = _styled(name.ljust(names), "name")
        for line in textwrap.wrap(does, max(width - names - 6, 20)):
            lines.append(f"{side} {first}  {line.ljust(width - names - 6)} {side}")
            first = " " * names
    return [*lines, _styled(f"╰{'─' * (width - 2)}╯", "dim")]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width - 1, initial_indent=" ", subsequent_indent=" ")


def _styled(text: str, style: str) -> str:
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if _takes_colour() else text


def _takes_colour() -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()
