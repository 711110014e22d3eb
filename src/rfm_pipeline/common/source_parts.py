"""The parts of a source, which are files or partitions, and what an earlier run kept of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from msgspec import Struct


class PartVersion(Struct, frozen=True):
    """What tells whether a file is still the one that was read, and whether it is read the same way.

    Attributes:
        size: Size in bytes.
        modified_ns: Time of the last change in nanoseconds since 1970.
        tail: Checksum of the last bytes.
        reading: Hash of the call that reads the file.
    """

    size: int
    modified_ns: int
    tail: int
    reading: str


class PartsRequest(Struct, frozen=True):
    """The parts of a source whose orders a run needs.

    Attributes:
        parts: Each file as it is now, by its absolute path, in the order of the source; none of a table,
            whose partitions the warehouse lists.
        numbers: Number of each file among those of the source.
        key: What the orders depend on beside the parts.
        full: Why all parts must be read, as a clause; None if kept orders may be used.
        check_every: Every how many runs all parts are read, to check the kept orders; None for a run that
            neither checks nor counts, such as one of a backfill.
        first_day: First day whose partition counts; None if all do.
    """

    parts: Mapping[Path, PartVersion]
    numbers: Mapping[Path, int]
    key: str
    full: str | None
    check_every: int | None
    first_day: date | None = None


class TakeOver(Struct, frozen=True, omit_defaults=True):
    """The customers of an earlier run, which a later one takes over if no order of theirs is new.

    Attributes:
        last_part: The highest number of a part whose orders they have. None if `part_orders` has only the
            rows that they do not have, none of which is of an order that they have.
        last_day: The last date on which an order counted.
        new_ids: The smallest and the largest order id of later parts; None if unknown, or if there is none.
        customers: Relation of the customers, with the columns of the staging table `customers`.
        excluded: Relation of the excluded lines of the parts whose orders they have.
        unsold: Relation of the customers of those excluded lines that lack only a positive amount; None if
            `part_orders` has these lines.
    """

    last_part: int | None
    last_day: date
    new_ids: tuple[str | int, str | int] | None = None
    customers: str = "kept_customers"
    excluded: str = "kept_excluded"
    unsold: str | None = None


class CustomersRequest(Struct, frozen=True):
    """How a run computes customers from orders.

    Attributes:
        key: What the customers depend on beside the orders and the last day.
        last_day: The last date on which an order counts.
        customers_of: Returns the SELECT of the rows of `customers` that have a customer, given a relation of
            orders.
        excluded_of: Returns the SELECT of the excluded lines, given a relation of orders.
        is_kept: Condition on rows of `customers_of` that they are customers to take over; all others are of
            lines that lack only a positive amount.
        has_order_ids: Whether lines name their orders, so that an order can have lines in several parts.
        are_sums: Whether the customers of some orders, and those of the others, give those of all.
    """

    key: str
    last_day: date
    customers_of: Callable[[str], str]
    excluded_of: Callable[[str], str]
    is_kept: str
    has_order_ids: bool
    are_sums: bool
