"""The charts of segments, scores, concentration and trend; each is drawn for what a view shows.

Charts are drawn in Python alone, also those behind the page's filter: the page carries one drawing for each
segment, and shows it. So a chart is the same on the page, in print and as a picture, there is one place to
test, and the page can be read where no script runs. What is empty is not drawn, so that all segments together
take a few times the room of the whole, however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from rfm_pipeline.common import formatting
from rfm_pipeline.report.charts.svg import TINTS, WIDTH, SvgChart, bar, number, path, text, truncate_label
from rfm_pipeline.report.data import Value
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter
from rfm_pipeline.report.segment_view import SegmentTotals, SegmentView

_TOPS = (1, 5, 10, 20, 50)
_POINTS = 60


def segments(view: SegmentView, says: NumberFormatter) -> SvgChart:
    """The share of the customers and of the revenue: of each segment, or of one and of all others."""
    left, right = 148, 52
    held = view.by_segment
    if view.segment is not None:
        others = [cell for cell in view.figures.cells if not view.shows(cell.segment)]
        held = {view.segment: held[view.segment], "All others": SegmentTotals.of(others)}
    customers, revenue = view.figures.customers, view.figures.revenue
    parts = [
        (sums.customers / customers, float(sums.revenue / revenue) if revenue > 0 else 0.0)
        for sums in held.values()
    ]
    scale = (WIDTH - left - right) / max([0.01, *(max(pair) for pair in parts)])
    shapes = [
        bar(left, 2, 11, 11, "one"), text(left + 16, 12, "customers", "soft"),
        bar(left + 92, 2, 11, 11, "two"), text(left + 108, 12, "revenue", "soft"),
    ]  # fmt: skip
    for place, ((name, sums), pair) in enumerate(zip(held.items(), parts, strict=True)):
        y = 26 + place * 36
        shapes.append(text(0, y + 17, truncate_label(name, 21)))
        shares = (says.share(sums.customers, customers), says.share(sums.revenue, revenue))
        told = (formatting.format_count(sums.customers, "customer"), says.money(sums.revenue).text)
        for row, kind in enumerate(("one", "two")):
            wide = max(0.0, scale * pair[row])
            shapes.append(bar(left, y + 14 * row, wide, 12, kind, f"{name}: {told[row]}"))
            shapes.append(text(left + wide + 5, y + 14 * row + 10, shares[row], "small"))
    title, height = "Customers and revenue by segment", 30 + 36 * len(held)
    return SvgChart("segments", title, _segments_told(view, says), height, shapes)


def _segments_told(view: SegmentView, says: NumberFormatter) -> str:
    held = view.by_segment
    customers, revenue = view.figures.customers, view.figures.revenue
    first = view.segment or max(held, key=lambda name: held[name].revenue)
    bring = says.share(held[first].revenue, revenue).text
    if view.segment is None:
        return f"{first} bring the most revenue, {bring} of it."
    are = says.share(held[first].customers, customers).text
    return f"{first} are {are} of the customers, and bring {bring} of the revenue."


def grid_cells(view: SegmentView) -> dict[tuple[int, int], SegmentTotals]:
    """The customers that are shown by recency and frequency score."""
    places = sorted({(cell.r, cell.f) for cell in view.cells})
    return {
        place: SegmentTotals.of([cell for cell in view.cells if (cell.r, cell.f) == place])
        for place in places
    }


def grid(view: SegmentView, says: NumberFormatter) -> SvgChart:
    """How many customers each pair of recency and frequency scores has, and their mean monetary score."""
    rows, columns = view.figures.bins(0), view.figures.bins(1)
    left, top = 56, 6
    width = (WIDTH - left) / columns
    height = max(30.0, min(54.0, width * 0.7))
    cells = grid_cells(view)
    most = max([1, *(held.customers for held in cells.values())])
    empty, shapes = list[str](), list[str]()
    for r in range(rows, 0, -1):
        y = top + (rows - r) * height
        shapes.append(text(left - 8, y + height / 2 + 4, f"R {r}", "soft", "end"))
        for f in range(1, columns + 1):
            x = left + (f - 1) * width
            if held := cells.get((r, f)):
                shapes += _grid_cell(held, f"R {r}, F {f}", (x, y, width, height), most, says)
            else:
                start = number(x + 1)
                empty.append(f"M{start} {number(y + 1)}h{number(width - 2)}v{number(height - 2)}H{start}z")
    if empty:
        shapes.insert(0, f'<path class="empty" d="{"".join(empty)}"/>')
    y = top + rows * height
    shapes += [
        text(left + (f - 0.5) * width, y + 16, f"F {f}", "soft", "middle") for f in range(1, columns + 1)
    ]
    shapes += [
        text(left, y + 38, "R recency, F frequency, M mean monetary score; darker has more", "soft"),
    ]
    told = "No customers."
    if cells:
        r, f = max(cells, key=lambda place: cells[place].customers)
        told = f"Most customers, {cells[r, f].customers:,}, have recency score {r} and frequency score {f}."
    return SvgChart("grid", "Recency × frequency", told, y + 46, shapes)


def _grid_cell(
    held: SegmentTotals, name: str, place: tuple[float, float, float, float], most: int, says: NumberFormatter
) -> list[str]:
    x, y, width, height = place
    # By the root, as a few cells have most customers.
    tint = min(TINTS - 1, 1 + int((held.customers / most) ** 0.5 * (TINTS - 1.001)))
    count = says.count(held.customers)
    if width < 60 and held.customers >= 10_000:
        # Without a currency, which the report's own `short` may have.
        count = FormattedNumber(NumberFormatter().short(Decimal(held.customers)).text)
    size = " small" if width < 60 else ""
    return [
        f'<g class="h{tint}">',
        bar(
            x + 1,
            y + 1,
            width - 2,
            height - 2,
            "",
            f"{name}: {formatting.format_count(held.customers, 'customer')}",
        ),
        text(x + width / 2, y + height / 2 - 1, count, f"strong{size}", "middle"),
        text(x + width / 2, y + height / 2 + 13, f"M {held.mean(2):.1f}", "small", "middle"),
        "</g>",
    ]


def concentration_points(values: Sequence[Value]) -> list[tuple[int, Decimal]]:
    """Customers from the one who spent the most on, and their money together, at the end of each group."""
    points, customers, revenue = [(0, Decimal(0))], 0, Decimal(0)
    for value in sorted(values, key=lambda value: value.low, reverse=True):
        customers += value.customers
        revenue += value.revenue
        points.append((customers, revenue))
    return points


def top_shares(view: SegmentView) -> list[tuple[int, Decimal]]:
    """For some percentages of the customers, the best first, the money that they bring.

    Between the ends of groups, which hold nearly equal amounts, it runs straight.
    """
    points = concentration_points(view.values("monetary"))
    customers = points[-1][0]
    return [(top, _at(points, Decimal(customers * top) / 100)) for top in _TOPS]


def _at(points: Sequence[tuple[int, Decimal]], customers: Decimal) -> Decimal:
    for (before, low), (after, high) in pairwise(points):
        if customers <= after:
            return low + (high - low) * (customers - before) / (after - before)
    return points[-1][1]


def concentration(view: SegmentView, says: NumberFormatter) -> SvgChart:
    """Which share of the revenue the best customers bring."""
    left, top, height = 46.0, 8.0, 230.0
    room = WIDTH - left - 14
    points = concentration_points(view.values("monetary"))
    customers, revenue = points[-1]
    title = "How concentrated revenue is"
    if revenue <= 0:
        return SvgChart("concentration", title, "There is no revenue to share.", 60, [
            text(0, 30, "There is no revenue to share.", "soft")
        ])  # fmt: skip
    sampled = [_at(points, Decimal(customers) * step / _POINTS) for step in range(_POINTS + 1)]
    highest = max(revenue, *sampled)

    def place(share: float, amount: Decimal) -> tuple[float, float]:
        return left + room * share, top + height * (1 - float(amount / highest))

    curve = [place(step / _POINTS, amount) for step, amount in enumerate(sampled)]
    bottom = top + height
    shapes = [
        path([(left, top + height * k / 4), (left + room, top + height * k / 4)], "grid") for k in range(5)
    ]
    shapes += [
        text(
            left - 6,
            top + height * (1 - k / 4) + 4,
            says.share(int(highest * k), 4 * revenue),
            "small soft",
            "end",
        )
        if highest > revenue
        else text(left - 6, top + height * (1 - k / 4) + 4, f"{25 * k} %", "small soft", "end")
        for k in range(5)
    ]
    shapes += [
        path([(left, bottom), *curve, (left + room, bottom)], "area"),
        path([(left, bottom), place(1, revenue)], "even"),
        path(curve, "line-one"),
    ]
    shapes += [
        text(left + room * k / 4, bottom + 17, f"{25 * k} %", "small soft", "end" if k == 4 else "middle")
        for k in range(5)
    ]
    tenth, fifth = (_at(points, Decimal(customers) * part / 100) for part in (10, 20))
    x, y = place(0.2, fifth)
    shapes += [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="one"/>',
        text(x + 10, y + 16, f"top 20 %: {formatting.format_percent(fifth, revenue)}", "strong"),
        text(left, bottom + 36, "share of the customers, from who spent the most; dashed: all alike", "soft"),
    ]
    told = (
        f"The tenth of the customers who spent the most bring {formatting.format_percent(tenth, revenue)} of the revenue,"
        f" and the fifth {formatting.format_percent(fifth, revenue)}."
    )
    return SvgChart("concentration", title, told, bottom + 44, shapes)


def trend(view: SegmentView, says: NumberFormatter) -> SvgChart:
    """Customers and their revenue at each as-of date whose result stands."""
    course = list(view.course())
    days = [record.as_of_date.toordinal() for record, _, _ in course if record.as_of_date]
    first, last = min(days), max(days)
    left, room, height = 8.0, WIDTH - 30.0, 78.0
    shapes = []
    for panel, (label, kind) in enumerate((("customers", "one"), ("revenue", "two"))):
        top = 26 + panel * (height + 44)
        series = [float(customers if panel == 0 else revenue) for _, customers, revenue in course]
        low, high = min(0.0, *series), max(0.0, *series) or 1.0
        points = [
            (left + (room * (day - first) / (last - first) if last > first else room / 2),
             top + height * (1 - (value - low) / (high - low)))
            for day, value in zip(days, series, strict=True)
        ]  # fmt: skip
        _, now_customers, now_revenue = course[-1]
        now = says.count(now_customers) if panel == 0 else says.short(now_revenue)
        zero = top + height * (1 - (0 - low) / (high - low))
        shapes += [
            text(left, top - 11, label, "soft"),
            text(left + room, top - 11, now, "strong", "end"),
            path([(left, zero), (left + room, zero)], "grid"),
            path(points, f"line-{kind}"),
        ]
        shown = points if len(points) <= 40 else points[-1:]
        shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="{kind}"/>' for x, y in shown]
    bottom = 26 + 2 * height + 44
    began, ended = course[0][0].as_of_date, course[-1][0].as_of_date
    if last > first:
        shapes.append(text(left, bottom + 18, str(began), "small soft"))
    shapes.append(text(left + room, bottom + 18, str(ended), "small soft", "end"))
    if len(course) == 1:
        told = f"There is one result, as of {ended}: the trend begins with the next."
        shapes.append(text(left, bottom + 18, "The trend begins with the next run.", "small soft"))
    else:
        told = (
            f"From {began} to {ended}, customers went from {course[0][1]:,} to {course[-1][1]:,} and revenue"
            f" from {says.money(course[0][2]).text} to {says.money(course[-1][2]).text}."
        )
    return SvgChart("trend", "Result by result", told, bottom + 26, shapes)
