"""The flags that set settings, shared by every command that reads a source."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from rfm_pipeline.errors import ConfigurationError

_SOURCE, _COLUMNS, _RULES, _SCORES, _OUTPUT, _ENGINE = (
    "Source", "Columns", "What counts", "Scores and segments", "Destination", "Engine",
)  # fmt: skip


_KEYWORD = inspect.Parameter.KEYWORD_ONLY


class Flag(NamedTuple):
    """A flag and the setting that it sets.

    Attributes:
        setting: The setting's name from the table inwards, as in `("scoring", "bins")`.
        kind: The type of its value.
        names: As it is typed.
        help: One line.
        panel: The heading that it is listed under.
        implied: Other settings that it sets along, each with its value.
    """

    setting: tuple[str, ...]
    kind: Any
    names: tuple[str, ...]
    help: str
    panel: str
    implied: tuple[tuple[tuple[str, ...], Any], ...] = ()

    @property
    def parameter(self) -> str:
        """The name of its Python parameter."""
        return "_".join(self.setting)

    @property
    def annotation(self) -> Any:
        """Its type, as typer reads it."""
        option = typer.Option(*self.names, help=self.help, rich_help_panel=self.panel, show_default=False)
        return Annotated[self.kind | None, option]


def _role(role: str, what: str) -> Flag:
    return Flag(("columns", role), str, (f"--{role.replace('_', '-')}",), f"The column of {what}.", _COLUMNS)


FLAGS = (
    Flag(
        ("preset",),
        list[str],
        ("--preset", "-p"),
        "A segment map or a well-known export, by name; see `rfm presets`.",
        _SOURCE,
    ),
    Flag(
        ("read", "delimiter"),
        str,
        ("--delimiter",),
        "What stands between the values of a CSV, where it isn't found.",
        _SOURCE,
    ),
    Flag(
        ("read", "encoding"),
        str,
        ("--encoding",),
        "The encoding of a text file, where it isn't found.",
        _SOURCE,
    ),
    Flag(
        ("read", "sheet"),
        str,
        ("--sheet",),
        "The sheet of a workbook; without it, all that share the first one's header.",
        _SOURCE,
    ),
    Flag(
        ("date_format",),
        list[str],
        ("--date-format",),
        "How text dates are written, such as '%d/%m/%Y %H:%M'; 'iso' unless given.",
        _SOURCE,
    ),
    Flag(
        ("decimal",),
        str,
        ("--decimal",),
        "The decimal mark of text numbers: '.' unless given, or ','.",
        _SOURCE,
    ),
    Flag(
        ("thousands",),
        str,
        ("--thousands",),
        "',' where a text number like 1,234 is a thousand and more; it is not read unless given.",
        _SOURCE,
    ),
    _role("customer_id", "the customer"),
    _role("order_id", "the order; 'none' makes each line its own order"),
    _role("ordered_at", "the date or time of the order"),
    _role("amount", "the line's amount"),
    _role("quantity", "the quantity"),
    _role("unit_price", "the price of one"),
    _role("refund", "what was refunded, which is taken off the amount"),
    Flag(
        ("as_of",),
        str,
        ("--as-of",),
        "The date that recency is counted from: 'latest' (the newest order), or a date.",
        _RULES,
    ),
    Flag(("window",), str, ("--window",), "How far back lines count, such as '24 months'.", _RULES),
    Flag(("since",), str, ("--since",), "The first date that counts.", _RULES),
    Flag(
        ("timezone",),
        str,
        ("--timezone",),
        "The shop's time zone, such as Europe/London; UTC unless given.",
        _RULES,
    ),
    Flag(
        ("returns",),
        str,
        ("--returns",),
        "'exclude' negative lines (the default), or 'net' them off the customer's money.",
        _RULES,
    ),
    Flag(
        ("exclude",),
        list[str],
        ("--exclude",),
        "Lines that are not to count: NAME=CONDITION, a condition in SQL.",
        _RULES,
    ),
    Flag(("scoring", "bins"), int, ("--bins",), "Scores run from 1 to this, 2 to 10.", _SCORES),
    Flag(("scoring", "method"), str, ("--method",), "'quantile' (the default), 'fixed' or 'ntile'.", _SCORES),
    Flag(
        ("scoring", "calibration"),
        str,
        ("--freeze",),
        "Score by the edges of an earlier run: its id, or 'latest' for the newest `rfm calibrate`.",
        _SCORES,
        implied=((("scoring", "edges"), "frozen"),),
    ),
    Flag(("to",), str, ("--to",), "Where the result is published: duckdb:rfm.duckdb unless given.", _OUTPUT),
    Flag(
        ("output",),
        list[Path],
        ("--output", "-o"),
        "Also write the result to a .csv, .parquet, .xlsx or .json file.",
        _OUTPUT,
    ),
    Flag(
        ("duckdb", "memory_limit"),
        str,
        ("--memory-limit",),
        "The most memory, such as 4GB; above it, work goes to disk.",
        _ENGINE,
    ),
    Flag(
        ("duckdb", "threads"),
        int,
        ("--threads",),
        "How many threads; one for each core unless given.",
        _ENGINE,
    ),
    Flag(
        ("bigquery", "project"),
        str,
        ("--project",),
        "The project that runs BigQuery's jobs and pays; the destination's unless given.",
        _ENGINE,
    ),
    Flag(
        ("bigquery", "max_bytes"),
        str,
        ("--max-bytes",),
        "The most that a run may read of BigQuery, such as 100GB; 1 TiB unless given.",
        _ENGINE,
    ),
)

_REPORT = "Report"
REPORT_FLAGS = (
    Flag(("report", "currency"), str, ("--currency",), "The money's currency, such as GBP.", _REPORT),
    Flag(("report", "locale"), str, ("--locale",), "How numbers are written, such as en-GB.", _REPORT),
    Flag(
        ("report", "top_customers"),
        int,
        ("--top-customers",),
        "How many customers are named for each segment: 10 unless given; 0 names nobody.",
        _REPORT,
    ),
)
"""The flags of a report's looks."""
REPORT_FILE = Flag(
    ("report", "file"),
    Path,
    ("--report",),
    "Also write the report, a page of HTML, after the publish.",
    _OUTPUT,
)
"""Where a run writes its report."""

_DESTINATIONS = {
    ("to",), ("duckdb", "memory_limit"), ("duckdb", "threads"),
    ("bigquery", "project"), ("bigquery", "max_bytes"),
}  # fmt: skip
OF_DESTINATION = tuple(flag.parameter for flag in FLAGS if flag.setting not in _DESTINATIONS)
"""The parameters that a command has no use for which reads no source."""

Source = Annotated[
    str | None,
    typer.Argument(
        help="A file (CSV, Parquet, JSON, Excel), a glob, a folder, '-' for stdin, duckdb:FILE#table, or"
        " bigquery://project.dataset.table.",
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="A configuration file; rfm.toml unless given.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option(
        "--log-format", envvar="RFM_LOG_FORMAT", help="What stderr gets: text, or an event a line, in JSON."
    ),
]
"""Checked here; `cli/events.py` has chosen by it before, as what can't be read is told in that form too."""


def takes_settings(
    *without: str, also: Sequence[Flag] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds FLAGS to a command, which gets those that were given as `flags`, in the shape of `rfm.toml`.

    Args:
        without: Parameters of FLAGS that the command has no use for.
        also: Flags that only this command has.
    """
    offered = [*also, *(flag for flag in FLAGS if flag.parameter not in without)]

    def add(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_flags(**values: Any) -> None:
            given = {
                flag: value for flag in offered if (value := values.pop(flag.parameter)) not in (None, [])
            }
            command(flags=_nested(given), **values)

        own = [
            parameter
            for parameter in inspect.signature(command, eval_str=True).parameters.values()
            if parameter.name != "flags"
        ]
        added = [
            inspect.Parameter(
                flag.parameter, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=flag.annotation
            )
            for flag in offered
        ]
        keyword = [parameter.replace(kind=_KEYWORD) for parameter in own]
        with_flags.__signature__ = inspect.Signature([*keyword, *added])  # type: ignore[attr-defined]
        with_flags.__annotations__ = {
            parameter.name: parameter.annotation for parameter in [*keyword, *added]
        }
        return with_flags

    return add


def _nested(given: dict[Flag, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for flag, value in given.items():
        said = _exclusions(value) if flag.setting == ("exclude",) else value
        for setting, one in ((flag.setting, said), *flag.implied):
            table = settings
            for part in setting[:-1]:
                table = table.setdefault(part, {})
            table[setting[-1]] = one
    return settings


def _exclusions(texts: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, condition = text.partition("=")
        if not equals or not name.strip().isidentifier() or not condition.strip():
            raise ConfigurationError(
                f"--exclude takes NAME=CONDITION, not '{text}'.",
                "for example --exclude \"test_orders=Country = 'Nowhere'\".",
            )
        if name.strip() in found:
            raise ConfigurationError(
                f"--exclude gives '{name.strip()}' two conditions.",
                "join them with OR, or name one otherwise.",
            )
        found[name.strip()] = condition.strip()
    return found
