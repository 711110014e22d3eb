"""Checks of the staged result. A failed one publishes nothing; a warning is told and published."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rfm_pipeline.common.formatting import count, percent
from rfm_pipeline.config.audits import Audits, Blocking, ExcludedShare, Level, MaxAge, NotEmpty, Telling
from rfm_pipeline.pipeline.audits.hints import TWO_READINGS, two_readings
from rfm_pipeline.pipeline.audits.regression import (
    customers_dropped,
    duplicate_load,
    rows_dropped,
    segment_shares,
)
from rfm_pipeline.pipeline.audits.statistics import Finding, Staged, amiss, well
from rfm_pipeline.results.run_result import Audit, money


def audit(staged: Staged, settings: Audits) -> tuple[Audit, ...]:
    """Runs every audit that is not off, in order; the later ones say nothing where the source was empty."""
    checks = {check.__name__: check for check in AUDITS}
    return tuple(
        outcome(name, level, checks[name](staged, getattr(settings, name)))
        for name, level in settings.levels.items()
        if level != "off" and name in checks
    )


def outcome(name: str, level: Level, found: Finding) -> Audit:
    """What a finding comes to at a level."""
    status = "passed" if found.is_well else "failed" if level == "block" else "warning"
    return Audit(name, status, found.detail, found.rows)


def source_not_empty(staged: Staged, _: NotEmpty) -> Finding:
    """There is a line, and at least one was kept."""
    if staged.rows_read == 0:
        return amiss(f"{staged.source} has no lines.")
    if staged.rows_kept == 0:
        first = max(staged.excluded, key=lambda excluded: excluded.lines)
        lines = "The one line was" if staged.rows_read == 1 else f"All {staged.rows_read:,} lines were"
        example = f", such as '{first.example}'" if first.example else ""
        return amiss(f"{lines} excluded, {first.lines:,} as {first.reason}{example}.")
    return well(f"{staged.rows_kept:,} of {staged.rows_read:,} lines were kept.")


def reconciliation(staged: Staged, _: Blocking) -> Finding:
    """Every row read is kept or excluded, and the customers' money is the kept lines' money."""
    excluded = sum(reason.lines for reason in staged.excluded)
    if staged.rows_declared is not None and staged.rows_declared != staged.rows_read:
        return amiss(f"The source has {staged.rows_declared:,} rows and {staged.rows_read:,} were read.")
    if staged.rows_read != staged.rows_kept + excluded:
        return amiss(
            f"{staged.rows_read:,} rows were read, {staged.rows_kept:,} kept and {excluded:,} excluded."
        )
    if staged.amount_kept != staged.monetary:
        return amiss(
            f"Kept lines amount to {money(staged.amount_kept)}, customers to {money(staged.monetary)}."
        )
    return well(f"{staged.rows_read:,} rows = {staged.rows_kept:,} kept + {excluded:,} excluded.")


def customers_unique(staged: Staged, _: Blocking) -> Finding:
    """One row a customer, and none lost on the way."""
    if staged.rows == staged.customers == staged.customers_kept:
        return well(f"{staged.customers:,} customers, one row each.")
    customers = f"{staged.customers:,} customers, of {staged.customers_kept:,} with kept lines"
    return amiss(f"{staged.rows:,} rows for {customers}.")


def scores_in_range(staged: Staged, _: Blocking) -> Finding:
    """Each score lies from 1 to its bins."""
    if staged.out_of_range:
        return amiss(f"{_have(staged.out_of_range)} a score outside the bins.")
    return well("Every score is from 1 to its number of bins.")


def segments_total(staged: Staged, _: Blocking) -> Finding:
    """Each customer is in a segment."""
    if staged.without_segment:
        return amiss(f"{_have(staged.without_segment)} no segment.")
    return well("Every customer is in exactly one segment.")


def bins_collapsed(staged: Staged, _: Telling) -> Finding:
    """Heavy ties leave a score without customers: true to the data, and worth knowing."""
    collapsed = [scores for scores in staged.dimensions if scores.collapsed]
    if not collapsed or not staged.customers:
        return well("Every score of every dimension has customers.")
    told = "; ".join(
        f"no customer has a {scores.name} score of {' or '.join(map(str, scores.collapsed))}"
        for scores in collapsed
    )
    frozen = all(scores.edges_from for scores in collapsed)
    why = "edges are those of an earlier run" if frozen else "equal values get equal scores"
    return amiss(f"{told[0].upper()}{told[1:]}: {why}.")


def amounts_read(staged: Staged, _: Telling) -> Finding:
    """Lines with a number like 1,234 are left out: it may be a thousand and more, or one and a fraction."""
    for excluded in staged.excluded:
        if excluded.reason == "invalid_amount" and TWO_READINGS.fullmatch(excluded.example or ""):
            left_out = f"{count(excluded.lines, 'line')} left out as {excluded.reason}"
            return amiss(f"{left_out}: {two_readings(excluded.example)}.")
    return well("No number was left out because it can be read in two ways.")


def excluded_share(staged: Staged, rule: ExcludedShare) -> Finding:
    """Most lines count. Those of other days, and rows that are no lines, nobody had asked for."""
    excluded = [reason for reason in staged.excluded if reason.reason not in staged.unasked]
    lines = sum(reason.lines for reason in excluded)
    asked = staged.rows_kept + lines
    told = f"{lines:,} of {count(asked, 'line')} ({percent(lines, asked)}) were excluded"
    # Where there is nothing left, `source_not_empty` says so.
    if not staged.rows_kept or lines <= asked * rule.limit:
        return well(f"{told}.")
    first = max(excluded, key=lambda reason: reason.lines)
    return amiss(f"{told}, {first.lines:,} as {first.reason}.")


def max_age(staged: Staged, rule: MaxAge) -> Finding:
    """The newest order is not older than it may be: nothing has come from the shop for a while."""
    if staged.newest is None or rule.limit is None:
        return well("There is no order whose age could be told.")
    days = (staged.up_to - staged.newest).days
    told = f"The newest order is of {staged.newest}, {count(days, 'day')} before {staged.up_to}"
    # The window of so many days ends today; the day before it is just as old as may be.
    if staged.newest + timedelta(days=1) >= rule.limit.first_day(staged.up_to):
        return well(f"{told}.")
    return amiss(f"{told}, and may be {rule.limit} old.")


def _have(customers: int) -> str:
    return count(customers, "customer has", "customers have")


AUDITS: tuple[Callable[[Staged, Any], Finding], ...] = (
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
