"""Charts of segments, scores, concentration and trend, each drawn for one view.

All charts are drawn in Python, also those behind the page's filter: the page contains one drawing per
segment, and its script shows one of them. So a chart is the same on the page, in print and in a file, one
implementation is tested, and the page is readable without JavaScript. Empty parts are not drawn, so that
the drawings of all segments together take only a few times the space of the drawing of all customers, for
any number of segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from rfm_pipeline.common import formatting
from rfm_pipeline.report.charts.svg import (
    TINTS,
    WIDTH,
    SvgChart,
    format_coordinate,
    line_element,
    rect_element,
    text_element,
    truncate_label,
)
from rfm_pipeline.report.data import ValueGroup
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter
from rfm_pipeline.report.segment_view import SegmentTotals, SegmentView

_TOP_PERCENTAGES = (1, 5, 10, 20, 50)
_CURVE_STEPS = 60


def segments_chart(view: SegmentView, formatter: NumberFormatter) -> SvgChart:
    """Draw each segment's share of customers and revenue; of a filtered view, one segment and all others."""
    left, right = 148, 52
    shown = view.totals_by_segment
    if view.segment is not None:
        others = [group for group in view.data.score_groups if not view.includes(group.segment)]
        shown = {view.segment: shown[view.segment], "All others": SegmentTotals.of(others)}
    customers, revenue = view.data.customers, view.data.revenue
    shares = [
        (totals.customers / customers, float(totals.revenue / revenue) if revenue > 0 else 0.0)
        for totals in shown.values()
    ]
    scale = (WIDTH - left - right) / max([0.01, *(max(pair) for pair in shares)])
    shapes = [
        rect_element(left, 2, 11, 11, "one"), text_element(left + 16, 12, "customers", "soft"),
        rect_element(left + 92, 2, 11, 11, "two"), text_element(left + 108, 12, "revenue", "soft"),
    ]  # fmt: skip
    for index, ((name, totals), pair) in enumerate(zip(shown.items(), shares, strict=True)):
        y = 26 + index * 36
        shapes.append(text_element(0, y + 17, truncate_label(name, 21)))
        labels = (formatter.share(totals.customers, customers), formatter.share(totals.revenue, revenue))
        values = (formatting.format_count(totals.customers, "customer"), formatter.money(totals.revenue).text)
        for row, css_class in enumerate(("one", "two")):
            width, top = max(0.0, scale * pair[row]), y + 14 * row
            shapes.append(rect_element(left, top, width, 12, css_class, f"{name}: {values[row]}"))
            shapes.append(text_element(left + width + 5, top + 10, labels[row], "small"))
    title, height = "Customers and revenue by segment", 30 + 36 * len(shown)
    return SvgChart("segments", title, _segments_summary(view, formatter), height, shapes)


def _segments_summary(view: SegmentView, formatter: NumberFormatter) -> str:
    by_segment = view.totals_by_segment
    customers, revenue = view.data.customers, view.data.revenue
    name = view.segment or max(by_segment, key=lambda name: by_segment[name].revenue)
    revenue_share = formatter.share(by_segment[name].revenue, revenue).text
    if view.segment is None:
        return f"{name} bring the most revenue, {revenue_share} of it."
    customer_share = formatter.share(by_segment[name].customers, customers).text
    return f"{name} are {customer_share} of the customers, and bring {revenue_share} of the revenue."


def grid_cells(view: SegmentView) -> dict[tuple[int, int], SegmentTotals]:
    """Return the totals of the view by recency and frequency score, without empty cells, ascending."""
    cells = sorted({(group.r, group.f) for group in view.score_groups})
    return {
        cell: SegmentTotals.of([group for group in view.score_groups if (group.r, group.f) == cell])
        for cell in cells
    }


def grid_chart(view: SegmentView, formatter: NumberFormatter) -> SvgChart:
    """Draw a heat map of customers by recency and frequency score, with each cell's mean monetary score."""
    rows, columns = view.data.bins(0), view.data.bins(1)
    left, top = 56, 6
    width = (WIDTH - left) / columns
    height = max(30.0, min(54.0, width * 0.7))
    cells = grid_cells(view)
    highest = max([1, *(totals.customers for totals in cells.values())])
    empty, shapes = list[str](), list[str]()
    for r in range(rows, 0, -1):
        y = top + (rows - r) * height
        shapes.append(text_element(left - 8, y + height / 2 + 4, f"R {r}", "soft", "end"))
        for f in range(1, columns + 1):
            x = left + (f - 1) * width
            if totals := cells.get((r, f)):
                shapes += _grid_cell(totals, f"R {r}, F {f}", (x, y, width, height), highest, formatter)
            else:
                empty.append(_empty_cell(x, y, width, height))
    if empty:
        shapes.insert(0, f'<path class="empty" d="{"".join(empty)}"/>')
    y = top + rows * height
    shapes += [
        text_element(left + (f - 0.5) * width, y + 16, f"F {f}", "soft", "middle")
        for f in range(1, columns + 1)
    ]
    legend = "R recency, F frequency, M mean monetary; colour: customers"
    shapes.append(text_element(left, y + 38, legend, "soft"))
    summary = "No customers."
    if cells:
        r, f = max(cells, key=lambda cell: cells[cell].customers)
        count = formatting.format_count(cells[r, f].customers, "customer")
        summary = f"The largest group, {count}, has recency score {r} and frequency score {f}."
    return SvgChart("grid", "Recency × frequency", summary, y + 46, shapes)


def _empty_cell(x: float, y: float, width: float, height: float) -> str:
    """Return the path commands of a cell without customers; one path draws them all."""
    left, top = format_coordinate(x + 1), format_coordinate(y + 1)
    return f"M{left} {top}h{format_coordinate(width - 2)}v{format_coordinate(height - 2)}H{left}z"


def _grid_cell(
    totals: SegmentTotals,
    name: str,
    box: tuple[float, float, float, float],
    highest: int,
    formatter: NumberFormatter,
) -> list[str]:
    x, y, width, height = box
    # The square root, because a few cells have most of the customers.
    tint = min(TINTS - 1, 1 + int((totals.customers / highest) ** 0.5 * (TINTS - 1.001)))
    count = formatter.count(totals.customers)
    if width < 60 and totals.customers >= 10_000:
        # A formatter without settings: the report's own would add the currency.
        count = FormattedNumber(NumberFormatter().short(Decimal(totals.customers)).text)
    size = " small" if width < 60 else ""
    tooltip = f"{name}: {formatting.format_count(totals.customers, 'customer')}"
    mean = f"M {totals.mean_score(2):.1f}"
    return [
        f'<g class="h{tint}">',
        rect_element(x + 1, y + 1, width - 2, height - 2, "", tooltip),
        text_element(x + width / 2, y + height / 2 - 1, count, f"strong{size}", "middle"),
        text_element(x + width / 2, y + height / 2 + 13, mean, "small", "middle"),
        "</g>",
    ]


def concentration_points(values: Sequence[ValueGroup]) -> list[tuple[int, Decimal]]:
    """Return cumulative (customers, revenue) from the highest spend down, starting at (0, 0)."""
    points, customers, revenue = [(0, Decimal(0))], 0, Decimal(0)
    for value in sorted(values, key=lambda value: value.low, reverse=True):
        customers += value.customers
        revenue += value.revenue
        points.append((customers, revenue))
    return points


def top_shares(view: SegmentView) -> list[tuple[int, Decimal]]:
    """Return (percentage, revenue of that percentage of the customers by spend), percentages ascending.

    Within a group, whose customers spent nearly the same, revenue is interpolated linearly.
    """
    points = concentration_points(view.values("monetary"))
    customers = points[-1][0]
    return [(top, _revenue_of_top(points, Decimal(customers * top) / 100)) for top in _TOP_PERCENTAGES]


def _revenue_of_top(points: Sequence[tuple[int, Decimal]], customers: Decimal) -> Decimal:
    for (before, low), (after, high) in pairwise(points):
        if customers <= after:
            return low + (high - low) * (customers - before) / (after - before)
    return points[-1][1]


def concentration_chart(view: SegmentView, formatter: NumberFormatter) -> SvgChart:
    """Draw the cumulative share of revenue over the customers, highest spend first (a Lorenz curve)."""
    left, top, height = 46.0, 8.0, 230.0
    width = WIDTH - left - 14
    points = concentration_points(view.values("monetary"))
    customers, revenue = points[-1]
    title = "How concentrated revenue is"
    if revenue <= 0:
        summary = "Total revenue is zero or negative, so shares can't be computed."
        return SvgChart("concentration", title, summary, 60, [text_element(0, 30, summary, "soft")])
    sampled = [
        _revenue_of_top(points, Decimal(customers) * step / _CURVE_STEPS) for step in range(_CURVE_STEPS + 1)
    ]
    highest = max(revenue, *sampled)

    def point(share: float, amount: Decimal) -> tuple[float, float]:
        return left + width * share, top + height * (1 - float(amount / highest))

    curve = [point(step / _CURVE_STEPS, amount) for step, amount in enumerate(sampled)]
    bottom = top + height
    shapes = [
        line_element([(left, top + height * k / 4), (left + width, top + height * k / 4)], "grid")
        for k in range(5)
    ]
    for k in range(5):
        # With negative amounts, the curve rises above 100 % before it ends there.
        share = formatter.share(int(highest * k), 4 * revenue) if highest > revenue else f"{25 * k} %"
        shapes.append(text_element(left - 6, top + height * (1 - k / 4) + 4, share, "small soft", "end"))
    shapes += [
        line_element([(left, bottom), *curve, (left + width, bottom)], "area"),
        line_element([(left, bottom), point(1, revenue)], "even"),
        line_element(curve, "line-one"),
    ]
    for k in range(5):
        anchor = "end" if k == 4 else "middle"
        shapes.append(text_element(left + width * k / 4, bottom + 17, f"{25 * k} %", "small soft", anchor))
    tenth, fifth = (_revenue_of_top(points, Decimal(customers) * part / 100) for part in (10, 20))
    tenth_share, fifth_share = (formatting.format_percent(part, revenue) for part in (tenth, fifth))
    x, y = point(0.2, fifth)
    legend = "share of the customers, highest spend first; dashed: equal spend"
    shapes += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="one"/>',
        text_element(x + 10, y + 16, f"top 20 %: {fifth_share}", "strong"),
        text_element(left, bottom + 36, legend, "soft"),
    ]
    summary = (
        f"The top 10 % of the customers by spend bring {tenth_share} of the revenue,"
        f" the top 20 % bring {fifth_share}."
    )
    return SvgChart("concentration", title, summary, bottom + 44, shapes)


def trend_chart(view: SegmentView, formatter: NumberFormatter) -> SvgChart:
    """Draw customers and revenue of each active result by as-of date."""
    results = list(view.trend())
    days = [record.as_of_date.toordinal() for record, _, _ in results if record.as_of_date]
    first, last = min(days), max(days)
    left, width, height = 8.0, WIDTH - 30.0, 78.0
    shapes = []
    for panel, (label, css_class) in enumerate((("customers", "one"), ("revenue", "two"))):
        top = 26 + panel * (height + 44)
        series = [float(customers if panel == 0 else revenue) for _, customers, revenue in results]
        low, high = min(0.0, *series), max(0.0, *series) or 1.0
        points = [
            (left + (width * (day - first) / (last - first) if last > first else width / 2),
             top + height * (1 - (value - low) / (high - low)))
            for day, value in zip(days, series, strict=True)
        ]  # fmt: skip
        _, customers, revenue = results[-1]
        latest = formatter.count(customers) if panel == 0 else formatter.short(revenue)
        zero = top + height * (1 - (0 - low) / (high - low))
        shapes += [
            text_element(left, top - 11, label, "soft"),
            text_element(left + width, top - 11, latest, "strong", "end"),
            line_element([(left, zero), (left + width, zero)], "grid"),
            line_element(points, f"line-{css_class}"),
        ]
        dots = points if len(points) <= 40 else points[-1:]
        shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="{css_class}"/>' for x, y in dots]
    bottom = 26 + 2 * height + 44
    start, end = results[0][0].as_of_date, results[-1][0].as_of_date
    if last > first:
        shapes.append(text_element(left, bottom + 18, str(start), "small soft"))
    shapes.append(text_element(left + width, bottom + 18, str(end), "small soft", "end"))
    if len(results) == 1:
        summary = f"There is only one result, as of {end}; the next one starts the trend."
        shapes.append(text_element(left, bottom + 18, "The next result starts the trend.", "small soft"))
    else:
        summary = (
            f"From {start} to {end}, customers went from {results[0][1]:,} to {results[-1][1]:,} and revenue"
            f" from {formatter.money(results[0][2]).text} to {formatter.money(results[-1][2]).text}."
        )
    return SvgChart("trend", "Customers and revenue by as-of date", summary, bottom + 26, shapes)
