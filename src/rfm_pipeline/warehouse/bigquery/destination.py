"""A BigQuery dataset as a destination: reading its tables, and changing them in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rfm_pipeline._version import __version__
from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.errors import DestinationError
from rfm_pipeline.results.tables import SUFFIXES, newer_version
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.connection import open_job_runner
from rfm_pipeline.warehouse.bigquery.errors import translate_bigquery_errors
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.lease import Lease
from rfm_pipeline.warehouse.bigquery.retry import UnreachableError
from rfm_pipeline.warehouse.bigquery.schema import published_schema_differences
from rfm_pipeline.warehouse.bigquery.tables import dataset_location, drop_table, find_table

if TYPE_CHECKING:
    from google.cloud.bigquery import Table


class BigQueryDestination:
    """The published tables in a dataset of BigQuery.

    Args:
        jobs: Job runner.
        location: Project, dataset and table of the current result.
        settings: Settings with the lease duration and the jobs' location.
    """

    engine = "bigquery"

    def __init__(
        self, jobs: JobRunner, location: BigQueryDestinationLocation, settings: BigQuerySettings
    ) -> None:
        self._jobs = jobs
        self._location = location
        self._settings = settings
        self._existing_tables: frozenset[str] | None = None
        self._query_count = 0

    @property
    def label(self) -> str:
        return f"bigquery://{self.full_name('current')}"

    def full_name(self, name: str) -> str:
        """Return the full name `project.dataset.table` of the published table `name`."""
        return f"{self._location.project}.{self._location.dataset}.{self._location.table}{SUFFIXES[name]}"

    def table(self, name: str) -> str:
        location = self._location
        return statements.qualified_name(
            location.project, location.dataset, f"{location.table}{SUFFIXES[name]}"
        )

    def existing_tables(self) -> frozenset[str]:
        tables = {name: find_table(self._jobs, self.full_name(name)) for name in SUFFIXES}
        existing = {name: table for name, table in tables.items() if table is not None}
        for name, table in existing.items():
            self._check_published_by_rfm(name, table, has_runs="runs" in existing)
        self._existing_tables = frozenset(existing)
        return self._existing_tables

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        self._query_count += 1
        return self._jobs.rows(self._jobs.query(f"read-destination-{self._query_count}", select))

    def pages(self, select: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of a SELECT page by page; meant for millions of rows."""
        return self._jobs.pages(self._jobs.query("export", select))

    @cached_property
    def dataset_location(self) -> str | None:
        """Location of the dataset, such as `EU`."""
        return dataset_location(self._jobs, self._location.project, self._location.dataset)

    def check(self) -> None:
        self._jobs.location = self._settings.location or self.dataset_location

    def open_for_reading(self) -> AbstractContextManager[None]:
        return nullcontext()

    def lease(self, run_id: str) -> AbstractContextManager[None]:
        self.check()
        return Lease(self._jobs, self._location, self._settings, run_id).hold()

    def remove_orphans(self, run_id: str, spared: Collection[str]) -> None:
        doing, location = "list the tables that earlier runs left behind", self._location
        dataset = f"{location.project}.{location.dataset}"

        def list_tables() -> list[str]:
            tables = self._jobs.client.list_tables(
                dataset,
                retry=None,  # type: ignore[arg-type]
                timeout=self._jobs.request_timeout,
            )
            return [table.table_id for table in tables]

        with translate_bigquery_errors(doing):
            tables = self._jobs.retry_policy.call(list_tables, doing)
        for table in tables:
            owner = statements.staging_run_id(location.table, table)
            if owner and owner not in {run_id, *spared}:
                drop_table(self._jobs, f"{dataset}.{table}")

    def apply(self, changes: Sequence[str], step: str) -> None:
        if step == "record" and self._jobs.retry_policy.is_exhausted:
            raise UnreachableError("An earlier request to BigQuery failed until its deadline.")
        if self._existing_tables is None or len(self._existing_tables) < len(SUFFIXES):
            labels = {"created_by": "rfm-pipeline"}
            created = [
                statements.create_published_table_sql(name, self.table(name), labels) for name in SUFFIXES
            ]
            self._jobs.query("create", ";\n".join(created))
        self._jobs.query(step, statements.transaction_sql(changes), commits=True)

    def close(self) -> None:
        self._jobs.client.close()  # type: ignore[no-untyped-call]

    def _check_published_by_rfm(self, name: str, table: Table, *, has_runs: bool) -> None:
        label = self.full_name(name)
        hint = "choose another table with --to, or drop this one if it is not needed."
        if table.table_type not in (None, "TABLE"):
            kind = str(table.table_type).lower().replace("_", " ")
            raise DestinationError(f"{label} is a {kind}, not a table of rfm.", hint)
        differences = published_schema_differences(name, table.schema)
        if differences is None:
            return
        if has_runs and (newer := newer_version(self._last_version())):
            raise DestinationError(
                f"{label} was written by rfm {newer}, which is newer than this one, {__version__}.",
                f"upgrade: pip install 'rfm-pipeline>={newer}'.",
            )
        raise DestinationError(
            f"The table {label} does not have the columns of a result: it {differences}.", hint
        )

    def _last_version(self) -> str | None:
        """Return the version of rfm that ran last; None if the runs table is missing or not rfm's."""
        from google.api_core.exceptions import GoogleAPICallError

        try:
            rows = self.rows(f"SELECT version\nFROM {self.table('runs')}\nORDER BY finished_at DESC\nLIMIT 1")
        except (DestinationError, GoogleAPICallError):
            return None
        return rows[0]["version"] if rows else None


@contextmanager
def open_bigquery_destination(
    location: BigQueryDestinationLocation, settings: BigQuerySettings, run_id: str
) -> Iterator[BigQueryDestination]:
    """Open a destination without a source.

    Raises:
        RfmError: If BigQuery can't be reached, or the dataset does not exist.
    """
    jobs = open_job_runner(settings, location.project, run_id)
    destination = BigQueryDestination(jobs, location, settings)
    try:
        destination.check()
        yield destination
    finally:
        destination.close()
