"""The tables of a BigQuery dataset, as the recognition of a destination sees them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from rfm_pipeline.errors import DestinationError
from rfm_pipeline.results.recognition import KEPT_ORDERS, ExistingTable, published_by
from rfm_pipeline.results.tables import LAYOUTS
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.schema import published_schema_differences
from rfm_pipeline.warehouse.bigquery.statements import is_temporary_name
from rfm_pipeline.warehouse.bigquery.tables import find_table

if TYPE_CHECKING:
    from google.cloud.bigquery import Table


class BigQueryCatalog:
    """The tables of a dataset; each is looked up once.

    Args:
        jobs: Job runner with the client.
        dataset: Full name `project.dataset`.
        last_version: Returns the version of rfm that ran last at the destination.
    """

    layout = LAYOUTS["bigquery"]

    def __init__(self, jobs: JobRunner, dataset: str, last_version: Callable[[], str | None]) -> None:
        self._dataset = dataset
        self._look_up = cache(lambda table: find_table(jobs, f"{dataset}.{table}"))
        self.last_version = last_version

    def find(self, table: str, role: str) -> ExistingTable | None:
        """Return a table, compared with the columns of a role; None if there is no such table."""
        found: Table | None = self._look_up(table)
        if found is None:
            return None
        kind = str(found.table_type or "TABLE").lower().replace("_", " ")
        # The columns of kept orders depend on those of the source.
        is_kept = role == KEPT_ORDERS
        differences = None if is_kept else published_schema_differences(role, found.schema)
        return ExistingTable(kind, found.description, differences)

    def describe(self, table: str) -> str:
        """Return a table's full name."""
        return f"{self._dataset}.{table}"

    def location(self, table: str) -> str:
        """Return the argument of --to that names a table."""
        return f"bigquery://{self._dataset}.{table}"


def refuse_temporary_name(dataset: str, table: str) -> None:
    """Raise if a table has the name of a lease or of a staged table, which later runs drop.

    Args:
        dataset: Full name `project.dataset`.
        table: Name of the table.

    Raises:
        DestinationError: If it has.
    """
    if is_temporary_name(table):
        raise DestinationError(
            f"{dataset}.{table} has the name of a table that runs of rfm make and drop.",
            f"choose a name without two underscores in a row, as in {dataset}.orders.",
        )


def refuse_published_table(jobs: JobRunner, dataset: str, table: str) -> None:
    """Raise if rfm has published a table, or runs of rfm drop tables of its name.

    Args:
        jobs: Job runner with the client.
        dataset: Full name `project.dataset`.
        table: Name of the table.

    Raises:
        DestinationError: If it is such a table.
    """
    refuse_temporary_name(dataset, table)
    destination = published_by(table, BigQueryCatalog(jobs, dataset, lambda: None))
    if destination is not None:
        raise DestinationError(
            f"{dataset}.{table} belongs to the result {destination}, which only runs of rfm write.",
            f"choose another table, as in bigquery://{dataset}.orders.",
        )
