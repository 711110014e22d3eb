"""HTML of the first screen: totals, three sentences, and what to do this week."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rfm_pipeline.common import formatting
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter, Phrase, escape_html
from rfm_pipeline.report.segment_view import SegmentView
from rfm_pipeline.report.summary import summary_sentences
from rfm_pipeline.report.tables import DASH
from rfm_pipeline.report.weekly_moves import WeeklyMove, weekly_moves


def dates_line(view: SegmentView) -> str:
    """Return the as-of date, and the date of the newest order if there is one."""
    run = view.data.run
    newest = run.statistics.newest_order_date if run.statistics else None
    if newest is None:
        return f"As of {view.data.as_of}"
    days = (view.data.as_of - newest).days
    before = f", {formatting.format_count(days, 'day')} before" if days > 0 else ""
    return f"As of {view.data.as_of} · newest order {newest}{before}"


def edited_dates_line(view: SegmentView) -> str:
    """Return the warning that rows of earlier dates were edited; empty if none were."""
    if not view.data.edited:
        return ""
    days = ", ".join(map(str, view.data.edited))
    return (
        f'<p class="edited"><b>Edited rows.</b> The rows as of {days} are not those that the runs published.'
        " Figures of these dates, and changes since, may be wrong.</p>"
    )


def headline(view: SegmentView, formatter: NumberFormatter) -> str:
    """Return the tiles with the view's totals and averages."""
    totals, data = view.totals, view.data
    per_order = formatter.money(totals.revenue / totals.orders) if totals.orders else DASH
    orders = formatter.decimal(totals.orders / totals.customers) if totals.customers else DASH
    median_orders, median_days = (_median(view, name) for name in ("frequency", "recency"))
    days = f"{totals.recency_days / totals.customers:.0f}\u00a0days" if totals.customers else "–"
    due = formatting.format_count(totals.due, "customer is due", "customers are due")
    customers = _of_all(totals.customers, data.customers, formatter)
    revenue = _of_all(totals.revenue, data.revenue, formatter)
    median = view.median("monetary")
    if view.segment is None and totals.customers and median is not None:
        customers = Phrase((f"in {len(view.segments)} segments",))
        mean = formatter.whole(totals.revenue / totals.customers)
        revenue = Phrase((mean, " each, median ", formatter.whole(median)))
    tiles: list[tuple[str, FormattedNumber, Phrase]] = [
        ("Customers", formatter.count(totals.customers), customers),
        ("Revenue", formatter.whole(totals.revenue), revenue),
        (
            "Revenue at risk",
            formatter.whole(totals.revenue_at_risk),
            Phrase((formatter.share(totals.revenue_at_risk, totals.revenue), f": {due}")),
        ),
        (
            "Orders",
            formatter.count(totals.orders),
            Phrase((orders, f" per customer, median {median_orders}")),
        ),
        ("Per order", per_order, Phrase(("revenue / orders",))),
        ("Last order", FormattedNumber(days), Phrase((f"ago on average, median {median_days}",))),
    ]
    inner = "".join(
        f'<div><dt>{name}</dt><dd>{number.html}<span class="note">{note.html}</span></dd></div>'
        for name, number, note in tiles
    )
    return f'<dl class="tiles">{inner}</dl>'


def _median(view: SegmentView, dimension: str) -> str:
    median = view.median(dimension)
    return "–" if median is None else f"{median.normalize():f}"


def _of_all(part: Decimal | int, whole: Decimal | int, formatter: NumberFormatter) -> Phrase:
    return Phrase((formatter.share(part, whole), " of all"))


def first_screen(view: SegmentView, formatter: NumberFormatter) -> str:
    """Return the HTML of the first screen; of a segment, its totals and what concerns it."""
    moves = weekly_moves(view.data, view.segment)
    parts = [headline(view, formatter)]
    if view.segment is None:
        sentences = summary_sentences(view.data, formatter)
        items = "".join(f"<li>{sentence.html}</li>" for sentence in sentences)
        parts.insert(0, f'<ol class="sentences">{items}</ol>')
    if moves:
        parts.append(_moves(view, moves, formatter))
    elif view.segment is None:
        parts.append('<h2 id="week">What to do this week</h2><p class="summary">No customer is due.</p>')
    return "".join(parts)


def _moves(view: SegmentView, moves: Sequence[WeeklyMove], formatter: NumberFormatter) -> str:
    items = "".join(_move(view, move, formatter) for move in moves)
    exports = " The commands write files with customer ids." if view.data.to else ""
    note = f"The groups with the most money; a customer can be in several.{exports}"
    return (
        f'<h2 id="week">What to do this week</h2><p class="summary">{note}</p><ol class="moves">{items}</ol>'
    )


def _move(view: SegmentView, move: WeeklyMove, formatter: NumberFormatter) -> str:
    data = view.data
    customers = formatter.count(move.customers).html
    noun = "customer" if move.customers == 1 else "customers"
    command = ""
    if data.to is not None:
        text = escape_html(move.command(data.to))
        command = f'<code class="command">{text}</code>'
    return (
        f'<li class="card move {move.reason}"><h3>{escape_html(move.title)}</h3>'
        f'<p class="worth"><b>{formatter.whole(move.revenue).html}</b> {customers}\u00a0{noun}</p>'
        f"<p>{move.advice(data, formatter).html}</p>{command}</li>"
    )
