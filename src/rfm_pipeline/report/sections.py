"""HTML of the page's sections that the filter changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from rfm_pipeline.common.customer_mask import mask_address
from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.config.segment_map import Segment
from rfm_pipeline.report.charts import segments as charts
from rfm_pipeline.report.charts.distribution import UNITS, bucket_label, count_buckets, distribution_chart
from rfm_pipeline.report.charts.movements import after_name, before_name, move_direction, movements_chart
from rfm_pipeline.report.charts.treemap import treemap_chart
from rfm_pipeline.report.charts.trend import trend_chart
from rfm_pipeline.report.data import SegmentMove, TopCustomer
from rfm_pipeline.report.first_screen import first_screen
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter, Phrase, escape_html
from rfm_pipeline.report.segment_view import SegmentView
from rfm_pipeline.report.tables import DASH, TableCell, chart_card, html_table
from rfm_pipeline.results import descriptions
from rfm_pipeline.results.statistics import DimensionScores

_AMOUNT = re.compile(r"(?<![\d.,])(\d[\d,]*\.\d{2})(?!\d)")
_TOP_MOVES = 5
_LISTED_MOVES = 100
_LISTED_MOVES_OF_SEGMENT = 24


def segments_table(view: SegmentView, formatter: NumberFormatter) -> str:
    """Return the table of the view's segments: customers, revenue, orders, mean and median per customer."""
    data = view.data
    rows: list[list[TableCell]] = []
    for segment in view.segments:
        totals = view.totals_by_segment[segment.name]
        median = SegmentView(data, segment.name).median("monetary")
        rows.append(
            [
                segment.name,
                formatter.count(totals.customers),
                formatter.share(totals.customers, data.customers),
                formatter.money(totals.revenue),
                formatter.share(totals.revenue, data.revenue),
                formatter.count(totals.orders),
                formatter.money(totals.revenue / totals.customers) if totals.customers else DASH,
                DASH if median is None else formatter.money(median),
                formatter.money(totals.revenue_at_risk),
            ]
        )
    headings = (
        "Segment", "Customers", "of all", "Revenue", "of all", "Orders", "Mean each",
        "Median each", "At risk",
    )  # fmt: skip
    return html_table("Segments by customers and revenue", headings, rows, "segments")


def _grid_table(view: SegmentView, formatter: NumberFormatter) -> str:
    segments = charts.cell_segments(view)
    rows: list[list[TableCell]] = [
        [
            f"R {r}, F {f}",
            ", ".join(name for name, _ in segments[r, f]),
            formatter.count(totals.customers),
            formatter.money(totals.revenue),
            FormattedNumber(f"{totals.mean_score(2):.2f}"),
        ]
        for (r, f), totals in sorted(charts.grid_cells(view).items(), reverse=True)
    ]
    headings = ("Cell", "Segments", "Customers", "Revenue", "Mean M")
    return html_table("Customers by recency and frequency score", headings, rows)


def _concentration_table(view: SegmentView, formatter: NumberFormatter) -> str:
    revenue = view.totals.revenue
    rows: list[list[TableCell]] = [
        [f"top {top}\u00a0%", formatter.money(amount), formatter.share(amount, revenue)]
        for top, amount in charts.top_shares(view)
    ]
    return html_table("Revenue of the customers who spent the most", ("Customers", "Revenue", "Share"), rows)


def _trend_table(view: SegmentView, formatter: NumberFormatter) -> str:
    def total(values: Mapping[str, Decimal] | None) -> FormattedNumber:
        if values is None:
            return DASH
        return formatter.money(exact_sum(value for name, value in values.items() if view.includes(name)))

    rows: list[list[TableCell]] = [
        [
            str(period.as_of),
            formatter.count(sum(n for name, n in period.customers.items() if view.includes(name))),
            total(period.revenue),
        ]
        for period in reversed(view.data.periods.periods)
    ]
    has_window = view.data.periods.has_window
    headings = ("As of", "Customers", "Revenue in the window" if has_window else "Revenue of the period")
    # The headings are long: on a phone, three columns do not fit either.
    return html_table("Customers and revenue by period", headings, rows, "many")


def _moves_tables(view: SegmentView, formatter: NumberFormatter) -> tuple[str, str]:
    """Return the tables of the largest upward and downward moves, and the table of all moves."""
    moves = sorted(view.moves, key=lambda move: -move.customers)
    labels = {"up": "better", "down": "worse", "same": "the same", "new": "new", "gone": "gone"}
    headings = ("From", "To", "Customers", "Their revenue", "Change")

    def row(move: SegmentMove) -> list[TableCell]:
        return [
            before_name(move),
            after_name(move),
            formatter.count(move.customers),
            formatter.money(move.revenue),
            labels[move_direction(view, move)],
        ]

    largest = "".join(
        html_table(caption, headings[:4], [row(move)[:4] for move in _by_money(matching)[:_TOP_MOVES]])
        for caption, directions in (("Biggest wins", {"up"}), ("Biggest losses", {"down", "gone"}))
        if (matching := [move for move in moves if move_direction(view, move) in directions])
    )
    listed = moves[: _LISTED_MOVES if view.segment is None else _LISTED_MOVES_OF_SEGMENT]
    caption = "All moves" if listed == moves else f"The {len(listed)} largest of {len(moves)} moves"
    return largest, html_table(caption, headings, [row(move) for move in listed])


def _by_money(moves: Sequence[SegmentMove]) -> list[SegmentMove]:
    return sorted(moves, key=lambda move: (-move.revenue, -move.customers))


def edges_table(view: SegmentView, scores: DimensionScores, formatter: NumberFormatter) -> str:
    """Return the table of a dimension's scores: range of values, and number of customers in the view."""
    dimension = ("recency", "frequency", "monetary").index(scores.name)
    customers = [0] * (len(scores.customers) + 1)
    for group in view.score_groups:
        customers[(group.r, group.f, group.m)[dimension]] += group.customers
    rows: list[list[TableCell]] = [
        [
            f"{scores.name[0].upper()} {score}",
            _money_range(value_range, formatter) if scores.name == "monetary" else value_range,
            formatter.count(customers[score]),
            formatter.share(customers[score], view.totals.customers),
        ]
        for score, value_range in descriptions.describe_edges(scores)
    ]
    from_run = f", edges of run {scores.edges_from}" if scores.edges_from else ""
    caption = f"{scores.name.capitalize()} scores, by {scores.method}{from_run}"
    return html_table(caption, ("Score", "Range", "Customers", "Share"), rows, "brief")


def _money_range(value_range: str, formatter: NumberFormatter) -> Phrase:
    """Return a range of amounts with the currency; amounts with more than two decimals stay as they are."""
    parts = _AMOUNT.split(value_range)
    # Every second part is an amount.
    return Phrase(
        tuple(
            formatter.money(Decimal(part.replace(",", ""))) if index % 2 else part
            for index, part in enumerate(parts)
        )
    )


def _distribution_card(view: SegmentView, scores: DimensionScores, formatter: NumberFormatter) -> str:
    rows: list[list[TableCell]] = [
        [bucket_label(scores.name, bucket, formatter), formatter.count(customers)]
        for bucket, customers in count_buckets(view, scores.name)
        if customers
    ]
    table = html_table(f"{scores.name.capitalize()}: {UNITS[scores.name]}", ("Values", "Customers"), rows)
    chart = distribution_chart(view, scores.name, formatter)
    return chart_card(chart, table, beside=edges_table(view, scores, formatter))


def segment_card(
    view: SegmentView, segment: Segment, formatter: NumberFormatter, *, lists_customers: bool
) -> str:
    """Return the card of one segment: who is due, description, action, and its top customers if listed."""
    totals = view.totals_by_segment[segment.name]
    customers, revenue = formatter.count(totals.customers).html, formatter.whole(totals.revenue).html
    noun = "customer" if totals.customers == 1 else "customers"
    due = ""
    if totals.due:
        at_risk = formatter.whole(totals.revenue_at_risk).html
        due = f"; {formatter.count(totals.due).html} due, {at_risk} at risk"
    parts = [f"<h3>{escape_html(segment.name)}</h3>"]
    parts.append(f'<p class="summary">{customers} {noun} · {revenue}{due}</p>')
    if segment.description:
        parts.append(f"<p>{escape_html(segment.description)}</p>")
    if segment.action:
        parts.append(f'<p class="action"><b>In general:</b> {escape_html(segment.action)}</p>')
    if lists_customers and totals.customers:
        parts.append(_top_customers_table(view.top_customers(segment.name), segment.name, formatter))
    return f'<section class="card segment">{"".join(parts)}</section>'


def _top_customers_table(customers: Sequence[TopCustomer], segment: str, formatter: NumberFormatter) -> str:
    rows: list[list[TableCell]] = [
        [
            str(mask_address(customer.customer_id)),
            formatter.money(customer.monetary),
            formatter.count(customer.frequency),
            str(customer.last_order_date),
            customer.rfm_score,
        ]
        for customer in customers
    ]
    headings = ("Customer", "Revenue", "Orders", "Last order", "Score")
    table = html_table(f"Top customers of {segment}", headings, rows, "named")
    summary = f'Top customers<span class="unseen"> of {escape_html(segment)}</span>'
    return f"<details><summary>{summary}</summary>{table}</details>"


def sections(view: SegmentView, formatter: NumberFormatter) -> Iterator[str]:
    """Yield the HTML of all sections that the filter changes, in the order of the page."""
    lists_customers = bool(view.data.top_customers)
    yield first_screen(view, formatter)
    yield '<h2 id="segments">Segments</h2><div class="cards">'
    yield chart_card(charts.grid_chart(view, formatter), _grid_table(view, formatter))
    yield chart_card(treemap_chart(view, formatter), "")
    overview = charts.segments_chart(view, formatter)
    yield chart_card(overview, "")
    yield chart_card(charts.concentration_chart(view, formatter), _concentration_table(view, formatter))
    yield f'<section class="card wide">{segments_table(view, formatter)}</section>'
    yield '</div><h2 id="changes">What changed</h2><div class="cards">'
    chart = movements_chart(view, formatter)
    largest_moves, moves = _moves_tables(view, formatter)
    if view.data.previous_as_of is None:
        inner = f"<h3>{chart.title}</h3><p>{chart.summary.html}</p>"
        yield f'<section class="card" data-part="movements">{inner}</section>'
    else:
        yield chart_card(chart, moves, layout="wide", beside=largest_moves)
    trend = trend_chart(view, formatter)
    yield chart_card(trend, "", layout="wide", beside=_trend_table(view, formatter))
    yield '</div><h2 id="values">Recency, frequency, monetary</h2><div class="cards three">'
    for scores in view.data.run.edges:
        yield _distribution_card(view, scores, formatter)
    yield '</div><h2 id="actions">Segments in words</h2>'
    if lists_customers:
        yield (
            '<p class="private"><b>Personal data:</b> this page contains customer ids. Share it only with'
            " people who may see them.</p>"
            '<p class="search" hidden><label for="find">Find a listed customer</label>'
            '<input id="find" type="search" autocomplete="off"><output for="find"></output></p>'
        )
    yield '<div class="cards">'
    for segment in view.segments:
        yield segment_card(view, segment, formatter, lists_customers=lists_customers)
    yield "</div>"
