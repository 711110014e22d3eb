"""Everything that a run can be told: the settings, and what each may be."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from rfm_pipeline.dates import ISO, check_format
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.segmentation import SegmentsConfig
from rfm_pipeline.source.options import SourceOptions
from rfm_pipeline.tables import Table, TableError, truth
from rfm_pipeline.window import Window, window

DIMENSIONS: tuple[Literal["recency", "frequency", "monetary"], ...] = ("recency", "frequency", "monetary")
# A reason appears in results and as a column value: the shape of an identifier, so that it reads well there.
_REASON = re.compile(r"[a-z][a-z0-9_]{0,62}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SIZE = re.compile(r"[1-9]\d*(\.\d+)?\s*(B|[KMGT]i?B)", re.IGNORECASE)
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


def _size(value: object) -> object:
    if isinstance(value, str) and not _SIZE.fullmatch(value):
        raise ValueError(f"'{value}' is not an amount of memory such as 4GB or 512MB")
    return value


def _bytes(value: object) -> object:
    if isinstance(value, str) and not _SIZE.fullmatch(value):
        raise ValueError(f"'{value}' is not an amount of data such as 100GB or 1TiB")
    return value


def _price(value: object) -> object:
    try:
        is_price = 0 <= Decimal(str(value)) <= 1000
    except InvalidOperation:
        return value
    if not is_price:
        raise TableError((), expected="from 0 to 1,000", value=value)
    return value


class Columns(Table, frozen=True):
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


class ColumnCondition(Table, frozen=True):
    """A test of one column that needs no SQL: `{ column = "Status", equals = ["Cancelled", "Returned"] }`.

    Values are compared as text, and a missing value is blank. Exactly one of the tests is given.
    """

    FORMS: ClassVar = {"equals": _one_or_many, "not_equals": _one_or_many, "blank": truth}

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


def _finite(value: object) -> object:
    for place, edge in enumerate(value if isinstance(value, list | tuple) else ()):
        # What is no number at all is told by itself.
        with suppress(InvalidOperation):
            if not Decimal(str(edge)).is_finite():
                raise TableError((place,), expected="a finite number", value=edge)
    return value


Method = Literal["quantile", "fixed", "ntile"]
Bins = Annotated[int, msgspec.Meta(ge=2, le=10)]


class DimensionOverride(Table, frozen=True):
    """What one dimension does differently from the others."""

    FORMS: ClassVar = {"edges": _finite}

    bins: Bins | None = None
    method: Method | None = None
    edges: tuple[Decimal, ...] | None = None


_EXAMPLE_EDGES = {
    "recency": (30, 90, 365, 500, 700, 900, 1100, 1300, 1500), "frequency": (1, 2, 5, 8, 10, 15, 20, 30, 50),
    "monetary": (50, 200, 1000, 2000, 3000, 4000, 5000, 7500, 10000),
}  # fmt: skip


class Dimension(Table, frozen=True):
    """How one dimension is scored.

    Attributes:
        edges: For `fixed`, `bins` − 1 increasing numbers, else empty. Frequency and monetary: a value above k
            edges scores 1 + k. Recency, in days: each edge is the most days for its score, best first, so
            (180, 365) scores 3 up to 180 days, 2 up to 365, else 1.
    """

    name: Literal["recency", "frequency", "monetary"]
    bins: int
    method: Method
    edges: tuple[Decimal, ...] = ()

    def __post_init__(self) -> None:
        where = f"`scoring.{self.name}`"
        if self.method != "fixed":
            if self.edges:
                raise ValueError(f"{where} has edges, which only method = 'fixed' takes, not '{self.method}'")
            return
        if not self.edges:
            raise ConfigurationError(
                f"{where} has no edges, and with method = 'fixed' {self.bins} bins take {self.bins - 1}.",
                f"write them into rfm.toml, for each dimension, as in `[scoring.{self.name}]` with"
                f" `edges = {list(_EXAMPLE_EDGES[self.name][: self.bins - 1])}` below it.",
            )
        if len(self.edges) != self.bins - 1:
            raise ValueError(
                f"{where} has {len(self.edges)} edges, and with method = 'fixed' {self.bins} bins"
                f" take {self.bins - 1}"
            )
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            shown = ", ".join(str(edge) for edge in self.edges)
            raise ValueError(f"the edges of {where} must increase, and are {shown}")
        for edge in self.edges:
            if self.name != "monetary" and edge != edge.to_integral_value():
                raise ValueError(f"an edge of {where} is a whole number, not {edge}")
            if abs(edge) >= Decimal(10) ** 18:
                raise ValueError(f"an edge of {where} is below 10^18, not {edge}")
            if -edge.as_tuple().exponent > 9:  # type: ignore[operator]
                raise ValueError(f"an edge of {where} has at most nine decimals, not {edge}")


class Scoring(Table, frozen=True):
    """How customers are scored: one setting for all three dimensions, and what each does differently."""

    bins: Bins = 4
    method: Method = "quantile"
    recency: DimensionOverride = DimensionOverride()
    frequency: DimensionOverride = DimensionOverride()
    monetary: DimensionOverride = DimensionOverride()

    @property
    def dimensions(self) -> tuple[Dimension, Dimension, Dimension]:
        """Recency, frequency and monetary, each with all that applies to it."""
        recency, frequency, monetary = (
            Dimension(
                name=name,
                bins=override.bins or self.bins,
                method=override.method or self.method,
                edges=override.edges or (),
            )
            for name, override in zip(DIMENSIONS, (self.recency, self.frequency, self.monetary), strict=True)
        )
        return recency, frequency, monetary

    @property
    def bins_by_dimension(self) -> tuple[int, int, int]:
        """The bins of recency, frequency and monetary."""
        recency, frequency, monetary = self.dimensions
        return recency.bins, frequency.bins, monetary.bins

    def __post_init__(self) -> None:
        # Building them checks them, here, where the message can name the setting.
        _ = self.dimensions


class DuckDBSettings(Table, frozen=True):
    """What DuckDB may use.

    Attributes:
        memory_limit: Such as `4GB`; above it, work spills to `temp_directory`. None is DuckDB's own limit.
        threads: None is one per core, and at least four.
        temp_directory: None is the system's temporary folder.
        lock_timeout: Seconds to wait for a destination that another process holds.
    """

    FORMS: ClassVar = {"memory_limit": _size}

    memory_limit: str | None = None
    threads: Annotated[int, msgspec.Meta(ge=1, le=1024)] | None = None
    temp_directory: Path | None = None
    lock_timeout: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 10


class BigQuerySettings(Table, frozen=True):
    """How BigQuery is used.

    Attributes:
        project: The project that runs the jobs and pays for them; None is the destination's.
        location: Where the jobs run, such as `EU`; None is where the destination's dataset is.
        impersonate: A service account to act as, by its e-mail address.
        max_bytes: The most that a run may read: above it, it does not start, and no query is billed for more.
        price_per_tib: What reading a TiB costs, in dollars.
        job_timeout: Seconds that a job may take.
        retry_timeout: Seconds for which what fails and may pass is tried again.
        request_timeout: Seconds to wait for the answer to one request.
    """

    FORMS: ClassVar = {"max_bytes": _bytes, "price_per_tib": _price}

    project: str | None = None
    location: str | None = None
    impersonate: str | None = None
    max_bytes: str = "1 TiB"
    price_per_tib: Decimal = Decimal("6.25")
    job_timeout: Annotated[float, msgspec.Meta(gt=0, le=21600)] = 3600
    retry_timeout: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 120
    request_timeout: Annotated[float, msgspec.Meta(gt=0, le=600)] = 60

    @property
    def most_bytes(self) -> int:
        """`max_bytes` as a number."""
        number, unit = re.findall(r"[\d.]+|[A-Z]+", self.max_bytes.upper())
        thousand = 1024 if "I" in unit else 1000
        return int(Decimal(number) * thousand ** "BKMGT".index(unit[0]))


if TYPE_CHECKING:
    _DateOrLatest = date | Literal["latest"]
else:
    # msgspec takes no union of a date and a text; the form has made one of the two.
    _DateOrLatest = Any


class Settings(Table, frozen=True, kw_only=True):
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
    duckdb: DuckDBSettings = DuckDBSettings()
    bigquery: BigQuerySettings = BigQuerySettings()

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
        """Twelve hex digits that change when anything changes that can change the result."""
        said = msgspec.to_builtins(self, enc_hook=str)
        elsewhere = {"to", "output", "preset", "duckdb", "bigquery", "source"}
        decisive = {name: said[name] for name in said.keys() - elsewhere}
        text = json.dumps(decisive, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
