"""Settings of a run, with their types, defaults and validation."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from rfm_pipeline.common.date_formats import ISO, check_format, parse_iso_date
from rfm_pipeline.config.audiences import ExportSettings
from rfm_pipeline.config.audits import Audits
from rfm_pipeline.config.base import SettingsError, SettingsTable, parse_bool
from rfm_pipeline.config.destination_location import DestinationLocation, parse_destination
from rfm_pipeline.config.engines import BigQuerySettings, DuckDBSettings
from rfm_pipeline.config.notifications import NotifySettings, require_notify_table
from rfm_pipeline.config.report import ReportSettings
from rfm_pipeline.config.sales import CurrencySettings, StatusSettings
from rfm_pipeline.config.scoring import Scoring
from rfm_pipeline.config.segment_map import SegmentsConfig
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.config.source_location import SourceLocation, parse_source
from rfm_pipeline.config.window import Window, parse_window
from rfm_pipeline.errors import ConfigurationError

# An identifier: the reason of an exclusion appears in results and JSON.
_UNITS = tuple(map(Decimal, ("1", "0.1", "0.01", "0.001")))
_REASON = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NAMED_DAYS = ("latest", "today", "yesterday")
BUILT_IN_REASONS = (
    "duplicate_file",
    "duplicate_order",
    "total_row",
    "not_a_sale",
    "other_currency",
    "missing_customer",
    "invalid_frequency",
    "no_orders",
    "missing_order",
    "invalid_date",
    "invalid_amount",
    "future_dated",
    "outside_window",
    "non_positive_quantity",
    "non_positive_price",
    "non_positive_amount",
    "no_positive_order",
    "forgotten",
)


def _one_or_many(value: object) -> object:
    return value if value is None or isinstance(value, list | tuple) else (value,)


def _formats(value: object) -> object:
    if isinstance(value, str):
        # A comma separates formats, unless it is part of a format, as in "%b %d, %Y".
        parts = tuple(part.strip() for part in value.split(","))
        value = parts if all(map(_is_format, parts)) else value.strip()
    formats = _one_or_many(value or (ISO,))
    for text in formats if isinstance(formats, list | tuple) else ():
        if isinstance(text, str):
            check_format(text)
    return formats


def _is_format(text: str) -> bool:
    try:
        check_format(text)
    except ValueError:
        return False
    return True


def _date(value: object, alternative: str = "") -> object:
    # Not isinstance: a datetime is also a date in Python.
    if value is None or type(value) is date:
        return value
    return parse_iso_date(str(value), alternative)


def _as_of(value: object) -> object:
    return value if value in _NAMED_DAYS else _date(value, ", 'latest', 'today' or 'yesterday'")


def _unit(value: object) -> object:
    if value is None:
        return None
    try:
        unit = Decimal(str(value))
    except InvalidOperation:
        unit = Decimal(0)
    if unit not in _UNITS:
        raise ValueError(f"'{value}' is not a unit of amounts: 1, 0.1, 0.01 or 0.001")
    return unit


def _timezone(value: object) -> object:
    try:
        if isinstance(value, str):
            ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        close = difflib.get_close_matches(str(value), available_timezones(), n=1)
        raise ConfigurationError(
            f"'{value}' is not a time zone such as 'Europe/London' or 'UTC'.",
            f"did you mean {close[0]}?" if close else "look at `timezone`.",
        ) from None
    return value


def _source(value: object) -> object:
    if value is None or isinstance(value, SourceLocation):
        return value
    return parse_source(_text(value))


def _destination(value: object) -> object:
    return value if isinstance(value, DestinationLocation) else parse_destination(_text(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise SettingsError((), expected="text", value=value)
    return value


def _named_conditions(value: object) -> object:
    for name in value if isinstance(value, Mapping) else ():
        if not _REASON.fullmatch(name):
            raise ValueError(
                f"'{name}' can't name a condition: use lower-case letters, digits and underscores"
            )
        if name in BUILT_IN_REASONS:
            raise ValueError(f"'{name}' is the name of a built-in exclusion: choose another name")
    return value


class Columns(SettingsTable, frozen=True):
    """Column name of each role; None to detect the column by name, `none` for a role without a column."""

    customer_id: str | None = None
    customer_fallback: str | None = None
    order_id: str | None = None
    ordered_at: str | None = None
    amount: str | None = None
    quantity: str | None = None
    unit_price: str | None = None
    discount: str | None = None
    refund: str | None = None
    frequency: str | None = None
    monetary: str | None = None
    refund_of: str | None = None
    total: str | None = None
    adjusted_total: str | None = None

    def by_role(self) -> dict[str, str | None]:
        """Return the configured column of each role; None if the role is not configured."""
        return msgspec.structs.asdict(self)


class ColumnCondition(SettingsTable, frozen=True):
    """Condition on one column, without SQL: `{ column = "Status", equals = ["Cancelled", "Returned"] }`.

    Values are compared as text; NULL is blank. Exactly one of the tests is set.

    Attributes:
        column: Name of the column.
        equals: Values of which the column must have one.
        not_equals: Values of which the column must have none.
        blank: Whether the column must be blank or must not be blank.
    """

    PARSERS: ClassVar = {"equals": _one_or_many, "not_equals": _one_or_many, "blank": parse_bool}

    column: str
    equals: tuple[str, ...] | None = None
    not_equals: tuple[str, ...] | None = None
    blank: bool | None = None

    def __post_init__(self) -> None:
        tests = [self.equals, self.not_equals, self.blank]
        if sum(test is not None for test in tests) != 1:
            raise ValueError("a test of a column takes exactly one of equals, not_equals and blank")
        if self.equals == () or self.not_equals == ():
            raise ValueError("a test of a column takes at least one value")


Condition = str | ColumnCondition
"""When a line is excluded: SQL text of one boolean expression, or a test of one column."""


class HistorySettings(SettingsTable, frozen=True):
    """Retention of the history.

    Attributes:
        keep: Time window before the newest as-of date of which results are kept; None to keep all.
    """

    PARSERS: ClassVar = {"keep": parse_window}

    keep: Window | None = None


if TYPE_CHECKING:
    _AsOf = date | Literal["latest", "today", "yesterday"]
    _SourceLocation = SourceLocation | None
    _DestinationLocation = DestinationLocation
else:
    # msgspec supports no union of date and text; the parser has already returned one of the two.
    _AsOf = Any
    # Nor does msgspec support a union of several Structs.
    _SourceLocation = Any
    _DestinationLocation = Any


_NOT_IN_HASH = {
    "source",
    "to",
    "output",
    "preset",
    "as_of",
    "audits",
    "history",
    "duckdb",
    "bigquery",
    "notify",
    "export",
    "report",
    "incremental",
    "check_every",
}
"""Settings that do not change the result of an as-of date, given the same lines."""


class Settings(SettingsTable, frozen=True, kw_only=True):
    """All settings of a run; the template of `rfm.toml` describes each of them."""

    PARSERS: ClassVar = {
        "source": _source,
        "to": _destination,
        "output": _one_or_many,
        "preset": _one_or_many,
        "as_of": _as_of,
        "timezone": _timezone,
        "date_format": _formats,
        "unit": _unit,
        "window": parse_window,
        "since": _date,
        "skip": _named_conditions,
        "exclude": _named_conditions,
        "notify": require_notify_table,
        "incremental": parse_bool,
    }

    source: _SourceLocation = None
    to: _DestinationLocation = parse_destination("duckdb:rfm.duckdb")
    output: tuple[Path, ...] = ()
    preset: tuple[str, ...] = ()
    as_of: _AsOf = "latest"
    timezone: str = "UTC"
    date_format: tuple[str, ...] = (ISO,)
    decimal: Literal[".", ","] | None = None
    thousands: Literal["", ",", "."] = ""
    unit: Decimal | None = None
    returns: Literal["exclude", "net"] | None = None
    same_order: Literal["first", "last", "both"] | None = None
    amount_of: Literal["line", "order"] | None = None
    placeholders: tuple[str, ...] | None = None
    zero_customer: Literal["auto", "keep", "missing"] = "auto"
    window: Window | None = None
    since: date | None = None
    incremental: bool = False
    check_every: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 10
    columns: Columns = Columns()
    read: SourceOptions = SourceOptions()
    skip: dict[str, Condition] = msgspec.field(default_factory=dict)
    exclude: dict[str, Condition] = msgspec.field(default_factory=dict)
    status: StatusSettings = StatusSettings()
    currency: CurrencySettings = CurrencySettings()
    line_types: Literal["ask", "all", "net"] = "ask"
    scoring: Scoring = Scoring()
    segments: SegmentsConfig
    audits: Audits = Audits()
    history: HistorySettings = HistorySettings()
    duckdb: DuckDBSettings = DuckDBSettings()
    bigquery: BigQuerySettings = BigQuerySettings()
    notify: NotifySettings = NotifySettings()
    export: ExportSettings = ExportSettings()
    report: ReportSettings = ReportSettings()

    def __post_init__(self) -> None:
        if self.thousands and self.thousands == self.decimal:
            name = "comma" if self.decimal == "," else "point"
            raise ConfigurationError(
                f"A {name} can't be both the decimal mark and the thousands separator.",
                "leave `thousands` out: the other mark is then read as the thousands separator.",
            )
        in_both = sorted(set(self.skip) & set(self.exclude))
        if in_both:
            raise ConfigurationError(
                f"'{in_both[0]}' is both in [skip] and in [exclude].", "choose another name for one of them."
            )
        if self.since and isinstance(self.as_of, date) and self.since > self.as_of:
            raise ConfigurationError(
                f"`since` is {self.since}, which is after `as_of`, {self.as_of}: no line would count.",
                "change one of the two dates.",
            )

    def on(self, instant: datetime) -> Settings:
        """Return the settings with a date in place of `today` or `yesterday` as the as-of date.

        Args:
            instant: When the command started, with a time zone; its local date in `timezone` is today.
        """
        if self.as_of not in {"today", "yesterday"}:
            return self
        today = instant.astimezone(ZoneInfo(self.timezone)).date()
        return msgspec.structs.replace(self, as_of=today - timedelta(days=self.as_of == "yesterday"))

    @property
    def source_name(self) -> str | None:
        """The source as the user typed it; None if no source is configured, as for a data frame."""
        return str(self.source) if self.source else None

    @property
    def config_hash(self) -> str:
        """Hash (12 hex digits) of all settings that can change the result of an as-of date."""
        settings = msgspec.to_builtins(self, enc_hook=str)
        hashed = {name: settings[name] for name in settings.keys() - _NOT_IN_HASH}
        hashed["segments"] = self.segments.without_texts()
        text = json.dumps(hashed, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
