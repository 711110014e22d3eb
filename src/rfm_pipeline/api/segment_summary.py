"""One segment of a segmentation, as `Segmentation.summary` lists it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    pass


class SegmentSummary(Struct, frozen=True):
    """One segment.

    Attributes:
        segment: Its name.
        customers: How many are in it.
        customers_share: Their share of all customers, from 0 to 1; None where there are none at all.
        orders: How many orders they made.
        revenue: What they spent.
        revenue_share: Its share of all revenue; None where there is none at all.
        description: Who is in it, in one line.
        action: What to do with them, in one line.
    """

    segment: str
    customers: int
    customers_share: float | None
    orders: int
    revenue: Decimal
    revenue_share: float | None
    description: str
    action: str
