"""DuckDB: the embedded default.

The work is done in memory, spilling to a temporary folder; the destination is opened only for moments
(`duckdb_destination.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.duckdb_engine import duckdb, watched
from rfm_pipeline.common.duckdb_types import bound_columns
from rfm_pipeline.common.partitioned_query import PartitionedQuery
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.source.base import OpenedSource, Opener
from rfm_pipeline.warehouse.base import Progress, SourceTable, Usage
from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory, connect
from rfm_pipeline.warehouse.duckdb.destination import DuckDBDestination
from rfm_pipeline.warehouse.duckdb.errors import not_boolean, objection, translate_duckdb_errors
from rfm_pipeline.warehouse.duckdb.export import write_table
from rfm_pipeline.warehouse.duckdb.partitioned import create_in_parts, estimated_lines, parts_needed


class DuckDBWarehouse:
    """A source read by DuckDB, staged in memory and published to a table in a DuckDB file.

    Args:
        source: Opens what has the lines.
        file: The destination file; it is created by the first publish.
        table: The destination table.
        settings: What DuckDB may use.
        run_id: The run's id, which names what is kept of it.
    """

    engine = "duckdb"

    def __init__(
        self,
        source: Opener,
        file: Path,
        table: str,
        settings: DuckDBSettings,
        *,
        run_id: str,
    ) -> None:
        self._source = source
        self._run_id = run_id
        self._opened: OpenedSource | None = None
        self._staged: dict[str, None] = {}
        self._scratch = SpillDirectory(settings.temp_directory)
        try:
            self._connection = connect(settings, self._scratch.path)
        except BaseException:
            self._scratch.cleanup()
            raise
        self.destination = DuckDBDestination(self._connection, file, table, settings)

    def open_source(self) -> SourceTable:
        with translate_duckdb_errors("read the source"):
            opened = self._source(self._connection, self._scratch.path)
        self._opened = opened
        return SourceTable(
            label=opened.label,
            relation=opened.relation,
            schema=opened.schema,
            notes=opened.notes,
            rows=opened.rows,
            size_bytes=opened.size_bytes,
            is_passing=bool(opened.copies),
            before=opened.before,
            written_as=opened.format,
        )

    def copy_from_destination(self, name: str, select: str) -> None:
        with self.destination.open_for_reading():
            self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS\n{select}")

    def estimate(self, select: str) -> None:  # noqa: ARG002 - reading costs nothing, whatever is read
        return None

    def usage(self) -> Usage:
        return Usage(bytes_processed=self._opened.size_bytes if self._opened else None)

    def table(self, name: str) -> str:
        return name

    def materialize(
        self, name: str, select: str, progress: Progress | None = None, cut: PartitionedQuery | None = None
    ) -> None:
        self._staged[name] = None
        with translate_duckdb_errors("compute the segments", self._opened):
            count = parts_needed(self._connection, cut, self._lines(cut)) if cut else 1
            if cut and count > 1:
                folder = self._scratch.path / "parts"
                create_in_parts(self._connection, name, cut, count=count, folder=folder, progress=progress)
            else:
                watched(self._connection, f"CREATE OR REPLACE TABLE {name} AS\n{select}", progress)

    def _lines(self, cut: PartitionedQuery) -> int | None:
        """How many lines a step reads, as far as that is known."""
        if cut.row_count_table is None:
            return estimated_lines(self._opened) if self._opened else None
        ((lines,),) = self._connection.execute(f"SELECT COUNT(*) FROM {cut.row_count_table}").fetchall()
        return int(lines)

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        with translate_duckdb_errors("look at the staged result"):
            cursor = self._connection.execute(select)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def check_condition(self, expression: str, relation: str) -> str | None:
        try:
            ((_, type_),) = bound_columns(
                self._connection, f"SELECT {expression} AS condition FROM {relation}"
            )
            # Behind WHERE, DuckDB accepts nothing that looks at several lines or makes several of one.
            self._connection.execute(f"SELECT 1 FROM {relation} WHERE {expression} LIMIT 0")
        except duckdb.Error as error:
            return objection(error)
        return None if str(type_) == "BOOLEAN" else not_boolean(str(type_))

    def export(self, name: str, path: Path) -> AtomicFile:
        with translate_duckdb_errors(f"write {path}"):
            return write_table(self._connection, name, path, self._scratch.path)

    def retain_staged_tables(self) -> str:
        with translate_duckdb_errors("keep the staged tables"):
            return self.destination.retain_tables(self._run_id, list(self._staged))

    def keep_only(self, name: str) -> duckdb.DuckDBPyConnection:
        """Drops every staged table but one, and lets go of the source; gives the connection that has it."""
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
            # DuckDB may refuse to close what a stop signal broke off.
            self._scratch.cleanup()
