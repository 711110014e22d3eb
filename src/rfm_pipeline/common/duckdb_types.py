"""DuckDB's column types as kinds of value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.schema import Column, Kind, Schema

_KINDS = {
    "VARCHAR": Kind.TEXT,
    "UUID": Kind.TEXT,
    "ENUM": Kind.TEXT,
    '"NULL"': Kind.TEXT,
    "BOOLEAN": Kind.BOOLEAN,
    "DECIMAL": Kind.DECIMAL,
    "FLOAT": Kind.FLOAT,
    "DOUBLE": Kind.FLOAT,
    "DATE": Kind.DATE,
    "TIMESTAMP WITH TIME ZONE": Kind.TIMESTAMPTZ,
    "TIMESTAMP": Kind.TIMESTAMP,
    "TIMESTAMP_S": Kind.TIMESTAMP,
    "TIMESTAMP_MS": Kind.TIMESTAMP,
    "TIMESTAMP_NS": Kind.TIMESTAMP,
} | dict.fromkeys(
    (
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "BIGNUM"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    ),
    Kind.INTEGER,
)


def kind_of(duckdb_type: str) -> Kind:
    """The kind of value that a DuckDB type holds.

    Args:
        duckdb_type: The type as DuckDB prints it: `DECIMAL(18,2)`, `TIMESTAMP WITH TIME ZONE`.

    Returns:
        Its kind; `Kind.OTHER` for anything that no role takes.

    >>> kind_of("DECIMAL(18,2)")
    <Kind.DECIMAL: 'decimal'>
    """
    if duckdb_type.endswith("]"):
        return Kind.OTHER
    return _KINDS.get(duckdb_type.partition("(")[0], Kind.OTHER)


def schema_of(connection: duckdb.DuckDBPyConnection, relation: str) -> Schema:
    """The columns of a relation, fields of a struct after the struct; no row is read.

    Raises:
        duckdb.Error: The relation can't be bound.
    """
    columns: list[Column] = []
    for name, type_ in bound_columns(connection, f"SELECT * FROM {relation}"):
        columns.extend(_with_fields((name,), type_))
    return tuple(columns)


def bound_columns(connection: duckdb.DuckDBPyConnection, select: str) -> list[tuple[str, Any]]:
    """The names and types of what a SELECT gives; no row is read.

    Raises:
        duckdb.Error: It can't be bound.
    """
    bound = connection.execute(f"{select} LIMIT 0")
    described = bound.description or ()
    # A result that nobody fetched is unfinished, and holds the connection.
    bound.fetchall()
    return [(column[0], column[1]) for column in described]


def _with_fields(path: tuple[str, ...], type_: Any) -> Iterator[Column]:
    yield Column(path, kind_of(str(type_)), str(type_))
    if type_.id == "struct":
        for name, field in type_.children:
            yield from _with_fields((*path, name), field)
