"""A table or view in a DuckDB database file, attached read-only."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from rfm_pipeline.common.duckdb_engine import duckdb, lock_holder
from rfm_pipeline.common.duckdb_quoting import identifier, text_literal
from rfm_pipeline.config.source_location import DuckDBTable
from rfm_pipeline.errors import LockedError, SourceError
from rfm_pipeline.source.base import Scan
from rfm_pipeline.source.files import missing, reading

ALIAS = "rfm_source"
"""The name under which the file is attached."""


def scan_duckdb(location: DuckDBTable, connection: duckdb.DuckDBPyConnection) -> tuple[Scan, str]:
    """Attaches the file, and finds the table.

    Returns:
        How to scan it, and its name as a person writes it.

    Raises:
        SourceError: The file or the table is not there.
        LockedError: Another process holds the file.
    """
    file = location.file
    with reading(str(file)):
        if not file.exists():
            raise missing(file)
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
    return Scan(relation, rows=rows), _written(schema, table)


def _attach(file: Path, connection: duckdb.DuckDBPyConnection) -> str:
    """Attaches the file under the alias, or finds it attached: DuckDB attaches a file only once."""
    attached = connection.execute(
        "SELECT database_name, path FROM duckdb_databases() WHERE path IS NOT NULL"
    ).fetchall()
    for name, path in attached:
        if Path(path).exists() and file.samefile(path):
            return str(name)
    if any(name == ALIAS for name, _ in attached):
        connection.execute(f"DETACH {ALIAS}")
    try:
        connection.execute(f"ATTACH {text_literal(str(file))} AS {ALIAS} (READ_ONLY)")
    except duckdb.Error as error:
        raise _unattached(file, error) from error
    return ALIAS


def _unattached(file: Path, error: duckdb.Error) -> SourceError | LockedError:
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
        return SourceError(f"There is no permission to read {file}.", "look at the owner and the mode of it.")
    return SourceError(f"{file} is not a DuckDB database, or a damaged one.", "write duckdb:FILE#table.")


def _find(location: DuckDBTable, tables: list[tuple[str, str, bool]]) -> tuple[str, str, bool]:
    file, wanted = location.file, location.table
    there = [_written(schema, table) for schema, table, _ in tables]
    hint = f"what there is: {', '.join(there[:12])}{' ...' if there[12:] else ''}."
    if not tables:
        raise SourceError(f"{file} holds no table.", "look at how it was made.")
    if wanted is None:
        if len(tables) == 1:
            return tables[0]
        raise SourceError(
            f"{file} holds {len(tables)} tables: say which.", f"write duckdb:{file}#{there[0]}; {hint}"
        )
    plain = wanted.replace('"', "").lower()
    for row, written in zip(tables, there, strict=True):
        if plain in (written.lower(), f"{row[0]}.{row[1]}".lower()):
            return row
    elsewhere = [row for row in tables if row[1].lower() == plain]
    if len(elsewhere) == 1:
        return elsewhere[0]
    if close := difflib.get_close_matches(wanted, there, n=1):
        hint = f"did you mean {close[0]}? {hint.capitalize()}"
    raise SourceError(f"{file} holds no table {wanted}.", hint)


def _written(schema: str, table: str) -> str:
    return table if schema == "main" else f"{schema}.{table}"


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    """How many rows a table has, which its metadata tells at once."""
    row = connection.execute(f"SELECT COUNT(*) FROM {relation}").fetchone()
    assert row is not None  # an aggregate always has a row
    return int(row[0])
