"""The manifest in the table of kept orders: what its rows are of, and what they depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from rfm_pipeline.results.recognition import KEPT_ORDERS, read_mark
from rfm_pipeline.results.tables import KEPT_SUFFIX
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.schema import type_name

if TYPE_CHECKING:
    from google.cloud.bigquery import Table

FORMAT = 3
"""Version of the table's layout."""
MANIFEST_DAY, CUSTOMERS_DAY, EXCLUDED_DAY = (date(1, 1, number) for number in (1, 2, 3))
"""Partitions of the row with the manifest, of the kept customers, and of the excluded lines beside them."""
PREFIX = "kept_"
"""What the names of columns that are none of the orders' begin with: those of customers, and `ORDER_HASH`."""
ORDER_HASH = f"{PREFIX}order_hash"
"""Column with a hash of the ids of orders that count, if these are text, which takes more bytes."""


class KeptCustomers(Struct, frozen=True):
    """The partitions whose orders the kept customers have, as the manifest records them.

    Attributes:
        key: Key of what the customers depend on besides the orders.
        last_part: First day of the last partition whose orders they have.
        parts: Number of these partitions.
        last_day: Date of the newest of these orders.
        columns: Names of the columns of the customers.
        excluded: Names of the columns of the excluded lines.
    """

    key: str
    last_part: date
    parts: int
    last_day: date
    columns: tuple[str, ...]
    excluded: tuple[str, ...]

    def are_current(self, kept: Collection[date], read: Collection[date]) -> bool:
        """Return whether their partitions are all there, and as they were.

        Args:
            kept: Days of the partitions that have not changed.
            read: Days of the partitions that are new or have changed.
        """
        unchanged = sum(day <= self.last_part for day in kept)
        return unchanged == self.parts and not any(day <= self.last_part for day in read)


class KeptManifest(Struct, frozen=True):
    """What the table of kept orders holds.

    Attributes:
        format: Version of this layout.
        key: What the orders depend on beside the partitions: the table, the query and the program.
        columns: Hash of the names and types of the columns.
        runs_since_check: Number of runs since the last one that read all partitions.
        parts: First day and version of each partition whose orders are kept.
        customers: What the kept customers are of; None if there are none.
    """

    format: int
    key: str
    columns: str
    runs_since_check: int
    parts: tuple[tuple[date, str], ...]
    customers: KeptCustomers | None = None

    @property
    def versions(self) -> dict[date, str]:
        """The version of each partition, by its first day."""
        return dict(self.parts)


def kept_name(name: str) -> str:
    """Return the name of the table of kept orders, given that of the current result."""
    return f"{name}{KEPT_SUFFIX}"


def is_kept_table(table: Table, destination: str) -> bool:
    """Return whether a table has the mark of a destination's kept orders."""
    mark = read_mark(table.description)
    return mark is not None and mark.is_of(KEPT_ORDERS, destination)


def manifest_sql(table: str) -> str:
    """Return the SELECT of the manifest, with the number of rows that it describes, and that of the table."""
    return (
        f"SELECT manifest, lines AS described, (SELECT COUNT(*) FROM {table}) AS found\n"
        f"FROM {table}\nWHERE part = {statements.date_literal(MANIFEST_DAY)} AND manifest IS NOT NULL"
    )


def types_of(table: Table) -> dict[str, str]:
    """Return the type of each column of a table, by its name."""
    return {field.name: type_name(field) for field in table.schema}


def order_types_of(table: Table) -> dict[str, str]:
    """Return the type of each column of the orders in the table of kept orders, by its name."""
    types = types_of(table)
    return {
        name: type_ for name, type_ in types.items() if name != "manifest" and not name.startswith(PREFIX)
    }


def hash_of(columns: Mapping[str, str]) -> str:
    """Return a hash (16 hex digits) of the names and types of columns."""
    text = "\n".join(f"{name} {type_}" for name, type_ in columns.items())
    return hashlib.sha256(text.encode()).hexdigest()[:16]
