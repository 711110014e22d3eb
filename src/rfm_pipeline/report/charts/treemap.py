"""Tree map of the segments: an area for each, as large as its revenue."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rfm_pipeline.common import formatting
from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.report.charts.svg import (
    WIDTH,
    SvgChart,
    cell_path,
    mark_element,
    rect_element,
    text_element,
    truncate_label,
)
from rfm_pipeline.report.number_format import NumberFormatter, Phrase
from rfm_pipeline.report.segment_view import SegmentView

_HEIGHT = 300.0
_SMALLEST_SHARE = Decimal("0.0005")
_BAND = 5.0
_CHARACTER = 7.6
"""Approximate width of a character of a label."""
Box = tuple[float, float, float, float]


def treemap_chart(view: SegmentView, formatter: NumberFormatter) -> SvgChart:
    """Draw an area for each segment; of a filtered view, all segments but its own are grey."""
    title, revenue = "Revenue by segment", view.data.revenue
    # Returns can make the revenue of a segment, or of all, negative.
    positive = exact_sum(max(Decimal(0), group.revenue) for group in view.totals_by_segment.values())
    visible = positive * _SMALLEST_SHARE
    totals = {
        name: group
        for name, group in view.totals_by_segment.items()
        if group.revenue > 0 and (group.revenue >= visible or name == view.segment)
    }
    if not totals:
        reason = "No segment has a positive revenue."
        return SvgChart("treemap", title, Phrase((reason,)), 50, [text_element(0, 26, reason, "soft")])
    ranked = sorted(totals, key=lambda name: -totals[name].revenue)
    # A segment whose area could not be seen gets the smallest one that can.
    sizes = [float(max(visible, totals[name].revenue) / positive) for name in ranked]
    areas = [size / sum(sizes) * WIDTH * _HEIGHT for size in sizes]
    shapes, others = list[str](), list[str]()
    for name, (x, y, width, height) in zip(ranked, _squarify(areas, (0.0, 0.0, WIDTH, _HEIGHT)), strict=True):
        if not view.includes(name):
            others.append(cell_path(x, y, width, height))
            continue
        group = totals[name]
        customers = formatting.format_count(group.customers, "customer")
        tooltip = f"{name}: {formatter.whole(group.revenue).text}, {customers}"
        colour = view.colour_class(name)
        inner = [
            rect_element(x + 1, y + 1, width - 2, height - 2, f"{colour} tint", tooltip),
            rect_element(x + 1, y + 1, width - 2, min(_BAND, height - 2), colour),
        ]
        length = int((width - 12) / _CHARACTER)
        if height > 26 and length >= 4:
            inner.append(text_element(x + 8, y + 22, truncate_label(name, length), "strong"))
        if height > 44 and length >= 8:
            inner.append(text_element(x + 8, y + 38, formatter.share(group.revenue, revenue), "small"))
        if height > 60 and length >= 15:
            inner.append(text_element(x + 8, y + 53, customers, "small"))
        shapes.append(mark_element(inner, view.position(name)))
    if others:
        # One path for all other segments keeps the views small.
        shapes.append(f'<path class="off tint" d="{"".join(others)}"/>')
    best = view.segment if view.segment in totals else ranked[0]
    summary = Phrase((f"{best}: ", formatter.share(totals[best].revenue, revenue), " of the revenue."))
    return SvgChart("treemap", title, summary, _HEIGHT, shapes)


def _squarify(areas: Sequence[float], box: Box) -> list[Box]:
    """Return adjacent boxes with these areas, descending, which fill `box` and are nearly square.

    The algorithm is that of Bruls, Huizing and van Wijk, "Squarified Treemaps" (2000).
    """
    boxes: list[Box] = []
    row: list[float] = []
    for index, area in enumerate(areas):
        side = min(box[2], box[3])
        if row and _worst_ratio([*row, area], side) > _worst_ratio(row, side):
            placed, box = _lay_out(row, box)
            boxes += placed
            row = []
        row.append(area)
        if index == len(areas) - 1:
            boxes += _lay_out(row, box)[0]
    return boxes


def _worst_ratio(row: Sequence[float], side: float) -> float:
    total = sum(row)
    if total <= 0 or side <= 0:
        return float("inf")
    thickness = total / side
    return max(max(thickness * thickness / area, area / (thickness * thickness)) for area in row)


def _lay_out(row: Sequence[float], box: Box) -> tuple[list[Box], Box]:
    """Return the boxes of a row along the shorter side of `box`, and the rest of `box`."""
    x, y, width, height = box
    total = sum(row)
    placed: list[Box] = []
    if width >= height:
        thickness = total / height if height else 0.0
        for area in row:
            length = area / thickness if thickness else 0.0
            placed.append((x, y, thickness, length))
            y += length
        return placed, (x + thickness, box[1], width - thickness, height)
    thickness = total / width
    for area in row:
        length = area / thickness if thickness else 0.0
        placed.append((x, y, length, thickness))
        x += length
    return placed, (box[0], y + thickness, width, height - thickness)
