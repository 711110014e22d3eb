"""Three sentences about a result: what grew, what slips, and how much money is at risk."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rfm_pipeline.common import formatting
from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.report.changes import Changes, MoverGroup
from rfm_pipeline.report.data import ReportData
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter, Phrase
from rfm_pipeline.report.segment_view import SegmentTotals, SegmentView
from rfm_pipeline.report.spending import Spending

Parts = tuple[str | FormattedNumber, ...]
_NOW_AND_BEFORE = 2


def summary_sentences(data: ReportData, formatter: NumberFormatter) -> tuple[Phrase, Phrase, Phrase]:
    """Return three sentences with the changes since the previous result.

    Args:
        data: Data of the report.
        formatter: Formatter of its numbers.
    """
    return (
        Phrase(_growth(data, formatter)),
        Phrase(_slips(data, formatter)),
        Phrase(_at_risk(data, formatter)),
    )


def _growth(data: ReportData, formatter: NumberFormatter) -> Parts:
    customers, revenue = formatter.count(data.customers), formatter.whole(data.revenue)
    if data.changes is None:
        bought = "customer has bought for" if data.customers == 1 else "customers have bought for"
        return ("This is the first result: ", customers, f" {bought} ", revenue, ".")
    earlier = data.changes.earlier
    by_customers = data.customers - earlier.customers
    of_customers = (
        "the number of customers ",
        *_change(formatter.count(abs(by_customers)), by_customers, earlier.customers, formatter),
        " to ", customers,
    )  # fmt: skip
    spent = data.spending
    if spent is not None and spent.revenue >= 0:
        days = formatting.format_count(spent.days, "day")
        return (
            f"In the {days} since {earlier.as_of}, customers spent ", formatter.whole(spent.revenue),
            *_compared(spent, data.spending_before, formatter), "; ", *of_customers,
            *_largest_spender(data, formatter), ".",
        )  # fmt: skip
    # What left a window, was returned or is read in another way hides what came in: only totals compare.
    total = "revenue in the time window" if data.periods.has_window else "total revenue"
    by_revenue = data.revenue - earlier.revenue
    return (
        f"Since {earlier.as_of}, {total} ",
        *_change(formatter.whole(abs(by_revenue)), by_revenue, earlier.revenue, formatter),
        " to ", revenue, " and ", *of_customers, *_largest_gain(data, formatter), ".",
    )  # fmt: skip


def _compared(spent: Spending, before: Spending | None, formatter: NumberFormatter) -> Parts:
    """Return how much more or less was spent than in as long a time before; nothing if that is unknown."""
    if before is None or before.revenue < 0:
        return ()
    days = formatting.format_count(before.days, "day")
    if not before.revenue:
        return (f", and nothing in the {days} before",) if spent.revenue else ()
    difference = spent.revenue - before.revenue
    if not difference:
        return (f", as much as in the {days} before",)
    more = "more" if difference > 0 else "less"
    share = formatter.share(abs(difference), before.revenue)
    return (", ", share, f" {more} than the ", formatter.whole(before.revenue), f" of the {days} before")


def _largest_spender(data: ReportData, formatter: NumberFormatter) -> Parts:
    """Return the segment whose customers spent most since the previous result; nothing if it is unknown."""
    periods = data.periods.periods
    if len(periods) < _NOW_AND_BEFORE or periods[-2].as_of != data.previous_as_of:
        return ()
    revenue = periods[-1].revenue or {}
    name = max(revenue, key=lambda name: revenue[name], default=None)
    if name is None or revenue[name] <= 0:
        return ()
    return (f"; {name} spent the most, ", formatter.whole(revenue[name]))


def _change(
    size: FormattedNumber, difference: Decimal | int, before: Decimal | int, formatter: NumberFormatter
) -> Parts:
    """Return how a number changed: `grew by 12 (5 %)`."""
    if not difference:
        return ("stayed equal",)
    verb = "grew" if difference > 0 else "fell"
    share: Parts = (" (", formatter.share(Decimal(difference).copy_abs(), before), ")") if before > 0 else ()
    return (f"{verb} by ", size, *share)


def _largest_gain(data: ReportData, formatter: NumberFormatter) -> Parts:
    """Return the segment whose revenue grew most, unless segments can't be compared or none grew."""
    changes = data.changes
    if changes is None or changes.groups is None or any(group.cause == "rules" for group in changes.groups):
        return ()
    now = SegmentView(data).totals_by_segment
    gains = {
        name: totals.revenue - changes.earlier_segments.get(name, Decimal(0)) for name, totals in now.items()
    }
    name = max(gains, key=lambda name: gains[name])
    return (f"; {name} gained the most, ", formatter.whole(gains[name])) if gains[name] > 0 else ()


def _slips(data: ReportData, formatter: NumberFormatter) -> Parts:
    if data.changes is None:
        return _largest_segment(data, formatter)
    if data.changes.groups is None:
        return ("The rules changed since, so that moves between segments can't be told.",)
    groups = data.changes.groups
    moved = [group for group in groups if group.is_move]
    slipped = [group for group in moved if "slipped" in group.reasons]
    risen = sum(group.customers for group in moved) - _customers(slipped)
    by_rules = _customers([group for group in groups if group.cause == "rules"])
    if not slipped:
        parts: Parts = ("No customer slipped to a worse segment",)
    else:
        worst = _largest_source(slipped)
        name = worst[0].from_segment
        parts = (
            formatter.count(_customers(slipped)),
            " customer slipped to a worse segment, with " if _customers(slipped) == 1
            else " customers slipped to a worse segment, with ",
            formatter.whole(_revenue(slipped)), f" of revenue, the most of it from {name} (",
            formatter.whole(_revenue(worst)), ")",
        )  # fmt: skip
    parts = (*parts, "; ", formatter.count(risen), " rose to a better one")
    if by_rules:
        moves = formatting.format_count(by_rules, "move is", "moves are")
        parts = (*parts, f"; {moves} due to changed rules")
    return (*parts, ".")


def _largest_source(slipped: Sequence[MoverGroup]) -> list[MoverGroup]:
    """Return the groups that slipped from the segment that lost the most revenue this way."""
    by_source: dict[str | None, list[MoverGroup]] = {}
    for group in slipped:
        by_source.setdefault(group.from_segment, []).append(group)
    return max(by_source.values(), key=_revenue)


def _largest_segment(data: ReportData, formatter: NumberFormatter) -> Parts:
    totals = SegmentView(data).totals_by_segment
    name = max(totals, key=lambda name: totals[name].revenue)
    customer_share = formatter.share(totals[name].customers, data.customers)
    revenue_share = formatter.share(totals[name].revenue, data.revenue)
    return (f"{name} are ", customer_share, " of the customers and bring ", revenue_share, " of the revenue.")


def _at_risk(data: ReportData, formatter: NumberFormatter) -> Parts:
    totals: SegmentTotals = SegmentView(data).totals
    is_due = "customer is" if totals.due == 1 else "customers are"
    return (
        formatter.whole(totals.revenue_at_risk), " of the revenue (",
        formatter.share(totals.revenue_at_risk, data.revenue), ") is at risk",
        *_risk_change(totals.revenue_at_risk, data.changes, formatter),
        ": ", formatter.count(totals.due), f" {is_due} silent for longer than the usual gap between orders.",
    )  # fmt: skip


def _risk_change(at_risk: Decimal, changes: Changes | None, formatter: NumberFormatter) -> Parts:
    if changes is None:
        return ()
    difference = at_risk - changes.earlier.revenue_at_risk
    if not difference:
        return (", as before",)
    return (
        ", ",
        formatter.whole(abs(difference)),
        " more than before" if difference > 0 else " less than before",
    )


def _customers(groups: Sequence[MoverGroup]) -> int:
    return sum(group.customers for group in groups)


def _revenue(groups: Sequence[MoverGroup]) -> Decimal:
    return exact_sum(group.revenue for group in groups)
