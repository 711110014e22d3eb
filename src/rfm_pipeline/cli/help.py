"""Output of `rfm --help`, printed without typer and rich, whose import takes longer than the rest.

The layout is that of typer's help for a command.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Mapping

COMMANDS = {
    "run": "Segment the customers of a shop and publish the result.",
    "calibrate": "Record the current edges between scores, for later runs to score by. Nothing is published.",
    "demo": "Generate a shop and segment its customers.",
    "init": "Write a configuration file with every setting, and with the columns of a source.",
    "check": "Validate everything that a run needs and show what it would do. Nothing is written.",
    "sql": "Print the whole computation as one query, to read or to run elsewhere.",
    "explain": "Explain why a customer is in a segment and what would change it. Nothing is published.",
    "evaluate": "Show what customers scored on dates in the past bought afterwards. Nothing is published.",
    "compare": "Compare two segmentations of the same customers. Nothing is published.",
    "runs": "List the recorded runs, or show one: lines, result, exclusions, audits and cost.",
    "transitions": "Show which customers moved between segments from one as-of date to another, and why.",
    "movers": "List the customers to write to: who slipped, woke up, is new at the top, or is due.",
    "rollback": "Restore an earlier result from the history as the current one, in one transaction.",
    "forget": "Remove customers from all results, and leave them out of later runs.",
    "backfill": "Fill the history: publish the result as of each of many dates, oldest first.",
    "load": "Load files into a BigQuery table, which is created if it does not exist.",
    "presets": "List the presets (segment maps and export formats), or show one.",
    "schedule": "Print the configuration that starts a run every day, for the scheduler of your choice.",
    "export": "Write the customers of some segments to a file, in the format that another program imports.",
    "report": "Write the current result to one HTML page, or one of its charts to an image file.",
}
"""Summary by name of each command: the first line of the docstring in its module in `cli.commands`."""
GROUPS = {
    "Start": ("demo", "init", "check", "run"),
    "Every day": ("movers", "export", "report"),
    "Look": ("runs", "explain", "transitions", "compare", "evaluate", "sql", "presets"),
    "Set up": ("schedule", "backfill", "rollback", "calibrate", "forget", "load"),
}
"""Names of the commands in groups, in the order of the help."""

COMPLETION_VARIABLE = "_RFM_COMPLETE"
"""Variable by which the script of a shell asks for completions, as typer names it."""

OPTIONS = {
    "--version": "Print the version.",
    "--debug": "Log details to stderr, and show the traceback of an error.",
    "--install-completion": "Let this shell complete commands and options.",
    "--help, -h": "Show this message and exit.",
}
ABOUT = "Recency, frequency and monetary value for every customer, scored and segmented."
EPILOG = (
    "Start with `rfm demo`, or with `rfm run orders.csv`. Exit codes: 0 done, 1 a bug, 2 usage, 3 an audit"
    " failed, 4 the warehouse failed, 5 the destination is locked, 6 over the cost limit."
)

MAX_WIDTH = 100
"""Columns of the help on a wider terminal."""
_STYLES = {"dim": "2", "bold": "1", "name": "1;36", "flag": "33"}


def overview() -> str:
    """Return the list of commands and options, as wide as the terminal and coloured if it shows colours."""
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
    usage = f"{_styled('Usage:', 'flag')} {_styled('rfm [OPTIONS] COMMAND [ARGS]...', 'bold')}"
    return "\n".join(
        [
            "",
            f" {usage}",
            "",
            *_wrapped(ABOUT, width),
            "",
            *_panel("Options", OPTIONS, width),
            *(
                line
                for title, names in GROUPS.items()
                for line in _panel(title, {name: COMMANDS[name] for name in names}, width)
            ),
            "",
            *_wrapped(EPILOG, width),
            "",
        ]
    )


def _panel(title: str, rows: Mapping[str, str], width: int) -> list[str]:
    """Return the lines of a framed two-column table: names and descriptions."""
    names_width = max(map(len, (*COMMANDS, *rows)))
    lines = [_styled(f"╭─ {title} {'─' * (width - len(title) - 5)}╮", "dim")]
    side = _styled("│", "dim")
    for name, description in rows.items():
        first = _styled(name.ljust(names_width), "name")
        for line in textwrap.wrap(description, max(width - names_width - 6, 10)):
            lines.append(f"{side} {first}  {line.ljust(width - names_width - 6)} {side}")
            first = " " * names_width
    return [*lines, _styled(f"╰{'─' * (width - 2)}╯", "dim")]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width - 1, initial_indent=" ", subsequent_indent=" ")


def _styled(text: str, style: str) -> str:
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if _shows_colours() else text


def _shows_colours() -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()
