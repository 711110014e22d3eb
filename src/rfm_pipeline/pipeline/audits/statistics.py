"""What audits look at, and what each of them finds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.run_result import DimensionScores, Drift, Excluded


class RunStatistics(Struct, frozen=True):
    """What was counted, along two ways wherever there are two.

    Attributes:
        rows_declared: Rows by the source's own metadata; None where it doesn't say.
        rows_read, rows_kept, amount_kept: Counted where lines are cleaned.
        customers_kept: Customers among the kept lines.
        rows, customers, monetary: Counted in the staged result.
        without_segment, out_of_range: Staged customers with no segment, or a score outside its bins.
        source: What a person calls it.
        orders: Orders of the staged customers.
        oldest, newest: The dates of their first and last order; None where there is none.
        has_order_ids: Whether an order may have several lines; without, each line is its own.
        segments: Customers by segment.
        unasked: The reasons that exclude what nobody asked for: other days, and what is no line at all.
        up_to: The day up to which there could be orders: the as-of date where one is given, or today.
        config_hash: What can change the result, as `Settings` has it.
        last: The run to compare this one with; None where there is none.
        drift: Where customers are scored by frozen edges, how far these are from those of today.
    """

    rows_declared: int | None
    rows_read: int
    rows_kept: int
    amount_kept: Decimal
    excluded: tuple[Excluded, ...]
    customers_kept: int
    rows: int
    customers: int
    monetary: Decimal
    without_segment: int
    out_of_range: int
    dimensions: tuple[DimensionScores, ...]
    source: str = "The source"
    orders: int = 0
    oldest: date | None = None
    newest: date | None = None
    has_order_ids: bool = True
    segments: Mapping[str, int] = field(default_factory=dict)
    unasked: frozenset[str] = frozenset({"future_dated", "outside_window"})
    up_to: date = date.max
    config_hash: str = ""
    last: RunRecord | None = None
    drift: Drift | None = None


class CheckResult(Struct, frozen=True):
    """What one check found.

    Attributes:
        is_well: Whether it is as it should be.
        detail: What was found, in one sentence.
        rows: A few rows that show it.
    """

    passed: bool
    detail: str
    rows: tuple[Mapping[str, Any], ...] = ()


def passed(detail: str) -> CheckResult:
    """Nothing is wrong."""
    return CheckResult(passed=True, detail=detail)


def failed(detail: str, *rows: Mapping[str, Any]) -> CheckResult:
    """Something is wrong, and some rows may show it."""
    return CheckResult(passed=False, detail=detail, rows=rows)
