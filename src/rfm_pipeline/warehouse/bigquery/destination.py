"""A dataset of BigQuery as a destination: what stands in it, and changing that in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rfm_pipeline._version import __version__
from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.errors import DestinationError
from rfm_pipeline.results.tables import COLUMNS, SUFFIXES, newer_version
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.errors import explanation
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.lease import Lease
from rfm_pipeline.warehouse.bigquery.load import drop, find, place_of, runner
from rfm_pipeline.warehouse.bigquery.retry import UnreachableError
from rfm_pipeline.warehouse.bigquery.schema import published_drift

if TYPE_CHECKING:
    from google.cloud.bigquery import Table


class BigQueryDestination:
    """The tables of a destination in a dataset of BigQuery.

    Args:
        jobs: What runs its jobs.
        place: The project, the dataset and the table of the current result.
        settings: How long a lease lasts.
    """

    engine = "bigquery"

    def __init__(
        self, jobs: JobRunner, place: BigQueryDestinationLocation, settings: BigQuerySettings
    ) -> None:
        self._jobs = jobs
        self._place = place
        self._settings = settings
        self._present: frozenset[str] | None = None
        self._looks = 0

    @property
    def label(self) -> str:
        return f"bigquery://{self.name('current')}"

    def name(self, table: str) -> str:
        """One of the tables by its full name, `project.dataset.table`."""
        return f"{self._place.project}.{self._place.dataset}.{self._place.table}{SUFFIXES[table]}"

    def table(self, name: str) -> str:
        place = self._place
        return statements.quoted(place.project, place.dataset, f"{place.table}{SUFFIXES[name]}")

    def existing_tables(self) -> frozenset[str]:
        found = {name: find(self._jobs, self.name(name)) for name in SUFFIXES}
        there = {name: table for name, table in found.items() if table is not None}
        for name, table in there.items():
            self._check_ours(name, table, has_runs="runs" in there)
        self._present = frozenset(there)
        return self._present

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        self._looks += 1
        return self._jobs.rows(self._jobs.query(f"standing-{self._looks}", select))

    def pages(self, select: str) -> Iterator[list[dict[str, Any]]]:
        """The rows of a SELECT, of which there may be millions, a page at a time."""
        return self._jobs.pages(self._jobs.query("export", select))

    @cached_property
    def location(self) -> str | None:
        """Where the dataset is, such as `EU`, and the jobs run."""
        return place_of(self._jobs, self._place.project, self._place.dataset)

    def check(self) -> None:
        self._jobs.location = self._settings.location or self.location

    def open_for_reading(self) -> AbstractContextManager[None]:
        return nullcontext()

    def lease(self, run_id: str) -> AbstractContextManager[None]:
        self.check()
        return Lease(self._jobs, self._place, self._settings, run_id).held()

    def remove_orphans(self, run_id: str, spared: Collection[str]) -> None:
        doing, place = "look for what earlier runs left behind", self._place

        def listed() -> list[str]:
            dataset = f"{place.project}.{place.dataset}"
            found = self._jobs.client.list_tables(
                dataset,
                retry=None,  # type: ignore[arg-type]
                timeout=self._jobs.request_timeout,
            )
            return [table.table_id for table in found]

        with explanation(doing):
            tables = self._jobs.patience.ask(listed, doing)
        for table in tables:
            owner = statements.staged_by(place.table, table)
            if owner and owner not in {run_id, *spared}:
                drop(self._jobs, f"{place.project}.{place.dataset}.{table}")

    def apply(self, changes: Sequence[str], step: str) -> None:
        if step == "record" and self._jobs.patience.is_at_an_end:
            raise UnreachableError("BigQuery could not be reached before.")
        if self._present is None or len(self._present) < len(SUFFIXES):
            labels = {"created_by": "rfm-pipeline"}
            made = [statements.make_table(name, self.table(name), labels) for name in SUFFIXES]
            self._jobs.query("make", ";\n".join(made))
        self._jobs.query(step, statements.transaction(changes), commits=True)

    def close(self) -> None:
        self._jobs.client.close()  # type: ignore[no-untyped-call]

    def _check_ours(self, name: str, table: Table, *, has_runs: bool) -> None:
        label, hint = self.name(name), "choose another table with --to, or drop this one if nobody needs it."
        if table.table_type not in (None, "TABLE"):
            what = str(table.table_type).lower().replace("_", " ")
            raise DestinationError(f"{label} is a {what}, not a table of ours.", hint)
        difference = published_drift(COLUMNS[name], table.schema)
        if difference is None:
            return
        if has_runs and (newer := newer_version(self._written_by())):
            raise DestinationError(
                f"{label} was written by rfm {newer}, which is newer than this one, {__version__}.",
                f"upgrade: pip install 'rfm-pipeline>={newer}'.",
            )
        raise DestinationError(
            f"The table {label} does not have the columns of a result: it {difference}.", hint
        )

    def _written_by(self) -> str | None:
        from google.api_core.exceptions import GoogleAPICallError

        try:
            rows = self.rows(f"SELECT version\nFROM {self.table('runs')}\nORDER BY finished_at DESC\nLIMIT 1")
        except (DestinationError, GoogleAPICallError):
            return None
        return rows[0]["version"] if rows else None


@contextmanager
def open_dataset(
    place: BigQueryDestinationLocation, settings: BigQuerySettings, run_id: str
) -> Iterator[BigQueryDestination]:
    """A destination without a source.

    Raises:
        RfmError: BigQuery can't be reached, or there is no such dataset.
    """
    jobs = runner(settings, place.project, run_id)
    destination = BigQueryDestination(jobs, place, settings)
    try:
        destination.check()
        yield destination
    finally:
        destination.close()
