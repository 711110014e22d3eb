"""The tables of a DuckDB file, as the recognition of a destination sees them."""

from __future__ import annotations

from pathlib import Path

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import qualified_name
from rfm_pipeline.results.recognition import ExistingTable
from rfm_pipeline.results.tables import SUFFIXES
from rfm_pipeline.warehouse.duckdb.schema import published_schema_differences


class DuckDBCatalog:
    """The tables and views of an attached file, read once.

    Args:
        connection: Connection that the file is attached to.
        database: Name that it is attached as.
        file: Path of the file, for messages.
        destination: Name of the destination's table.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, database: str, file: Path, destination: str
    ) -> None:
        self._connection = connection
        self._file = file
        self._runs = qualified_name(database, "main", f"{destination}{SUFFIXES['runs']}")
        self._tables: dict[str, tuple[str, str | None, dict[str, str]]] = {}
        rows = connection.execute(
            "SELECT table_name, table_type, table_comment, column_name, data_type"
            " FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_catalog, table_schema, table_name)"
            " WHERE table_catalog = ? AND table_schema = 'main' ORDER BY ordinal_position",
            [database],
        ).fetchall()
        for table, type_, comment, column, data_type in rows:
            kind = "view" if type_ == "VIEW" else "table"
            # Table names in DuckDB are case-insensitive.
            _, _, columns = self._tables.setdefault(table.casefold(), (kind, comment, {}))
            columns[column] = data_type

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
