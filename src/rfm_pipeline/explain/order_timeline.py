"""A customer's order totals on future as-of dates, if the customer orders nothing more."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal, localcontext
from itertools import pairwise

from msgspec import Struct

from rfm_pipeline.common.decimals import WIDE
from rfm_pipeline.config.window import Window

_DAY = timedelta(days=1)


class OrderDay(Struct, frozen=True):
    """The counted lines of one order on one day.

    Attributes:
        order_key: Identifies the order among the customer's orders.
        day: Date of the lines.
        amount: Sum of their amounts.
        purchases: Number of lines with a positive amount.
    """

    order_key: str
    day: date
    amount: Decimal
    purchases: int


class OrderTotals(Struct, frozen=True):
    """Frequency, monetary value and last order date over a set of orders.

    Attributes:
        frequency: Number of orders; with returns netted, of orders with a positive amount.
        monetary: Sum of their amounts.
        last_order_date: Date of the last order; None without orders.
        first_order_date: Date of the first order; None without orders.
        twice_median_gap: Twice the median gap between order days; None with one day.
    """

    frequency: int = 0
    monetary: Decimal = Decimal(0)
    last_order_date: date | None = None
    first_order_date: date | None = None
    twice_median_gap: int | None = None


class TimelineInterval(Struct, frozen=True):
    """`OrderTotals` valid from `start` (inclusive) until the next interval starts."""

    start: date
    totals: OrderTotals


class OrderTimeline(Struct, frozen=True):
    """How a customer's order totals change after the as-of date if the customer orders nothing more.

    They change only when orders drop out of the time window.

    Attributes:
        as_of: The as-of date.
        current: Totals on the as-of date.
        window: Time window in which orders count; None if all orders count.
        days: The counted orders by day; only needed with a window.
        nets_returns: Whether negative lines reduce the order's amount.
        until: Last as-of date that the timeline covers; None if it has no end.
    """

    as_of: date
    current: OrderTotals
    window: Window | None = None
    days: tuple[OrderDay, ...] = ()
    nets_returns: bool = False
    until: date | None = None

    def intervals(self) -> Iterator[TimelineInterval]:
        """Yield the intervals in ascending order; the first one starts on the day after the as-of date."""
        first = self.as_of + _DAY
        starts = {first}
        if self.window:
            starts |= {max(first, self.window.expires_on(order_day.day)) for order_day in self.days}
        for start in sorted(starts):
            if self.until is None or start <= self.until:
                yield TimelineInterval(start, self.totals_on(start))

    def totals_on(self, day: date) -> OrderTotals:
        """Return the totals as of `day`, which is not before the as-of date."""
        if self.window is None:
            return self.current
        first_day = self.window.first_day(day)
        return order_totals(
            [order_day for order_day in self.days if order_day.day >= first_day],
            nets_returns=self.nets_returns,
        )

    @property
    def all_new_count_until(self) -> date | None:
        """The last as-of date on which every order after `as_of` still counts; None if all always count."""
        if self.window is None:
            return self.until
        last = self.window.expires_on(self.as_of + _DAY) - _DAY
        return last if self.until is None else min(last, self.until)


def order_totals(days: Sequence[OrderDay], *, nets_returns: bool) -> OrderTotals:
    """Return the totals over some orders, by the rules of `sql/stages/metrics.py`.

    Args:
        days: The orders by day.
        nets_returns: Whether only orders with a positive amount count towards the frequency.
    """
    amounts: dict[str, Decimal] = {}
    first_dates: dict[str, date] = {}
    last_dates: dict[str, date] = {}
    # Python's decimals have 28 digits by default, an engine's up to 38.
    with localcontext(WIDE):
        for order_day in days:
            key = order_day.order_key
            amounts[key] = amounts.get(key, Decimal(0)) + order_day.amount
            if order_day.purchases or not nets_returns:
                first_dates[key] = min(first_dates.get(key, order_day.day), order_day.day)
                last_dates[key] = max(last_dates.get(key, order_day.day), order_day.day)
        counted = [key for key, amount in amounts.items() if amount > 0 or not nets_returns]
        return OrderTotals(
            len(counted),
            sum(amounts.values(), Decimal(0)),
            max((last_dates[key] for key in counted), default=None),
            min((first_dates[key] for key in counted), default=None),
            twice_median_gap({last_dates[key] for key in counted}),
        )


def twice_median_gap(days: Collection[date]) -> int | None:
    """Return twice the median of the days between order days; None with fewer than two days.

    >>> twice_median_gap([date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 5)])
    4
    """
    gaps = sorted((later - earlier).days for earlier, later in pairwise(sorted(days)))
    return gaps[(len(gaps) - 1) // 2] + gaps[len(gaps) // 2] if gaps else None
