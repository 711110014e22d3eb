"""The DuckDB warehouse, the default: an in-memory database that spills to a temporary directory.

A DuckDB file as the destination is attached only for moments, see `warehouse.duckdb.destination`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.duckdb_engine import duckdb, execute_interruptibly, fetch_dicts, fetch_pages
from rfm_pipeline.common.duckdb_types import describe_columns
from rfm_pipeline.common.partitioned_query import PartitionedQuery
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.results.statistics import Usage
from rfm_pipeline.source.base import OpenedSource, SourceOpener
from rfm_pipeline.source.parts import source_parts
from rfm_pipeline.source.profile.sample import Sample, sample_relation
from rfm_pipeline.warehouse.base import Progress, SourceTable
from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory, connect
from rfm_pipeline.warehouse.duckdb.errors import (
    describe_condition_error,
    describe_non_boolean,
    translate_duckdb_errors,
)
from rfm_pipeline.warehouse.duckdb.export import write_table
from rfm_pipeline.warehouse.duckdb.kept_orders import DuckDBKeptOrders
from rfm_pipeline.warehouse.duckdb.partitioned import (
    estimate_line_count,
    materialize_partitioned,
    required_partition_count,
)
from rfm_pipeline.warehouse.local_destination import LocalLocation, local_destination

_MANY_FILES = 500
_SMALL_FILE = 1 << 16
"""Size in bytes."""


def _is_many_small_files(source: OpenedSource) -> bool:
    """Return whether opening the files takes longer than reading them.

    DuckDB 2.0 then takes a third of the CPU time with one thread: 0.5 ms a file, and 1.4 ms with four.
    """
    files, size = len(source.files), source.size_bytes
    return files > _MANY_FILES and size is not None and size < files * _SMALL_FILE


class DuckDBWarehouse:
    """A source that DuckDB reads, tables staged in memory, and a destination on this machine.

    Args:
        opener: Opens the source.
        location: Location of the destination; the first publish creates its files.
        settings: Limits of memory, threads and waiting time.
        run_id: Id of the run; retained tables are named after it.
    """

    engine = "duckdb"

    def __init__(
        self,
        opener: SourceOpener,
        location: LocalLocation,
        settings: DuckDBSettings,
        *,
        run_id: str,
    ) -> None:
        self._opener = opener
        self._threads = settings.threads
        self._run_id = run_id
        self._opened: OpenedSource | None = None
        self._staged: dict[str, None] = {}
        self._temp_directory = SpillDirectory(settings.temp_directory)
        try:
            self._connection = connect(settings, self._temp_directory.path)
        except BaseException:
            self._temp_directory.cleanup()
            raise
        self.destination = local_destination(self._connection, location, settings)

    @cached_property
    def kept_orders(self) -> DuckDBKeptOrders:
        assert self._opened is not None  # the protocol: `open_source` comes first
        return DuckDBKeptOrders(self._connection, self._opened, self.destination.orders_folder)

    def open_source(self) -> SourceTable:
        with translate_duckdb_errors("read the source"):
            opened = self._opener(self._connection, self._temp_directory.path)
        self._opened = opened
        if not self._threads and _is_many_small_files(opened):
            self._connection.execute("SET threads = 1")
        return SourceTable(
            label=opened.label,
            relation=opened.relation,
            schema=opened.schema,
            notes=opened.notes,
            rows=opened.rows,
            size_bytes=opened.size_bytes,
            is_temporary=bool(opened.copies),
            setup_statement=opened.setup_statement,
            format=opened.format,
            files=opened.numbered_files,
            total_rows=opened.total_rows,
            parts=source_parts(opened),
            packed_relation=opened.packed_relation,
        )

    def sample(self) -> Sample:
        opened = self._opened
        assert opened is not None  # the protocol: `open_source` comes first
        with translate_duckdb_errors("read the source", opened):
            return sample_relation(self._connection, opened.relation, opened.schema, opened.numbered_files)

    def copy_from_destination(self, name: str, select: str) -> None:
        with self.destination.open_for_reading():
            self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS\n{select}")

    def newest_partition(self, up_to: date) -> None:  # noqa: ARG002 - files have no partitions
        return None

    def estimate(self, select: str, *, limited: bool = True) -> None:  # noqa: ARG002 - reading is free
        return None

    def usage(self) -> Usage:
        return Usage(bytes_processed=self._opened.size_bytes if self._opened else None)

    def table(self, name: str) -> str:
        return name

    def materialize(
        self,
        name: str,
        select: str,
        progress: Progress | None = None,
        partitioned: PartitionedQuery | None = None,
    ) -> None:
        self._staged[name] = None
        with translate_duckdb_errors("compute the segments", self._opened):
            count = self._partition_count(partitioned) if partitioned else 1
            if partitioned and count > 1:
                folder = self._temp_directory.path / "partitions"
                materialize_partitioned(
                    self._connection, name, partitioned, count=count, folder=folder, progress=progress
                )
            else:
                statement = f"CREATE OR REPLACE TABLE {name} AS\n{select}"
                execute_interruptibly(self._connection, statement, progress)

    def _partition_count(self, partitioned: PartitionedQuery) -> int:
        lines = self._count_input_lines(partitioned)
        return required_partition_count(self._connection, partitioned, lines)

    def _count_input_lines(self, partitioned: PartitionedQuery) -> int | None:
        """Return the number of lines that a step reads, possibly estimated; None if unknown."""
        table = partitioned.row_count_table
        if table is None:
            return estimate_line_count(self._opened) if self._opened else None
        ((lines,),) = self._connection.execute(f"SELECT COUNT(*) FROM {table}").fetchall()
        return int(lines)

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        with translate_duckdb_errors("read the staged result"):
            return fetch_dicts(self._connection.execute(select))

    def pages(self, select: str) -> Iterator[Sequence[dict[str, Any]]]:
        with translate_duckdb_errors("read the staged result"):
            yield from fetch_pages(self._connection.execute(select))

    def check_condition(self, expression: str, relation: str) -> str | None:
        try:
            ((_, type_),) = describe_columns(
                self._connection, f"SELECT {expression} AS condition FROM {relation}"
            )
            # In WHERE, DuckDB rejects aggregates, window functions and functions that return several rows.
            self._connection.execute(f"SELECT 1 FROM {relation} WHERE {expression} LIMIT 0")
        except duckdb.Error as error:
            return describe_condition_error(error)
        return None if str(type_) == "BOOLEAN" else describe_non_boolean(str(type_))

    def export(self, name: str, path: Path) -> AtomicFile:
        with translate_duckdb_errors(f"write {path}"):
            return write_table(self._connection, name, path, self._temp_directory.path)

    def retain_staged_tables(self) -> str:
        with translate_duckdb_errors("keep the staged tables"):
            return self.destination.retain_tables(self._run_id, list(self._staged))

    def keep_only(self, name: str) -> duckdb.DuckDBPyConnection:
        """Drop all staged tables except `name`, and release a data frame source; return the connection."""
        for table in self._staged:
            if table != name:
                self._connection.execute(f"DROP TABLE {table}")
        if self._opened and self._opened.format == "frame":
            for registered in self._opened.copies:
                self._connection.unregister(registered)
        self._staged = {name: None}
        return self._connection

    def close(self) -> None:
        try:
            self._connection.close()
        finally:
            # DuckDB may refuse to close a connection whose statement was interrupted.
            self._temp_directory.cleanup()
