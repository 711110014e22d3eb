"""The periods between the results of a history: customers and revenue by segment, and cohorts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.report_periods import periods_sql

_DATES = 13
"""A year of months, and the date before it."""
_FEW_MONTHS = 3


class Period(Struct, frozen=True):
    """The period that ends on an as-of date.

    Attributes:
        as_of: The date.
        customers: Customers of the result by segment.
        revenue: Revenue of the period by segment, in which customers were at its end. None if it is unknown,
            because there is no earlier result. With a time window, the revenue in the window.
    """

    as_of: date
    customers: Mapping[str, int]
    revenue: Mapping[str, Decimal] | None


class CohortPeriod(Struct, frozen=True):
    """What a cohort bought in a period.

    Attributes:
        cohort: End of the period of the first orders.
        as_of: End of the period.
        customers: Number of customers of the cohort at the end.
        known: Number of those who had ordered before the period.
        bought: Number of known customers with an order in the period.
        revenue: Revenue of the period.
    """

    cohort: date
    as_of: date
    customers: int
    known: int
    bought: int
    revenue: Decimal


class Periods(Struct, frozen=True):
    """The periods of a report, oldest first.

    Attributes:
        periods: The periods.
        cohorts: Cohorts by period; empty if there is one result only, or a time window.
        has_window: Whether orders have left a time window, so that totals do not only grow.
    """

    periods: tuple[Period, ...]
    cohorts: tuple[CohortPeriod, ...] = ()
    has_window: bool = False

    @property
    def is_monthly(self) -> bool:
        """Whether each period is a month: the dates are in months that follow each other."""
        months = [_month(period.as_of) for period in self.periods]
        return months == list(range(months[0], months[0] + len(months)))


def choose_dates(dates: Iterable[date]) -> tuple[date, ...]:
    """Return the last date of each month, or all dates if they are in few months; the newest 13 of them.

    Args:
        dates: As-of dates, ascending.
    """
    every = tuple(dates)
    by_month = {_month(day): day for day in every}
    return (tuple(by_month.values()) if len(by_month) >= _FEW_MONTHS else every)[-_DATES:]


def collect_periods(
    rows: Callable[[str], Sequence[Mapping[str, Any]]],
    history: str | None,
    runs: Mapping[date, RunRecord],
    dialect: Dialect,
) -> Periods:
    """Query the periods of a history.

    Args:
        rows: Function that runs a SELECT and returns its rows, by column name.
        history: Quoted SQL name of the history; None if there is none.
        runs: The runs of the active results by as-of date, ascending.
        dialect: The SQL dialect.

    Raises:
        RfmError: If the history can't be read.
    """
    dates = choose_dates(runs)
    records = [runs[day] for day in dates]
    if history is None or len(dates) == 1:
        return Periods(tuple(map(_whole_result, records)))
    found = rows(periods_sql(history, dates, dialect))
    if any(row["aged"] for row in found) or any(record.leaves_out_older_orders for record in records):
        return Periods(tuple(map(_whole_result, records)), has_window=True)
    gained: dict[date, dict[str, Decimal]] = {}
    for row in found:
        if row["segment"] is not None:
            gained.setdefault(row["as_of_date"], {})[row["segment"]] = Decimal(row["gained"])
    cohorts = [
        CohortPeriod(
            row["cohort"],
            row["as_of_date"],
            row["customers"],
            int(row["known"]),
            int(row["bought"]),
            Decimal(row["gained"]),
        )
        for row in found
        if row["cohort"] is not None
    ]
    return Periods(
        tuple(
            Period(day, _whole_result(record).customers, gained.get(day))
            for day, record in zip(dates, records, strict=True)
        ),
        tuple(sorted(cohorts, key=lambda cell: (cell.cohort, cell.as_of))),
    )


def _whole_result(record: RunRecord) -> Period:
    assert record.as_of_date is not None  # an active result has a date and statistics
    segments = record.statistics.segments if record.statistics else ()
    return Period(
        record.as_of_date,
        {figures.segment: figures.customers for figures in segments},
        {figures.segment: figures.revenue for figures in segments},
    )


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1
