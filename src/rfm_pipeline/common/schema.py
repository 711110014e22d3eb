"""What a source looks like: its columns, and the kinds of value in which engines agree."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """What a column holds, above the type names of any one engine."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    """A local date and time, without a zone."""
    TIMESTAMPTZ = "timestamptz"
    """An instant."""
    OTHER = "other"
    """Anything that no role takes: binary, nested, intervals."""


NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT})


class Column(Struct, frozen=True):
    """A column of a source, or a field inside a nested one.

    Attributes:
        path: The names from the column inwards: `("Invoice",)`, or `("ecommerce", "transaction_id")`.
        kind: What it holds.
        declared: The engine's own name of its type, for messages.
    """

    path: tuple[str, ...]
    kind: Kind
    declared: str

    @property
    def name(self) -> str:
        """The name as a person writes it: `Invoice`, `ecommerce.transaction_id`."""
        return ".".join(self.path)


Schema = tuple[Column, ...]
"""The columns of a source in their order; fields of nested columns follow the column that holds them."""


class Partition(Struct, frozen=True):
    """How a source is cut into partitions, so that a filter on dates reads only some of them.

    Attributes:
        column: What the filter is on: the name of a column, or None for the day on which rows came in.
        kind: Its kind.
        is_required: Whether a query without such a filter is refused.
    """

    column: str | None
    kind: Kind
    is_required: bool = False
