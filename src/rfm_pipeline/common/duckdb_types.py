"""Mapping of DuckDB column types to the engine-independent `Kind`."""

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
    "TIMESTAMPTZ_NS": Kind.TIMESTAMPTZ,
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
    """Return the `Kind` of a DuckDB type; `Kind.OTHER` for types that no column role accepts.

    Args:
        duckdb_type: Type name as DuckDB prints it: `DECIMAL(18,2)`, `TIMESTAMP WITH TIME ZONE`.

    >>> kind_of("DECIMAL(18,2)")
    <Kind.DECIMAL: 'decimal'>
    """
    if duckdb_type.endswith("]"):
        return Kind.OTHER
    return _KINDS.get(duckdb_type.partition("(")[0], Kind.OTHER)


def schema_of(connection: duckdb.DuckDBPyConnection, relation: str) -> Schema:
    """Return the columns of a relation without reading rows; fields of a struct follow the struct.

    Args:
        connection: The connection in which the relation exists.
        relation: SQL text that can follow FROM.

    Raises:
        duckdb.Error: If the relation can't be bound.
    """
    columns: list[Column] = []
    for name, type_ in describe_columns(connection, f"SELECT * FROM {relation}"):
        columns.extend(_with_fields((name,), type_))
    return tuple(columns)


def describe_columns(connection: duckdb.DuckDBPyConnection, select: str) -> list[tuple[str, Any]]:
    """Return name and DuckDB type of each column of a SELECT, in order, without reading rows.

    Raises:
        duckdb.Error: If the SELECT can't be bound.
    """
    result = connection.execute(f"{select} LIMIT 0")
    description = result.description or ()
    # A result that is not fetched stays open and blocks the connection.
    result.fetchall()
    return [(column[0], column[1]) for column in description]


def _with_fields(path: tuple[str, ...], type_: Any) -> Iterator[Column]:
    """Yield the column at `path`, then the fields of a struct, depth first."""
    yield Column(path, kind_of(str(type_)), str(type_))
    if type_.id == "struct":
        for name, field in type_.children:
            yield from _with_fields((*path, name), field)
