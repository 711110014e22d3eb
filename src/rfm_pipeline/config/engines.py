"""What the engines may use: the settings of `[duckdb]` and `[bigquery]`."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from rfm_pipeline.config.base import SettingsError, SettingsTable

_SIZE = re.compile(r"[1-9]\d*(\.\d+)?\s*(B|[KMGT]i?B)", re.IGNORECASE)


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
        raise SettingsError((), expected="from 0 to 1,000", value=value)
    return value


class DuckDBSettings(SettingsTable, frozen=True):
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


class BigQuerySettings(SettingsTable, frozen=True):
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
        lease: Seconds after which a run that gives no sign of life is taken for dead.
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
    lease: Annotated[float, msgspec.Meta(ge=1, le=21600)] = 300

    @property
    def most_bytes(self) -> int:
        """`max_bytes` as a number."""
        number, unit = re.findall(r"[\d.]+|[A-Z]+", self.max_bytes.upper())
        thousand = 1024 if "I" in unit else 1000
        return int(Decimal(number) * thousand ** "BKMGT".index(unit[0]))
