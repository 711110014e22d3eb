"""A table or view in a DuckDB database file, attached read-only."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from rfm_pipeline.common.duckdb_engine import duckdb, lock_holder
from rfm_pipeline.common.duckdb_quoting import identifier, text_literal
from rfm_pipeline.common.formatting import capitalize_first
from rfm_pipeline.config.source_location import DuckDBTable
from rfm_pipeline.errors import LockedError, SourceError
from rfm_pipeline.source.base import Scan
from rfm_pipeline.source.files import file_not_found_error, translate_os_errors

ATTACHED_NAME = "rfm_source"
"""Database name of the attached file."""


def scan_duckdb_table(location: DuckDBTable, connection: duckdb.DuckDBPyConnection) -> tuple[Scan, str]:
    """Attach the DuckDB file read-only and find the table.

    Returns:
        The SQL that scans the table, and the table's name without quotes, such as `sales.lines`.

    Raises:
        SourceError: If the file or the table does not exist.
        LockedError: If another process has locked the file.
    """
    file = location.file
    with translate_os_errors(str(file)):
        if not file.exists():
            raise file_not_found_error(file)
        if file.is_dir():
            raise SourceError(f"{file} is a folder, not a DuckDB database.", "write duckdb:FILE#table.")
    database = _attach(file, connection)
    tables = connection.execute(
        "SELECT schema_name, table_name, FALSE FROM duckdb_tables() WHERE database_name = $1 AND NOT internal"
        " UNION ALL"
        " SELECT schema_name, view_name, TRUE FROM duckdb_views() WHERE database_name = $1 AND NOT internal"
        " ORDER BY 1, 2",
        [database],
    ).fetchall()
    schema, table, is_view = _find(location, tables)
    relation = ".".join(map(identifier, (database, schema, table)))
    rows = None if is_view else _count(connection, relation)
    return Scan(relation, rows=rows), _display_name(schema, table)


def _attach(file: Path, connection: duckdb.DuckDBPyConnection) -> str:
    """Attach the file, unless it is attached already (DuckDB allows that once); return its database name."""
    attached = connection.execute(
        "SELECT database_name, path FROM duckdb_databases() WHERE path IS NOT NULL"
    ).fetchall()
    for name, path in attached:
        if Path(path).exists() and file.samefile(path):
            return str(name)
    if any(name == ATTACHED_NAME for name, _ in attached):
        connection.execute(f"DETACH {ATTACHED_NAME}")
    try:
        connection.execute(f"ATTACH {text_literal(str(file))} AS {ATTACHED_NAME} (READ_ONLY)")
    except duckdb.Error as error:
        raise _attach_error(file, error) from error
    return ATTACHED_NAME


def _attach_error(file: Path, error: duckdb.Error) -> SourceError | LockedError:
    text = str(error)
    holder = lock_holder(error)
    if holder is None and re.search(r"already open|file handle conflict", text):
        holder = "another process"
    if holder:
        return LockedError(f"{file} is held by {holder}.", "wait for it to end, or close it.")
    if "newer version" in text or "storage version" in text.lower():
        return SourceError(
            f"{file} was written by another version of DuckDB.", "export the table to Parquet with it."
        )
    if "encrypt" in text.lower():
        return SourceError(f"{file} is encrypted.", "export the table to Parquet.")
    if re.search(r"[Pp]ermission denied", text):
        return SourceError(
            f"There is no permission to read {file}.", "look at the owner and the permissions of the file."
        )
    return SourceError(f"{file} is not a DuckDB database, or a damaged one.", "write duckdb:FILE#table.")


def _find(location: DuckDBTable, tables: list[tuple[str, str, bool]]) -> tuple[str, str, bool]:
    file, requested = location.file, location.table
    names = [_display_name(schema, table) for schema, table, _ in tables]
    hint = f"its tables: {', '.join(names[:12])}{' ...' if names[12:] else ''}."
    if not tables:
        raise SourceError(f"{file} holds no table.", "look at how it was made.")
    if requested is None:
        if len(tables) == 1:
            return tables[0]
        raise SourceError(
            f"{file} holds {len(tables)} tables, and none is named.",
            f"write duckdb:{file}#{names[0]}; {hint}",
        )
    unquoted = requested.replace('"', "").lower()
    for row, name in zip(tables, names, strict=True):
        if unquoted in (name.lower(), f"{row[0]}.{row[1]}".lower()):
            return row
    in_other_schemas = [row for row in tables if row[1].lower() == unquoted]
    if len(in_other_schemas) == 1:
        return in_other_schemas[0]
    if close := difflib.get_close_matches(requested, names, n=1):
        hint = f"did you mean {close[0]}? {capitalize_first(hint)}"
    raise SourceError(f"{file} holds no table {requested}.", hint)


def _display_name(schema: str, table: str) -> str:
    return table if schema == "main" else f"{schema}.{table}"


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    """Return the number of rows of a table, which DuckDB answers from metadata."""
    row = connection.execute(f"SELECT COUNT(*) FROM {relation}").fetchone()
    assert row is not None  # an aggregate always has a row
    return int(row[0])
