"""What customers spent since the previous result, and in as long a time before it."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

from rfm_pipeline.results.run_record import RunRecord


class Spending(Struct, frozen=True):
    """Revenue between two results: the growth of the customers' monetary values.

    Attributes:
        days: Number of days from the earlier to the later as-of date.
        revenue: The revenue; negative if returns were larger.
    """

    days: int
    revenue: Decimal


def date_as_long_before(dates: Collection[date], as_of: date, previous: date) -> date | None:
    """Return the date that is as long before `previous` as `previous` is before `as_of`.

    Months are as long as each other: the ends of two months, or the same day of both.

    Args:
        dates: The active as-of dates.
        as_of: As-of date of the result.
        previous: As-of date of the result before it.

    Returns:
        One of `dates`; None if there is none.

    >>> date_as_long_before([date(2024, 9, 30)], date(2024, 11, 30), date(2024, 10, 31))
    datetime.date(2024, 9, 30)
    """
    wanted = [date.fromordinal(max(1, 2 * previous.toordinal() - as_of.toordinal()))]
    months = (as_of.year - previous.year) * 12 + as_of.month - previous.month
    at = previous.year * 12 + previous.month - 1 - months
    if months and at >= 12:
        year, month = at // 12, at % 12 + 1
        last = monthrange(year, month)[1]
        if _ends_month(as_of) and _ends_month(previous):
            wanted.insert(0, date(year, month, last))
        elif as_of.day == previous.day:
            wanted.insert(0, date(year, month, min(last, previous.day)))
    return next((day for day in wanted if day in dates), None)


def has_comparable_totals(runs: Mapping[date, RunRecord], *days: date) -> bool:
    """Return whether the difference of two results' revenue is what was spent between them.

    It is not if orders were left out before a time window, or if the source or its columns changed.

    Args:
        runs: The runs of the active results by as-of date.
        days: As-of dates of the results.
    """
    records = [runs[day] for day in days]
    return not any(record.leaves_out_older_orders for record in records) and all(
        record.identity == records[0].identity for record in records
    )


def _ends_month(day: date) -> bool:
    return day.day == monthrange(day.year, day.month)[1]
