"""The figures of a report, counted by the engine: no customer but the few that are named comes here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal, localcontext
from typing import Any

from msgspec import Struct

from rfm_pipeline.config.segment_map import Segment
from rfm_pipeline.errors import DestinationError
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.run_history import DestinationState, previous_date
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.report_queries import cells_sql, lapsed_sql, moves_sql, top_sql, values_sql

Rows = Callable[[str], Sequence[Mapping[str, Any]]]
"""Runs a SELECT of a few rows."""


class ReportSource(Struct, frozen=True):
    """A result to report on, wherever it is.

    Attributes:
        label: What a person calls it.
        rows: What runs a SELECT over it.
        engine: Whose SQL that takes: `duckdb` or `bigquery`.
        result: Its table, as it stands behind FROM.
        history: The table of earlier results, likewise; None where there is none.
        runs: The runs that stand, by as-of date, with that of the result.
    """

    label: str
    rows: Rows
    engine: str
    result: str
    history: str | None
    runs: Mapping[date, RunRecord]


class CustomerGroup(Struct, frozen=True):
    """The customers of a segment with the same scores.

    Attributes:
        r, f, m: The scores.
        customers, orders, revenue: How many, their orders and their money.
        recency_days: The sum of their days since the last order.
    """

    segment: str
    r: int
    f: int
    m: int
    customers: int
    orders: int
    revenue: Decimal
    recency_days: int


class Value(Struct, frozen=True):
    """The customers of a segment with (nearly) the same value of a dimension, and the smallest such value."""

    dimension: str
    segment: str
    low: Decimal
    customers: int
    revenue: Decimal


class SegmentMove(Struct, frozen=True):
    """Customers who went from one segment to another; None is not being a customer.

    Attributes:
        revenue: Their money: as it is now, or as it last was where they are no customers now.
    """

    before: str | None
    after: str | None
    customers: int
    revenue: Decimal


class TopCustomer(Struct, frozen=True):
    """A customer who is named."""

    segment: str
    customer_id: str
    recency_days: int
    frequency: int
    monetary: Decimal
    last_order_date: date
    rfm_score: str


class ReportData(Struct, frozen=True):
    """All that a report tells.

    Attributes:
        label: The result, as a person calls it.
        as_of: Its as-of date.
        run: The run that made it.
        trend: The results that stand up to it, the oldest first.
        before: The as-of date that movements are counted from; None where there is none.
        segments: The segments of its map, and any others that it has.
        cells, values, moves, named: As they were counted.
    """

    label: str
    as_of: date
    run: RunRecord
    trend: tuple[RunRecord, ...]
    before: date | None
    segments: tuple[Segment, ...]
    cells: tuple[CustomerGroup, ...]
    values: tuple[Value, ...]
    moves: tuple[SegmentMove, ...]
    named: tuple[TopCustomer, ...]

    @property
    def customers(self) -> int:
        """All of them."""
        return sum(cell.customers for cell in self.cells)

    @property
    def revenue(self) -> Decimal:
        """Their money."""
        return total(cell.revenue for cell in self.cells)

    def bins(self, place: int) -> int:
        """The best score of recency (0), frequency (1) or monetary (2)."""
        scored = len(self.run.edges[place].customers) if place < len(self.run.edges) else 0
        return max([scored, *((cell.r, cell.f, cell.m)[place] for cell in self.cells)])


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum of some money."""
    with localcontext(prec=76):
        return sum(amounts, Decimal(0))


def report_source(destination: Destination, standing: DestinationState) -> ReportSource:
    """The current result of a destination.

    Args:
        destination: The destination.
        standing: What stands there.

    Raises:
        DestinationError: There is no result.
    """
    if standing.as_of is None or "current" not in standing.tables:
        raise DestinationError(
            f"There is no result at {destination.label}.",
            "`rfm run` publishes one; --to names another destination.",
        )
    return ReportSource(
        destination.label,
        destination.rows,
        destination.engine,
        destination.table("current"),
        destination.table("history") if "history" in standing.tables else None,
        standing.dates,
    )


def collect_report_data(about: ReportSource, top_customers: int) -> ReportData:
    """Counts what a report tells.

    Args:
        about: The result.
        top_customers: How many customers are named for each segment.

    Raises:
        DestinationError: The result has no customers, or its run is not on record.
        RfmError: It can't be read.
    """
    dialect = dialect_of(about.engine)
    rows = about.rows(cells_sql(about.result))
    if not rows:
        raise DestinationError(f"The result at {about.label} has no customers.", "`rfm run` publishes one.")
    as_of = rows[0]["as_of_date"]
    run = about.runs.get(as_of)
    if run is None:
        raise DestinationError(
            f"The run that made the result at {about.label}, as of {as_of}, is not on record.",
            "`rfm run` publishes a result with its record.",
        )
    cells = tuple(map(_cell, rows))
    values = tuple(
        Value(row["dimension"], row["segment"], row["low"], row["customers"], Decimal(row["revenue"]))
        for row in about.rows(values_sql(about.result, dialect))
    )
    before = previous_date(about.runs, as_of) if about.history else None
    named: tuple[TopCustomer, ...] = ()
    if top_customers:
        select = top_sql(about.result, _reached(values, top_customers), top_customers, dialect)
        named = tuple(TopCustomer(**row) for row in about.rows(select))
    return ReportData(
        about.label,
        as_of,
        run,
        tuple(record for day, record in about.runs.items() if day <= as_of),
        before,
        _segments(run, cells),
        cells,
        values,
        _moves(about, before) if before else (),
        named,
    )


def _cell(row: Mapping[str, Any]) -> CustomerGroup:
    return CustomerGroup(
        row["segment"],
        row["r_score"],
        row["f_score"],
        row["m_score"],
        row["customers"],
        int(row["orders"]),
        Decimal(row["revenue"]),
        int(row["recency_days"]),
    )


def _moves(about: ReportSource, before: date) -> tuple[SegmentMove, ...]:
    assert about.history is not None  # it has the date before
    lapsed = lapsed_sql(about.result, about.history, before, dialect_of(about.engine))
    stayed = about.rows(moves_sql(about.result))
    return (
        *(
            SegmentMove(row["previous_segment"], row["segment"], row["customers"], row["revenue"])
            for row in stayed
        ),
        *(SegmentMove(row["segment"], None, row["customers"], row["revenue"]) for row in about.rows(lapsed)),
    )


def _reached(values: Sequence[Value], most: int) -> dict[str, Decimal]:
    """By segment, an amount that at least `most` of its customers reach, and hardly more."""
    found: dict[str, Decimal] = {}
    counted: dict[str, int] = {}
    spent = [value for value in values if value.dimension == "monetary"]
    for value in sorted(spent, key=lambda value: value.low, reverse=True):
        if counted.get(value.segment, 0) < most:
            counted[value.segment] = counted.get(value.segment, 0) + value.customers
            found[value.segment] = value.low
    return found


def _segments(run: RunRecord, cells: Sequence[CustomerGroup]) -> tuple[Segment, ...]:
    """The segments of the run's map in its order, and those that only the result has."""
    configured = run.rules.get("segments") or {}
    found: dict[str, Segment] = {}
    told = [
        (rule.get("segment"), rule.get("description"), rule.get("action"))
        for rule in configured.get("rules") or ()
    ]
    fallback = configured.get("fallback")
    told.append((fallback, configured.get("fallback_description"), configured.get("fallback_action")))
    told += [(name, "", "") for name in sorted({cell.segment for cell in cells})]
    for name, description, action in told:
        if name:
            before = found.get(name, Segment(name))
            found[name] = Segment(
                name, before.description or description or "", before.action or action or ""
            )
    return tuple(found.values())
