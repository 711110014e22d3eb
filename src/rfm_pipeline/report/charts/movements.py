"""Flow chart of customers between segments since the previous result."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rfm_pipeline.common import formatting
from rfm_pipeline.report.charts.svg import (
    WIDTH,
    SvgChart,
    format_coordinate,
    mark_element,
    rect_element,
    text_element,
    truncate_label,
)
from rfm_pipeline.report.data import SegmentMove
from rfm_pipeline.report.number_format import NumberFormatter, Phrase, escape_html
from rfm_pipeline.report.segment_view import SegmentView

NEW, LAPSED = "New to the result", "No longer in it"
_CSS_CLASSES = {
    "up": "one flow",
    "new": "one flow",
    "down": "two flow",
    "gone": "two flow",
    "same": "off flow",
}
# Between dozens of segments, smaller flows would be thinner than a hairline.
_FLOW_LIMIT = 150
_HEIGHT, _MIN_GAP, _LABEL_WIDTH = 300.0, 17.0, 130.0


def before_name(move: SegmentMove) -> str:
    """Return the label of the segment before the move."""
    return NEW if move.before is None else move.before


def after_name(move: SegmentMove) -> str:
    """Return the label of the segment after the move."""
    return LAPSED if move.after is None else move.after


def move_direction(view: SegmentView, move: SegmentMove) -> str:
    """Return `new`, `gone`, `same`, `up` or `down`; the last two by the mean scores of both segments now."""
    if move.before is None:
        return "new"
    if move.after is None:
        return "gone"
    if move.before == move.after:
        return "same"
    before, after = view.mean_score_sums.get(move.before, 0.0), view.mean_score_sums.get(move.after, 0.0)
    return "up" if after > before else "down"


class _Side(Struct):
    """The stacked segments on one side of the chart: number of customers and y coordinate by name."""

    names: list[str]
    customers: dict[str, int]
    tops: dict[str, float]
    scale: float

    def height(self, name: str) -> float:
        return max(2.0, self.customers[name] * self.scale)


def _stack(names: Sequence[str], customers: dict[str, int], scale: float) -> _Side:
    side = _Side(list(names), customers, {}, scale)
    y = 26.0
    for name in names:
        side.tops[name] = y
        y += max(_MIN_GAP, side.height(name) + 4)
    return side


def movements_chart(
    view: SegmentView,
    formatter: NumberFormatter,
) -> SvgChart:
    """Draw the flows between segments, from the previous result on the left to this one on the right."""
    title, moves = "Movements between segments", [move for move in view.moves if move.customers]
    if view.data.previous_as_of is None or not moves:
        reason = (
            "No customers." if view.data.previous_as_of else "There is no earlier result to compare with."
        )
        return SvgChart("movements", title, Phrase((reason,)), 50, [text_element(0, 26, reason, "soft")])
    order = [NEW, *(segment.name for segment in view.data.segments), LAPSED]
    order += sorted({before_name(move) for move in moves} - set(order))
    lefts, rights = dict[str, int](), dict[str, int]()
    for move in moves:
        lefts[before_name(move)] = lefts.get(before_name(move), 0) + move.customers
        rights[after_name(move)] = rights.get(after_name(move), 0) + move.customers
    scale = _HEIGHT / sum(lefts.values())
    left = _stack([name for name in order if name in lefts], lefts, scale)
    right = _stack([name for name in order if name in rights], rights, scale)
    shapes = [
        text_element(0, 12, f"as of {view.data.previous_as_of}", "soft"),
        text_element(WIDTH, 12, f"as of {view.data.as_of}", "soft", "end"),
        *_flows(view, moves, left, right),
        *_nodes(view, left, 0, _LABEL_WIDTH, ""),
        *_nodes(view, right, WIDTH, WIDTH - _LABEL_WIDTH, "end"),
    ]
    bottom = max(
        side.tops[side.names[-1]] + max(_MIN_GAP, side.height(side.names[-1])) for side in (left, right)
    )
    legend = ((0, "one", "better, or new"), (140, "two", "worse, or gone"), (260, "off", "the same"))
    for x, colour, label in legend:
        shapes.append(rect_element(x, bottom + 12, 11, 11, f"{colour} flow"))
        shapes.append(text_element(x + 16, bottom + 22, label, "soft"))
    return SvgChart("movements", title, _summary(view, moves, formatter), bottom + 30, shapes)


def _summary(view: SegmentView, moves: Sequence[SegmentMove], formatter: NumberFormatter) -> Phrase:
    by_direction = dict.fromkeys(_CSS_CLASSES, 0)
    for move in moves:
        by_direction[move_direction(view, move)] += move.customers
    up, down, same, new, gone = (
        formatter.count(by_direction[way]) for way in ("up", "down", "same", "new", "gone")
    )
    went = " customer went" if by_direction["up"] == 1 else " customers went"
    return Phrase(
        (f"Since {view.data.previous_as_of}, ", up,
         f"{went} to a better segment, ", down, " to a worse one, ",
         same, " stayed, ", new, " are new, and ", gone, " are no longer in the result.")
    )  # fmt: skip


def _nodes(view: SegmentView, side: _Side, label_x: float, bar_x: float, anchor: str) -> list[str]:
    shapes = []
    for name in side.names:
        y, height = side.tops[name], side.height(name)
        is_shown = view.includes(name)
        tooltip = f"{name}: {formatting.format_count(side.customers[name], 'customer')}" if is_shown else ""
        label = truncate_label(name, 17)
        marks = [
            rect_element(bar_x - (6 if not anchor else 0), y, 6, height, view.colour_class(name), tooltip),
            text_element(label_x, y + min(height, 14) / 2 + 5, label, "small", anchor),
        ]
        shapes.append(mark_element(marks, view.position(name)))
    return shapes


def _flows(view: SegmentView, moves: Sequence[SegmentMove], left: _Side, right: _Side) -> list[str]:
    used_left, used_right = dict[str, float](), dict[str, float]()
    start, end = _LABEL_WIDTH, WIDTH - _LABEL_WIDTH
    middle = (start + end) / 2
    shapes = []
    positions = {name: index for side in (left, right) for index, name in enumerate(side.names)}
    largest = sorted(moves, key=lambda move: -move.customers)[:_FLOW_LIMIT]
    for move in sorted(largest, key=lambda move: (positions[before_name(move)], positions[after_name(move)])):
        before, after = before_name(move), after_name(move)
        size = max(0.6, move.customers * left.scale)
        left_y, right_y = (
            side.tops[name] + used.get(name, 0.0)
            for side, name, used in ((left, before, used_left), (right, after, used_right))
        )
        used_left[before] = used_left.get(before, 0.0) + move.customers * left.scale
        used_right[after] = used_right.get(after, 0.0) + move.customers * left.scale
        a, b, c, d = (format_coordinate(y) for y in (left_y, right_y, right_y + size, left_y + size))
        x1, x2, x3 = (format_coordinate(x) for x in (start, middle, end))
        tooltip = escape_html(f"{before} → {after}: {formatting.format_count(move.customers, 'customer')}")
        segment = view.position(move.after if move.after is not None else move.before)
        attribute = "" if segment is None else f' data-s="{segment}"'
        css_class = _CSS_CLASSES[move_direction(view, move)]
        shapes.append(
            f'<path{attribute} class="{css_class}" d="M{x1} {a}C{x2} {a} {x2} {b} {x3}'
            f' {b}V{c}C{x2} {c} {x2} {d} {x1} {d}Z"><title>{tooltip}</title></path>'
        )
    return shapes
