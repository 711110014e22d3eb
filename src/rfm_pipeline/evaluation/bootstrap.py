"""Bootstrap intervals of figures per customer, from totals of groups of customers.

A hash of the id puts each customer in one of 256 groups. A replicate draws 256 groups with replacement; a
figure's interval goes from the 2.5th to the 97.5th percentile of its values in 1,000 replicates (Efron and
Tibshirani, "An introduction to the bootstrap", 1993, chapter 13). Customers are independent of each other, so
groups of them are, too: drawing groups gives the same spread as drawing customers, from a few totals that any
engine adds up exactly. The draws have a fixed seed, so that the same totals give the same intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import mul
from random import Random

from msgspec import Struct

from rfm_pipeline.evaluation.statistics import Interval

REPLICATES = 1_000
SEED = 20_240_101
MIN_BUYERS = 5
"""Fewest customers of a segment who bought again for which intervals are estimated."""


class GroupTotals(Struct, frozen=True):
    """Totals of a segment by group of customers; each sequence has one number per group.

    Attributes:
        customers, bought_again, orders: Numbers of customers, of those who bought again, and of their orders.
        revenue: Their revenue.
    """

    customers: list[int]
    bought_again: list[int]
    orders: list[int]
    revenue: list[float]


class SegmentIntervals(Struct, frozen=True):
    """Intervals of a segment's figures; each is None if there is too little to estimate it.

    Attributes:
        orders: Orders per customer.
        revenue: Revenue per customer.
        lift: Share that bought again over that of all customers.
        revenue_share: Share of the revenue of all customers.
    """

    orders: Interval | None = None
    revenue: Interval | None = None
    lift: Interval | None = None
    revenue_share: Interval | None = None


def draw_weights(groups: int) -> list[list[int]]:
    """Return for each replicate how often each group is drawn."""
    random = Random(SEED)  # noqa: S311 - no secret, and the same draws each time
    weights = []
    for _ in range(REPLICATES):
        drawn = [0] * groups
        for _ in range(groups):
            drawn[int(random.random() * groups)] += 1
        weights.append(drawn)
    return weights


def segment_intervals(
    segments: Mapping[str, GroupTotals], weights: Sequence[Sequence[int]]
) -> dict[str, SegmentIntervals]:
    """Return the intervals of each segment.

    Args:
        segments: Totals of all segments, whose customers are all customers.
        weights: The replicates, of `draw_weights`.
    """
    drawn = {
        name: [
            [sum(map(mul, weight, totals)) for weight in weights]
            for totals in (groups.customers, groups.bought_again, groups.orders, groups.revenue)
        ]
        for name, groups in segments.items()
    }
    all_customers, all_bought, _, all_revenue = (
        [sum(values) for values in zip(*(columns[position] for columns in drawn.values()), strict=True)]
        for position in range(4)
    )
    shares = _ratios(all_bought, all_customers)
    intervals = {}
    for name, (customers, bought, orders, revenue) in drawn.items():
        if sum(segments[name].bought_again) < MIN_BUYERS:
            intervals[name] = SegmentIntervals()
            continue
        intervals[name] = SegmentIntervals(
            _interval(_ratios(orders, customers)),
            _interval(_ratios(revenue, customers)),
            _interval(_ratios(_ratios(bought, customers), shares)),
            _interval(_ratios(revenue, all_revenue)),
        )
    return intervals


def _ratios(numerators: Sequence[float | None], denominators: Sequence[float | None]) -> list[float | None]:
    return [
        above / below if above is not None and below is not None and below > 0 else None
        for above, below in zip(numerators, denominators, strict=True)
    ]


def _interval(values: Sequence[float | None]) -> Interval | None:
    """Return the 2.5th and the 97.5th percentile, interpolated linearly; None if they are equal.

    Replicates without a value, because no customer of the segment was drawn, are left out.
    """
    ordered = sorted(value for value in values if value is not None)
    if not ordered or ordered[0] == ordered[-1]:
        return None
    return _percentile(ordered, 0.025), _percentile(ordered, 0.975)


def _percentile(ordered: Sequence[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    low = int(position)
    if low + 1 == len(ordered):
        return ordered[low]
    return ordered[low] + (position - low) * (ordered[low + 1] - ordered[low])
