"""Terminal output of `rfm evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.cli.render.stability import stability_table
from rfm_pipeline.common import formatting
from rfm_pipeline.evaluation.result import (
    SCORES,
    DateEvaluation,
    Evaluation,
    Outcome,
    SegmentOutcome,
    per_customer,
)
from rfm_pipeline.evaluation.statistics import Interval

_DASH = "–"


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the newest date in full, then shares and AUCs of all dates, comparisons and conclusions."""
    out = console()
    first = evaluation.of(evaluation.configurations[0])
    parts: list[RenderableType] = [_heading(evaluation), Text(), _date(first[-1])]
    parts += [_segments(first[-1], out.width)]
    if len(first) > 1:
        parts += [_by_date("Bought again, by date", first, _shares(first), out.width)]
    parts += [_by_date("AUC, by date", first, _aucs(evaluation), out.width)]
    if evaluation.comparisons:
        title = "Difference in AUC of the map, by date"
        parts += [_by_date(title, first, _comparisons(evaluation), out.width)]
    parts += [
        stability_table(one, is_named=len(evaluation.configurations) > 1) for one in evaluation.stability
    ]
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


_HEADINGS = (
    "Segment", "Customers", "Bought again", "95 %", "Lift", "Orders each", "95 %", "Revenue each", "95 %",
    "Of revenue",
)  # fmt: skip
_DROPPED_FIRST = (8, 6, 9, 3, 5, 4)
"""Columns in the order in which a narrow terminal drops them: intervals first."""


def _segments(one: DateEvaluation, width: int) -> Table:
    rows = [*(_cells(segment) for segment in one.segments), _total_cells(one)]
    left = (0, 3, 6, 8)
    shown = list(range(len(_HEADINGS)))
    for dropped in _DROPPED_FIRST:
        if _width([[row[index] for index in shown] for row in (_HEADINGS, *rows)]) <= width:
            break
        shown.remove(dropped)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index in shown:
        table.add_column(
            _HEADINGS[index],
            justify="left" if index in left else "right",
            no_wrap=index > 0,
            style="dim" if index in left[1:] else "",
        )
    styles = ["" if segment.outcome.customers else "dim" for segment in one.segments]
    for style, row in zip([*styles, "bold"], rows, strict=True):
        table.add_row(*(Text(row[index]) for index in shown), style=style)
    return table


def _total_cells(one: DateEvaluation) -> list[str]:
    everyone = one.everyone
    orders, revenue = per_customer(everyone.orders, everyone), per_customer(everyone.revenue, everyone)
    return [
        "Total",
        f"{everyone.customers:,}",
        _share(everyone.share),
        _shares_interval(everyone.share_interval),
        "1.00" if everyone.bought_again else _DASH,
        _DASH if orders is None else f"{orders:.2f}",
        "",
        _DASH if revenue is None else f"{revenue:,.2f}",
        "",
        _share(1.0 if everyone.revenue else None),
    ]


def _width(rows: Sequence[Sequence[str]]) -> int:
    """Return the width of a table with two blanks between its columns."""
    return sum(max(map(cell_len, column)) + 2 for column in zip(*rows, strict=True)) - 2


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


def _shares(dates: Sequence[DateEvaluation]) -> list[_Row]:
    rows = [
        _Row(segment.segment, [_share_of(one.segments[position].outcome) for one in dates])
        for position, segment in enumerate(dates[0].segments)
    ]
    return [*rows, _Row("all", [_share_of(one.everyone) for one in dates], "bold")]


def _share_of(outcome: Outcome) -> str:
    return f"{_share(outcome.share)} of {outcome.customers:,}" if outcome.customers else _DASH


def _aucs(evaluation: Evaluation) -> list[_Row]:
    names, rows = evaluation.configurations, []
    for name in names:
        dates = evaluation.of(name)
        if len(names) > 1:
            rows.append(_Row(name, [""] * len(dates), "cyan"))
        for score, label in SCORES.items():
            areas = [one.aucs.get(score) for one in dates]
            # The model is the same for each configuration.
            if any(areas) and (score != "bg_nbd" or name == names[0]):
                cells = [
                    _DASH if area is None else f"{area.value:.3f} {_half(area.interval)}" for area in areas
                ]
                rows.append(_Row(label, cells))
        ranks = [_DASH if one.spearman is None else f"{one.spearman:.3f}" for one in dates]
        rows.append(_Row("Spearman", ranks, "dim"))
    return rows


def _comparisons(evaluation: Evaluation) -> list[_Row]:
    first, *others = evaluation.configurations
    rows = []
    for name in others:
        differences = [one.difference for one in evaluation.comparisons if one.configuration == name]
        cells = [_DASH if one is None else f"{one.value:+.3f} {_half(one.interval)}" for one in differences]
        rows.append(_Row(f"{name} less {first}", cells))
    return rows


class _Row(NamedTuple):
    """A row of a table with a column per date."""

    label: str
    cells: list[str]
    style: str = ""


def _by_date(title: str, dates: Sequence[DateEvaluation], rows: Sequence[_Row], width: int) -> Group:
    """Return a table with a column per date; the oldest dates are left out where they do not fit."""
    columns = [[str(one.as_of), *(row.cells[index] for row in rows)] for index, one in enumerate(dates)]
    longest = max(len(word) for row in rows for word in row.label.split())
    labels = min(max(cell_len(row.label) for row in rows), max(longest, width // 3))
    shown = len(columns)
    while shown > 1 and labels + sum(max(map(cell_len, each)) + 2 for each in columns[-shown:]) > width:
        shown -= 1
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", overflow="fold", max_width=labels)
    for each in columns[-shown:]:
        table.add_column(each[0], justify="right", no_wrap=True)
    for row in rows:
        table.add_row(Text(row.label), *map(Text, row.cells[-shown:]), style=row.style)
    heading = Text(title, style="bold")
    if shown < len(columns):
        older = formatting.format_count(len(columns) - shown, "older date")
        heading.append(f"  ({older} in a wider terminal, or with --json)", style="dim")
    return Group(Text(), heading, table)


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
