"""Charts of segments, scores and concentration, each drawn for one view.

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
    OPACITIES,
    WIDTH,
    SvgChart,
    cell_path,
    format_coordinate,
    line_element,
    mark_element,
    rect_element,
    text_element,
    truncate_label,
)
from rfm_pipeline.report.data import ValueGroup
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter, Phrase
from rfm_pipeline.report.segment_view import SegmentTotals, SegmentView

_TOP_PERCENTAGES = (1, 5, 10, 20, 50)
_CURVE_STEPS = 50
_LISTED_SEGMENTS = 4


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
        rect_element(left, 2, 11, 11, "one"), text_element(left + 16, 12, "share of customers", "soft"),
        rect_element(left + 142, 2, 11, 11, "two"), text_element(left + 158, 12, "share of revenue", "soft"),
    ]  # fmt: skip
    for index, ((name, totals), pair) in enumerate(zip(shown.items(), shares, strict=True)):
        y = 26 + index * 36
        marks = [text_element(0, y + 17, truncate_label(name, 21))]
        labels = (formatter.share(totals.customers, customers), formatter.share(totals.revenue, revenue))
        values = (formatting.format_count(totals.customers, "customer"), formatter.money(totals.revenue).text)
        for row, css_class in enumerate(("one", "two")):
            width, top = max(0.0, scale * pair[row]), y + 14 * row
            marks.append(rect_element(left, top, width, 12, css_class, f"{name}: {values[row]}"))
            marks.append(text_element(left + width + 5, top + 10, labels[row], "small"))
        shapes.append(mark_element(marks, view.position(name)))
    title, height = "Customers and revenue by segment", 30 + 36 * len(shown)
    return SvgChart("segments", title, _segments_summary(view, formatter), height, shapes)


def _segments_summary(view: SegmentView, formatter: NumberFormatter) -> Phrase:
    by_segment = view.totals_by_segment
    customers, revenue = view.data.customers, view.data.revenue
    name = view.segment or max(by_segment, key=lambda name: by_segment[name].revenue)
    revenue_share = formatter.share(by_segment[name].revenue, revenue)
    customer_share = formatter.share(by_segment[name].customers, customers)
    most = " bring the most revenue, " if view.segment is None else " bring "
    of_it = " of it, and are " if view.segment is None else " of the revenue, and are "
    return Phrase((name, most, revenue_share, of_it, customer_share, " of the customers."))


def grid_cells(view: SegmentView) -> dict[tuple[int, int], SegmentTotals]:
    """Return the totals of the view by recency and frequency score, without empty cells, ascending."""
    cells = sorted({(group.r, group.f) for group in view.score_groups})
    return {
        cell: SegmentTotals.of([group for group in view.score_groups if (group.r, group.f) == cell])
        for cell in cells
    }


def cell_segments(view: SegmentView) -> dict[tuple[int, int], list[tuple[str, int]]]:
    """Return the segments of each recency and frequency score with their customers, the largest first."""
    customers: dict[tuple[int, int], dict[str, int]] = {}
    for group in view.score_groups:
        cell = customers.setdefault((group.r, group.f), {})
        cell[group.segment] = cell.get(group.segment, 0) + group.customers
    return {
        cell: sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        for cell, counted in customers.items()
    }


def grid_chart(view: SegmentView, formatter: NumberFormatter) -> SvgChart:
    """Draw the cells of recency and frequency score: segment by colour, customers by its strength."""
    rows, columns = view.data.bins(0), view.data.bins(1)
    left, top = 58, 6
    width = (WIDTH - left) / columns
    height = max(30.0, min(58.0, width * 0.7))
    cells = cell_segments(view)
    highest = max([1, *(sum(count for _, count in counted) for counted in cells.values())])
    empty, shapes = list[str](), list[str]()
    for r in range(rows, 0, -1):
        y = top + (rows - r) * height
        shapes.append(text_element(left - 8, y + height / 2 + 4, f"R {r}", "soft", "end"))
        for f in range(1, columns + 1):
            x = left + (f - 1) * width
            if counted := cells.get((r, f)):
                shapes.append(_grid_cell(view, counted, (r, f), (x, y, width, height), highest, formatter))
            else:
                empty.append(cell_path(x, y, width, height))
    if empty:
        shapes.insert(0, f'<path class="empty" d="{"".join(empty)}"/>')
    y = top + rows * height
    shapes += [
        text_element(left + (f - 0.5) * width, y + 16, f"F {f}", "soft", "middle")
        for f in range(1, columns + 1)
    ]
    middle = format_coordinate(top + rows * height / 2)
    turned = f'transform="rotate(-90 12 {middle})"'
    shapes += [
        f'<text x="12" y="{middle}" class="soft" text-anchor="middle" {turned}>recency score</text>',
        text_element(left + columns * width / 2, y + 34, "frequency score", "soft", "middle"),
        text_element(left, y + 54, "Colour: largest segment of the cell; stronger: more customers", "soft"),
    ]
    summary = Phrase(("No customers.",))
    if cells:
        r, f = max(cells, key=lambda cell: sum(count for _, count in cells[cell]))
        count = sum(count for _, count in cells[r, f])
        summary = Phrase(
            ("The largest group, ", formatter.count(count), " customer" if count == 1 else " customers",
             f", has recency score {r} and frequency score {f}.")
        )  # fmt: skip
    return SvgChart("grid", "Recency × frequency", summary, y + 62, shapes)


def _grid_cell(  # noqa: PLR0917 - one cell of the grid
    view: SegmentView,
    counted: Sequence[tuple[str, int]],
    cell: tuple[int, int],
    box: tuple[float, float, float, float],
    highest: int,
    formatter: NumberFormatter,
) -> str:
    x, y, width, height = box
    segment, customers = counted[0][0], sum(count for _, count in counted)
    # The square root, because a few cells have most of the customers.
    strength = min(len(OPACITIES) - 1, int((customers / highest) ** 0.5 * len(OPACITIES)))
    count = formatter.count(customers)
    if width < 60 and customers >= 10_000:
        # A formatter without settings: the report's own would add the currency.
        count = FormattedNumber(NumberFormatter().short(Decimal(customers)).text)
    tooltip = f"R {cell[0]}, F {cell[1]}: {formatting.format_count(customers, 'customer')}"
    if view.segment is None:
        listed = ", ".join(f"{name} {number:,}" for name, number in counted[:_LISTED_SEGMENTS])
        tooltip = f"{tooltip} ({listed})"
    colour = view.colour_class(segment)
    length = int((width - 8) / 5.6)
    is_named = length >= 8 and view.segment is None
    shapes = [
        rect_element(x + 1, y + 1, width - 2, height - 2, f"{colour} t{strength}", tooltip),
        *([rect_element(x + 1, y + 1, 4, height - 2, colour)] if view.segment is None else []),
        text_element(
            x + width / 2,
            y + height / 2 + (-1 if is_named else 4),
            count,
            "strong" if width >= 60 else "strong small",
            "middle",
        ),
    ]
    if is_named:
        label = truncate_label(segment, length)
        shapes.append(text_element(x + width / 2 + 2, y + height / 2 + 13, label, "small", "middle"))
    return mark_element(shapes, view.position(segment) if view.segment is None else None)


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
        reason = "Total revenue is zero or negative, so shares can't be computed."
        shown = [text_element(0, 30, reason, "soft")]
        return SvgChart("concentration", title, Phrase((reason,)), 60, shown)
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
        share = (
            formatter.share(int(highest * k), 4 * revenue) if highest > revenue else formatter.percent(25 * k)
        )
        shapes.append(text_element(left - 6, top + height * (1 - k / 4) + 4, share, "small soft", "end"))
    shapes += [
        line_element([(left, bottom), *curve, (left + width, bottom)], "area"),
        line_element([(left, bottom), point(1, revenue)], "even"),
        line_element(curve, "line-one"),
    ]
    for k in range(5):
        anchor = "end" if k == 4 else "middle"
        shapes.append(
            text_element(left + width * k / 4, bottom + 17, formatter.percent(25 * k), "small soft", anchor)
        )
    tenth, fifth = (_revenue_of_top(points, Decimal(customers) * part / 100) for part in (10, 20))
    tenth_share, fifth_share = (formatter.share(part, revenue) for part in (tenth, fifth))
    x, y = point(0.2, fifth)
    legend = "across: share of the customers, highest spend first"
    shapes += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="one"/>',
        text_element(x + 10, y + 15, "of the best fifth", "soft"),
        text_element(x + 10, y + 30, fifth_share, "strong"),
        text_element(left, bottom + 36, legend, "soft"),
        text_element(left, bottom + 52, "up: share of the revenue; dashed: equal spend", "soft"),
    ]
    summary = Phrase(
        ("The top ", formatter.percent(10), " of the customers by spend bring ", tenth_share,
         " of the revenue, the top ", formatter.percent(20), " bring ", fifth_share, ".")
    )  # fmt: skip
    return SvgChart("concentration", title, summary, bottom + 60, shapes)
