"""Options that all jobs of a run share: limits of time and bytes, labels, priority and reservation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.warehouse.base import Accuracy

if TYPE_CHECKING:
    from google.cloud.bigquery import LoadJobConfig, QueryJobConfig, SchemaField

_INVALID_LABEL_CHARACTER = re.compile(r"[^a-z0-9_-]")
_MINIMUM_BILLED = 10 * 10 * 2**20
"""Bytes that a query of the pipeline may be billed for whatever it reads: 10 MiB for each of its tables."""
_ACCURACIES: Mapping[str | None, Accuracy] = {"LOWER_BOUND": "at least", "UPPER_BOUND": "at most"}


class Limits(Struct, frozen=True):
    """Limits of time, in seconds, and of bytes.

    Attributes:
        job: Seconds from the submission of a job to its end.
        retry: Seconds from the first failure of a request, or of a job, to its last retry.
        request: Seconds from a request to its response.
        bytes_billed: Maximum number of bytes that one query may be billed for.
    """

    job: float
    retry: float
    request: float
    bytes_billed: int


class JobOptions(Struct, frozen=True):
    """Options of each job.

    Attributes:
        limits: Limits of time and bytes.
        labels: Labels of the user's.
        is_batch: Whether queries wait until BigQuery has idle resources.
        reservation: Full name of the reservation that queries use; None for the project's.
    """

    limits: Limits
    labels: Mapping[str, str] = field(default_factory=dict)
    is_batch: bool = False
    reservation: str | None = None

    @classmethod
    def of(cls, settings: BigQuerySettings) -> JobOptions:
        """Return the options that the settings define."""
        limits = Limits(
            job=settings.job_timeout,
            retry=settings.retry_timeout,
            request=settings.request_timeout,
            # A query that reads less than the minimum is billed for the minimum, and would fail below it.
            bytes_billed=max(settings.byte_limit, _MINIMUM_BILLED),
        )
        return cls(limits, settings.labels, settings.priority == "batch", settings.reservation)

    def query_config(self, labels: Mapping[str, str]) -> QueryJobConfig:
        """Return the configuration of a query with these labels."""
        from google.cloud.bigquery import QueryJobConfig

        config = QueryJobConfig(
            labels={**self.labels, **labels},
            maximum_bytes_billed=self.limits.bytes_billed,
            job_timeout_ms=int(self.limits.job * 1000),
        )
        if self.is_batch:
            config.priority = "BATCH"
        if self.reservation:
            config.reservation = self.reservation
        return config

    def dry_run_config(self, labels: Mapping[str, str]) -> QueryJobConfig:
        """Return the configuration of a dry run; it has no limit, because its result is compared with one."""
        from google.cloud.bigquery import QueryJobConfig

        # A cached result would be estimated at 0 bytes, but the run itself does not get it from the cache.
        return QueryJobConfig(dry_run=True, use_query_cache=False, labels={**self.labels, **labels})

    def load_config(self, labels: Mapping[str, str]) -> LoadJobConfig:
        """Return the configuration of a load with these labels."""
        from google.cloud.bigquery import LoadJobConfig

        return LoadJobConfig(labels={**self.labels, **labels}, job_timeout_ms=int(self.limits.job * 1000))


class DryRun(Struct, frozen=True):
    """Result of a dry run.

    Attributes:
        bytes_processed: Bytes that the query would read.
        schema: Columns that the query would return.
        accuracy: `at least` for external tables, `at most` for clustered ones.
    """

    bytes_processed: int
    schema: tuple[SchemaField, ...]
    accuracy: Accuracy = "about"

    @classmethod
    def of(cls, job: Any) -> DryRun:
        """Return the result of a job of Google's client, whose `accuracy` has no attribute there."""
        statistics = getattr(job, "_properties", {}).get("statistics", {}).get("query", {})
        accuracy = _ACCURACIES.get(statistics.get("totalBytesProcessedAccuracy"), "about")
        return cls(job.total_bytes_processed or 0, tuple(job.schema or ()), accuracy)


def label_value(text: str) -> str:
    """Return a text as a valid label value: lower-case letters, digits, `_` and `-`, at most 63 characters.

    >>> label_value("20251231T060000-1f9c3a")
    '20251231t060000-1f9c3a'
    """
    return _INVALID_LABEL_CHARACTER.sub("_", text.casefold())[:63]
