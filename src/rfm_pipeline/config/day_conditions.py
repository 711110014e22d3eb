"""Conditions of segment rules on days: since the first order, and since the last one in gaps between orders.

`first_order_days` is a whole number of days. `gap` is the days since the last order over the median gap
between the days on which the customer ordered; with one such day there is none. Both are exact fractions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Literal

from msgspec import Struct

from rfm_pipeline.errors import ConfigurationError

NO_GAP: Literal["none"] = "none"
"""Condition on `gap` of customers with one purchase day, who have no gap."""

_DAYS = re.compile(
    r"(?P<low>[0-9]{1,6})\s*-\s*(?P<high>[0-9]{1,6})"
    r"|(?P<operator>>=|<=)\s*(?P<bound>[0-9]{1,6})|(?P<only>[0-9]{1,6})"
)
_GAP = re.compile(r"(?P<operator>>=|<=|>|<)\s*(?P<bound>[0-9]{1,6}(?:\.[0-9]{1,4})?)")
_DAYS_HINT = 'write whole days as "<=30", ">=31", "31-90" or 0.'
_GAP_HINT = 'write the multiple of the median gap as "<=1.5", "<1.5", ">1.5" or ">=1.5", or "none".'

Bound = tuple[Fraction, int]
"""Position on the number line: `(x, 0)` is just below x, `(x, 1)` just above it."""

_START: Bound = (Fraction(0), 0)


class Interval(Struct, frozen=True):
    """Numbers between two bounds.

    Attributes:
        low: Lower bound.
        high: Upper bound; None for no limit.
    """

    low: Bound = _START
    high: Bound | None = None

    def __contains__(self, number: Fraction | int) -> bool:
        position = (Fraction(number), Fraction(1, 2))
        return self.low < position and (self.high is None or position < self.high)


Gap = Interval | Literal["none"]
"""Condition on `gap`: an interval, or `NO_GAP`."""


class DayCell(Struct, frozen=True):
    """Customers that no condition of a map distinguishes by days.

    Attributes:
        first_order_days: Days since the first order.
        gap: Days since the last order over the median gap; `NO_GAP` for customers without a gap.
    """

    first_order_days: Interval = Interval()
    gap: Gap = Interval()

    def text(self) -> str:
        """Return the conditions as text; blank if they hold for all customers.

        >>> DayCell(Interval((Fraction(31), 0)), Interval(high=(Fraction(3, 2), 1))).text()
        'first_order_days >=31, gap <=1.5'
        """
        parts = [
            f"first_order_days {days_text(self.first_order_days)}"
            if self.first_order_days != Interval()
            else "",
            f"gap {gap_text(self.gap)}" if self.gap != Interval() else "",
        ]
        return ", ".join(part for part in parts if part)


class Rhythm(Struct, frozen=True):
    """Days of a customer that conditions test.

    Attributes:
        first_order_days: Days since the first order.
        recency_days: Days since the last order.
        twice_median_gap: Twice the median gap in days, a whole number; None without a gap.
    """

    first_order_days: int
    recency_days: int
    twice_median_gap: int | None = None

    @property
    def gap(self) -> Fraction | None:
        """Days since the last order over the median gap; None without a gap.

        >>> Rhythm(90, 45, 60).gap
        Fraction(3, 2)
        """
        if self.twice_median_gap is None:
            return None
        return Fraction(2 * self.recency_days, self.twice_median_gap)

    def meets(self, days: Interval | None, gap: Gap | None) -> bool:
        """Return whether both conditions hold; None as a condition always holds."""
        if days is not None and self.first_order_days not in days:
            return False
        if gap is None:
            return True
        own = self.gap
        if isinstance(gap, str) or own is None:
            return isinstance(gap, str) and own is None
        return own in gap


def days_text(days: Interval) -> str:
    """Return an interval of whole days in the notation of rules.

    >>> days_text(Interval((Fraction(31), 0), (Fraction(91), 0)))
    '31-90'
    """
    low = int(days.low[0])
    if days.high is None:
        return f">={low}"
    high = int(days.high[0]) - 1
    if low == high:
        return str(low)
    return f"<={high}" if low == 0 else f"{low}-{high}"


def gap_text(gap: Gap) -> str:
    """Return a condition on the gap in the notation of rules.

    >>> gap_text(Interval((Fraction(1), 1), (Fraction(5, 2), 1)))
    '>1 <=2.5'
    """
    if isinstance(gap, str):
        return gap
    parts = [] if gap.low == _START else [f"{'>' if gap.low[1] else '>='}{decimal_text(gap.low[0])}"]
    if gap.high is not None:
        parts.append(f"{'<=' if gap.high[1] else '<'}{decimal_text(gap.high[0])}")
    return " ".join(parts) or ">=0"


def decimal_text(number: Fraction) -> str:
    """Return a fraction of ten thousandths as a decimal.

    >>> decimal_text(Fraction(3, 2)), decimal_text(Fraction(20))
    ('1.5', '20')
    """
    return f"{float(number):.4f}".rstrip("0").rstrip(".")


def parse_days(where: str, value: int | str) -> Interval:
    """Return a condition on `first_order_days`.

    Args:
        where: The rule, as the subject of a message.
        value: The condition as configured.

    Raises:
        ConfigurationError: If it is no range of whole days.
    """
    subject = f"{where} has first_order_days = {json.dumps(value, ensure_ascii=False)}"
    match = _DAYS.fullmatch(str(value).strip())
    if match is None:
        raise ConfigurationError(f"{subject}, which is not a number of days or a range.", _DAYS_HINT)
    if match["operator"] == ">=":
        return Interval((Fraction(match["bound"]), 0))
    low, high = match["low"] or match["only"] or "0", match["high"] or match["only"] or match["bound"]
    if int(low) > int(high):
        raise ConfigurationError(f"{subject}, a range that ends before it starts.", f'write "{high}-{low}".')
    return Interval((Fraction(low), 0), (Fraction(int(high) + 1), 0))


def parse_gap(where: str, value: int | str) -> Gap:
    """Return a condition on `gap`.

    Args:
        where: The rule, as the subject of a message.
        value: The condition as configured.

    Raises:
        ConfigurationError: If it is neither a comparison nor `none`, or holds for no customer.
    """
    subject = f"{where} has gap = {json.dumps(value, ensure_ascii=False)}"
    text = str(value).strip()
    if text == NO_GAP:
        return NO_GAP
    match = _GAP.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"{subject}, which is not a comparison with a number.", _GAP_HINT)
    bound, operator = Fraction(match["bound"]), match["operator"]
    if operator.startswith(">"):
        return Interval((bound, 0 if operator == ">=" else 1))
    if not bound and operator == "<":
        raise ConfigurationError(f"{subject}, but a gap is never below 0.", _GAP_HINT)
    return Interval(high=(bound, 1 if operator == "<=" else 0))


def day_cells(conditions: Iterable[tuple[Interval | None, Gap | None]]) -> tuple[DayCell, ...]:
    """Return the smallest set of cells such that each condition holds for all of a cell or for none of it.

    Args:
        conditions: The conditions of each rule on `first_order_days` and `gap`; None for no condition.
    """
    days, gaps = zip(*conditions, strict=True)
    by_gap: list[Gap] = [Interval()]
    if any(gap is not None for gap in gaps):
        by_gap = [*_parts(gap for gap in gaps if isinstance(gap, Interval)), NO_GAP]
    by_days = _parts(interval for interval in days if interval is not None)
    return tuple(DayCell(interval, gap) for interval in by_days for gap in by_gap)


def _parts(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the parts into which the bounds of intervals divide the numbers from 0 on, ascending."""
    cuts = {_START}
    for interval in intervals:
        cuts |= {interval.low} if interval.high is None else {interval.low, interval.high}
    lows = sorted(cuts)
    return [Interval(low, high) for low, high in zip(lows, [*lows[1:], None], strict=True)]


def holds_in(cell: DayCell, days: Interval | None, gap: Gap | None) -> bool:
    """Return whether conditions hold in a cell of `day_cells`."""
    if days is not None and not _covers(days, cell.first_order_days):
        return False
    if gap is None:
        return True
    if isinstance(gap, str) or isinstance(cell.gap, str):
        return gap == cell.gap
    return _covers(gap, cell.gap)


def _covers(interval: Interval, part: Interval) -> bool:
    if interval.low > part.low:
        return False
    return interval.high is None or (part.high is not None and part.high <= interval.high)


def day_score(cell: DayCell, cells: Sequence[DayCell]) -> int | Fraction:
    """Return how good a cell is among all cells of a map, from 0 to 2.5.

    It is twice the share of the gaps that are longer, plus half the share of the times since the first order
    that are longer. No gap counts as the middle.
    """
    gaps = list(dict.fromkeys(other.gap for other in cells if isinstance(other.gap, Interval)))
    days = list(dict.fromkeys(other.first_order_days for other in cells))
    by_gap = Fraction(1)
    if isinstance(cell.gap, Interval) and len(gaps) > 1:
        by_gap = 2 * Fraction(len(gaps) - 1 - gaps.index(cell.gap), len(gaps) - 1)
    by_days = Fraction(len(days) - 1 - days.index(cell.first_order_days), max(len(days) - 1, 1))
    return by_gap + by_days / 2 if len(cells) > 1 else 0
