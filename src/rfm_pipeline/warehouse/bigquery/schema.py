"""BigQuery's types as kinds, and the difference between a table that is there and the one that is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.results.tables import PublishedColumn
from rfm_pipeline.warehouse.bigquery.statements import TYPES

if TYPE_CHECKING:
    from google.cloud.bigquery import SchemaField

_NAMES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}
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
    """The columns of a table; fields of a STRUCT follow the column that holds them."""
    return tuple(column for field in fields for column in _with_fields((), field))


def _with_fields(path: tuple[str, ...], field: SchemaField) -> Iterator[Column]:
    here = (*path, field.name)
    name = type_name(field)
    yield Column(here, _KINDS.get(name, Kind.OTHER), name)
    if name == "STRUCT":
        for inner in field.fields:
            yield from _with_fields(here, inner)


def type_name(field: SchemaField) -> str:
    """A field's type as SQL has it: `INT64`, `ARRAY<STRING>`.

    The API has older names for some, and a mode for arrays.
    """
    name = _NAMES.get(field.field_type.upper(), field.field_type.upper())
    return f"ARRAY<{name}>" if field.mode == "REPEATED" else name


def published_drift(columns: Mapping[str, PublishedColumn], fields: Sequence[SchemaField]) -> str | None:
    """How a table differs from the one that is published; None where it doesn't, in what matters."""
    wanted = {name: TYPES[column.holds] for name, column in columns.items()}
    return schema_differences({field.name: type_name(field) for field in fields}, wanted)


def schema_differences(there: dict[str, str], wanted: dict[str, str]) -> str | None:
    """The difference between two tables' columns in words; None where there is none.

    Args:
        there: Column to type, as it is. Case does not tell two names apart.
        wanted: The same, as it is to be.
    """
    found = {name.casefold(): type_ for name, type_ in there.items()}
    lacks = [f"{name} {type_}" for name, type_ in wanted.items() if name.casefold() not in found]
    known = {name.casefold() for name in wanted}
    strange = [f"{name} {type_}" for name, type_ in there.items() if name.casefold() not in known]
    changed = [
        f"{name} as {found[name.casefold()]} in place of {type_}"
        for name, type_ in wanted.items()
        if found.get(name.casefold(), type_) != type_
    ]
    told = [("lacks", lacks), ("has", strange + changed)]
    return " and ".join(f"{verb} {', '.join(some)}" for verb, some in told if some) or None
