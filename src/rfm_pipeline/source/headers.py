"""The columns of an opened source: their names checked, their DuckDB types taken to kinds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.errors import SourceError

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


def checked_names(raw: Sequence[str], file: str) -> tuple[str, ...]:
    """The column names of a header, exactly as they stand there.

    Args:
        raw: What the header holds, column by column.
        file: What to call the file in an error.

    Returns:
        The names; a column without one is called after its position, `column3`.

    Raises:
        SourceError: A name comes twice. Case does not tell two names apart, here as in SQL.
    """
    seen: dict[str, int] = {}
    for position, name in enumerate(raw, start=1):
        if not name.strip():
            continue
        first = seen.setdefault(name.lower(), position)
        if first != position:
            earlier = raw[first - 1]
            names = f"'{name}' twice" if earlier == name else f"'{earlier}' and a column '{name}'"
            raise SourceError(
                f"{file} has a column {names}: columns {first} and {position}.",
                "rename one of them in the file; upper and lower case count as the same.",
            )
    return tuple(
        name if name.strip() else _free_name(position, seen) for position, name in enumerate(raw, start=1)
    )


def _free_name(position: int, taken: dict[str, int]) -> str:
    candidates = (f"column{position}" + "_" * n for n in count())
    return next(name for name in candidates if name not in taken)


_DATA = re.compile(r"\s*[-+]?\d+([.,]\d+)*\s*|\s*\d{4}-\d\d-\d\d.*")


def header_notes(raw: Sequence[str]) -> list[str]:
    """What a person wants to know about a header: values in place of names, columns without a name."""
    notes = []
    if values := [name for name in raw if _DATA.fullmatch(name)]:
        notes.append(
            f"the first line was taken for column names, though {values[0].strip()!r} looks like a value"
        )
    if nameless := [str(position) for position, name in enumerate(raw, start=1) if not name.strip()]:
        notes.append(f"no name above column {', '.join(nameless)}")
    return notes


def missing_columns(headers: Sequence[Sequence[str]]) -> list[str]:
    """Notes on the columns that some of the files lack, whose rows have NULL there.

    Args:
        headers: The names in each file.
    """
    spellings = {name.lower(): name for header in reversed(headers) for name in reversed(header)}
    having = Counter(name.lower() for header in headers for name in header)
    every = len(headers)
    gaps = [
        f"{spellings[name]!r} is missing from {every - times} of {every} files"
        for name, times in having.items()
        if times < every
    ]
    return gaps[:3] + ([f"{len(gaps) - 3} more columns are not in every file"] if gaps[3:] else [])
