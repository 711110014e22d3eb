"""BigQuery: the production warehouse.

Everything happens in one location, the destination's. Results are staged in the destination's dataset, under
names that carry the run's id and with an expiry; they are published in one transaction, and dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.formatting import format_bytes
from rfm_pipeline.common.partitioned_query import PartitionedQuery
from rfm_pipeline.common.schema import Kind, Partition
from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.config.source_location import BigQueryTable
from rfm_pipeline.errors import ConfigurationError, CostLimitError, SourceError
from rfm_pipeline.warehouse.base import Cost, Progress, SourceTable, Usage
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.destination import BigQueryDestination
from rfm_pipeline.warehouse.bigquery.errors import explanation, objection
from rfm_pipeline.warehouse.bigquery.export import write_rows
from rfm_pipeline.warehouse.bigquery.jobs import label_value
from rfm_pipeline.warehouse.bigquery.load import drop, find, make, runner, upload
from rfm_pipeline.warehouse.bigquery.local_files import LocalFiles
from rfm_pipeline.warehouse.bigquery.schema import schema_of

if TYPE_CHECKING:
    from google.cloud.bigquery import Table

_STAGED_FOR = timedelta(hours=24)
_TIB = 2**40
_CLOSING_SECONDS = 10.0
_LINES = "lines"


class BigQueryWarehouse:
    """A table of BigQuery, or files, staged and published in BigQuery.

    Args:
        source: Where the lines are; files are loaded into a staged table first.
        destination: Where the result goes.
        settings: Who pays, where, how much and for how long.
        run_id: The run's id, which names its jobs and its staged tables.
    """

    engine = "bigquery"

    def __init__(
        self,
        source: BigQueryTable | LocalFiles,
        destination: BigQueryDestinationLocation,
        settings: BigQuerySettings,
        run_id: str,
    ) -> None:
        self._source = source
        self._place = destination
        self._settings = settings
        self._run_id = run_id
        self.jobs = runner(settings, destination.project, run_id)
        self._labels = {"created_by": "rfm-pipeline", "rfm_run": label_value(run_id)}
        self._expires = datetime.now(UTC) + _STAGED_FOR
        self._staged: dict[str, str] = {}
        self.destination = BigQueryDestination(self.jobs, destination, settings)
        self._recalled: dict[str, str] = {}
        self._is_kept = False
        self._is_loaded = isinstance(source, BigQueryTable)
        self._looks = 0

    def open_source(self) -> SourceTable:
        dataset_location = self.destination.location
        if isinstance(self._source, LocalFiles):
            self._settle_location(dataset_location, None, "")
            return self._open_files(self._source)
        label = f"{self._source.project}.{self._source.dataset}.{self._source.table}"
        relation = statements.quoted(self._source.project, self._source.dataset, self._source.table)
        if self._source.table.endswith("*"):
            self._settle_location(dataset_location, None, label)
            return self._open_wildcard(label, relation)
        table = find(self.jobs, label)
        if table is None:
            raise SourceError(
                f"There is no table {label} in BigQuery, or no permission to see it.",
                "look at its name; `rfm check` names the permissions that are missing.",
            )
        self._settle_location(dataset_location, table.location, label)
        return SourceTable(
            label=label,
            relation=relation,
            schema=schema_of(table.schema),
            notes=_notes(table),
            size_bytes=table.num_bytes,
            partition=_partition(table),
        )

    def _open_files(self, files: LocalFiles) -> SourceTable:
        files.open()
        return SourceTable(
            label=files.label,
            relation=self._staged_table(_LINES),
            schema=files.schema,
            notes=(*files.notes, "loaded into BigQuery for the run"),
            size_bytes=files.size_bytes,
            is_passing=True,
            written_as=files.written_as,
        )

    def _load(self, files: LocalFiles) -> None:
        path, rows = files.written()
        name = self._staged[_LINES] = self._staged_name(_LINES)
        make(self.jobs, name, files.fields, expires=self._expires)
        upload(self.jobs, "load", path, name, rows, replaces=True, fields=files.fields)
        self._is_loaded = True

    def _standing_in(self, select: str) -> str:
        """A query with no rows in place of files that are not loaded yet: it has their columns."""
        if self._is_loaded or not isinstance(self._source, LocalFiles):
            return select
        columns = ", ".join(
            f"CAST(NULL AS {field.type}) AS {statements.quoted(field.name)}" for field in self._source.fields
        )
        return select.replace(self._staged_table(_LINES), f"(SELECT {columns} LIMIT 0)")

    def estimate(self, select: str) -> Cost:
        with explanation("estimate the cost"):
            found = self.jobs.dry_run(self._standing_in(select), "estimate").bytes_processed
        dollars = Decimal(found) * self._settings.price_per_tib / _TIB
        most = self._settings.most_bytes
        if found > most:
            # A little more, for tables grow.
            enough = format_bytes(max(found + found // 10, 2**20))
            raise CostLimitError(
                f"The run would read {format_bytes(found)}, about ${dollars:,.2f}, and the limit is {format_bytes(most)}.",
                f"raise it with --max-bytes '{enough}', or narrow the run with --since or --window.",
            )
        return Cost(found, dollars)

    def usage(self) -> Usage:
        spent = self.jobs.spent
        return Usage(spent.bytes_processed, spent.bytes_billed, spent.slot_ms, tuple(spent.jobs))

    def table(self, name: str) -> str:
        return self._recalled.get(name) or self._staged_table(name)

    def copy_from_destination(self, name: str, select: str) -> None:
        # It is read where it stands.
        self._recalled[name] = f"(\n{select}\n)"

    def materialize(
        self,
        name: str,
        select: str,
        progress: Progress | None = None,
        cut: PartitionedQuery | None = None,  # noqa: ARG002 - BigQuery has the memory
    ) -> None:
        if isinstance(self._source, LocalFiles) and not self._is_loaded:
            self._load(self._source)
            self.estimate(select)
        table = self._staged_table(name)
        self._staged[name] = self._staged_name(name)
        self.jobs.query(
            name, statements.create_staging_table_sql(table, select, self._expires, self._labels), progress
        )

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        self._looks += 1
        return self.jobs.rows(self.jobs.query(f"look-{self._looks}", select))

    def check_condition(self, expression: str, relation: str) -> str | None:
        from google.api_core.exceptions import BadRequest

        with explanation("check an exclusion"):
            try:
                select = f"SELECT 1 AS one\nFROM {relation}\nWHERE {expression}"
                self.jobs.dry_run(self._standing_in(select), "condition")
            except BadRequest as error:
                return objection(error)
        return None

    def export(self, name: str, path: Path) -> AtomicFile:
        self._looks += 1
        select = f"SELECT *\nFROM {self._staged_table(name)}"
        job = self.jobs.query(f"export-{self._looks}", select)
        return write_rows(self.jobs.pages(job), path)

    def retain_staged_tables(self) -> str:
        self._is_kept = True
        hours = int(_STAGED_FOR.total_seconds() // 3600)
        return f"what was staged is in {self._staged_name('*')} for {hours} hours"

    def close(self) -> None:
        # What can't be dropped now expires.
        with suppress(Exception):
            for staged in () if self._is_kept else self._staged.values():
                drop(self.jobs, staged, within=_CLOSING_SECONDS)
        if isinstance(self._source, LocalFiles):
            self._source.close()
        self.jobs.client.close()  # type: ignore[no-untyped-call]

    # Tables

    def _staged_name(self, name: str) -> str:
        to = self._place
        return f"{to.project}.{to.dataset}.{statements.staged_name(to.table, self._run_id, name)}"

    def _staged_table(self, name: str) -> str:
        return statements.quoted(*self._staged_name(name).rsplit(".", 2))

    def _settle_location(self, dataset: str | None, source: str | None, label: str) -> None:
        if source and dataset and source.casefold() != dataset.casefold():
            raise ConfigurationError(
                f"{label} is in {source}, and the destination's dataset is in {dataset}: a query reads and"
                " writes in one location.",
                f"choose a destination in {source}.",
            )
        asked = self._settings.location
        if asked and dataset and asked.casefold() != dataset.casefold():
            raise ConfigurationError(
                f"bigquery.location is {asked}, and the destination's dataset is in {dataset}.",
                f"leave bigquery.location out, or set it to {dataset}.",
            )
        self.jobs.location = asked or dataset

    def _open_wildcard(self, label: str, relation: str) -> SourceTable:
        """Tables that share a beginning: what they have is known from a query that does not run."""
        from google.api_core.exceptions import BadRequest, NotFound

        with explanation(f"look at {label}"):
            try:
                found = self.jobs.dry_run(f"SELECT *\nFROM {relation}", "columns")
            except (NotFound, BadRequest) as error:
                raise SourceError(
                    f"No table matches {label}, or they can't be read as one: {objection(error)}.",
                    "look at the part before the asterisk.",
                ) from None
        columns = [field for field in found.schema if field.name != "_TABLE_SUFFIX"]
        notes = (f"all tables that begin with {label[:-1]}",)
        return SourceTable(label, relation, schema_of(columns), notes, size_bytes=found.bytes_processed)


def _notes(table: Table) -> tuple[str, ...]:
    if table.table_type in ("VIEW", "MATERIALIZED_VIEW"):
        return ("a view",)
    if not table.num_bytes or table.num_rows is None:
        return ()
    return (f"{table.num_rows:,} rows, {format_bytes(table.num_bytes)}",)


def _partition(table: Table) -> Partition | None:
    is_required = bool(table.require_partition_filter)
    cut = table.time_partitioning
    if cut is not None and cut.field is None:
        return Partition(None, Kind.DATE, is_required)
    if cut is not None:
        kinds = {column.name.casefold(): column.kind for column in schema_of(table.schema)}
        return Partition(cut.field, kinds.get(cut.field.casefold(), Kind.OTHER), is_required)
    if table.range_partitioning is not None:
        return Partition(table.range_partitioning.field, Kind.INTEGER, is_required)
    return None
