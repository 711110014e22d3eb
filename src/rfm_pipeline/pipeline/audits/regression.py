"""Checks of the staged result against the last run: what fell, doubled or jumped between the two.

Runs are compared where the same configuration made both. Where another did, or there was no run, there is
nothing that a difference could be held against, and each check passes and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from rfm_pipeline.common.formatting import format_percent
from rfm_pipeline.config.audits import Dropped, DuplicateLoad, SegmentShares
from rfm_pipeline.pipeline.audits.statistics import CheckResult, RunStatistics, failed, passed
from rfm_pipeline.results.run_record import RunRecord

# The share by which customers may grow, and be hardly more.
_HARDLY = Decimal("0.1")


def _compared(staged: RunStatistics, compare: Callable[[RunRecord], CheckResult]) -> CheckResult:
    last = staged.last
    if last is None:
        return passed("There is no earlier run to compare this one with.")
    if last.config_hash != staged.config_hash:
        return passed(f"Not compared with {_run(last)}, which had another configuration.")
    if not staged.rows_kept:
        return passed("There is nothing to compare.")
    return compare(last)


def rows_dropped(staged: RunStatistics, rule: Dropped) -> CheckResult:
    """The source has not lost many of its lines: an export that broke off has."""
    return _compared(staged, lambda last: _dropped("lines", last.rows_read, staged.rows_read, last, rule))


def customers_dropped(staged: RunStatistics, rule: Dropped) -> CheckResult:
    """Nor the result many of its customers."""
    return _compared(staged, lambda last: _dropped("customers", last.customers, staged.customers, last, rule))


def _dropped(what: str, before: int | None, now: int, last: RunRecord, rule: Dropped) -> CheckResult:
    if not before:
        return passed(_sentence(f"{_run(last)} had no {what}"))
    told = f"there are {now:,} {what}, and {_run(last)} had {before:,}"
    fell = before - now
    if fell <= before * rule.limit:
        return passed(_sentence(told))
    return failed(f"The {what} fell by {format_percent(fell, before)}: {told}.")


def duplicate_load(staged: RunStatistics, rule: DuplicateLoad) -> CheckResult:
    """The lines were not loaded twice: then they and their money multiply, and the customers don't.

    Customers who order more do the same, over time. So lines and money are taken per order: an order that
    was loaded twice has each of its lines twice, and honest growth brings more orders, not larger ones. Where
    lines have no order's id, they are taken per day of the history, from its first order to its last: a day
    that goes by brings lines and a day, and what was loaded twice brings lines alone. Both lines and money
    must reach the limit, for an export that now has a line for each item has more lines, and no more money.
    """
    return _compared(staged, lambda last: _duplicate_load(staged, rule, last))


def _duplicate_load(staged: RunStatistics, rule: DuplicateLoad, last: RunRecord) -> CheckResult:
    name, now, before = _measures(staged, last)
    if not (now and before and last.rows_kept and last.customers and last.revenue and last.revenue > 0):
        return passed(_sentence(f"{_run(last)} has too little to be compared with"))
    scale = Decimal(before) / now
    lines, money = scale * staged.rows_kept / last.rows_kept, scale * staged.monetary / last.revenue
    told = f"lines per {name} are {lines:.2f} times those of {_run(last)}, and their money {money:.2f} times"
    has_new = staged.customers > last.customers * (1 + _HARDLY)
    if has_new or min(lines, money) < Decimal(str(rule.limit)):
        return passed(_sentence(told))
    return failed(
        f"The lines may have been loaded twice: {told}, with {staged.customers:,} customers in place of"
        f" {last.customers:,}."
    )


def _measures(staged: RunStatistics, last: RunRecord) -> tuple[str, int, int]:
    """What lines are counted by, and how many there are of it, now and in the last run."""
    if staged.has_order_ids:
        return "order", staged.orders, last.orders or 0
    if staged.oldest is None or staged.newest is None or last.newest_order_date is None:
        return "day", 0, 0
    days = ((day - staged.oldest).days + 1 for day in (staged.newest, last.newest_order_date))
    # Of a history that began after the last run, nothing was there to be loaded twice.
    return "day", *(max(count, 0) for count in days)  # type: ignore[return-value]


def segment_shares(staged: RunStatistics, rule: SegmentShares) -> CheckResult:
    """No segment holds far more or fewer of the customers than it did."""
    return _compared(staged, lambda last: _segment_shares(staged, rule, last))


def _segment_shares(staged: RunStatistics, rule: SegmentShares, last: RunRecord) -> CheckResult:
    before = {figures.segment: figures.customers for figures in last.segments}
    all_before, all_now = sum(before.values()), sum(staged.segments.values())
    if not (all_before and all_now):
        return passed(_sentence(f"{_run(last)} has no customers to be compared with"))
    # In the order of the map, and behind it what it no longer has.
    shares = {
        name: (Decimal(before.get(name, 0)) / all_before, Decimal(staged.segments.get(name, 0)) / all_now)
        for name in {**staged.segments, **before}
    }
    moved = {name: abs(now - then) for name, (then, now) in shares.items()}
    jumped = [name for name in shares if moved[name] > Decimal(str(rule.limit))]
    if not jumped:
        most = max(moved.values())
        return passed(f"No segment's share moved by more than {format_percent(most, 1)} since {_run(last)}.")
    jumped.sort(key=lambda name: -moved[name])
    then, now = shares[jumped[0]]
    rows = [
        {
            "segment": name,
            "before": format_percent(shares[name][0], 1),
            "now": format_percent(shares[name][1], 1),
        }
        for name in jumped[:5]
    ]
    return failed(
        f"{jumped[0]} has {format_percent(now, 1)} of the customers, and in {_run(last)} it had {format_percent(then, 1)}.",
        *rows,
    )


def _run(record: RunRecord) -> str:
    return f"the run as of {record.as_of_date}" if record.as_of_date else f"the run {record.run_id}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
