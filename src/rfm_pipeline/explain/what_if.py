"""Segments that a customer would reach with more orders, or without any order for some time.

Exact under two assumptions: the edges between scores stay the same, and so do all other customers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal, localcontext

from msgspec import Struct

from rfm_pipeline.common.decimals import WIDE
from rfm_pipeline.config.day_conditions import Interval, Rhythm
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.config.segment_rules import ScoreTriple
from rfm_pipeline.explain.order_timeline import OrderTimeline, OrderTotals, TimelineInterval

_DAY = timedelta(days=1)
_CENT = Decimal("0.01")


class ScoreEdges(Struct, frozen=True):
    """The edges between scores by dimension, in the form that `[scoring]` takes."""

    recency: tuple[Decimal, ...]
    frequency: tuple[Decimal, ...]
    monetary: tuple[Decimal, ...]

    def cell(self, days: int, frequency: int, monetary: Decimal) -> ScoreTriple:
        """Return the recency, frequency and monetary score of a customer.

        >>> edges = ScoreEdges((Decimal(30), Decimal(90)), (Decimal(1),), (Decimal(100),))
        >>> edges.cell(31, 2, Decimal(100))
        (2, 2, 1)
        """
        return (
            len(self.recency) + 1 - sum(edge < days for edge in self.recency),
            1 + sum(edge < frequency for edge in self.frequency),
            1 + sum(edge < monetary for edge in self.monetary),
        )


class MoreOrders(Struct, frozen=True):
    """Number and total amount of further orders, and the segment reached on the day of the last of them.

    Attributes:
        segment: Name of the segment.
        orders: Number of further orders, each after the as-of date.
        min_amount: Smallest total amount of these orders that leads to the segment.
        max_amount: Largest total amount; None without a limit.
        last_day: Last day on which the orders lead to the segment; None without a limit.
    """

    segment: str
    orders: int
    min_amount: Decimal
    max_amount: Decimal | None = None
    last_day: date | None = None

    def covers(self, amount: Decimal) -> bool:
        """Return whether a total amount leads to the segment."""
        return self.min_amount <= amount and (self.max_amount is None or amount <= self.max_amount)

    @property
    def takes_any_amount(self) -> bool:
        """Whether orders of one cent each are enough."""
        return self.min_amount <= _CENT * self.orders


class NoOrder(Struct, frozen=True):
    """The segment that a customer is in from a later as-of date on, without any order until then.

    Attributes:
        segment: Name of the segment; None if no order counts any more, so that the customer has no row.
        as_of: The as-of date.
    """

    segment: str | None
    as_of: date


def segments_after_more_orders(
    timeline: OrderTimeline, edges: ScoreEdges, segment_map: SegmentMap, current_segment: str
) -> tuple[MoreOrders, ...]:
    """Return for each segment that more orders lead to the fewest orders, and for those the smallest amount.

    Args:
        timeline: The customer's orders.
        edges: The edges between scores.
        segment_map: The segment of each cell.
        current_segment: The customer's segment, which is not returned.
    """
    limit = timeline.all_new_count_until
    intervals = [
        interval
        for interval in _split_by_age(timeline.intervals(), segment_map)
        if limit is None or interval.start <= limit
    ]
    if not intervals:
        return ()
    first = intervals[0].totals
    # Only numbers of orders just above an edge give a frequency score that fewer orders do not give.
    order_counts = {int(edge) - first.frequency + 1 for edge in edges.frequency}
    ways: dict[str, MoreOrders] = {}
    for orders in sorted({1, *(number for number in order_counts if number > 1)}):
        for segment, min_amount, max_amount in _amount_ranges(orders, intervals[0], edges, segment_map):
            if segment != current_segment and segment not in ways:
                ways[segment] = MoreOrders(segment, orders, min_amount, max_amount)
    return tuple(_with_last_day(way, intervals, limit, edges, segment_map) for way in ways.values())


def _rhythm_on_order(before: OrderTotals, day: date) -> Rhythm:
    """Return a customer's days on the day of an order, which is not before any other one.

    With no day since the last order, the gap is 0, whatever the customer's median gap is.
    """
    first = before.first_order_date or day
    return Rhythm((day - first).days, 0, 1 if first < day else None)


def _amount_ranges(
    orders: int, interval: TimelineInterval, edges: ScoreEdges, segment_map: SegmentMap
) -> Iterator[tuple[str, Decimal, Decimal | None]]:
    """Yield ascending ranges of the total amount in whole cents: (segment, smallest, largest amount)."""
    before, day = interval.totals, interval.start
    recency, frequency, _ = edges.cell(0, before.frequency + orders, Decimal(0))
    rhythm = _rhythm_on_order(before, day)
    current: tuple[str, Decimal, Decimal | None] | None = None
    start = _CENT * orders
    with localcontext(WIDE):
        for score, edge in enumerate((*edges.monetary, None), start=1):
            end = None if edge is None else (edge - before.monetary).quantize(_CENT, ROUND_FLOOR)
            if end is not None and end < start:
                continue
            segment = segment_map.segment_of(recency, frequency, score, rhythm)
            if current and current[0] == segment:
                current = segment, current[1], end
            else:
                if current:
                    yield current
                current = segment, start, end
            start = start if end is None else end + _CENT
    assert current  # the highest score has no upper edge, so the loop never skips it
    yield current


def _with_last_day(
    way: MoreOrders,
    intervals: Sequence[TimelineInterval],
    limit: date | None,
    edges: ScoreEdges,
    segment_map: SegmentMap,
) -> MoreOrders:
    """Set the last day on which the orders lead to the segment, before earlier orders leave the window."""
    for interval in intervals:
        if not _leads_to_segment(way, interval, edges, segment_map):
            limit = interval.start - _DAY
            break
    return MoreOrders(way.segment, way.orders, way.min_amount, way.max_amount, limit)


def _leads_to_segment(
    way: MoreOrders, interval: TimelineInterval, edges: ScoreEdges, segment_map: SegmentMap
) -> bool:
    """Return whether every amount from `min_amount` to `max_amount` leads to the segment."""
    before, rhythm = interval.totals, _rhythm_on_order(interval.totals, interval.start)
    with localcontext(WIDE):
        recency, frequency, low = edges.cell(
            0, before.frequency + way.orders, before.monetary + way.min_amount
        )
        high = len(edges.monetary) + 1
        if way.max_amount is not None:
            high = edges.cell(0, 0, before.monetary + way.max_amount)[2]
    return all(
        segment_map.segment_of(recency, frequency, score, rhythm) == way.segment
        for score in range(low, high + 1)
    )


def segments_after_no_order(
    timeline: OrderTimeline, edges: ScoreEdges, segment_map: SegmentMap, current_segment: str
) -> tuple[NoOrder, ...]:
    """Return the segments that a customer without further orders reaches, each with its first as-of date.

    Args:
        timeline: The customer's orders.
        edges: The edges between scores.
        segment_map: The segment of each cell.
        current_segment: The customer's segment, which is not returned.
    """
    changes: dict[str | None, NoOrder] = {current_segment: NoOrder(current_segment, timeline.as_of)}
    intervals = list(timeline.intervals())
    for interval, following in zip(intervals, [*intervals[1:], None], strict=True):
        totals = interval.totals
        end = following.start if following else None
        for day in _possible_changes(interval, end, edges, segment_map, timeline.until):
            segment = None
            if totals.last_order_date is not None and totals.first_order_date is not None:
                days = (day - totals.last_order_date).days
                rhythm = Rhythm((day - totals.first_order_date).days, days, totals.twice_median_gap)
                cell = edges.cell(days, totals.frequency, totals.monetary)
                segment = segment_map.segment_of(*cell, rhythm)
            changes.setdefault(segment, NoOrder(segment, day))
    del changes[current_segment]
    return tuple(changes.values())


def _split_by_age(
    intervals: Iterable[TimelineInterval], segment_map: SegmentMap
) -> Iterator[TimelineInterval]:
    """Yield intervals that also end where a condition on the days since the first order changes."""
    following = list(intervals)
    for interval, after in zip(following, [*following[1:], None], strict=True):
        yield interval
        first = interval.totals.first_order_date
        starts = _days_after(first, _ages(segment_map)) if first is not None else set()
        for start in sorted(starts):
            if start > interval.start and (after is None or start < after.start):
                yield TimelineInterval(start, interval.totals)


def _ages(segment_map: SegmentMap) -> set[int]:
    """Return the days since the first order from which on a condition may have another value."""
    return {int(cell.first_order_days.low[0]) for cell in segment_map.day_cells}


def _gap_changes(segment_map: SegmentMap, twice_median_gap: int | None) -> set[int]:
    """Return days since the last order from which on a condition on the gap may have another value."""
    if twice_median_gap is None:
        return set()
    gaps = {cell.gap.low[0] for cell in segment_map.day_cells if isinstance(cell.gap, Interval)}
    whole = {int(gap * twice_median_gap / 2) for gap in gaps}
    return whole | {days + 1 for days in whole}


def _days_after(start: date, days: Iterable[int]) -> set[date]:
    """Return the dates some days after `start`, but none that is too late for a date."""
    limit = (date.max - start).days
    return {start + timedelta(days=number) for number in days if 0 <= number <= limit}


def _possible_changes(
    interval: TimelineInterval,
    end: date | None,
    edges: ScoreEdges,
    segment_map: SegmentMap,
    until: date | None,
) -> list[date]:
    """Return the days on which the segment can change: the first day, and those after edges and bounds."""
    totals = interval.totals
    days = {interval.start}
    if totals.last_order_date is not None:
        recency = {int(edge) + 1 for edge in edges.recency}
        recency |= _gap_changes(segment_map, totals.twice_median_gap)
        days |= _days_after(totals.last_order_date, recency)
    if totals.first_order_date is not None:
        days |= _days_after(totals.first_order_date, _ages(segment_map))
    return sorted(
        day
        for day in days
        if day >= interval.start and (end is None or day < end) and (until is None or day <= until)
    )
