"""Schema of a source: its columns, with kinds of values that are the same for all engines."""

from __future__ import annotations

from datetime import date
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


class Pseudocolumn(StrEnum):
    """Column of BigQuery that says where a row is stored, and that `SELECT *` does not return."""

    INGESTION = "_PARTITIONTIME"
    """Partition of a table that is partitioned by ingestion time; NULL until a streamed row is stored."""
    SHARD = "_TABLE_SUFFIX"
    """Rest of the name of a table of a wildcard, such as `20240131`."""


class Partition(Struct, frozen=True):
    """Partitioning of a source; a filter on dates then reads only some of the partitions.

    Attributes:
        column: Name of the partitioning column, or the pseudocolumn.
        kind: Kind of the partitioning column.
        is_required: Whether the engine rejects queries without a filter on the partitioning column.
        unit: Period of one partition: `HOUR`, `DAY`, `MONTH` or `YEAR`.
        newest: Day of the newest partition that has rows, today at the latest. A window that ends on the
            newest order then bounds what is read. None to read all partitions in that case.
        condition: SQL condition on the pseudocolumn that each row to read meets; empty if all rows do.
    """

    column: str | Pseudocolumn
    kind: Kind
    is_required: bool = False
    unit: str = "DAY"
    newest: date | None = None
    condition: str = ""
