"""Regression audits: compare the staged result with the last run.

Runs are compared only if both read the same source with the same configuration. Without a comparable run the
status of each audit is `not_compared`, and its detail says why.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from msgspec import Struct

from rfm_pipeline.common.formatting import capitalize_first, format_percent
from rfm_pipeline.config.audits import DropAudit, DuplicateLoadAudit, SegmentSharesAudit
from rfm_pipeline.pipeline.audits.statistics import AuditInput, CheckResult, failed, not_compared, passed
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.statistics import RunStatistics

_NEGLIGIBLE_GROWTH = Decimal("0.1")
"""The share by which customers may grow in a load that has the same lines twice."""


class _Comparison(Struct, frozen=True):
    """The statistics of the staged run and of the last one, whose label is `last`."""

    now: RunStatistics
    before: RunStatistics
    last: str


def _compared(run: AuditInput, compare: Callable[[_Comparison], CheckResult]) -> CheckResult:
    last = run.last
    if last is None:
        return not_compared("Not compared: there is no earlier run.")
    if run.last_source_differs:
        return not_compared(f"Not compared with {_label(last)}, which read another source.")
    if last.config_hash != run.config_hash:
        return not_compared(f"Not compared with {_label(last)}, which had another configuration.")
    if not run.statistics.rows_kept or last.statistics is None:
        return not_compared("Not compared: there is no line to compare.")
    return compare(_Comparison(run.statistics, last.statistics, _label(last)))


def rows_dropped(run: AuditInput, rule: DropAudit) -> CheckResult:
    """The source has not lost many of its lines, as a truncated export has."""

    def compare(runs: _Comparison) -> CheckResult:
        before, now = _lines_in_window(runs.before), _lines_in_window(runs.now)
        return _dropped("lines", before, now, runs.last, rule)

    return _compared(run, compare)


def _lines_in_window(run: RunStatistics) -> int:
    """Return the number of lines without those before the window, whose partitions may not be read."""
    outside = sum(reason.lines for reason in run.exclusions if reason.reason == "outside_window")
    return run.rows_read - outside


def customers_dropped(run: AuditInput, rule: DropAudit) -> CheckResult:
    """The result has not lost many of its customers."""
    return _compared(
        run, lambda runs: _dropped("customers", runs.before.customers, runs.now.customers, runs.last, rule)
    )


def _dropped(noun: str, before: int, now: int, last: str, rule: DropAudit) -> CheckResult:
    if not before:
        return not_compared(f"Not compared: {last} had no {noun}.")
    counts = f"there are {now:,} {noun}, and {last} had {before:,}"
    drop = before - now
    if drop <= before * rule.limit:
        return passed(_sentence(counts))
    return failed(f"The {noun} fell by {format_percent(drop, before)}: {counts}.")


def duplicate_load(run: AuditInput, rule: DuplicateLoadAudit) -> CheckResult:
    """The lines were not loaded twice: then lines and money double, and customers do not.

    Growth over time raises lines and money too, so both are taken per order: a second load doubles the lines
    of each order, growth brings more orders. Without order ids both are taken per day from the first order to
    the last: growth brings days, a second load does not. Both lines and money must reach the limit, since an
    export that changes to one line per item has more lines and no more money.
    """
    return _compared(run, lambda runs: _duplicate_load(run, rule, runs))


def _duplicate_load(run: AuditInput, rule: DuplicateLoadAudit, runs: _Comparison) -> CheckResult:
    now, before, last = runs.now, runs.before, runs.last
    unit, units_now, units_before = _units(run, now, before)
    if not (units_now and units_before and before.rows_kept and before.customers and before.revenue > 0):
        return not_compared(f"Not compared: {last} has too little to be compared with.")
    scale = Decimal(units_before) / units_now
    lines, money = scale * now.rows_kept / before.rows_kept, scale * now.revenue / before.revenue
    ratios = f"lines per {unit} are {lines:.2f} times those of {last}, and their money {money:.2f} times"
    has_new_customers = now.customers > before.customers * (1 + _NEGLIGIBLE_GROWTH)
    if has_new_customers or min(lines, money) < Decimal(str(rule.limit)):
        return passed(_sentence(ratios))
    return failed(
        f"The lines may have been loaded twice: {ratios}, with {now.customers:,} customers in place of"
        f" {before.customers:,}."
    )


def _units(run: AuditInput, now: RunStatistics, before: RunStatistics) -> tuple[str, int, int]:
    """Return the unit that lines are counted by, and the number of units in this run and in the last one."""
    if run.has_order_ids:
        return "order", now.orders, before.orders
    oldest = run.oldest_order_date
    return "day", _days(oldest, now.newest_order_date), _days(oldest, before.newest_order_date)


def _days(first: date | None, last: date | None) -> int:
    """Return the days from `first` to `last`; 0 if one is unknown, or if `first` is after `last`."""
    return max((last - first).days + 1, 0) if first and last else 0


def segment_shares(run: AuditInput, rule: SegmentSharesAudit) -> CheckResult:
    """The share of customers of no segment has changed much."""
    if run.last and run.last_rule_differs:
        return not_compared(f"Not compared with {_label(run.last)}, which an earlier rule for ties scored.")
    return _compared(run, lambda runs: _segment_shares(rule, runs))


def _segment_shares(rule: SegmentSharesAudit, runs: _Comparison) -> CheckResult:
    now = {figures.segment: figures.customers for figures in runs.now.segments}
    before = {figures.segment: figures.customers for figures in runs.before.segments}
    all_now, all_before = sum(now.values()), sum(before.values())
    if not (all_now and all_before):
        return not_compared(f"Not compared: {runs.last} has no customers.")
    # From best to worst; segments that the map no longer has come last.
    shares = {
        name: (Decimal(before.get(name, 0)) / all_before, Decimal(now.get(name, 0)) / all_now)
        for name in {**now, **before}
    }
    changes = {name: abs(share_now - share_before) for name, (share_before, share_now) in shares.items()}
    exceeding = [name for name in shares if changes[name] > Decimal(str(rule.limit))]
    if not exceeding:
        largest = format_percent(max(changes.values()), 1)
        return passed(f"No segment's share moved by more than {largest} since {runs.last}.")
    exceeding.sort(key=lambda name: -changes[name])
    rows = [
        {
            "segment": name,
            "before": format_percent(shares[name][0], 1),
            "now": format_percent(shares[name][1], 1),
        }
        for name in exceeding[:5]
    ]
    first = rows[0]
    now_share = f"{first['segment']} has {first['now']} of the customers"
    return failed(f"{now_share}, and in {runs.last} it had {first['before']}.", *rows)


def _label(record: RunRecord) -> str:
    return f"the run as of {record.as_of_date}" if record.as_of_date else f"the run {record.run_id}"


def _sentence(text: str) -> str:
    return f"{capitalize_first(text)}."
