"""Built-in audits of the staged result: a failed audit stops the publish, a warning does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from rfm_pipeline.common.formatting import capitalize_first, format_count, format_percent
from rfm_pipeline.config.audits import (
    Audits,
    BlockingAudit,
    DuplicateOrdersAudit,
    ExcludedShareAudit,
    LargestCustomerAudit,
    Level,
    MaxAgeAudit,
    MostlyExcludedAudit,
    SourceNotEmptyAudit,
    WarningAudit,
)
from rfm_pipeline.pipeline.audits.regression import (
    customers_dropped,
    duplicate_load,
    rows_dropped,
    segment_shares,
)
from rfm_pipeline.pipeline.audits.statistics import AuditInput, CheckResult, failed, passed
from rfm_pipeline.pipeline.audits.unreadable import (
    CORRECT_VALUES,
    TWO_READINGS,
    advice_on_some_dates,
    advice_on_some_numbers,
    quoted_list,
    two_readings,
)
from rfm_pipeline.results.json_values import money
from rfm_pipeline.results.statistics import Audit, DimensionScores, Excluded

FEWEST_CUSTOMERS = 50
"""Number of customers from which one customer's share of the orders is looked at."""


def run_builtin_audits(run: AuditInput, settings: Audits) -> tuple[Audit, ...]:
    """Run every built-in audit whose level is not `off`, in the order of the settings."""
    checks = {check.__name__: check for check in AUDITS}
    return tuple(
        to_audit_result(name, level, checks[name](run, getattr(settings, name)))
        for name, level in settings.levels.items()
        if level != "off" and name in checks
    )


def to_audit_result(name: str, level: Level, check: CheckResult) -> Audit:
    """Return the audit's result: a check that did not pass fails at level `block`, and else warns."""
    if not check.is_compared:
        return Audit(name, "not_compared", check.detail)
    status = "passed" if check.passed else "failed" if level == "block" else "warning"
    return Audit(name, status, check.detail, check.rows)


def source_not_empty(run: AuditInput, _: SourceNotEmptyAudit) -> CheckResult:
    """The source has lines, and at least one was kept."""
    read, kept = run.statistics.rows_read, run.statistics.rows_kept
    if read == 0:
        return failed(f"{run.source} has no lines.")
    if kept == 0:
        first = max(run.statistics.exclusions, key=lambda excluded: excluded.lines)
        lines = "The one line was" if read == 1 else f"All {read:,} lines were"
        return failed(f"{lines} excluded, {first.lines:,} as {first.reason}{_such_as(first)}.")
    return passed(f"{kept:,} of {read:,} lines were kept.")


def reconciliation(run: AuditInput, _: BlockingAudit) -> CheckResult:
    """Every row read is kept or excluded, and the customers' revenue is the amount of the kept lines."""
    read, kept = run.statistics.rows_read, run.statistics.rows_kept
    excluded = sum(reason.lines for reason in run.statistics.exclusions)
    if run.rows_declared is not None and run.rows_declared != read:
        return failed(f"The source has {run.rows_declared:,} rows and {read:,} were read.")
    if read != kept + excluded:
        return failed(f"{read:,} rows were read, {kept:,} kept and {excluded:,} excluded.")
    amount, revenue = run.statistics.amount_kept, run.statistics.revenue
    if amount != revenue:
        return failed(f"Kept lines amount to {money(amount)}, customers to {money(revenue)}.")
    return passed(f"{read:,} rows = {kept:,} kept + {excluded:,} excluded.")


def customers_unique(run: AuditInput, _: BlockingAudit) -> CheckResult:
    """Each customer of the kept lines has exactly one row."""
    customers = run.statistics.customers
    if run.staged_rows == customers == run.customers_kept:
        return passed(f"{customers:,} customers, one row each.")
    return failed(
        f"{run.staged_rows:,} rows for {customers:,} customers, of {run.customers_kept:,} with kept lines."
    )


def scores_in_range(run: AuditInput, _: BlockingAudit) -> CheckResult:
    """Each score lies from 1 to the number of bins of its dimension."""
    if run.out_of_range:
        return failed(f"{_have(run.out_of_range)} a score outside the bins.")
    return passed("Every score is from 1 to its number of bins.")


def segments_total(run: AuditInput, _: BlockingAudit) -> CheckResult:
    """Each customer is in a segment."""
    if run.without_segment:
        return failed(f"{_have(run.without_segment)} no segment.")
    return passed("Every customer is in exactly one segment.")


def bins_collapsed(run: AuditInput, _: WarningAudit) -> CheckResult:
    """Each score has customers; heavy ties leave some scores without any."""
    collapsed = [scores for scores in run.statistics.edges if scores.collapsed]
    if not collapsed or not run.statistics.customers:
        return passed("Every score of every dimension has customers.")
    empty = "; ".join(map(_collapse, collapsed))
    frozen = all(scores.edges_from for scores in collapsed)
    why = "edges are those of an earlier run" if frozen else "equal values get equal scores"
    return failed(f"{capitalize_first(empty)}: {why}.")


def _collapse(scores: DimensionScores) -> str:
    empty = " or ".join(map(str, scores.collapsed))
    # Two values or more occupy at least the lowest and the highest score.
    if scores.edges and len(set(scores.edges)) == 1 and len(scores.collapsed) == len(scores.edges):
        return f"all customers have one {scores.name} score, which tells nothing"
    return f"no customer has a {scores.name} score of {empty}"


def dates_read(run: AuditInput, _: WarningAudit) -> CheckResult:
    """No line was excluded for a date that could not be read; a blank date has nothing to read."""
    for excluded in run.statistics.exclusions:
        if excluded.reason == "invalid_date" and (examples := excluded.examples):
            advice = advice_on_some_dates(examples, run.date_formats)
            return failed(f"{_left_out(excluded)}{_such_as(excluded)}: {advice}.")
    return passed("No line was left out for a date that could not be read.")


def amounts_read(run: AuditInput, _: WarningAudit) -> CheckResult:
    """No line was excluded for a number that could not be read, or that has two readings, like 1,234."""
    for excluded in run.statistics.exclusions:
        if excluded.reason == "invalid_amount" and (examples := excluded.examples):
            ambiguous = next((number for number in examples if TWO_READINGS.fullmatch(number)), None)
            if ambiguous and not run.decimal_is_known:
                return failed(f"{_left_out(excluded)}: {two_readings(ambiguous)}.")
            advice = CORRECT_VALUES if run.decimal_is_known else advice_on_some_numbers(examples)
            return failed(f"{_left_out(excluded)}{_such_as(excluded)}: {advice}.")
    return passed("No line was left out for a number that could not be read.")


def _left_out(excluded: Excluded) -> str:
    return f"{format_count(excluded.lines, 'line')} left out as {excluded.reason}"


def _such_as(excluded: Excluded) -> str:
    examples = excluded.examples
    return f", such as {quoted_list(examples)}" if examples else ""


def excluded_share(run: AuditInput, rule: ExcludedShareAudit) -> CheckResult:
    """The share of excluded lines is within the limit; lines that are no sales, or skipped, do not count."""
    return _excluded_share(run, rule.limit)


def mostly_excluded(run: AuditInput, rule: MostlyExcludedAudit) -> CheckResult:
    """The excluded lines are not nearly all of the sales; a till that knows few customers needs a limit."""
    return _excluded_share(run, rule.limit)


def _excluded_share(run: AuditInput, limit: float) -> CheckResult:
    excluded = [
        reason for reason in run.statistics.exclusions if reason.reason not in run.expected_exclusions
    ]
    lines, kept = sum(reason.lines for reason in excluded), run.statistics.rows_kept
    share = f"{lines:,} of {format_count(kept + lines, 'line')} ({format_percent(lines, kept + lines)})"
    # If no line is left, `source_not_empty` reports it.
    if not kept or lines <= (kept + lines) * Decimal(str(limit)):
        return passed(f"{share} were excluded.")
    first = max(excluded, key=lambda reason: reason.lines)
    return failed(f"{share} were excluded, {first.lines:,} as {first.reason}.")


def duplicate_orders(run: AuditInput, rule: DuplicateOrdersAudit) -> CheckResult:
    """The share of lines whose orders count in another file is within the limit; equal files do not count."""
    lines = {reason.reason: reason.lines for reason in run.statistics.exclusions}
    copies = lines.get("duplicate_order", 0)
    compared = run.statistics.rows_read - lines.get("duplicate_file", 0)
    share = f"{copies:,} of {format_count(compared, 'line')} ({format_percent(copies, compared)})"
    if copies <= compared * rule.limit:
        return passed(f"{share} belong to orders that count in another file.")
    return failed(f"{share} belong to orders that count in another file.")


def largest_customer(run: AuditInput, rule: LargestCustomerAudit) -> CheckResult:
    """No customer has more than the limit of all orders; such a one is often a placeholder for many."""
    orders, largest = run.statistics.orders, run.statistics.largest_customer
    share = f"{largest:,} of {format_count(orders, 'order')} ({format_percent(largest, orders)})"
    is_small = run.statistics.customers < FEWEST_CUSTOMERS
    if is_small or largest <= orders * Decimal(str(rule.limit)):
        return passed(f"The customer with the most orders has {share}.")
    return failed(f"One customer has {share}; it may stand for buyers without an id.")


def max_age(run: AuditInput, rule: MaxAgeAudit) -> CheckResult:
    """The newest order is not older than the limit; an older one means that no data arrives from the shop."""
    newest = run.statistics.newest_order_date
    if newest is None or rule.limit is None:
        return passed("There is no order.")
    days = (run.up_to - newest).days
    age = f"The newest order is of {newest}, {format_count(days, 'day')} before {run.up_to}"
    # A window of n days ends today, and an order of the day before the window is n days old: not too old.
    if newest + timedelta(days=1) >= rule.limit.first_day(run.up_to):
        return passed(f"{age}.")
    return failed(f"{age}, and may be {rule.limit} old.")


def _have(customers: int) -> str:
    return format_count(customers, "customer has", "customers have")


AUDITS: tuple[Callable[[AuditInput, Any], CheckResult], ...] = (
    source_not_empty,
    reconciliation,
    customers_unique,
    scores_in_range,
    segments_total,
    bins_collapsed,
    dates_read,
    amounts_read,
    excluded_share,
    mostly_excluded,
    duplicate_orders,
    largest_customer,
    max_age,
    rows_dropped,
    customers_dropped,
    duplicate_load,
    segment_shares,
)
