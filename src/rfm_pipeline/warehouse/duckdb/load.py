"""Loading of rows that another engine returned into a DuckDB table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import columns_literal, text_literal
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.warehouse.duckdb.schema import COLUMN_TYPES


def create_table_from_pages(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Sequence[str],
    pages: Iterable[Sequence[Mapping[str, Any]]],
    temp_directory: Path,
    *,
    types: Mapping[str, str] | None = None,
) -> None:
    """Create a table from pages of rows, with one page at a time in memory.

    Args:
        connection: Connection to create the table on.
        table: Name of the table.
        columns: Columns of the table, in order.
        pages: The rows; each maps column names to values.
        temp_directory: Directory for a temporary file with all rows.
        types: DuckDB type of each column; None if the columns are those of the published result.

    Raises:
        OSError: If the temporary file can't be written.
        duckdb.Error: If the table can't be created.
    """
    path = temp_directory / f"{table}.ndjson"
    with path.open("w", encoding="utf-8") as file:
        for page in pages:
            for row in page:
                # Decimals and dates as text, because numbers in JSON are not exact.
                values = {column: row[column] for column in columns}
                file.write(json.dumps(values, default=str, ensure_ascii=False))
                file.write("\n")
    if types is None:
        types = {column: COLUMN_TYPES[RESULT_COLUMNS[column].holds] for column in columns}
    literal = columns_literal((column, types[column]) for column in columns)
    connection.execute(
        f"CREATE TABLE {table} AS SELECT {', '.join(columns)}"
        f" FROM read_json({text_literal(str(path))}, format = 'newline_delimited', columns = {literal})"
    )
    path.unlink()
