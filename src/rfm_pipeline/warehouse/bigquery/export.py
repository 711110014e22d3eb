"""Writing a result of BigQuery to a file: page by page to this machine, and on by DuckDB's writers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.results.tables import RESULT_COLUMNS

_TYPES: Mapping[str, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "small": "INTEGER",
    "money": "DECIMAL(38, 9)",
    "date": "DATE",
}


def write_rows(pages: Iterable[Sequence[Mapping[str, Any]]], path: Path) -> AtomicFile:
    """Writes the rows of a result to a draft beside `path`.

    Args:
        pages: The rows, with the columns of the published table.
        path: Its suffix tells the format.

    Raises:
        WarehouseError: There is no room for them.
    """
    from rfm_pipeline.common.duckdb_engine import connect_in_memory
    from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory
    from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors
    from rfm_pipeline.warehouse.duckdb.export import write_table

    with SpillDirectory(None) as scratch:
        lines = scratch / "rows.ndjson"
        try:
            _write_lines(pages, lines)
        except OSError as error:
            raise WarehouseError(
                f"The output {path} can't be written: {lower_first(error.strerror or str(error))}.",
                "look at the room for temporary files; nothing was published.",
            ) from error
        columns = ", ".join(f"{name}: '{_TYPES[about.holds]}'" for name, about in RESULT_COLUMNS.items())
        literal = str(lines).replace("'", "''")
        read = f"read_json('{literal}', format = 'newline_delimited', columns = {{{columns}}})"
        with connect_in_memory({"temp_directory": f"{scratch}/spill"}) as connection:
            with translate_duckdb_errors(f"write {path}"):
                connection.execute(f"CREATE TABLE result AS FROM {read}")
            return write_table(connection, "result", path, scratch)


def _write_lines(pages: Iterable[Sequence[Mapping[str, Any]]], file: Path) -> None:
    with file.open("w", encoding="utf-8") as opened:
        for page in pages:
            for row in page:
                # Decimals and dates as text: a number of JSON is not exact.
                plain = {name: row[name] for name in RESULT_COLUMNS}
                opened.write(json.dumps(plain, default=str, ensure_ascii=False))
                opened.write("\n")
