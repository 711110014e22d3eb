"""Who went from which segment to which since the result before, as a chart."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rfm_pipeline.common import formatting
from rfm_pipeline.report.charts.svg import WIDTH, SvgChart, bar, number, text, truncate_label
from rfm_pipeline.report.data import SegmentMove
from rfm_pipeline.report.number_format import NumberFormatter, escaped
from rfm_pipeline.report.segment_view import SegmentView

NEW, LAPSED = "New to the result", "No longer in it"
_COLOURS = {"up": "one flow", "new": "one flow", "down": "two flow", "gone": "two flow", "same": "off flow"}
# Between dozens of segments, what comes after these is thinner than a hair.
_MOST_FLOWS = 150
_HEIGHT, _GAP, _ROOM = 300.0, 17.0, 130.0


def before_name(move: SegmentMove) -> str:
    """Where the customers were."""
    return NEW if move.before is None else move.before


def after_name(move: SegmentMove) -> str:
    """Where they are."""
    return LAPSED if move.after is None else move.after


def direction(view: SegmentView, move: SegmentMove) -> str:
    """`new`, `gone`, `same`; or `up` or `down`, by the mean scores of both segments' customers now."""
    if move.before is None:
        return "new"
    if move.after is None:
        return "gone"
    if move.before == move.after:
        return "same"
    before, after = view.standing.get(move.before, 0.0), view.standing.get(move.after, 0.0)
    return "up" if after > before else "down"


class _Side(Struct):
    """The segments on one side of the chart, stacked."""

    names: list[str]
    sizes: dict[str, int]
    tops: dict[str, float]
    scale: float

    def height(self, name: str) -> float:
        return max(2.0, self.sizes[name] * self.scale)


def _side(names: Sequence[str], sizes: dict[str, int], scale: float) -> _Side:
    side = _Side(list(names), sizes, {}, scale)
    y = 26.0
    for name in names:
        side.tops[name] = y
        y += max(_GAP, side.height(name) + 4)
    return side


def movements(view: SegmentView, says: NumberFormatter) -> SvgChart:  # noqa: ARG001 - drawn like every chart
    """The flows between segments, from those that had the customers to those that have them."""
    title, moves = "Who moved", [move for move in view.moves if move.customers]
    if view.figures.before is None or not moves:
        told = "Nobody." if view.figures.before else "There is no earlier result to compare with."
        return SvgChart("movements", title, told, 50, [text(0, 26, told, "soft")])
    order = [NEW, *(segment.name for segment in view.figures.segments), LAPSED]
    order += sorted({before_name(move) for move in moves} - set(order))
    lefts, rights = dict[str, int](), dict[str, int]()
    for move in moves:
        lefts[before_name(move)] = lefts.get(before_name(move), 0) + move.customers
        rights[after_name(move)] = rights.get(after_name(move), 0) + move.customers
    scale = _HEIGHT / sum(lefts.values())
    left = _side([name for name in order if name in lefts], lefts, scale)
    right = _side([name for name in order if name in rights], rights, scale)
    shapes = [
        text(0, 12, f"as of {view.figures.before}", "soft"),
        text(WIDTH, 12, f"as of {view.figures.as_of}", "soft", "end"),
        *_flows(view, moves, left, right),
        *_nodes(left, 0, _ROOM, ""),
        *_nodes(right, WIDTH, WIDTH - _ROOM, "end"),
    ]
    bottom = max(side.tops[side.names[-1]] + max(_GAP, side.height(side.names[-1])) for side in (left, right))
    shapes += [
        bar(0, bottom + 12, 11, 11, "one flow"), text(16, bottom + 22, "better, or new", "soft"),
        bar(140, bottom + 12, 11, 11, "two flow"), text(156, bottom + 22, "worse, or gone", "soft"),
        bar(260, bottom + 12, 11, 11, "off flow"), text(276, bottom + 22, "the same", "soft"),
    ]  # fmt: skip
    return SvgChart("movements", title, _told(view, moves), bottom + 30, shapes)


def _told(view: SegmentView, moves: Sequence[SegmentMove]) -> str:
    by_direction = dict.fromkeys(_COLOURS, 0)
    for move in moves:
        by_direction[direction(view, move)] += move.customers
    return (
        f"Since {view.figures.before}, {formatting.format_count(by_direction['up'], 'customer')} went to a better"
        f" segment, {by_direction['down']:,} to a worse one, {by_direction['same']:,} stayed,"
        f" {by_direction['new']:,} are new, and {by_direction['gone']:,} are no longer in the result."
    )


def _nodes(side: _Side, x: float, inner: float, anchor: str) -> list[str]:
    shapes = []
    for name in side.names:
        y, height = side.tops[name], side.height(name)
        shapes.append(bar(inner - (6 if not anchor else 0), y, 6, height, "off"))
        label = f"{truncate_label(name, 17)}"
        shapes.append(text(x, y + min(height, 14) / 2 + 5, label, "small", anchor))
    return shapes


def _flows(view: SegmentView, moves: Sequence[SegmentMove], left: _Side, right: _Side) -> list[str]:
    taken_left, taken_right = dict[str, float](), dict[str, float]()
    start, end = _ROOM, WIDTH - _ROOM
    middle = (start + end) / 2
    shapes = []
    places = {name: at for side in (left, right) for at, name in enumerate(side.names)}
    drawn = sorted(moves, key=lambda move: -move.customers)[:_MOST_FLOWS]
    for move in sorted(drawn, key=lambda move: (places[before_name(move)], places[after_name(move)])):
        before, after = before_name(move), after_name(move)
        size = max(0.6, move.customers * left.scale)
        top, low = (
            side.tops[name] + taken.get(name, 0.0)
            for side, name, taken in ((left, before, taken_left), (right, after, taken_right))
        )
        taken_left[before] = taken_left.get(before, 0.0) + move.customers * left.scale
        taken_right[after] = taken_right.get(after, 0.0) + move.customers * left.scale
        a, b, c, d = (number(y) for y in (top, low, low + size, top + size))
        told = escaped(f"{before} → {after}: {formatting.format_count(move.customers, 'customer')}")
        shapes.append(
            f'<path class="{_COLOURS[direction(view, move)]}" d="M{number(start)} {a}C{number(middle)} {a}'
            f" {number(middle)} {b} {number(end)} {b}V{c}C{number(middle)} {c} {number(middle)} {d}"
            f' {number(start)} {d}Z"><title>{told}</title></path>'
        )
    return shapes
