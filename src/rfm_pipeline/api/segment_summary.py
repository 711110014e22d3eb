"""`SegmentSummary`: totals of one segment, as `Segmentation.summary` lists them."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct


class SegmentSummary(Struct, frozen=True):
    """Totals of one segment.

    Attributes:
        segment: Name of the segment.
        customers: Number of customers.
        customers_share: Share of all customers, 0 to 1; None if there are no customers at all.
        orders: Number of orders.
        revenue: Sum of the monetary values.
        revenue_share: Share of the total revenue; None if the total is zero.
        description: One line about the customers of the segment.
        action: One line with a recommended action.
    """

    segment: str
    customers: int
    customers_share: float | None
    orders: int
    revenue: Decimal
    revenue_share: float | None
    description: str
    action: str
