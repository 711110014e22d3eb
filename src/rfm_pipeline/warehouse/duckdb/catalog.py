"""The tables of a DuckDB file, as the recognition of a destination sees them."""

from __future__ import annotations

from pathlib import Path

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import qualified_name
from rfm_pipeline.results.recognition import ExistingTable
from rfm_pipeline.results.tables import LAYOUTS, SUFFIXES
from rfm_pipeline.warehouse.duckdb.schema import published_schema_differences


class DuckDBCatalog:
    """The tables and views of an attached file, read once.

    Args:
        connection: Connection that the file is attached to.
        database: Name that it is attached as.
        file: Path of the file, for messages.
        destination: Name of the destination's table.
    """

    layout = LAYOUTS["duckdb"]

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, database: str, file: Path, destination: str
    ) -> None:
        self._connection = connection
        self._file = file
        self._runs = qualified_name(database, "main", f"{destination}{SUFFIXES['runs']}")
        # The functions behind `information_schema`, whose views take several times as long.
        within = "WHERE database_name = $database AND schema_name = 'main'"
        tables = connection.execute(
            f"SELECT table_name, 'table', comment FROM duckdb_tables() {within}"
            f" UNION ALL SELECT view_name, 'view', comment FROM duckdb_views() {within}",
            {"database": database},
        ).fetchall()
        # Table names in DuckDB are case-insensitive.
        self._tables: dict[str, tuple[str, str | None, dict[str, str]]] = {
            table.casefold(): (kind, comment, {}) for table, kind, comment in tables
        }
        if not tables:
            return
        columns = connection.execute(
            f"SELECT table_name, column_name, data_type FROM duckdb_columns() {within} ORDER BY column_index",
            {"database": database},
        ).fetchall()
        for table, column, data_type in columns:
            self._tables[table.casefold()][2][column] = data_type

    def find(self, table: str, role: str) -> ExistingTable | None:
        """Return a table, compared with the columns of a role; None if there is no such table."""
        if table.casefold() not in self._tables:
            return None
        kind, comment, columns = self._tables[table.casefold()]
        return ExistingTable(kind, comment, published_schema_differences(role, columns))

    def describe(self, table: str) -> str:
        """Return a table's name and place, as messages have it."""
        return f"{table} in {self._file}"

    def location(self, table: str) -> str:
        """Return the argument of --to that names a table."""
        return f"duckdb:{self._file}#{table}"

    def last_version(self) -> str | None:
        """Return the version of rfm that ran last; None if the runs table is missing or not rfm's."""
        try:
            row = self._connection.execute(
                f"SELECT version FROM {self._runs} ORDER BY finished_at DESC LIMIT 1"
            ).fetchone()
        except duckdb.Error:
            return None
        return row[0] if row else None
