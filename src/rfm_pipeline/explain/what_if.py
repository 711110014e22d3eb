"""What would lead a customer to another segment: more orders, or none for a while.

The edges are held where they are, and so are all other customers: what is promised is exact on those terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal, localcontext

from msgspec import Struct

from rfm_pipeline.config.segment_map import Cell, SegmentMap
from rfm_pipeline.explain.order_timeline import OrderTimeline, OrderTotals, TimelineInterval

_DAY = timedelta(days=1)
_CENT = Decimal("0.01")


class ScoreEdges(Struct, frozen=True):
    """The edges between scores, in the form that `[scoring]` takes."""

    recency: tuple[Decimal, ...]
    frequency: tuple[Decimal, ...]
    monetary: tuple[Decimal, ...]

    def cell(self, days: int, frequency: int, monetary: Decimal) -> Cell:
        """The three scores of a customer.

        >>> Scale((Decimal(30), Decimal(90)), (Decimal(1),), (Decimal(100),)).cell(31, 2, Decimal(100))
        (2, 2, 1)
        """
        return (
            len(self.recency) + 1 - sum(edge < days for edge in self.recency),
            1 + sum(edge < frequency for edge in self.frequency),
            1 + sum(edge < monetary for edge in self.monetary),
        )


class MoreOrders(Struct, frozen=True):
    """More orders, and the segment that they lead to, as of the day of the last of them.

    Attributes:
        segment: The segment.
        orders: How many orders more, each after the as-of date.
        at_least: What they are worth in all, at least.
        at_most: The same, at most; None where more changes nothing.
        by: The last day for them; None where any day will do.
    """

    segment: str
    orders: int
    at_least: Decimal
    at_most: Decimal | None = None
    by: date | None = None

    def covers(self, amount: Decimal) -> bool:
        """Whether orders that are worth an amount in all are enough, and not too much."""
        return self.at_least <= amount and (self.at_most is None or amount <= self.at_most)

    @property
    def takes_any_amount(self) -> bool:
        """Whether the smallest orders will do."""
        return self.at_least <= _CENT * self.orders


class NoOrder(Struct, frozen=True):
    """The segment that a customer has come to on a day, having ordered nothing until then.

    Attributes:
        segment: The segment; None where the customer has left the table, for no order counts any more.
        on: The as-of date.
    """

    segment: str | None
    on: date


def more_orders(
    course: OrderTimeline, scale: ScoreEdges, segment_map: SegmentMap, now: str
) -> tuple[MoreOrders, ...]:
    """The segments that more orders lead to: for each the fewest orders, and for those the least money.

    Args:
        course: The customer's orders.
        scale: The edges.
        segment_map: The segment of each cell.
        now: The segment that the customer is in.
    """
    limit = course.all_new_count_until
    pieces = [piece for piece in course.pieces() if limit is None or piece.start <= limit]
    if not pieces:
        return ()
    first = pieces[0].bought
    # No other number of orders reaches a score that a smaller one does not.
    enough = {int(edge) - first.frequency + 1 for edge in scale.frequency}
    found: dict[str, MoreOrders] = {}
    for orders in sorted({1, *(number for number in enough if number > 1)}):
        for segment, at_least, at_most in _amounts(orders, first, scale, segment_map):
            if segment != now and segment not in found:
                found[segment] = MoreOrders(segment, orders, at_least, at_most)
    return tuple(_dated(way, pieces, limit, scale, segment_map) for way in found.values())


def _amounts(
    orders: int, before: OrderTotals, scale: ScoreEdges, segment_map: SegmentMap
) -> Iterator[tuple[str, Decimal, Decimal | None]]:
    """The amounts in whole cents that some orders can come to, cut where the segment changes."""
    recency, frequency, _ = scale.cell(0, before.frequency + orders, Decimal(0))
    told: tuple[str, Decimal, Decimal | None] | None = None
    start = _CENT * orders
    with localcontext(prec=76):
        for score, edge in enumerate((*scale.monetary, None), start=1):
            end = None if edge is None else (edge - before.monetary).quantize(_CENT, ROUND_FLOOR)
            if end is not None and end < start:
                continue
            segment = segment_map.segment_of(recency, frequency, score)
            if told and told[0] == segment:
                told = segment, told[1], end
            else:
                if told:
                    yield told
                told = segment, start, end
            start = start if end is None else end + _CENT
    assert told  # the highest score has no end, and is never passed over
    yield told


def _dated(
    way: MoreOrders,
    pieces: Sequence[TimelineInterval],
    limit: date | None,
    scale: ScoreEdges,
    segment_map: SegmentMap,
) -> MoreOrders:
    """The same, with the last day on which it holds: what a window leaves behind is missing later."""
    for piece in pieces:
        if not _holds(way, piece.bought, scale, segment_map):
            limit = piece.start - _DAY
            break
    return MoreOrders(way.segment, way.orders, way.at_least, way.at_most, limit)


def _holds(way: MoreOrders, before: OrderTotals, scale: ScoreEdges, segment_map: SegmentMap) -> bool:
    with localcontext(prec=76):
        recency, frequency, low = scale.cell(0, before.frequency + way.orders, before.monetary + way.at_least)
        high = len(scale.monetary) + 1
        if way.at_most is not None:
            high = scale.cell(0, 0, before.monetary + way.at_most)[2]
    return all(
        segment_map.segment_of(recency, frequency, score) == way.segment for score in range(low, high + 1)
    )


def no_order(
    course: OrderTimeline, scale: ScoreEdges, segment_map: SegmentMap, now: str
) -> tuple[NoOrder, ...]:
    """The segments that a customer comes to who orders nothing, in their order, each at its first day.

    Args:
        course: The customer's orders.
        scale: The edges.
        segment_map: The segment of each cell.
        now: The segment that the customer is in.
    """
    found: dict[str | None, NoOrder] = {now: NoOrder(now, course.as_of)}
    pieces = list(course.pieces())
    for piece, after in zip(pieces, [*pieces[1:], None], strict=True):
        for day in _turns(piece, after.start if after else None, scale, course.until):
            segment = None
            if piece.bought.last is not None:
                days = (day - piece.bought.last).days
                cell = scale.cell(days, piece.bought.frequency, piece.bought.monetary)
                segment = segment_map.segment_of(*cell)
            found.setdefault(segment, NoOrder(segment, day))
    del found[now]
    return tuple(found.values())


def _turns(piece: TimelineInterval, end: date | None, scale: ScoreEdges, until: date | None) -> list[date]:
    """The days of a piece on which a score can change: the first, and when an edge of recency is passed."""
    last = piece.bought.last
    days = {piece.start}
    if last is not None:
        reach = (date.max - last).days
        days |= {last + timedelta(days=int(edge) + 1) for edge in scale.recency if -1 <= edge < reach}
    return sorted(
        day
        for day in days
        if day >= piece.start and (end is None or day < end) and (until is None or day <= until)
    )
