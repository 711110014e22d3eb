"""Everything that a run can be told: the settings, and what each may be."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from rfm_pipeline.dates import ISO, check_format
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.segmentation import SegmentsConfig
from rfm_pipeline.source.options import SourceOptions

DIMENSIONS = ("recency", "frequency", "monetary")
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


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Columns(_Frozen):
    """Role to column name; None is found by name, `none` is a role that no column plays."""

    customer_id: str | None = None
    order_id: str | None = None
    ordered_at: str | None = None
    amount: str | None = None
    quantity: str | None = None
    unit_price: str | None = None
    refund: str | None = None


class ColumnCondition(_Frozen):
    """A test of one column that needs no SQL: `{ column = "Status", equals = ["Cancelled", "Returned"] }`.

    Values are compared as text, and a missing value is blank. Exactly one of the tests is given.
    """

    column: str
    equals: tuple[str, ...] | None = None
    not_equals: tuple[str, ...] | None = None
    blank: bool | None = None

    @field_validator("equals", "not_equals", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return value if value is None or isinstance(value, list | tuple) else (value,)

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        tests = [self.equals, self.not_equals, self.blank]
        if sum(test is not None for test in tests) != 1:
            raise ValueError("a test of a column takes exactly one of equals, not_equals and blank")
        if self.equals == () or self.not_equals == ():
            raise ValueError("a test of a column takes at least one value")
        return self


Condition = str | ColumnCondition
"""When a line is excluded: SQL text of one boolean expression, or a test of one column."""


class Window(_Frozen):
    """How far back from the as-of date lines count: the last `count` units, the as-of date included."""

    count: int
    unit: Literal["day", "week", "month", "year"]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `365 days`, `24 months`, `2 years`, `90d`, `52w`."""
        match = re.fullmatch(r"\s*(\d{1,5})\s*(d|w|m|y|days?|weeks?|months?|years?)\s*", text.casefold())
        # No engine has dates long before our era.
        most = 1_000 if match and match[2].startswith("y") else 10_000
        if match is None or not 0 < int(match[1]) <= most:
            raise ValueError(
                f"'{text}' is not a window such as '24 months', of up to 10,000 days, weeks or months or"
                " 1,000 years"
            )
        units: dict[str, Literal["day", "week", "month", "year"]]
        units = {"d": "day", "w": "week", "m": "month", "y": "year"}
        return cls(count=int(match[1]), unit=units[match[2][0]])

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'s' if self.count > 1 else ''}"


Method = Literal["quantile", "fixed", "ntile"]
Bins = Annotated[int, Field(ge=2, le=10)]


class DimensionOverride(_Frozen):
    """What one dimension does differently from the others."""

    bins: Bins | None = None
    method: Method | None = None
    edges: tuple[Decimal, ...] | None = None


class Dimension(_Frozen):
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

    @model_validator(mode="after")
    def _edges_fit(self) -> Self:
        where = f"`scoring.{self.name}`"
        if self.method != "fixed":
            if self.edges:
                raise ValueError(f"{where} has edges, which only method = 'fixed' takes, not '{self.method}'")
            return self
        if len(self.edges) != self.bins - 1:
            raise ValueError(
                f"{where} has {len(self.edges) or 'no'} edges, and with method = 'fixed' {self.bins} bins"
                f" take {self.bins - 1}"
            )
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            shown = ", ".join(str(edge) for edge in self.edges)
            raise ValueError(f"the edges of {where} must increase, and are {shown}")
        for edge in self.edges:
            if self.name != "monetary" and edge != edge.to_integral_value():
                raise ValueError(f"an edge of {where} is a whole number, not {edge}")
            if not edge.is_finite() or abs(edge) >= Decimal(10) ** 18:
                raise ValueError(f"an edge of {where} is below 10^18, not {edge}")
            if -edge.as_tuple().exponent > 9:  # type: ignore[operator]
                raise ValueError(f"an edge of {where} has at most nine decimals, not {edge}")
        return self


class Scoring(_Frozen):
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

    @model_validator(mode="after")
    def _dimensions_fit(self) -> Self:
        # Building them checks them, here, where the message can name the setting.
        _ = self.dimensions
        return self


class DuckDBSettings(_Frozen):
    """What DuckDB may use.

    Attributes:
        memory_limit: Such as `4GB`; above it, work spills to `temp_directory`. None is DuckDB's own limit.
        threads: None is one per core.
        temp_directory: None is the system's temporary folder.
        lock_timeout: Seconds to wait for a destination that another process holds.
    """

    memory_limit: str | None = None
    threads: int | None = Field(default=None, ge=1, le=1024)
    temp_directory: Path | None = None
    lock_timeout: float = Field(default=10, ge=0, le=3600)

    @field_validator("memory_limit")
    @classmethod
    def _size_with_unit(cls, value: str | None) -> str | None:
        if value is not None and not _SIZE.fullmatch(value):
            raise ValueError(f"'{value}' is not an amount of memory such as 4GB or 512MB")
        return value


class BigQuerySettings(_Frozen):
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

    project: str | None = None
    location: str | None = None
    impersonate: str | None = None
    max_bytes: str = "1 TiB"
    price_per_tib: Decimal = Field(default=Decimal("6.25"), ge=0, le=1000)
    job_timeout: float = Field(default=3600, gt=0, le=21600)
    retry_timeout: float = Field(default=120, ge=0, le=3600)
    request_timeout: float = Field(default=60, gt=0, le=600)

    @field_validator("max_bytes")
    @classmethod
    def _bytes_with_unit(cls, value: str) -> str:
        if not _SIZE.fullmatch(value):
            raise ValueError(f"'{value}' is not an amount of data such as 100GB or 1TiB")
        return value

    @property
    def most_bytes(self) -> int:
        """`max_bytes` as a number."""
        number, unit = re.findall(r"[\d.]+|[A-Z]+", self.max_bytes.upper())
        thousand = 1024 if "I" in unit else 1000
        return int(Decimal(number) * thousand ** "BKMGT".index(unit[0]))


class Settings(_Frozen):
    """Everything that a run can be told."""

    source: str | None = None
    to: str = "duckdb:rfm.duckdb"
    output: tuple[Path, ...] = ()
    preset: tuple[str, ...] = ()
    as_of: date | Literal["latest"] = "latest"
    timezone: str = "UTC"
    date_format: tuple[str, ...] = (ISO,)
    decimal: Literal[".", ","] = "."
    returns: Literal["exclude", "net"] = "exclude"
    window: Window | None = None
    since: date | None = None
    columns: Columns = Columns()
    read: SourceOptions = SourceOptions()
    skip: dict[str, Condition] = {}
    exclude: dict[str, Condition] = {}
    scoring: Scoring = Scoring()
    segments: SegmentsConfig
    duckdb: DuckDBSettings = DuckDBSettings()
    bigquery: BigQuerySettings = BigQuerySettings()

    @field_validator("output", "preset", "date_format", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",")) if value else ()
        return value if isinstance(value, list | tuple) else (value,)

    @field_validator("as_of", "since", mode="before")
    @classmethod
    def _date_from_text(cls, value: object, info: ValidationInfo) -> object:
        # By itself pydantic takes any number for the seconds since 1970.
        if value is None or type(value) is date or (value == "latest" and info.field_name == "as_of"):
            return value
        if not isinstance(value, str) or not _DATE.fullmatch(value):
            other = " or 'latest'" if info.field_name == "as_of" else ""
            raise ValueError(f"'{value}' is not a date such as 2025-12-31{other}")
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"'{value}' is no day of the calendar") from None

    @field_validator("window", mode="before")
    @classmethod
    def _window_from_text(cls, value: object) -> object:
        return value if value is None or isinstance(value, Window) else Window.parse(str(value))

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            close = difflib.get_close_matches(value, available_timezones(), n=1)
            raise ConfigurationError(
                f"'{value}' is not a time zone such as 'Europe/London' or 'UTC'.",
                f"did you mean {close[0]}?" if close else "look at `timezone`.",
            ) from None
        return value

    @field_validator("date_format")
    @classmethod
    def _readable_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            check_format(text)
        return value or (ISO,)

    @field_validator("skip", "exclude")
    @classmethod
    def _reasons_are_names(cls, value: dict[str, Condition]) -> dict[str, Condition]:
        for name in value:
            if not _REASON.fullmatch(name):
                raise ValueError(f"'{name}' names no reason: use lower-case letters, digits and underscores")
            if name in BUILT_IN_REASONS:
                raise ValueError(f"'{name}' is a reason of the pipeline's own: choose another name")
        return value

    @model_validator(mode="after")
    def _no_reason_twice(self) -> Self:
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
        return self

    @property
    def config_hash(self) -> str:
        """Twelve hex digits that change when anything changes that can change the result."""
        decisive = self.model_dump(
            mode="json", exclude={"to", "output", "preset", "duckdb", "bigquery", "source"}
        )
        text = json.dumps(decisive, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]
