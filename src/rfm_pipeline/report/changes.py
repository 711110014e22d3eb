"""What changed since the previous result: its totals, and today's customers by move, cause and reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from rfm_pipeline.errors import RfmError
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.movers import REASONS, mover_groups_sql
from rfm_pipeline.sql.report_queries import earlier_totals_sql
from rfm_pipeline.sql.scored_snapshot import scored_snapshot


class EarlierTotals(Struct, frozen=True):
    """Totals of an earlier result.

    Attributes:
        as_of: Its as-of date.
        customers: Number of customers.
        revenue: Sum of their monetary values.
        due: Number of customers who were due: longer without an order than their mean gap.
        revenue_at_risk: Sum of the monetary values of the customers who were due.
    """

    as_of: date
    customers: int
    revenue: Decimal
    due: int
    revenue_at_risk: Decimal


class MoverGroup(Struct, frozen=True):
    """Customers of the current result with the same move, cause and reasons; see `rfm movers`.

    Attributes:
        from_segment: Segment at the previous date; None for new customers, and for moves by changed rules.
        segment: Segment now.
        cause: Cause of the move; None if the customers did not move.
        reasons: The reasons to write to them, of `sql.movers.REASONS`.
        customers, orders: Number of customers and of their orders.
        recency_days: Sum of their days since the last order.
        revenue: Sum of their monetary values.
    """

    from_segment: str | None
    segment: str
    cause: str | None
    reasons: frozenset[str]
    customers: int
    orders: int
    recency_days: int
    revenue: Decimal

    @property
    def is_move(self) -> bool:
        """Whether the customers moved, and not because of changed rules."""
        return self.cause not in {None, "rules"}


class Changes(Struct, frozen=True):
    """What changed since the previous result.

    Attributes:
        earlier: Totals of the previous result.
        earlier_segments: Revenue by segment of the previous result, as its run recorded it.
        groups: Today's customers; None if the rules of one of the results can't be read by this version.
        revenue_before: Sum of the monetary values of the result that is as long before the previous one, with
            its as-of date. None if there is no such result, or none whose revenue can be compared.
    """

    earlier: EarlierTotals
    earlier_segments: Mapping[str, Decimal]
    groups: tuple[MoverGroup, ...] | None
    revenue_before: tuple[date, Decimal] | None = None


def collect_changes(
    rows: Callable[[str], Sequence[Mapping[str, Any]]],
    history: str,
    before: RunRecord,
    now: RunRecord,
    dialect: Dialect,
    *,
    day_before: date | None = None,
) -> Changes:
    """Query what changed between two results.

    Args:
        rows: Function that runs a SELECT and returns its rows, by column name.
        history: Quoted SQL name of the history.
        before: Record of the previous result.
        now: Record of the current result.
        dialect: The SQL dialect.
        day_before: As-of date of a result before both, whose revenue is read as well; None for none.

    Raises:
        RfmError: If the history can't be read.
    """

    def totals_of(day: date) -> EarlierTotals:
        (totals,) = rows(earlier_totals_sql(history, day, dialect))
        return EarlierTotals(
            day,
            totals["customers"],
            Decimal(totals["revenue"] or 0),
            int(totals["due"] or 0),
            Decimal(totals["revenue_at_risk"] or 0),
        )

    assert before.as_of_date is not None  # an active result has a date
    earlier = totals_of(before.as_of_date)
    revenue_before = (day_before, totals_of(day_before).revenue) if day_before else None
    statistics = before.statistics
    by_segment = {figures.segment: figures.revenue for figures in statistics.segments} if statistics else {}
    try:
        snapshots = (scored_snapshot(before), scored_snapshot(now))
    except RfmError:
        return Changes(earlier, by_segment, None, revenue_before)
    select = mover_groups_sql(history, *snapshots, dialect)
    return Changes(earlier, by_segment, tuple(map(_group, rows(select))), revenue_before)


def _group(row: Mapping[str, Any]) -> MoverGroup:
    return MoverGroup(
        row["from_segment"],
        row["segment"],
        row["cause"],
        frozenset(reason for reason in REASONS if row[reason]),
        row["customers"],
        int(row["orders"]),
        int(row["recency_days"]),
        Decimal(row["revenue"]),
    )
