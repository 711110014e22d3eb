"""Schema of a source: its columns, with kinds of values that are the same for all engines."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """Kind of a column's values, independent of the engine's type names."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    """Local date and time, without a time zone."""
    TIMESTAMPTZ = "timestamptz"
    """Instant: date and time with a time zone."""
    OTHER = "other"
    """Type that no column role accepts: binary, nested, intervals."""


NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT})


class Column(Struct, frozen=True):
    """Column of a source, or field inside a nested column.

    Attributes:
        path: Names from the column inwards: `("Invoice",)`, or `("ecommerce", "transaction_id")`.
        kind: Kind of its values.
        declared: The engine's name of its type, for messages.
    """

    path: tuple[str, ...]
    kind: Kind
    declared: str

    @property
    def name(self) -> str:
        """Full name, with dots between the parts: `Invoice`, `ecommerce.transaction_id`."""
        return ".".join(self.path)


Schema = tuple[Column, ...]
"""Columns of a source in order; the fields of a nested column follow the column."""


class Partition(Struct, frozen=True):
    """Partitioning of a source table; a filter on dates then reads only some of the partitions.

    Attributes:
        column: Name of the partitioning column; None if the table is partitioned by ingestion day.
        kind: Kind of the partitioning column.
        is_required: Whether the engine rejects queries without a filter on the partitioning column.
    """

    column: str | None
    kind: Kind
    is_required: bool = False
