"""Terminal output of `rfm evaluate`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.common import formatting
from rfm_pipeline.evaluation.result import SCORES, DateEvaluation, Evaluation, SegmentOutcome, per_customer
from rfm_pipeline.evaluation.statistics import Interval

_DASH = "–"


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the newest date in full, then shares and AUCs of all dates, comparisons and conclusions."""
    out = console()
    first = evaluation.of(evaluation.configurations[0])
    parts: list[RenderableType] = [_heading(evaluation), Text(), _date(first[-1])]
    parts += [_segments(first[-1], out.width)]
    if len(first) > 1:
        parts += [Text(), Text("Bought again, by date", style="bold"), _shares(first)]
    parts += [Text(), Text("AUC, by date", style="bold"), _aucs(evaluation)]
    if evaluation.comparisons:
        parts += [Text(), Text("Difference in AUC of the map, by date", style="bold")]
        parts += [_comparisons(evaluation)]
    parts += [Text(), *map(Text, evaluation.conclusions), Text(), _explanation()]
    out.print(Group(*parts))


def _heading(evaluation: Evaluation) -> Text:
    days = f"orders of {evaluation.first_order_date} to {evaluation.newest_order_date}"
    text = Text.assemble((evaluation.source, "bold"), f"  {days}")
    lines = formatting.format_count(evaluation.lines_read, "line")
    text.append(f"\n{lines} read, {evaluation.lines_kept:,} kept", style="dim")
    for note in evaluation.notes:
        text.append(f"\n{note}", style="dim")
    return text


def _date(one: DateEvaluation) -> Text:
    everyone = one.everyone
    customers = formatting.format_count(everyone.customers, "customer")
    text = Text.assemble((one.configuration, "bold cyan"), (f", as of {one.as_of}", "bold"), "\n")
    text.append(
        f"{customers} scored; in the {formatting.format_count(one.horizon_days, 'day')} up to {one.until}"
        f" {everyone.bought_again:,} of them bought again ({_share(everyone.share)},"
        f" {_shares_interval(everyone.share_interval)}),"
        f" in {formatting.format_count(everyone.orders, 'order')} of"
        f" {formatting.format_amount(everyone.revenue)}"
    )
    if one.newcomers.orders:
        orders = formatting.format_count(one.newcomers.orders, "order")
        text.append(
            f"\n{orders} of {formatting.format_amount(one.newcomers.revenue)} were of other customers",
            style="dim",
        )
    return text


def _segments(one: DateEvaluation, width: int) -> Table:
    """Return a row per segment; a narrow terminal drops the intervals, and then the figures they are of."""
    headings = [
        ("Segment", "left", True),
        ("Customers", "right", True),
        ("Bought again", "right", True),
        ("95 %", "left", width >= 100),
        ("Lift", "right", True),
        ("Orders each", "right", width >= 70),
        ("95 %", "left", width >= 120),
        ("Revenue each", "right", True),
        ("95 %", "left", width >= 120),
        ("of revenue", "right", width >= 90),
    ]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading, justify, is_shown in headings:
        if is_shown:
            is_interval = heading == "95 %"
            table.add_column(
                heading,
                justify="left" if justify == "left" else "right",
                no_wrap=True,
                style="dim" if is_interval else "",
            )
    for segment in one.segments:
        cells = _cells(segment)
        shown = [cell for cell, (_, _, is_shown) in zip(cells, headings, strict=True) if is_shown]
        table.add_row(*map(Text, shown), style="" if segment.outcome.customers else "dim")
    return table


def _cells(segment: SegmentOutcome) -> list[str]:
    outcome, intervals = segment.outcome, segment.intervals
    orders, revenue = per_customer(outcome.orders, outcome), per_customer(outcome.revenue, outcome)
    return [
        segment.segment,
        f"{outcome.customers:,}",
        _share(outcome.share),
        _shares_interval(outcome.share_interval),
        _DASH if segment.lift is None else f"{segment.lift:.2f}",
        _DASH if orders is None else f"{orders:.2f}",
        _interval(intervals.orders, ".2f"),
        _DASH if revenue is None else f"{revenue:,.2f}",
        _interval(intervals.revenue, ",.2f"),
        _share(segment.revenue_share),
    ]


def _shares(dates: Sequence[DateEvaluation]) -> Table:
    table = _by_date(dates)
    for position, segment in enumerate(dates[0].segments):
        shares = [one.segments[position].outcome for one in dates]
        cells = [
            f"{_share(each.share)} of {each.customers:,}" if each.customers else _DASH for each in shares
        ]
        table.add_row(Text(segment.segment), *map(Text, cells))
    everyone = [f"{_share(one.everyone.share)} of {one.everyone.customers:,}" for one in dates]
    table.add_row(Text("all"), *map(Text, everyone), style="bold")
    return table


def _aucs(evaluation: Evaluation) -> Table:
    names = evaluation.configurations
    table = _by_date(evaluation.of(names[0]))
    for name in names:
        dates = evaluation.of(name)
        if len(names) > 1:
            table.add_row(Text(name, style="cyan"))
        for score, label in SCORES.items():
            areas = [one.aucs.get(score) for one in dates]
            if not any(areas) or (score == "bg_nbd" and name != names[0]):
                continue
            cells = [_DASH if area is None else f"{area.value:.3f} {_half(area.interval)}" for area in areas]
            table.add_row(Text(label), *map(Text, cells))
        ranks = [_DASH if one.spearman is None else f"{one.spearman:.3f}" for one in dates]
        table.add_row("Spearman", *map(Text, ranks), style="dim")
    return table


def _comparisons(evaluation: Evaluation) -> Table:
    first, *others = evaluation.configurations
    table = _by_date(evaluation.of(first))
    for name in others:
        cells = []
        for comparison in evaluation.comparisons:
            if comparison.configuration == name:
                difference = comparison.difference
                cells.append(
                    _DASH if difference is None else f"{difference.value:+.3f} {_half(difference.interval)}"
                )
        table.add_row(Text(f"{name} less {first}"), *map(Text, cells))
    return table


def _by_date(dates: Sequence[DateEvaluation]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", overflow="fold")
    for one in dates:
        table.add_column(str(one.as_of), justify="right", no_wrap=True)
    return table


def _explanation() -> Text:
    return Text(
        "AUC is the share of pairs of a customer who bought again and one who did not in which the first has"
        " the higher score; 0.5 is chance. Spearman is the rank correlation of r + f + m and the revenue of"
        " the horizon. Brackets and ± are 95 % intervals; – is too little to tell.",
        style="dim",
    )


def _share(share: float | None) -> str:
    return _DASH if share is None else f"{share:.1%}".replace("%", " %")


def _shares_interval(interval: Interval | None) -> str:
    return _DASH if interval is None else f"[{100 * interval[0]:.1f}–{100 * interval[1]:.1f}]"


def _interval(interval: Interval | None, number: str) -> str:
    return _DASH if interval is None else f"[{interval[0]:{number}}–{interval[1]:{number}}]"


def _half(interval: Interval | None) -> str:
    """Return half the length of an interval, which is symmetric unless it ends at 0 or 1."""
    return _DASH if interval is None else f"±{(interval[1] - interval[0]) / 2:.3f}"
