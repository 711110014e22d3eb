"""The parts of the page that a view fills: headline, charts with tables, and a card for each segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from rfm_pipeline.common import formatting
from rfm_pipeline.config.segment_map import Segment
from rfm_pipeline.report.charts import segments as charts
from rfm_pipeline.report.charts.distribution import UNITS, counts, distribution, label
from rfm_pipeline.report.charts.movements import after_name, before_name, direction, movements
from rfm_pipeline.report.charts.svg import SvgChart
from rfm_pipeline.report.data import SegmentMove, TopCustomer
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter, escaped
from rfm_pipeline.report.segment_view import SegmentView
from rfm_pipeline.results import descriptions
from rfm_pipeline.results.run_result import DimensionScores

Told = str | FormattedNumber
_MOST_MOVES = 5
_MOST_RESULTS = 12
_LISTED_MOVES = 100


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[Told]], kind: str = "") -> str:
    """A table; the first column names the row, and figures stand to the right.

    Args:
        caption: What it is of, for who does not see the heading above it.
        heads: The names of its columns.
        rows: Text, which is escaped, or figures.
        kind: Its class.
    """
    first = rows[0] if rows else ()
    numbers = {at for at, told in enumerate(first) if isinstance(told, FormattedNumber)}
    columns = "".join(
        f'<th scope="col"{" class=n" if at in numbers else ""}>{escaped(head)}</th>'
        for at, head in enumerate(heads)
    )
    body = "".join(f"<tr>{''.join(_cell(at, told) for at, told in enumerate(row))}</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escaped(caption)}">'
        f'<table class="{kind}"><caption>{escaped(caption)}</caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(place: int, told: Told) -> str:
    figure = told if isinstance(told, FormattedNumber) else None
    inner = figure.html if figure else escaped(str(told))
    if place == 0:
        return f'<th scope="row">{inner}</th>'
    return f'<td class="n">{inner}</td>' if figure else f"<td>{inner}</td>"


def headline(view: SegmentView, says: NumberFormatter) -> str:
    """The figures that come first."""
    held, figures = view.sum, view.figures
    per = says.money(held.revenue / held.orders) if held.orders else FormattedNumber("–")
    orders = f"{held.orders / held.customers:.1f}" if held.customers else "–"
    days = f"{held.recency_days / held.customers:.0f} days" if held.customers else "–"
    tiles: list[tuple[str, FormattedNumber, str]] = [
        (
            "Customers",
            says.count(held.customers),
            f"{says.share(held.customers, figures.customers).text} of all",
        ),
        ("Revenue", says.money(held.revenue), f"{says.share(held.revenue, figures.revenue).text} of all"),
        ("Orders", says.count(held.orders), f"{orders} per customer"),
        ("Per order", per, "revenue / orders"),
        ("Last order", FormattedNumber(days), "ago, in the mean"),
    ]
    shown = "".join(
        f'<div><dt>{name}</dt><dd>{figure.html}<span class="note">{escaped(note)}</span></dd></div>'
        for name, figure, note in tiles
    )
    return f'<dl class="tiles">{shown}</dl>'


def figure(drawing: SvgChart, detail: str, *, kind: str = "", more: str = "") -> str:
    """A chart with its heading, what it says in words, and its figures as a table.

    Args:
        drawing: The chart.
        detail: The table, which is opened by whoever wants it; empty where `more` has it.
        kind: How the card lies among the others: `wide`, `tall`, or empty.
        more: What stands beside the chart.
    """
    title = escaped(drawing.title)
    summary = f'The figures<span class="unseen"> of: {title}</span>'
    details = f"<details><summary>{summary}</summary>{detail}</details>" if detail else ""
    inner = f"{drawing.inline()}<div>{more}</div>" if more else drawing.inline()
    return (
        f'<section class="card {kind}" data-part="{drawing.name}"><h3>{title}</h3>'
        f'<p class="told">{escaped(drawing.told)}</p><div class="parts">{inner}</div>{details}</section>'
    )


def segments_table(view: SegmentView, says: NumberFormatter) -> str:
    """Each segment that is shown: customers, orders, money, and what a customer and an order bring."""
    figures = view.figures
    rows: list[list[Told]] = []
    for segment in view.segments:
        held = view.by_segment[segment.name]
        rows.append(
            [
                segment.name,
                says.count(held.customers),
                says.share(held.customers, figures.customers),
                says.money(held.revenue),
                says.share(held.revenue, figures.revenue),
                says.count(held.orders),
                says.money(held.revenue / held.customers) if held.customers else FormattedNumber("–"),
            ]
        )
    heads = ("Segment", "Customers", "Share", "Revenue", "Share", "Orders", "Per customer")
    return table("Segments by customers and revenue", heads, rows, "segments")


def _grid_table(view: SegmentView, says: NumberFormatter) -> str:
    rows: list[list[Told]] = [
        [
            f"R {r}, F {f}",
            says.count(held.customers),
            says.money(held.revenue),
            FormattedNumber(f"{held.mean(2):.2f}"),
        ]
        for (r, f), held in sorted(charts.grid_cells(view).items(), reverse=True)
    ]
    return table("Customers by recency and frequency score", ("Cell", "Customers", "Revenue", "Mean M"), rows)


def _concentration_table(view: SegmentView, says: NumberFormatter) -> str:
    revenue = view.sum.revenue
    rows: list[list[Told]] = [
        [f"top {top} %", says.money(amount), says.share(amount, revenue)]
        for top, amount in charts.top_shares(view)
    ]
    return table("Revenue of the customers who spent the most", ("Customers", "Revenue", "Share"), rows)


def _trend_table(view: SegmentView, says: NumberFormatter) -> str:
    rows: list[list[Told]] = [
        [str(record.as_of_date), says.count(customers), says.money(revenue), record.run_id]
        for record, customers, revenue in view.course()
    ]
    return table("The newest results", ("As of", "Customers", "Revenue", "Run"), rows[::-1][:_MOST_RESULTS])


def _moves_tables(view: SegmentView, says: NumberFormatter) -> tuple[str, str]:
    """The biggest wins and losses, and all moves."""
    moves = sorted(view.moves, key=lambda move: -move.customers)
    ways = {"up": "better", "down": "worse", "same": "the same", "new": "new", "gone": "gone"}
    heads = ("From", "To", "Customers", "Their revenue", "Which is")

    def row(move: SegmentMove) -> list[Told]:
        way = ways[direction(view, move)]
        return [
            before_name(move),
            after_name(move),
            says.count(move.customers),
            says.money(move.revenue),
            way,
        ]

    best = "".join(
        table(caption, heads[:4], [row(move)[:4] for move in found[:_MOST_MOVES]])
        for caption, way in (("Biggest wins", {"up"}), ("Biggest losses", {"down", "gone"}))
        if (found := [move for move in moves if direction(view, move) in way])
    )
    listed = moves[:_LISTED_MOVES]
    caption = "All moves" if listed == moves else f"The {len(listed)} largest of {len(moves)} moves"
    return best, table(caption, heads, [row(move) for move in listed])


def edges_in_words(view: SegmentView, scores: DimensionScores, says: NumberFormatter) -> str:
    """Whom each score of a dimension takes, and how many of those that are shown have it."""
    place = ("recency", "frequency", "monetary").index(scores.name)
    held = [0] * (len(scores.customers) + 1)
    for cell in view.cells:
        held[(cell.r, cell.f, cell.m)[place]] += cell.customers
    rows: list[list[Told]] = [
        [
            f"{scores.name[0].upper()} {score}",
            who,
            says.count(held[score]),
            says.share(held[score], view.sum.customers),
        ]
        for score, who in descriptions.edges(scores)
    ]
    from_run = f", edges of run {scores.edges_from}" if scores.edges_from else ""
    caption = f"{scores.name.capitalize()} scores, by {scores.method}{from_run}"
    return table(caption, ("Score", "Whom it takes", "Customers", "Share"), rows, "brief")


def _dimension(view: SegmentView, scores: DimensionScores, says: NumberFormatter) -> str:
    counted = counts(view, scores.name)
    rows: list[list[Told]] = [
        [label(scores.name, bucket, says), says.count(held)] for bucket, held in counted if held
    ]
    detail = table(f"{scores.name.capitalize()}: {UNITS[scores.name]}", ("Values", "Customers"), rows)
    return figure(distribution(view, scores.name, says), detail, more=edges_in_words(view, scores, says))


def card(view: SegmentView, segment: Segment, says: NumberFormatter, *, names: bool) -> str:
    """One segment: who is in it, what to do, and the customers who spent the most."""
    held = view.by_segment[segment.name]
    about = f"<p>{escaped(segment.description)}</p>" if segment.description else ""
    action = f'<p class="action"><b>What to do:</b> {escaped(segment.action)}</p>' if segment.action else ""
    counted = (
        f'<p class="told">{says.count(held.customers).html} customers · {says.money(held.revenue).html}</p>'
    )
    first = _named_table(view.named(segment.name), segment.name, says) if names and held.customers else ""
    inner = f"<h3>{escaped(segment.name)}</h3>{counted}{about}{action}{first}"
    return f'<section class="card segment">{inner}</section>'


def _named_table(named: Sequence[TopCustomer], segment: str, says: NumberFormatter) -> str:
    rows: list[list[Told]] = [
        [
            customer.customer_id,
            says.money(customer.monetary),
            says.count(customer.frequency),
            str(customer.last_order_date),
            customer.rfm_score,
        ]
        for customer in named
    ]
    heads = ("Customer", "Revenue", "Orders", "Last order", "Score")
    inner = table(f"Top customers of {segment}", heads, rows, "named")
    summary = f'Top customers<span class="unseen"> of {escaped(segment)}</span>'
    return f"<details><summary>{summary}</summary>{inner}</details>"


def sections(view: SegmentView, says: NumberFormatter) -> Iterator[str]:
    """All that the filter changes, in its order on the page."""
    names = bool(view.figures.named)
    yield headline(view, says)
    yield '<h2 id="segments">Segments</h2><div class="cards lead-row">'
    yield figure(charts.segments(view, says), "", kind="tall", more=segments_table(view, says))
    yield figure(charts.grid(view, says), _grid_table(view, says))
    yield figure(charts.concentration(view, says), _concentration_table(view, says))
    yield '</div><h2 id="changes">What changed</h2><div class="cards">'
    best, moves = _moves_tables(view, says)
    if view.figures.before is None:
        drawing = movements(view, says)
        inner = f"<h3>{drawing.title}</h3><p>{drawing.told}</p>"
        yield f'<section class="card" data-part="movements">{inner}</section>'
    else:
        yield figure(movements(view, says), moves, kind="wide", more=best)
    yield figure(charts.trend(view, says), "", kind="wide", more=_trend_table(view, says))
    yield '</div><h2 id="values">Recency, frequency, monetary</h2><div class="cards three">'
    for scores in view.figures.run.edges:
        yield _dimension(view, scores, says)
    yield '</div><h2 id="actions">Whom to write to</h2>'
    if names:
        yield (
            '<p class="private"><b>Personal data:</b> the ids of customers are on this page. Pass it on only'
            " to people who may see them.</p>"
        )
    yield '<div class="cards">'
    for segment in view.segments:
        yield card(view, segment, says, names=names)
    yield "</div>"


def run_facts(view: SegmentView, says: NumberFormatter) -> str:
    """What the run read, left out, checked and cost; of the whole result, whatever is shown above."""
    run = view.figures.run
    left_out: list[list[Told]] = [
        [
            found.reason,
            says.count(found.lines),
            says.share(found.lines, run.rows_read or 0),
            FormattedNumber("not readable") if found.amount is None else says.money(found.amount),
        ]
        for found in run.exclusions
    ]
    left_out.append(
        [
            "counted",
            says.count(run.rows_kept or 0),
            says.share(run.rows_kept or 0, run.rows_read or 0),
            says.money(run.amount_kept or Decimal(0)),
        ]
    )
    audits: list[list[Told]] = [[audit.name, audit.status, audit.detail] for audit in run.audits]
    took = (run.finished_at - run.started_at).total_seconds()
    facts = [
        ("As of", str(view.figures.as_of)),
        ("Source", run.source or "–"),
        ("Result", view.figures.label),
        ("Run", f"{run.run_id}, finished {run.finished_at:%Y-%m-%d %H:%M} UTC"),
        ("Computed by", f"{run.engine}, rfm-pipeline {run.version}, in {took:.1f} s"),
        ("Segments by", str((run.rules.get("segments") or {}).get("name") or "–")),
        ("Read", "–" if run.bytes_processed is None else formatting.format_bytes(run.bytes_processed)),
    ]
    if run.bytes_billed is not None:
        facts.append(("Paid for", formatting.format_bytes(run.bytes_billed)))
    listed = "".join(f"<div><dt>{name}</dt><dd>{escaped(value)}</dd></div>" for name, value in facts)
    none = "" if run.exclusions else '<p class="told">No line was left out.</p>'
    lines = table("Lines, and why they did not count", ("Reason", "Lines", "Share", "Money"), left_out)
    checks = table("Audits", ("Audit", "Outcome", "What was found"), audits)
    return (
        f'<div class="cards"><section class="card"><h3>What did not count</h3>{none}{lines}</section>'
        f'<section class="card"><h3>The run</h3><dl class="facts">{listed}</dl></section>'
        f'<section class="card wide"><h3>Audits</h3>{checks}</section></div>'
    )
