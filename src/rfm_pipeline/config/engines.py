"""Settings of `[duckdb]` and `[bigquery]`: limits and options of the engines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec

from rfm_pipeline.config.base import SettingsError, SettingsTable

_RESERVATION = re.compile(r"projects/[^/\s]+/locations/[\w-]+/reservations/[\w-]+")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_SIZE = re.compile(r"[1-9]\d*(\.\d+)?\s*(B|[KMGT]i?B)", re.IGNORECASE)


def _memory_size(value: object) -> object:
    if isinstance(value, str) and not _SIZE.fullmatch(value):
        raise ValueError(f"'{value}' is not an amount of memory such as 4GB or 512MB")
    return value


def _data_size(value: object) -> object:
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


def _reservation(value: object) -> object:
    if isinstance(value, str) and not _RESERVATION.fullmatch(value):
        raise ValueError(
            f"'{value}' is not a reservation such as projects/shop/locations/EU/reservations/daily"
        )
    return value


def _labels(value: object) -> object:
    for name, text in value.items() if isinstance(value, Mapping) else ():
        if not _LABEL_KEY.fullmatch(str(name)):
            raise ValueError(
                f"'{name}' can't be a label: begin with a lower-case letter, then also digits, _ and -"
            )
        if str(name).startswith("rfm_") or name == "created_by":
            raise ValueError(f"'{name}' is a label of rfm: choose another name")
        if not isinstance(text, str) or not _LABEL_VALUE.fullmatch(text):
            raise ValueError(f"'{text}' can't be a label's value: use lower-case letters, digits, _ and -")
    return value


def _scopes(value: object) -> object:
    scopes = (value,) if isinstance(value, str) else value
    for scope in scopes if isinstance(scopes, list | tuple) else ():
        if not str(scope).startswith("https://www.googleapis.com/auth/"):
            raise ValueError(
                f"'{scope}' is not a scope such as https://www.googleapis.com/auth/drive.readonly"
            )
    return scopes


class DuckDBSettings(SettingsTable, frozen=True):
    """Limits of DuckDB.

    Attributes:
        memory_limit: Memory limit such as `4GB`, above which DuckDB spills to `temp_directory`; None for
            DuckDB's default.
        threads: Number of threads; None for one per core, at least four.
        temp_directory: Parent directory of spill files; None for the system's directory of temporary files.
        lock_timeout: Seconds to wait for a destination file that another process has locked.
        storage_version: Storage format of the files that are created, named by the first version of DuckDB
            that has it. DuckDB 1.4 and later read the views in all of them.
    """

    PARSERS: ClassVar = {"memory_limit": _memory_size}

    memory_limit: str | None = None
    threads: Annotated[int, msgspec.Meta(ge=1, le=1024)] | None = None
    temp_directory: Path | None = None
    lock_timeout: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 10
    storage_version: Literal["v1.0.0", "v1.2.0", "v1.4.0", "v1.5.0", "v2.0.0"] = "v1.0.0"


class BigQuerySettings(SettingsTable, frozen=True):
    """Options and limits of BigQuery.

    Attributes:
        project: Project that runs the jobs and is billed for them; None for the destination's project.
        location: Location of the jobs, such as `EU`; None for the location of the destination's dataset.
        impersonate: E-mail address of a service account to impersonate.
        max_bytes: Maximum amount of data that a run may read, such as `100GB`. A run whose dry run exceeds it
            does not start; it is also the `maximum_bytes_billed` of each query.
        pricing: How the project pays: `on-demand` for the bytes that are read, or for `capacity`, in slots;
            no price is estimated then, and `max_bytes` holds all the same.
        price_per_tib: Price of reading one TiB, in US dollars, if it pays on demand.
        reservation: Reservation whose slots the queries use, as `projects/P/locations/L/reservations/R`; None
            for the one that the project is assigned to.
        priority: `interactive`, or `batch` for queries that wait until BigQuery has idle resources.
        labels: Labels of each job and of the tables that are created, besides those of rfm.
        scopes: OAuth scopes besides that of Google Cloud: a table in a Google sheet needs
            `https://www.googleapis.com/auth/drive.readonly`.
        job_timeout: Maximum duration of a job, in seconds.
        retry_timeout: Deadline for retries of transient errors, in seconds after the first failure.
        request_timeout: Timeout of one HTTP request, in seconds.
        lease: Seconds without renewal after which another run may take over a lease.
        wildcard: Which tables of a source such as `events_*` are read: `dated`, those that are named after a
            date, or `all`. None for the dated ones, if there are any, without today's of Google Analytics; a
            table of another name is then a question.
    """

    PARSERS: ClassVar = {
        "max_bytes": _data_size,
        "price_per_tib": _price,
        "reservation": _reservation,
        "labels": _labels,
        "scopes": _scopes,
    }

    project: str | None = None
    location: str | None = None
    impersonate: str | None = None
    max_bytes: str = "1 TiB"
    pricing: Literal["on-demand", "capacity"] = "on-demand"
    price_per_tib: Decimal = Decimal("6.25")
    reservation: str | None = None
    priority: Literal["interactive", "batch"] = "interactive"
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    scopes: tuple[str, ...] = ()
    job_timeout: Annotated[float, msgspec.Meta(gt=0, le=21600)] = 3600
    retry_timeout: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 120
    request_timeout: Annotated[float, msgspec.Meta(gt=0, le=600)] = 60
    lease: Annotated[float, msgspec.Meta(ge=1, le=21600)] = 300
    wildcard: Literal["dated", "all"] | None = None

    @property
    def byte_limit(self) -> int:
        """`max_bytes` as a number of bytes."""
        number, unit = re.findall(r"[\d.]+|[A-Z]+", self.max_bytes.upper())
        base = 1024 if "I" in unit else 1000
        return int(Decimal(number) * base ** "BKMGT".index(unit[0]))

    def price(self, size: int) -> Decimal | None:
        """Return the price of reading `size` bytes, in US dollars; None if the project pays for capacity."""
        return Decimal(size) * self.price_per_tib / 2**40 if self.pricing == "on-demand" else None
