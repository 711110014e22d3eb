"""The BigQuery warehouse, for production.

All jobs run in the location of the destination's dataset. Tables are staged in that dataset, under names that
contain the run's id and with an expiry. The result is published in one transaction; then the staged tables
are dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.formatting import format_bytes
from rfm_pipeline.common.partitioned_query import PartitionedQuery
from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.config.source_location import BigQueryTable
from rfm_pipeline.errors import ConfigurationError, CostLimitError, SourceError
from rfm_pipeline.results.statistics import Usage
from rfm_pipeline.source.profile.sample import Sample
from rfm_pipeline.source.sql_query import SqlQuery
from rfm_pipeline.warehouse.base import Cost, Progress, SourceTable
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.connection import open_job_runner
from rfm_pipeline.warehouse.bigquery.destination import BigQueryDestination
from rfm_pipeline.warehouse.bigquery.errors import (
    describe_condition_error,
    source_query_error,
    translate_bigquery_errors,
)
from rfm_pipeline.warehouse.bigquery.export import write_pages
from rfm_pipeline.warehouse.bigquery.job_options import label_value
from rfm_pipeline.warehouse.bigquery.kept_orders import BigQueryKeptOrders
from rfm_pipeline.warehouse.bigquery.load import load_parquet
from rfm_pipeline.warehouse.bigquery.local_files import LocalFiles
from rfm_pipeline.warehouse.bigquery.partitions import Shards, newest_partition, partition_of, shards_of
from rfm_pipeline.warehouse.bigquery.schema import schema_of
from rfm_pipeline.warehouse.bigquery.tables import (
    create_table,
    drop_table,
    find_table,
    first_rows,
    list_tables,
)

if TYPE_CHECKING:
    from google.cloud.bigquery import Table

_STAGING_LIFETIME = timedelta(hours=24)
_CLOSE_TIMEOUT_S = 10.0
_LINES_TABLE = "lines"


class BigQueryWarehouse:
    """A source in BigQuery or in local files, tables staged in BigQuery, and a dataset as the destination.

    Args:
        source: The source; local files are loaded into a staged table first.
        destination: Project, dataset and table of the destination.
        settings: Settings with billing project, location, limits and price.
        run_id: Id of the run; jobs and staged tables are named after it.
    """

    engine = "bigquery"

    def __init__(
        self,
        source: BigQueryTable | SqlQuery | LocalFiles,
        destination: BigQueryDestinationLocation,
        settings: BigQuerySettings,
        run_id: str,
    ) -> None:
        self._source = source
        self._location = destination
        self._settings = settings
        self._run_id = run_id
        self.jobs = open_job_runner(settings, destination.project, run_id)
        self._labels = {**settings.labels, "created_by": "rfm-pipeline", "rfm_run": label_value(run_id)}
        self._expires = datetime.now(UTC) + _STAGING_LIFETIME
        self._staged: dict[str, str] = {}
        self.destination = BigQueryDestination(self.jobs, destination, settings)
        self._views: dict[str, str] = {}
        self._is_retained = False
        self._is_loaded = not isinstance(source, LocalFiles)
        self._source_info: Table | None = None
        self._shards = Shards()
        self._query_count = 0
        self._times_staged = Counter[str]()

    @cached_property
    def kept_orders(self) -> BigQueryKeptOrders:
        return BigQueryKeptOrders(self, self.jobs, self._source_info, self.destination.full_name("current"))

    @property
    def labels_of_published(self) -> dict[str, str]:
        """Labels of tables that outlive the run."""
        return {**self._settings.labels, "created_by": "rfm-pipeline"}

    def open_source(self) -> SourceTable:
        # The destination of a command that publishes nothing is the dataset of the source.
        is_published = "." not in self._location.dataset
        dataset_location = self.destination.dataset_location if is_published else None
        if isinstance(self._source, LocalFiles):
            self._set_location(dataset_location, None, "")
            return self._open_files(self._source)
        if isinstance(self._source, SqlQuery):
            self._set_location(dataset_location, None, "")
            return self._open_query(self._source)
        label = ".".join(self._source.parts)
        relation = statements.qualified_name(*self._source.parts)
        if self._source.table.endswith("*") or self._source.is_in_catalog:
            self._set_location(dataset_location, None, label)
            return self._open_by_dry_run(self._source, label, relation)
        table = find_table(self.jobs, label)
        if table is None:
            raise SourceError(
                f"There is no table {label} in BigQuery, or no permission to see it.",
                "check its name; `rfm check` names missing permissions.",
            )
        self._set_location(dataset_location, table.location, label)
        self._source_info = table
        return SourceTable(
            label=label,
            relation=relation,
            schema=schema_of(table.schema),
            notes=_notes(table),
            size_bytes=table.num_bytes,
            partition=partition_of(table),
            is_view=table.table_type == "VIEW",
        )

    def newest_partition(self, up_to: date) -> date | None:
        if self._source_info is None:
            return self._shards.newest(up_to)
        return newest_partition(self.jobs, self._source_info, up_to)

    def sample(self) -> Sample:
        if isinstance(self._source, LocalFiles):
            return self._source.sample()
        table = self._source_info
        return first_rows(self.jobs, table, schema_of(table.schema)) if table else Sample()

    def _open_files(self, files: LocalFiles) -> SourceTable:
        files.open()
        return SourceTable(
            label=files.label,
            relation=self._staged_table(_LINES_TABLE),
            schema=files.schema,
            notes=(*files.notes, "loaded into BigQuery for the run"),
            size_bytes=files.size_bytes,
            is_temporary=True,
            format=files.format,
            files=files.numbered_files,
            total_rows=files.total_rows,
        )

    def _load(self, files: LocalFiles) -> None:
        path, rows = files.write_parquet()
        name = self._staged[_LINES_TABLE] = self.staged_name(_LINES_TABLE)
        create_table(self.jobs, name, files.table_fields, self._labels, expires=self._expires)
        load_parquet(self.jobs, "load", path, name, rows, replaces=True, fields=files.table_fields)
        self._is_loaded = True

    def _without_unloaded_files(self, select: str) -> str:
        """Return `select` with an empty subquery of the same columns in place of files not loaded yet."""
        if self._is_loaded or not isinstance(self._source, LocalFiles):
            return select
        columns = ", ".join(
            f"CAST(NULL AS {field.type}) AS {statements.qualified_name(field.name)}"
            for field in self._source.table_fields
        )
        return select.replace(self._staged_table(_LINES_TABLE), f"(SELECT {columns} LIMIT 0)")

    def estimate(self, select: str, *, limited: bool = True) -> Cost:
        with translate_bigquery_errors("estimate the cost"):
            result = self.jobs.dry_run(self._without_unloaded_files(select), "estimate")
        size, limit = result.bytes_processed, self._settings.byte_limit
        dollars = self._settings.price(size)
        if limited and size > limit:
            # 10 % more than needed now, because tables grow.
            sufficient = format_bytes(max(size + size // 10, 2**20))
            bound = "" if result.accuracy == "about" else f"{result.accuracy} "
            price = "" if dollars is None else f" about ${dollars:,.2f},"
            raise CostLimitError(
                f"The run would read {bound}{format_bytes(size)},{price}"
                f" and the limit is {format_bytes(limit)}.",
                f"raise it with --max-bytes '{sufficient}', or narrow the run with --since or --window.",
            )
        return Cost(size, dollars, result.accuracy)

    def usage(self) -> Usage:
        return self.jobs.usage

    def table(self, name: str) -> str:
        return self._views.get(name) or self._staged_table(name)

    def copy_from_destination(self, name: str, select: str) -> None:
        # Not copied: the destination is in the same dataset, so the SELECT itself serves as the table.
        self._views[name] = f"(\n{select}\n)"

    def materialize(
        self,
        name: str,
        select: str,
        progress: Progress | None = None,
        partitioned: PartitionedQuery | None = None,  # noqa: ARG002 - BigQuery needs no partitions
    ) -> None:
        if isinstance(self._source, LocalFiles) and not self._is_loaded:
            self._load(self._source)
            self.estimate(select)
        table = self._staged_table(name)
        # A job id belongs to one statement, so a table that is staged again has another one.
        again = self._times_staged[name]
        job = f"{name}-again{again if again > 1 else ''}" if again else name
        self._times_staged[name] += 1
        self._staged[name] = self.staged_name(name)
        self._views.pop(name, None)
        self.jobs.query(
            job, statements.create_staging_table_sql(table, select, self._expires, self._labels), progress
        )

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        self._query_count += 1
        return self.jobs.rows(self.jobs.query(f"read-{self._query_count}", select))

    def pages(self, select: str) -> Iterator[Sequence[dict[str, Any]]]:
        self._query_count += 1
        yield from self.jobs.pages(self.jobs.query(f"read-{self._query_count}", select))

    def check_condition(self, expression: str, relation: str) -> str | None:
        from google.api_core.exceptions import BadRequest

        with translate_bigquery_errors("check an exclusion"):
            try:
                select = f"SELECT 1 AS one\nFROM {relation}\nWHERE {expression}"
                self.jobs.dry_run(self._without_unloaded_files(select), "condition")
            except BadRequest as error:
                return describe_condition_error(error)
        return None

    def export(self, name: str, path: Path) -> AtomicFile:
        self._query_count += 1
        select = f"SELECT *\nFROM {self._staged_table(name)}"
        job = self.jobs.query(f"export-{self._query_count}", select)
        return write_pages(self.jobs.pages(job), path)

    def retain_staged_tables(self) -> str:
        self._is_retained = True
        hours = int(_STAGING_LIFETIME.total_seconds() // 3600)
        return f"the staged tables are in {self.staged_name('*')} for {hours} hours"

    def close(self) -> None:
        # Tables that can't be dropped now expire later.
        with suppress(Exception):
            for table in () if self._is_retained else self._staged.values():
                drop_table(self.jobs, table, timeout_s=_CLOSE_TIMEOUT_S)
        if isinstance(self._source, LocalFiles):
            self._source.close()
        self.jobs.client.close()  # type: ignore[no-untyped-call]

    # Tables

    def staged_name(self, name: str) -> str:
        """Return the full name `project.dataset.table` of the staged table `name`."""
        to = self._location
        return f"{to.project}.{to.dataset}.{statements.staging_table_name(to.table, self._run_id, name)}"

    def _staged_table(self, name: str) -> str:
        return statements.qualified_name(*self.staged_name(name).rsplit(".", 2))

    def _set_location(self, dataset: str | None, source: str | None, label: str) -> None:
        if source and dataset and source.casefold() != dataset.casefold():
            raise ConfigurationError(
                f"{label} is in {source}, and the destination's dataset is in {dataset}: a query can read and"
                " write in one location only.",
                f"choose a destination in {source}.",
            )
        configured = self._settings.location
        if configured and dataset and configured.casefold() != dataset.casefold():
            raise ConfigurationError(
                f"bigquery.location is {configured}, and the destination's dataset is in {dataset}.",
                f"leave bigquery.location out, or set it to {dataset}.",
            )
        self.jobs.location = configured or dataset

    def _open_by_dry_run(self, source: BigQueryTable, label: str, relation: str) -> SourceTable:
        """Open all tables with a common prefix, or a table of a catalog; a dry run returns the columns."""
        from google.api_core.exceptions import BadRequest, NotFound

        with translate_bigquery_errors(f"read {label}"):
            try:
                result = self.jobs.dry_run(f"SELECT *\nFROM {relation}", "columns")
            except (NotFound, BadRequest) as error:
                reason = describe_condition_error(error)
                if source.is_in_catalog:
                    raise SourceError(f"{label} can't be read: {reason}.", "check its name.") from None
                raise SourceError(
                    f"No table matches {label}, or the tables can't be read as one: {reason}.",
                    "check the part before the asterisk.",
                ) from None
        columns = [field for field in result.schema if field.name != "_TABLE_SUFFIX"]
        if not source.is_in_catalog:
            tables = list_tables(self.jobs, f"{source.project}.{source.dataset}")
            self._shards = shards_of(source.table, tables, self._settings)
        return SourceTable(
            label,
            relation,
            schema_of(columns),
            self._shards.notes,
            size_bytes=result.bytes_processed,
            partition=self._shards.partition,
        )

    def _open_query(self, query: SqlQuery) -> SourceTable:
        """Open a query; a dry run checks it and returns its columns."""
        from google.api_core.exceptions import BadRequest, NotFound

        with translate_bigquery_errors(f"read {query.name}"):
            try:
                result = self.jobs.dry_run(f"SELECT *\nFROM {query.relation}", "columns")
            except (NotFound, BadRequest) as error:
                raise source_query_error(error, query) from None
        return SourceTable(
            query.name, query.relation, schema_of(result.schema), size_bytes=result.bytes_processed
        )


def _notes(table: Table) -> tuple[str, ...]:
    if table.table_type in ("VIEW", "MATERIALIZED_VIEW"):
        return ("a view",)
    if not table.num_bytes or table.num_rows is None:
        return ()
    return (f"{table.num_rows:,} rows, {format_bytes(table.num_bytes)}",)
