"""What a customer's orders come to as time passes: as they are, or less what a window has left behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal, localcontext

from msgspec import Struct

from rfm_pipeline.config.window import Window

_DAY = timedelta(days=1)


class OrderDay(Struct, frozen=True):
    """The lines of an order that counted, of one day.

    Attributes:
        order: Tells the order from the customer's others.
        day: The day.
        amount: The lines' money.
        purchases: How many of them are above zero.
    """

    order: str
    day: date
    amount: Decimal
    purchases: int


class OrderTotals(Struct, frozen=True):
    """What orders come to.

    Attributes:
        frequency: How many there are; with returns netted, those that are worth something.
        monetary: Their money.
        last: The date of the last one; None where there is none.
    """

    frequency: int = 0
    monetary: Decimal = Decimal(0)
    last: date | None = None


class TimelineInterval(Struct, frozen=True):
    """What the orders come to from a day on, until the next piece begins."""

    start: date
    bought: OrderTotals


class OrderTimeline(Struct, frozen=True):
    """A customer's orders from the as-of date on, with no new one among them.

    Attributes:
        as_of: The date from which recency is counted.
        now: What they come to on that date.
        window: How far back orders count; None is forever.
        days: The orders that a window will leave behind one by one; of no use without one.
        nets_returns: Whether negative lines are taken off.
        until: The last day that anything can be said of; None where there is no such day.
    """

    as_of: date
    now: OrderTotals
    window: Window | None = None
    days: tuple[OrderDay, ...] = ()
    nets_returns: bool = False
    until: date | None = None

    def pieces(self) -> Iterator[TimelineInterval]:
        """What the orders come to, from the day after the as-of date on."""
        first = self.as_of + _DAY
        starts = {first}
        if self.window:
            starts |= {max(first, self.window.expires_on(found.day)) for found in self.days}
        for start in sorted(starts):
            if self.until is None or start <= self.until:
                yield TimelineInterval(start, self.on(start))

    def on(self, day: date) -> OrderTotals:
        """What they come to on a day that is not before the as-of date."""
        if self.window is None:
            return self.now
        first = self.window.first_day(day)
        return order_totals(
            [found for found in self.days if found.day >= first], nets_returns=self.nets_returns
        )

    @property
    def all_new_count_until(self) -> date | None:
        """The last day on which every order after the as-of date still counts; None where all always do."""
        if self.window is None:
            return self.until
        newest = self.window.expires_on(self.as_of + _DAY) - _DAY
        return newest if self.until is None else min(newest, self.until)


def order_totals(days: Sequence[OrderDay], *, nets_returns: bool) -> OrderTotals:
    """What orders come to, by the rules of `sql/metrics.py`.

    Args:
        days: The orders, each on the days of its lines.
        nets_returns: Whether an order counts for what is left of it, and not for being there.
    """
    amounts: dict[str, Decimal] = {}
    last: dict[str, date] = {}
    # Decimals add up in 28 digits unless they are told otherwise; an engine's have 38.
    with localcontext(prec=76):
        for found in days:
            amounts[found.order] = amounts.get(found.order, Decimal(0)) + found.amount
            if found.purchases or not nets_returns:
                last[found.order] = max(last.get(found.order, found.day), found.day)
        counted = [order for order, amount in amounts.items() if amount > 0 or not nets_returns]
        return OrderTotals(
            len(counted),
            sum(amounts.values(), Decimal(0)),
            max((last[order] for order in counted), default=None),
        )
