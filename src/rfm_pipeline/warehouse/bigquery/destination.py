"""A BigQuery dataset as a destination: reading its tables, and changing them in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import Any

from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.errors import DestinationError, WarehouseError
from rfm_pipeline.results.destination import published_meanwhile_error
from rfm_pipeline.results.recognition import recognize_destination, table_comment
from rfm_pipeline.results.tables import LAYOUTS, SUFFIXES
from rfm_pipeline.sql.publish import PUBLISHED_MEANWHILE
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.catalog import BigQueryCatalog, refuse_temporary_name
from rfm_pipeline.warehouse.bigquery.connection import open_job_runner
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.kept_orders import drop_kept_orders
from rfm_pipeline.warehouse.bigquery.lease import Lease
from rfm_pipeline.warehouse.bigquery.retry import UnreachableError
from rfm_pipeline.warehouse.bigquery.tables import dataset_location, describe_table, drop_table, list_tables


class BigQueryDestination:
    """The published tables in a dataset of BigQuery.

    Args:
        jobs: Job runner.
        location: Project, dataset and table of the current result.
        settings: Settings with the lease duration and the jobs' location.
    """

    engine = "bigquery"
    layout = LAYOUTS["bigquery"]

    def __init__(
        self, jobs: JobRunner, location: BigQueryDestinationLocation, settings: BigQuerySettings
    ) -> None:
        self._jobs = jobs
        self._location = location
        self._settings = settings
        self._is_marked: dict[str, bool] = {}
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
        dataset = f"{self._location.project}.{self._location.dataset}"
        catalog = BigQueryCatalog(self._jobs, dataset, self._last_version)
        self._is_marked = recognize_destination(self._location.table, catalog)
        return frozenset(self._is_marked)

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
        refuse_temporary_name(f"{self._location.project}.{self._location.dataset}", self._location.table)
        self._jobs.location = self._settings.location or self.dataset_location

    def open_for_reading(self) -> AbstractContextManager[None]:
        return nullcontext()

    def lease(self, run_id: str) -> AbstractContextManager[None]:
        self.check()
        return Lease(self._jobs, self._location, self._settings, run_id).hold()

    def remove_orphans(self, run_id: str, spared: Collection[str]) -> None:
        self._drop_staged_tables(run_id, spared)

    def remove_retained(self, run_id: str) -> int:
        drop_kept_orders(self._jobs, self.full_name("current"))
        return self._drop_staged_tables(run_id, ())

    def _drop_staged_tables(self, run_id: str, spared: Collection[str]) -> int:
        """Drop the staged tables of all runs but the current one and the spared ones; return of how many."""
        location = self._location
        dataset = f"{location.project}.{location.dataset}"
        tables = list_tables(self._jobs, dataset)
        owners = set()
        for table in tables:
            owner = statements.staging_run_id(location.table, table)
            if owner and owner not in {run_id, *spared}:
                drop_table(self._jobs, f"{dataset}.{table}")
                owners.add(owner)
        return len(owners)

    def apply(self, changes: Sequence[str], step: str) -> None:
        if step == "record" and self._jobs.retry_policy.is_exhausted:
            raise UnreachableError("An earlier request to BigQuery failed until its deadline.")
        self._create_or_mark_tables()
        try:
            self._jobs.query(step, statements.transaction_sql(changes), commits=True)
        except WarehouseError as error:
            if PUBLISHED_MEANWHILE in error.message:
                raise published_meanwhile_error(self.label) from error
            raise

    def _create_or_mark_tables(self) -> None:
        """Create the missing tables, and mark those that an earlier version wrote."""
        table, layout = self._location.table, self.layout
        if len(self._is_marked) < len(SUFFIXES):
            labels = {**self._settings.labels, "created_by": "rfm-pipeline"}
            created = [
                statements.create_published_table_sql(
                    name, self.table(name), table_comment(name, table, layout), labels
                )
                for name in SUFFIXES
            ]
            kept = [
                statements.keep_published_table_sql(name, self.table(name))
                for name in SUFFIXES
                if name not in self._is_marked
            ]
            self._jobs.query("create", ";\n".join([*created, *kept]))
        for name, is_marked in self._is_marked.items():
            if not is_marked:
                describe_table(self._jobs, self.full_name(name), table_comment(name, table, layout))
        self._is_marked = dict.fromkeys(SUFFIXES, True)

    def close(self) -> None:
        self._jobs.client.close()  # type: ignore[no-untyped-call]

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
