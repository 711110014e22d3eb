"""Trend: the segments' shares of the customers and of the revenue of each period, stacked."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from rfm_pipeline.common import formatting
from rfm_pipeline.report.charts.svg import (
    WIDTH,
    SvgChart,
    mark_element,
    rect_element,
    text_element,
    truncate_label,
)
from rfm_pipeline.report.number_format import NumberFormatter, Phrase
from rfm_pipeline.report.segment_view import SegmentView

_OTHERS = "All others"
_LEFT, _HEIGHT, _TOP, _BETWEEN = 40.0, 120.0, 24.0, 52.0
_LEGEND_COLUMNS = 3


def trend_chart(view: SegmentView, formatter: NumberFormatter) -> SvgChart:
    """Draw two stacks of shares for each period, from the best segment at the top to the worst."""
    periods = view.data.periods.periods
    unit = "revenue in the time window" if view.data.periods.has_window else "revenue of the period"
    if len(periods) == 1:
        unit = "revenue so far"
    shapes: list[str] = []
    for panel, label in enumerate(("customers", unit)):
        top = _TOP + panel * (_HEIGHT + _BETWEEN)
        shapes.append(text_element(0, top - 10, f"share of the {label}", "soft"))
        for share in (0, 50, 100):
            y = top + _HEIGHT * (1 - share / 100)
            shapes.append(text_element(_LEFT - 6, y + 4, formatter.percent(share), "small soft", "end"))
        for index, period in enumerate(periods):
            values: Mapping[str, int | Decimal] | None = period.revenue if panel else period.customers
            if values is not None:
                shapes += _stack(view, str(period.as_of), values, (index, top), formatter)
    bottom = _TOP + 2 * _HEIGHT + _BETWEEN
    for index in sorted({0, len(periods) // 2, len(periods) - 1}):
        anchor = "middle" if 0 < index < len(periods) - 1 else ("end" if index else "")
        step = _step(len(periods))
        x = _LEFT + step * {"": 0, "middle": index + 0.5, "end": len(periods)}[anchor]
        for top in (_TOP, _TOP + _HEIGHT + _BETWEEN):
            shapes.append(
                text_element(x, top + _HEIGHT + 15, str(periods[index].as_of), "small soft", anchor)
            )
    names = [view.segment, _OTHERS] if view.segment else [segment.name for segment in view.data.segments]
    for index, name in enumerate(names):
        row, column = divmod(index, _LEGEND_COLUMNS)
        x, y = column * WIDTH / _LEGEND_COLUMNS, bottom + 28 + row * 17
        shapes.append(rect_element(x, y, 11, 11, view.colour_class(name)))
        shapes.append(text_element(x + 16, y + 10, truncate_label(name, 20), "small"))
    rows = (len(names) - 1) // _LEGEND_COLUMNS + 1
    return SvgChart("trend", "Segments by period", _summary(view, formatter), bottom + 32 + rows * 17, shapes)


def _step(columns: int) -> float:
    return min(90.0, (WIDTH - _LEFT) / columns)


def _stack(
    view: SegmentView,
    day: str,
    values: Mapping[str, int | Decimal],
    position: tuple[int, float],
    formatter: NumberFormatter,
) -> list[str]:
    """Return the parts of one column; returns can make a part negative, which is drawn as empty."""
    index, top = position
    order = [segment.name for segment in view.data.segments]
    order += [name for name in values if name not in order]
    parts = {name: max(Decimal(0), Decimal(values.get(name, 0))) for name in order}
    total = Decimal(sum(parts.values()))
    if not total:
        return []
    step = _step(len(view.data.periods.periods))
    x, y, marks = _LEFT + index * step, top, []
    if view.segment is not None:
        parts = {view.segment: parts.get(view.segment, Decimal(0))}
        marks.append(rect_element(x + 1, top, step - 2, _HEIGHT, "off"))
    for name, value in parts.items():
        height = _HEIGHT * float(value / total)
        if height > 0:
            is_money = isinstance(next(iter(values.values())), Decimal)
            amount = (
                formatter.whole(value).text if is_money else formatting.format_count(int(value), "customer")
            )
            tooltip = f"{name}, {day}: {formatter.share(value, total).text}, {amount}"
            gap = min(1.0, height / 2)
            shape = rect_element(x + 1, y, step - 2, height - gap, view.colour_class(name), tooltip)
            marks.append(mark_element([shape], view.position(name)))
        y += height
    return marks


def _summary(view: SegmentView, formatter: NumberFormatter) -> Phrase:
    periods = view.data.periods.periods
    last = periods[-1]
    if len(periods) == 1:
        return Phrase((f"There is only one result, as of {last.as_of}; the next one starts the trend.",))
    first = periods[0]
    name = view.segment or view.data.segments[0].name
    shares = [
        formatter.share(period.customers.get(name, 0), sum(period.customers.values()))
        for period in (first, last)
    ]
    return Phrase(
        (f"From {first.as_of} to {last.as_of}, {name} went from ", shares[0], " to ", shares[1],
         " of the customers.")
    )  # fmt: skip
