"""Checks of the staged result. A failed one publishes nothing; a warning is told and published."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rfm_pipeline.common.formatting import format_count, format_percent
from rfm_pipeline.config.audits import (
    Audits,
    BlockingAudit,
    ExcludedShare,
    Level,
    MaxAge,
    NotEmpty,
    WarningAudit,
)
from rfm_pipeline.pipeline.audits.hints import TWO_READINGS, two_readings
from rfm_pipeline.pipeline.audits.regression import (
    customers_dropped,
    duplicate_load,
    rows_dropped,
    segment_shares,
)
from rfm_pipeline.pipeline.audits.statistics import CheckResult, RunStatistics, failed, passed
from rfm_pipeline.results.run_result import Audit, money


def audit(staged: RunStatistics, settings: Audits) -> tuple[Audit, ...]:
    """Runs every audit that is not off, in order; the later ones say nothing where the source was empty."""
    checks = {check.__name__: check for check in AUDITS}
    return tuple(
        to_audit_result(name, level, checks[name](staged, getattr(settings, name)))
        for name, level in settings.levels.items()
        if level != "off" and name in checks
    )


def to_audit_result(name: str, level: Level, found: CheckResult) -> Audit:
    """What a finding comes to at a level."""
    status = "passed" if found.passed else "failed" if level == "block" else "warning"
    return Audit(name, status, found.detail, found.rows)


def source_not_empty(staged: RunStatistics, _: NotEmpty) -> CheckResult:
    """There is a line, and at least one was kept."""
    if staged.rows_read == 0:
        return failed(f"{staged.source} has no lines.")
    if staged.rows_kept == 0:
        first = max(staged.excluded, key=lambda excluded: excluded.lines)
        lines = "The one line was" if staged.rows_read == 1 else f"All {staged.rows_read:,} lines were"
        example = f", such as '{first.example}'" if first.example else ""
        return failed(f"{lines} excluded, {first.lines:,} as {first.reason}{example}.")
    return passed(f"{staged.rows_kept:,} of {staged.rows_read:,} lines were kept.")


def reconciliation(staged: RunStatistics, _: BlockingAudit) -> CheckResult:
    """Every row read is kept or excluded, and the customers' money is the kept lines' money."""
    excluded = sum(reason.lines for reason in staged.excluded)
    if staged.rows_declared is not None and staged.rows_declared != staged.rows_read:
        return failed(f"The source has {staged.rows_declared:,} rows and {staged.rows_read:,} were read.")
    if staged.rows_read != staged.rows_kept + excluded:
        return failed(
            f"{staged.rows_read:,} rows were read, {staged.rows_kept:,} kept and {excluded:,} excluded."
        )
    if staged.amount_kept != staged.monetary:
        return failed(
            f"Kept lines amount to {money(staged.amount_kept)}, customers to {money(staged.monetary)}."
        )
    return passed(f"{staged.rows_read:,} rows = {staged.rows_kept:,} kept + {excluded:,} excluded.")


def customers_unique(staged: RunStatistics, _: BlockingAudit) -> CheckResult:
    """One row a customer, and none lost on the way."""
    if staged.rows == staged.customers == staged.customers_kept:
        return passed(f"{staged.customers:,} customers, one row each.")
    customers = f"{staged.customers:,} customers, of {staged.customers_kept:,} with kept lines"
    return failed(f"{staged.rows:,} rows for {customers}.")


def scores_in_range(staged: RunStatistics, _: BlockingAudit) -> CheckResult:
    """Each score lies from 1 to its bins."""
    if staged.out_of_range:
        return failed(f"{_have(staged.out_of_range)} a score outside the bins.")
    return passed("Every score is from 1 to its number of bins.")


def segments_total(staged: RunStatistics, _: BlockingAudit) -> CheckResult:
    """Each customer is in a segment."""
    if staged.without_segment:
        return failed(f"{_have(staged.without_segment)} no segment.")
    return passed("Every customer is in exactly one segment.")


def bins_collapsed(staged: RunStatistics, _: WarningAudit) -> CheckResult:
    """Heavy ties leave a score without customers: true to the data, and worth knowing."""
    collapsed = [scores for scores in staged.dimensions if scores.collapsed]
    if not collapsed or not staged.customers:
        return passed("Every score of every dimension has customers.")
    told = "; ".join(
        f"no customer has a {scores.name} score of {' or '.join(map(str, scores.collapsed))}"
        for scores in collapsed
    )
    frozen = all(scores.edges_from for scores in collapsed)
    why = "edges are those of an earlier run" if frozen else "equal values get equal scores"
    return failed(f"{told[0].upper()}{told[1:]}: {why}.")


def amounts_read(staged: RunStatistics, _: WarningAudit) -> CheckResult:
    """Lines with a number like 1,234 are left out: it may be a thousand and more, or one and a fraction."""
    for excluded in staged.excluded:
        if excluded.reason == "invalid_amount" and TWO_READINGS.fullmatch(excluded.example or ""):
            left_out = f"{format_count(excluded.lines, 'line')} left out as {excluded.reason}"
            return failed(f"{left_out}: {two_readings(excluded.example)}.")
    return passed("No number was left out because it can be read in two ways.")


def excluded_share(staged: RunStatistics, rule: ExcludedShare) -> CheckResult:
    """Most lines count. Those of other days, and rows that are no lines, nobody had asked for."""
    excluded = [reason for reason in staged.excluded if reason.reason not in staged.unasked]
    lines = sum(reason.lines for reason in excluded)
    asked = staged.rows_kept + lines
    told = f"{lines:,} of {format_count(asked, 'line')} ({format_percent(lines, asked)}) were excluded"
    # Where there is nothing left, `source_not_empty` says so.
    if not staged.rows_kept or lines <= asked * rule.limit:
        return passed(f"{told}.")
    first = max(excluded, key=lambda reason: reason.lines)
    return failed(f"{told}, {first.lines:,} as {first.reason}.")


def max_age(staged: RunStatistics, rule: MaxAge) -> CheckResult:
    """The newest order is not older than it may be: nothing has come from the shop for a while."""
    if staged.newest is None or rule.limit is None:
        return passed("There is no order whose age could be told.")
    days = (staged.up_to - staged.newest).days
    told = f"The newest order is of {staged.newest}, {format_count(days, 'day')} before {staged.up_to}"
    # The window of so many days ends today; the day before it is just as old as may be.
    if staged.newest + timedelta(days=1) >= rule.limit.first_day(staged.up_to):
        return passed(f"{told}.")
    return failed(f"{told}, and may be {rule.limit} old.")


def _have(customers: int) -> str:
    return format_count(customers, "customer has", "customers have")


AUDITS: tuple[Callable[[RunStatistics, Any], CheckResult], ...] = (
    source_not_empty,
    reconciliation,
    customers_unique,
    scores_in_range,
    segments_total,
    bins_collapsed,
    amounts_read,
    excluded_share,
    max_age,
    rows_dropped,
    customers_dropped,
    duplicate_load,
    segment_shares,
)
