"""Options that set settings, and the arguments and options that several commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from rfm_pipeline.errors import ConfigurationError

_SOURCE, _COLUMNS, _RULES, _SCORES, _DESTINATION, _ENGINE, _REPORT = (
    "Source", "Columns", "What counts", "Scores and segments", "Destination", "Engine", "Report",
)  # fmt: skip


class Flag(NamedTuple):
    """An option that sets a setting.

    Attributes:
        setting: Path of the setting, such as `("scoring", "bins")`.
        kind: Type of the value.
        names: Names of the option, such as `("--output", "-o")`.
        help: One line of help.
        panel: Heading of the option's panel in the help.
        implied: Other settings that the option sets, each with its value.
    """

    setting: tuple[str, ...]
    kind: Any
    names: tuple[str, ...]
    help: str
    panel: str
    implied: tuple[tuple[tuple[str, ...], Any], ...] = ()

    @property
    def parameter(self) -> str:
        """Name of the option's Python parameter, such as `scoring_bins`."""
        return "_".join(self.setting)

    @property
    def annotation(self) -> Any:
        """Type annotation of the parameter, for typer."""
        option = typer.Option(*self.names, help=self.help, rich_help_panel=self.panel, show_default=False)
        return Annotated[self.kind | None, option]


def quiet_option(text: str) -> Any:
    """Return the option `--quiet`; the help says what a command still prints."""
    return typer.Option("--quiet", "-q", help=text)


def _column(role: str, contents: str) -> Flag:
    return Flag(("columns", role), str, (f"--{role.replace('_', '-')}",), f"Column of {contents}.", _COLUMNS)


FLAGS = (
    Flag(
        ("preset",),
        list[str],
        ("--preset", "-p"),
        "Name of a preset, which is a segment map or an export format; `rfm presets` lists them.",
        _SOURCE,
    ),
    Flag(
        ("read", "delimiter"),
        str,
        ("--delimiter",),
        "Delimiter of CSV files (default: detected).",
        _SOURCE,
    ),
    Flag(
        ("read", "encoding"),
        str,
        ("--encoding",),
        "Encoding of text files (default: detected).",
        _SOURCE,
    ),
    Flag(
        ("read", "sheet"),
        str,
        ("--sheet",),
        "Sheet of a workbook (default: the sheets whose columns have known names).",
        _SOURCE,
    ),
    Flag(
        ("read", "skip_lines"),
        int,
        ("--skip-lines",),
        "Number of lines above the header row (default: detected).",
        _SOURCE,
    ),
    Flag(
        ("read", "header"),
        bool,
        (" /--no-header",),
        "The first line is data, and the columns are column1, column2, ...",
        _SOURCE,
    ),
    Flag(
        ("date_format",),
        list[str],
        ("--date-format",),
        "Format of dates, such as '%d/%m/%Y', 'epoch_s' or 'excel_serial' (default: what fits all values).",
        _SOURCE,
    ),
    Flag(
        ("decimal",),
        str,
        ("--decimal",),
        "Decimal mark of numbers that are text, '.' or ',' (default: detected).",
        _SOURCE,
    ),
    Flag(
        ("thousands",),
        str,
        ("--thousands",),
        "Thousands separator of numbers that are text: ',' reads 1,234 as 1234 (default: detected).",
        _SOURCE,
    ),
    Flag(
        ("unit",),
        str,
        ("--unit",),
        "Unit of amounts: 0.01 if they are in cents (default: 1, unless the column's name says so).",
        _SOURCE,
    ),
    _column("customer_id", "the customer id"),
    _column("order_id", "the order id; 'none' makes each line an order of its own"),
    _column("ordered_at", "the date or time of the order"),
    _column("amount", "the line's amount"),
    _column("quantity", "the quantity"),
    _column("unit_price", "the price per unit"),
    _column("discount", "the discount as a share of the price, such as 0.15; 'none' leaves it out"),
    _column("refund", "the refunded amount, which is subtracted from the amount"),
    _column("frequency", "the number of orders, if a line is a customer; 'none' if a line is an order"),
    _column("monetary", "what a customer spent, if a line is a customer"),
    Flag(
        ("as_of",),
        str,
        ("--as-of",),
        "Date that recency is counted from, 'today' or 'yesterday' in --timezone, or 'latest', the date of"
        " the newest order (the default).",
        _RULES,
    ),
    Flag(
        ("window",),
        str,
        ("--window",),
        "Period before the as-of date whose lines count, such as '24 months' (default: no limit).",
        _RULES,
    ),
    Flag(("since",), str, ("--since",), "First date whose lines count.", _RULES),
    Flag(
        ("timezone",),
        str,
        ("--timezone",),
        "Time zone of the shop, such as Europe/London (default: UTC).",
        _RULES,
    ),
    Flag(
        ("returns",),
        str,
        ("--returns",),
        "'exclude' lines with negative amounts (the default), or 'net' them against the customer's revenue.",
        _RULES,
    ),
    Flag(
        ("amount_of",),
        str,
        ("--amount-of",),
        "'order': the amount is the order's total, repeated on each of its lines, and counts once; 'line':"
        " each line counts (default: detected).",
        _RULES,
    ),
    Flag(
        ("zero_customer",),
        str,
        ("--zero-customer",),
        "'keep' customer 0, or 'missing': lines of customer 0 have no customer (default: detected).",
        _RULES,
    ),
    Flag(
        ("same_order",),
        str,
        ("--same-order",),
        "Lines of an order that is in several files: those of the 'first' or the 'last' file, or of 'both'"
        " (default: equal copies count once, and different ones are asked about).",
        _RULES,
    ),
    Flag(
        ("status", "column"),
        str,
        ("--status-column",),
        "Column of the order's or payment's status, whose cancelled, failed, ... lines are no sale; 'none'"
        " excludes nothing.",
        _RULES,
    ),
    Flag(
        ("currency", "code"),
        str,
        ("--currency",),
        "Currency whose lines count, such as EUR, where lines have several.",
        _RULES,
    ),
    Flag(
        ("currency", "column"),
        str,
        ("--currency-column",),
        "Column of the currency; 'none' if amounts are in one currency whatever it says.",
        _RULES,
    ),
    Flag(
        ("line_types",),
        str,
        ("--line-types",),
        "'all': lines of tax and shipping count; 'net': lines of refunds are subtracted (default: 'ask').",
        _RULES,
    ),
    Flag(
        ("exclude",),
        list[str],
        ("--exclude",),
        "NAME=CONDITION: exclude the lines that meet a condition in SQL.",
        _RULES,
    ),
    Flag(("scoring", "bins"), int, ("--bins",), "Number of scores per dimension, 2 to 10.", _SCORES),
    Flag(
        ("scoring", "method"),
        str,
        ("--method",),
        "Scoring method: 'quantile' (the default), 'fixed' or 'ntile'.",
        _SCORES,
    ),
    Flag(
        ("scoring", "calibration"),
        str,
        ("--freeze",),
        "Score by the edges of an earlier run, named by its id; 'latest' is the newest `rfm calibrate`.",
        _SCORES,
        implied=((("scoring", "edges"), "frozen"),),
    ),
    Flag(
        ("to",),
        str,
        ("--to",),
        "Where the result is published: duckdb:FILE, FILE.parquet, a folder for Parquet files, or"
        " bigquery://project.dataset (default: duckdb:rfm.duckdb).",
        _DESTINATION,
    ),
    Flag(
        ("output",),
        list[Path],
        ("--output", "-o"),
        "Also write the result to a .csv, .parquet, .xlsx or .json file.",
        _DESTINATION,
    ),
    Flag(
        ("duckdb", "memory_limit"),
        str,
        ("--memory-limit",),
        "Memory limit of DuckDB, such as 4GB; more spills to disk.",
        _ENGINE,
    ),
    Flag(
        ("duckdb", "threads"),
        int,
        ("--threads",),
        "Number of DuckDB's threads (default: one per core).",
        _ENGINE,
    ),
    Flag(
        ("bigquery", "project"),
        str,
        ("--project",),
        "Project that runs and pays for BigQuery jobs (default: the destination's).",
        _ENGINE,
    ),
    Flag(
        ("bigquery", "max_bytes"),
        str,
        ("--max-bytes",),
        "Most bytes that a run may read in BigQuery, such as 100GB (default: 1 TiB).",
        _ENGINE,
    ),
)
"""The options of a command that reads a source and publishes."""

REPORT_FLAGS = (
    Flag(("report", "currency"), str, ("--currency",), "Currency of the amounts, such as GBP.", _REPORT),
    Flag(("report", "locale"), str, ("--locale",), "Locale of the number format, such as en-GB.", _REPORT),
    Flag(
        ("report", "top_customers"),
        int,
        ("--top-customers",),
        "Number of customers listed by id per segment; 0 lists none (default: 10).",
        _REPORT,
    ),
)
"""The options for the appearance of a report."""

_REPORT_HELP = "Also write the report, an HTML page, after the publish."
REPORT_FILE = Flag(("report", "file"), Path, ("--report",), _REPORT_HELP, _DESTINATION)
"""The option of a run for the path of its report."""
_KEEP = "Keep the orders of each file or partition; read only those that are new or changed."
INCREMENTAL = Flag(("incremental",), bool, ("--incremental/ ",), _KEEP, _SOURCE)
"""The option of a run, and of a backfill, that keeps orders."""

_DESTINATION_SETTINGS = {
    ("to",), ("duckdb", "memory_limit"), ("duckdb", "threads"),
    ("bigquery", "project"), ("bigquery", "max_bytes"),
}  # fmt: skip
SOURCE_PARAMETERS = tuple(flag.parameter for flag in FLAGS if flag.setting not in _DESTINATION_SETTINGS)
"""Parameters of `FLAGS` that a command without a source does not have."""

Source = Annotated[
    str | None,
    typer.Argument(
        help="A file (CSV, Parquet, JSON, Excel), a glob, a folder, a .sql file of one SELECT, '-' for stdin,"
        " duckdb:FILE#table, or bigquery://project.dataset.table.",
        show_default=False,
    ),
]
_CONFIG = "Configuration file (default: rfm.toml)."
Config = Annotated[Path | None, typer.Option("--config", "-c", help=_CONFIG, show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Quiet = Annotated[bool, quiet_option("Print only errors.")]
_REPLACE = "Replace the result of another source, which is refused otherwise."
ReplaceSource = Annotated[bool, typer.Option("--replace-source", help=_REPLACE, rich_help_panel=_DESTINATION)]
_FULL = "Read everything in an incremental run, and check the kept orders."
Full = Annotated[bool, typer.Option("--full", help=_FULL, rich_help_panel=_SOURCE)]
LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option("--log-format", envvar="RFM_LOG_FORMAT", help="Format of stderr: text, or JSON lines."),
]
"""Only validated by typer: `cli.json_log` has read it before, so that it applies to errors in arguments."""


def takes_settings(
    *without: str, also: Sequence[Flag] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the options of `FLAGS` to a command.

    The command gets the values of the options that were set as its parameter `flags`, in the structure of
    `rfm.toml`.

    Args:
        without: Parameters of `FLAGS` that the command does not have.
        also: Options that only this command has; listed before the others.
    """
    offered = [*also, *(flag for flag in FLAGS if flag.parameter not in without)]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_flags(**values: Any) -> None:
            values_by_flag = {
                flag: value for flag in offered if (value := values.pop(flag.parameter)) not in (None, [])
            }
            command(flags=_settings(values_by_flag), **values)

        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in inspect.signature(command, eval_str=True).parameters.values()
            if parameter.name != "flags"
        ]
        added = [
            inspect.Parameter(
                flag.parameter, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=flag.annotation
            )
            for flag in offered
        ]
        with_flags.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
        with_flags.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *added]}
        return with_flags

    return decorate


def with_source(flags: dict[str, Any], source: str | None) -> dict[str, Any]:
    """Return the settings of the command line including its source argument, if there is one."""
    return {**flags, "source": source} if source else flags


def _settings(values_by_flag: dict[Flag, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for flag, value in values_by_flag.items():
        own_value = _exclusions(value) if flag.setting == ("exclude",) else value
        for setting, setting_value in ((flag.setting, own_value), *flag.implied):
            table = settings
            for part in setting[:-1]:
                table = table.setdefault(part, {})
            table[setting[-1]] = setting_value
    return settings


def _exclusions(texts: Iterable[str]) -> dict[str, str]:
    """Return the conditions by name.

    Raises:
        ConfigurationError: If a text is not NAME=CONDITION, or two have one name.
    """
    conditions: dict[str, str] = {}
    for text in texts:
        name, equals, condition = text.partition("=")
        if not equals or not name.strip().isidentifier() or not condition.strip():
            raise ConfigurationError(
                f"--exclude takes NAME=CONDITION, not '{text}'.",
                "for example --exclude \"test_orders=Country = 'Nowhere'\".",
            )
        if name.strip() in conditions:
            raise ConfigurationError(
                f"--exclude gives '{name.strip()}' two conditions.",
                "join the conditions with OR, or rename one of them.",
            )
        conditions[name.strip()] = condition.strip()
    return conditions
