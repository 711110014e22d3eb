"""BigQuery's column types: as `Kind`s, of the published tables, and the comparison of existing tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.results.tables import PUBLISHED_COLUMNS

if TYPE_CHECKING:
    from google.cloud.bigquery import SchemaField

COLUMN_TYPES: Mapping[str, str] = {
    "text": "STRING",
    "integer": "INT64",
    "small": "INT64",
    "money": "NUMERIC",
    "date": "DATE",
    "instant": "TIMESTAMP",
}
"""BigQuery type for each value of `PublishedColumn.holds`."""

# The API returns the names of legacy SQL.
_STANDARD_NAMES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}
_KINDS = {
    "STRING": Kind.TEXT,
    "INT64": Kind.INTEGER,
    "NUMERIC": Kind.DECIMAL,
    "BIGNUMERIC": Kind.DECIMAL,
    "FLOAT64": Kind.FLOAT,
    "BOOL": Kind.BOOLEAN,
    "DATE": Kind.DATE,
    "DATETIME": Kind.TIMESTAMP,
    "TIMESTAMP": Kind.TIMESTAMPTZ,
}


def schema_of(fields: Iterable[SchemaField]) -> Schema:
    """Return the columns of a table; the fields of a STRUCT follow it."""
    return tuple(column for field in fields for column in _with_fields((), field))


def _with_fields(parent: tuple[str, ...], field: SchemaField) -> Iterator[Column]:
    path = (*parent, field.name)
    name = type_name(field)
    yield Column(path, _KINDS.get(name, Kind.OTHER), name)
    if name == "STRUCT":
        for inner in field.fields:
            yield from _with_fields(path, inner)


def type_name(field: SchemaField) -> str:
    """Return a field's type as GoogleSQL writes it: `INT64`, `ARRAY<STRING>`."""
    name = _STANDARD_NAMES.get(field.field_type.upper(), field.field_type.upper())
    return f"ARRAY<{name}>" if field.mode == "REPEATED" else name


def published_schema_differences(name: str, fields: Sequence[SchemaField]) -> str | None:
    """Return how a table differs from the published table `name`; None if it has its columns, in any order.

    Args:
        name: `current`, `history` or `runs`.
        fields: Columns of the table.
    """
    expected = {column: COLUMN_TYPES[about.holds] for column, about in PUBLISHED_COLUMNS[name].items()}
    return schema_differences({field.name: type_name(field) for field in fields}, expected)


def schema_differences(existing: Mapping[str, str], expected: Mapping[str, str]) -> str | None:
    """Return the differences between the columns of two tables; None if there are none.

    Args:
        existing: Column names and types of the existing table; names are case-insensitive.
        expected: Column names and types that the table should have.

    >>> schema_differences({"ID": "STRING", "day": "DATE"}, {"id": "INT64", "amount": "NUMERIC"})
    'lacks amount NUMERIC and has day DATE, id as STRING in place of INT64'
    """
    existing_types = {name.casefold(): type_ for name, type_ in existing.items()}
    expected_names = {name.casefold() for name in expected}
    missing = [f"{name} {type_}" for name, type_ in expected.items() if name.casefold() not in existing_types]
    surplus = [f"{name} {type_}" for name, type_ in existing.items() if name.casefold() not in expected_names]
    changed = [
        f"{name} as {existing_types[name.casefold()]} in place of {type_}"
        for name, type_ in expected.items()
        if existing_types.get(name.casefold(), type_) != type_
    ]
    differences = (("lacks", missing), ("has", surplus + changed))
    return " and ".join(f"{verb} {', '.join(columns)}" for verb, columns in differences if columns) or None
