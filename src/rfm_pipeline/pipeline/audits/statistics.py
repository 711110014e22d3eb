"""Input and output types of the audits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from msgspec import Struct

from rfm_pipeline.common.date_formats import ISO
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.statistics import Drift, RunStatistics

NO_SALES = frozenset(
    {
        "duplicate_file",
        "duplicate_order",
        "not_a_sale",
        "total_row",
        "future_dated",
        "outside_window",
        "forgotten",
    }
)
"""Reasons of lines that are no sales, or of other days, or of forgotten customers: no part of the excluded
share."""


class AuditInput(Struct, frozen=True):
    """What the audits check: the statistics of a run, and counts made a second way wherever there is one.

    Attributes:
        statistics: The statistics of the run. Customers and revenue are counted in the staged result.
        rows_declared: Rows of the source by its own metadata; None if it has none.
        customers_kept: Distinct customers of the kept lines, counted where lines are cleaned.
        staged_rows: Rows of the staged result.
        without_segment: Staged customers without a segment.
        out_of_range: Staged customers with a score outside its bins.
        source: Label of the source, to begin a sentence.
        oldest_order_date: Date of the oldest order; None if there is no order.
        has_order_ids: Whether orders have ids; without ids each line is an order.
        expected_exclusions: Reasons for lines that are no sales or were not requested: `NO_SALES` and the
            names in `[skip]`.
        date_formats: Formats in which dates that are text are read.
        decimal_is_known: Whether the decimal separator of numbers that are text is configured or detected.
        up_to: The last day on which orders can be dated: the as-of date if one is given, or today.
        config_hash: Hash of the settings that decide the result.
        last: The last run, to compare with; None if there is none.
        last_source_differs: Whether the last run read another source, so that nothing is compared.
        last_rule_differs: Whether the last run was scored by another version of the scoring rule, so that
            segments are not compared.
        current_rule_differs: The same of the current result.
        drift: How far frozen edges are from today's; None if no edges are frozen.
    """

    statistics: RunStatistics
    rows_declared: int | None
    customers_kept: int
    staged_rows: int
    without_segment: int = 0
    out_of_range: int = 0
    source: str = "The source"
    oldest_order_date: date | None = None
    has_order_ids: bool = True
    expected_exclusions: frozenset[str] = NO_SALES
    date_formats: tuple[str, ...] = (ISO,)
    decimal_is_known: bool = False
    up_to: date = date.max
    config_hash: str = ""
    last: RunRecord | None = None
    last_source_differs: bool = False
    last_rule_differs: bool = False
    current_rule_differs: bool = False
    drift: Drift | None = None


class CheckResult(Struct, frozen=True):
    """Result of one check.

    Attributes:
        passed: Whether the check passed.
        detail: The finding, one sentence.
        rows: A few rows that show the problem.
        is_compared: Whether there was something to compare with; True for a check that compares nothing.
    """

    passed: bool
    detail: str
    rows: tuple[Mapping[str, Any], ...] = ()
    is_compared: bool = True


def passed(detail: str) -> CheckResult:
    """Return a passing result; `detail` is one sentence shown to the user."""
    return CheckResult(passed=True, detail=detail)


def not_compared(detail: str) -> CheckResult:
    """Return the result of a check that had nothing to compare with; `detail` says why."""
    return CheckResult(passed=True, detail=detail, is_compared=False)


def failed(detail: str, *sample_rows: Mapping[str, Any]) -> CheckResult:
    """Return a failing result with a few `sample_rows` that show the problem."""
    return CheckResult(passed=False, detail=detail, rows=sample_rows)
