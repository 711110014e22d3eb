"""Everything that a run can be told: the settings, and what each may be."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from rfm_pipeline.common.date_formats import ISO, check_format
from rfm_pipeline.config.audiences import ExportSettings
from rfm_pipeline.config.audits import Audits
from rfm_pipeline.config.base import SettingsTable, parse_bool
from rfm_pipeline.config.engines import BigQuerySettings, DuckDBSettings
from rfm_pipeline.config.notifications import NotifySettings, notify_table
from rfm_pipeline.config.report import ReportSettings
from rfm_pipeline.config.scoring import Scoring
from rfm_pipeline.config.segment_map import SegmentsConfig
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.config.window import Window, window
from rfm_pipeline.errors import ConfigurationError

# A reason appears in results and as a column value: the shape of an identifier, so that it reads well there.
_REASON = re.compile(r"[a-z][a-z0-9_]{0,62}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
BUILT_IN_REASONS = (
    "missing_customer",
    "missing_order",
    "invalid_date",
    "invalid_amount",
    "future_dated",
    "outside_window",
    "non_positive_quantity",
    "non_positive_price",
    "non_positive_amount",
    "no_positive_order",
)


def _one_or_many(value: object) -> object:
    return value if value is None or isinstance(value, list | tuple) else (value,)


def _formats(value: object) -> object:
    if isinstance(value, str):
        # A comma may stand between formats, or be part of one.
        parts = tuple(part.strip() for part in value.split(","))
        value = parts if all(map(_is_format, parts)) else value.strip()
    listed = _one_or_many(value or (ISO,))
    for text in listed if isinstance(listed, list | tuple) else ():
        if isinstance(text, str):
            check_format(text)
    return listed


def _is_format(text: str) -> bool:
    try:
        check_format(text)
    except ValueError:
        return False
    return True


def _date(value: object, other: str = "") -> object:
    # A date and time is a date too, to Python.
    if value is None or type(value) is date:
        return value
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise ValueError(f"'{value}' is not a date such as 2025-12-31{other}")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"'{value}' is no day of the calendar") from None


def _date_or_latest(value: object) -> object:
    return value if value == "latest" else _date(value, " or 'latest'")


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


def _named_conditions(value: object) -> object:
    for name in value if isinstance(value, Mapping) else ():
        if not _REASON.fullmatch(name):
            raise ValueError(f"'{name}' names no reason: use lower-case letters, digits and underscores")
        if name in BUILT_IN_REASONS:
            raise ValueError(f"'{name}' is a reason of the pipeline's own: choose another name")
    return value


class Columns(SettingsTable, frozen=True):
    """Role to column name; None is found by name, `none` is a role that no column plays."""

    customer_id: str | None = None
    order_id: str | None = None
    ordered_at: str | None = None
    amount: str | None = None
    quantity: str | None = None
    unit_price: str | None = None
    refund: str | None = None

    def by_role(self) -> dict[str, str | None]:
        """The column that was configured for each role."""
        return msgspec.structs.asdict(self)


class ColumnCondition(SettingsTable, frozen=True):
    """A test of one column that needs no SQL: `{ column = "Status", equals = ["Cancelled", "Returned"] }`.

    Values are compared as text, and a missing value is blank. Exactly one of the tests is given.
    """

    FORMS: ClassVar = {"equals": _one_or_many, "not_equals": _one_or_many, "blank": parse_bool}

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
    """How long results are remembered.

    Attributes:
        keep: How far back from the newest as-of date the history goes; None keeps all.
    """

    FORMS: ClassVar = {"keep": window}

    keep: Window | None = None


if TYPE_CHECKING:
    _DateOrLatest = date | Literal["latest"]
else:
    # msgspec takes no union of a date and a text; the form has made one of the two.
    _DateOrLatest = Any


_NOT_DECISIVE = {
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
}
"""What does not change the result of an as-of date, from the same lines."""


class Settings(SettingsTable, frozen=True, kw_only=True):
    """Everything that a run can be told."""

    FORMS: ClassVar = {
        "output": _one_or_many,
        "preset": _one_or_many,
        "as_of": _date_or_latest,
        "timezone": _timezone,
        "date_format": _formats,
        "window": window,
        "since": _date,
        "skip": _named_conditions,
        "exclude": _named_conditions,
        "notify": notify_table,
    }

    source: str | None = None
    to: str = "duckdb:rfm.duckdb"
    output: tuple[Path, ...] = ()
    preset: tuple[str, ...] = ()
    as_of: _DateOrLatest = "latest"
    timezone: str = "UTC"
    date_format: tuple[str, ...] = (ISO,)
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ","] = ""
    returns: Literal["exclude", "net"] = "exclude"
    window: Window | None = None
    since: date | None = None
    columns: Columns = Columns()
    read: SourceOptions = SourceOptions()
    skip: dict[str, Condition] = msgspec.field(default_factory=dict)
    exclude: dict[str, Condition] = msgspec.field(default_factory=dict)
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
        if self.thousands == self.decimal:
            raise ConfigurationError(
                "A comma can't be both the decimal mark and the mark between thousands.",
                "leave `thousands` out: with decimal = ',' dots between thousands are read.",
            )
        twice = sorted(set(self.skip) & set(self.exclude))
        if twice:
            raise ConfigurationError(
                f"'{twice[0]}' is both in [skip] and in [exclude].", "choose another name for one of them."
            )
        if self.since and isinstance(self.as_of, date) and self.since > self.as_of:
            raise ConfigurationError(
                f"No line can count: `since` is {self.since}, after `as_of`, {self.as_of}.",
                "move one of the two dates.",
            )

    @property
    def config_hash(self) -> str:
        """Twelve hex digits that change when anything changes that can change the result of an as-of date."""
        said = msgspec.to_builtins(self, enc_hook=str)
        decisive = {name: said[name] for name in said.keys() - _NOT_DECISIVE}
        text = json.dumps(decisive, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
