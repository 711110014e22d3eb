"""The data of a report, aggregated by the engine: only sums and the few customers listed by id are loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.config.segment_map import Segment
from rfm_pipeline.errors import DestinationError
from rfm_pipeline.report.changes import Changes, collect_changes
from rfm_pipeline.report.periods import Periods, choose_dates, collect_periods
from rfm_pipeline.report.spending import Spending, date_as_long_before, has_comparable_totals
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.run_history import DestinationState, previous_date
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.report_queries import cells_sql, lapsed_sql, moves_sql, top_sql, values_sql

Rows = Callable[[str], Sequence[Mapping[str, Any]]]
"""Function that runs a SELECT and returns its rows, by column name."""


class ReportSource(Struct, frozen=True):
    """Access to a result and its history.

    Attributes:
        label: Name of the result, shown to users.
        rows: Function that runs a SELECT over the tables below.
        engine: `duckdb` or `bigquery`.
        result: Quoted SQL name of the result's table.
        history: Quoted SQL name of the table of earlier results; None if there is no such table.
        runs: The runs of the active results by as-of date, ascending, with the result's own run.
        to: The destination in the form that `--to` takes; None if the result is at none.
        edited: The as-of dates whose rows are not those that their runs published.
    """

    label: str
    rows: Rows
    engine: str
    result: str
    history: str | None
    runs: Mapping[date, RunRecord]
    to: str | None = None
    edited: tuple[date, ...] = ()


class CustomerGroup(Struct, frozen=True):
    """The customers of a segment with the same three scores.

    Attributes:
        segment: Name of the segment.
        r, f, m: The scores.
        customers, orders: Number of customers and of their orders.
        revenue: Sum of their monetary values.
        recency_days: Sum of their days since the last order.
        due: Number of customers who are due: longer without an order than their mean gap.
        revenue_at_risk: Sum of the monetary values of the customers who are due.
        due_days: Sum of the days since the last order of the customers who are due.
    """

    segment: str
    r: int
    f: int
    m: int
    customers: int
    orders: int
    revenue: Decimal
    recency_days: int
    due: int = 0
    revenue_at_risk: Decimal = Decimal(0)
    due_days: int = 0


class ValueGroup(Struct, frozen=True):
    """The customers of a segment with (nearly) the same value of a dimension; `low` is the smallest value."""

    dimension: str
    segment: str
    low: Decimal
    customers: int
    revenue: Decimal


class SegmentMove(Struct, frozen=True):
    """Customers who changed from one segment to another between two results, or stayed in theirs.

    Attributes:
        before, after: Names of the segments; None if the earlier or the later result lacks the customers.
        customers: Number of customers.
        revenue: Sum of their current monetary values; of their earlier ones if `after` is None.
    """

    before: str | None
    after: str | None
    customers: int
    revenue: Decimal


class TopCustomer(Struct, frozen=True):
    """A customer that the report lists by id."""

    segment: str
    customer_id: str
    recency_days: int
    frequency: int
    monetary: Decimal
    last_order_date: date
    rfm_score: str


class ReportData(Struct, frozen=True):
    """All data of a report.

    Attributes:
        label: Name of the result, shown to users.
        as_of: As-of date of the result.
        run: The run that published the result.
        periods: The periods between the active results up to this one.
        previous_as_of: As-of date that `moves` compare with; None without an earlier result.
        segments: The segments of the run's map, followed by others that the result has.
        score_groups: Customers by segment and scores.
        values: Distribution of each dimension's values, by segment.
        moves: Moves since the previous result; empty without one.
        top_customers: The customers listed by id, by segment, highest spend first.
        changes: What changed since the previous result; None without one.
        to: The destination in the form that `--to` takes; None if the result is at none.
        edited: The as-of dates whose rows are not those that their runs published.
        has_spending: Whether the growth of the revenue since the previous result is what customers spent.
    """

    label: str
    as_of: date
    run: RunRecord
    periods: Periods
    previous_as_of: date | None
    segments: tuple[Segment, ...]
    score_groups: tuple[CustomerGroup, ...]
    values: tuple[ValueGroup, ...]
    moves: tuple[SegmentMove, ...]
    top_customers: tuple[TopCustomer, ...]
    changes: Changes | None = None
    to: str | None = None
    edited: tuple[date, ...] = ()
    has_spending: bool = False

    @property
    def spending(self) -> Spending | None:
        """What customers spent since the previous result.

        None without one, or if the difference says something else: with a time window, if customers are gone,
        or if the source or its columns changed.
        """
        if self.changes is None or not self.has_spending:
            return None
        earlier = self.changes.earlier
        return Spending((self.as_of - earlier.as_of).days, self.revenue - earlier.revenue)

    @property
    def spending_before(self) -> Spending | None:
        """What customers spent in as long a time before; None if no result tells, or without `spending`."""
        if self.changes is None or not self.has_spending or self.changes.revenue_before is None:
            return None
        earlier, (day, revenue) = self.changes.earlier, self.changes.revenue_before
        return Spending((earlier.as_of - day).days, earlier.revenue - revenue)

    @property
    def customers(self) -> int:
        """Number of customers of the result."""
        return sum(group.customers for group in self.score_groups)

    @property
    def revenue(self) -> Decimal:
        """Sum of the monetary values of all customers."""
        return exact_sum(group.revenue for group in self.score_groups)

    def bins(self, dimension: int) -> int:
        """Return the highest score of recency (0), frequency (1) or monetary (2)."""
        edges = self.run.edges
        configured = len(edges[dimension].customers) if dimension < len(edges) else 0
        return max([configured, *((group.r, group.f, group.m)[dimension] for group in self.score_groups)])


def report_source(destination: Destination, state: DestinationState) -> ReportSource:
    """Return access to the current result of a destination.

    Args:
        destination: The destination.
        state: Its state.

    Raises:
        DestinationError: If there is no result.
    """
    if state.as_of is None or "current" not in state.tables:
        raise DestinationError(
            f"There is no result at {destination.label}.",
            "`rfm run` publishes one; --to names another destination.",
        )
    return ReportSource(
        destination.label,
        destination.rows,
        destination.engine,
        destination.table("current"),
        destination.table("history") if "history" in state.tables else None,
        state.dates,
        destination.label,
    )


def dates_read(source: ReportSource, as_of: date | None) -> tuple[date, ...]:
    """Return the active as-of dates whose rows a report reads, ascending.

    Args:
        source: The result.
        as_of: Its as-of date.
    """
    if as_of is None or as_of not in source.runs:
        return ()
    days = [day for day in source.runs if day <= as_of]
    long_before = date_as_long_before(days, as_of, days[-2]) if len(days) > 1 else None
    return tuple(sorted({*choose_dates(days), *days[-2:], *([long_before] if long_before else ())}))


def collect_report_data(source: ReportSource, top_customers: int) -> ReportData:
    """Query the data of a report.

    Args:
        source: The result.
        top_customers: Number of customers to list by id for each segment.

    Raises:
        DestinationError: If the result has no customers, or its run is not on record.
        RfmError: If the result can't be read.
    """
    dialect = dialect_of(source.engine)
    rows = source.rows(cells_sql(source.result, dialect))
    if not rows:
        raise DestinationError(f"The result at {source.label} has no customers.", "`rfm run` publishes one.")
    as_of = rows[0]["as_of_date"]
    run = source.runs.get(as_of)
    if run is None:
        raise DestinationError(
            f"The run that made the result at {source.label}, as of {as_of}, is not on record.",
            "`rfm run` publishes a result with its record.",
        )
    runs = {day: record for day, record in source.runs.items() if day <= as_of}
    score_groups = tuple(map(_score_group, rows))
    values = tuple(
        ValueGroup(row["dimension"], row["segment"], row["low"], row["customers"], Decimal(row["revenue"]))
        for row in source.rows(values_sql(source.result, dialect))
    )
    previous_as_of = previous_date(source.runs, as_of) if source.history else None
    listed: tuple[TopCustomer, ...] = ()
    if top_customers:
        thresholds = _spend_thresholds(values, top_customers)
        select = top_sql(source.result, thresholds, top_customers, dialect)
        listed = tuple(TopCustomer(**row) for row in source.rows(select))
    periods = collect_periods(source.rows, source.history, runs, dialect)
    moves = _moves(source, previous_as_of) if previous_as_of else ()
    return ReportData(
        source.label,
        as_of,
        run,
        periods,
        previous_as_of,
        _segments(run, score_groups),
        score_groups,
        values,
        moves,
        listed,
        _changes(source, previous_as_of, run) if previous_as_of else None,
        source.to,
        source.edited,
        previous_as_of is not None
        and not periods.has_window
        and has_comparable_totals(runs, as_of, previous_as_of)
        and all(move.after is not None for move in moves),
    )


def _score_group(row: Mapping[str, Any]) -> CustomerGroup:
    return CustomerGroup(
        row["segment"],
        row["r_score"],
        row["f_score"],
        row["m_score"],
        row["customers"],
        int(row["orders"]),
        Decimal(row["revenue"]),
        int(row["recency_days"]),
        int(row["due"]),
        Decimal(row["revenue_at_risk"]),
        int(row["due_days"]),
    )


def _moves(source: ReportSource, previous_as_of: date) -> tuple[SegmentMove, ...]:
    assert source.history is not None  # it holds the previous result
    lapsed = lapsed_sql(source.result, source.history, previous_as_of, dialect_of(source.engine))
    return (
        *(
            SegmentMove(row["previous_segment"], row["segment"], row["customers"], row["revenue"])
            for row in source.rows(moves_sql(source.result))
        ),
        *(SegmentMove(row["segment"], None, row["customers"], row["revenue"]) for row in source.rows(lapsed)),
    )


def _changes(source: ReportSource, previous_as_of: date, run: RunRecord) -> Changes:
    assert source.history is not None  # it holds the previous result
    before, as_of = source.runs[previous_as_of], run.as_of_date
    assert as_of is not None  # an active result has a date
    day = date_as_long_before(source.runs, as_of, previous_as_of)
    if day and not has_comparable_totals(source.runs, previous_as_of, day):
        day = None
    dialect = dialect_of(source.engine)
    return collect_changes(source.rows, source.history, before, run, dialect, day_before=day)


def _spend_thresholds(values: Sequence[ValueGroup], limit: int) -> dict[str, Decimal]:
    """Return for each segment an amount that at least `limit` of its customers reach, and hardly more."""
    thresholds: dict[str, Decimal] = {}
    customers: dict[str, int] = {}
    spend = [value for value in values if value.dimension == "monetary"]
    for value in sorted(spend, key=lambda value: value.low, reverse=True):
        if customers.get(value.segment, 0) < limit:
            customers[value.segment] = customers.get(value.segment, 0) + value.customers
            thresholds[value.segment] = value.low
    return thresholds


def _segments(run: RunRecord, score_groups: Sequence[CustomerGroup]) -> tuple[Segment, ...]:
    """Return the segments of the run's map in its order, followed by those that only the result has."""
    configured = run.rules.get("segments") or {}
    entries = [
        (rule.get("segment"), rule.get("description"), rule.get("action"))
        for rule in configured.get("rules") or ()
    ]
    fallback = configured.get("fallback")
    entries.append((fallback, configured.get("fallback_description"), configured.get("fallback_action")))
    entries += [(name, "", "") for name in sorted({group.segment for group in score_groups})]
    segments: dict[str, Segment] = {}
    for name, description, action in entries:
        if name:
            # Several rules may give one segment: the first description and action count.
            earlier = segments.get(name, Segment(name))
            segments[name] = Segment(
                name, earlier.description or description or "", earlier.action or action or ""
            )
    return tuple(segments.values())
