"""How the values of a dimension are distributed, and where its edges lie, as a chart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from rfm_pipeline.common import formatting
from rfm_pipeline.report.charts.svg import WIDTH, SvgChart, bar, path, text
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter
from rfm_pipeline.report.segment_view import SegmentView

UNITS = {"recency": "days since the last order", "frequency": "orders", "monetary": "money"}
"""The dimensions, and what their values are."""
_BARS = 18
_STEPS = (1, 2, 5, 7, 14, 30, 60, 90, 180, 365)
_FEW = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 21, 51, 101, 1000)


class Bucket(Struct, frozen=True):
    """Values that are counted together: from `low` on, below `high`."""

    low: Decimal
    high: Decimal


def buckets(dimension: str, values: Sequence[Decimal]) -> list[Bucket]:
    """The buckets of a dimension, from the lowest on, without empty ones at either end.

    Days in even steps; orders one by one, and then more coarsely; money in steps of 1, 2 and 5, so that the
    few who spend much do not press all others into one bar.
    """
    low, high = min(values), max(values)
    if dimension == "recency":
        needed = (int(high) + 1) / _BARS
        step = next((step for step in _STEPS if step >= needed), math.ceil(needed / 365) * 365)
        bounds = [Decimal(step * place) for place in range(int(high) // step + 2)]
    elif dimension == "frequency":
        bounds = [Decimal(bound) for bound in _FEW if bound <= high]
        bounds.append(Decimal(next((bound for bound in _FEW if bound > high), int(high) + 1)))
    else:
        bounds = _money_bounds(low, high)
    pairs = [Bucket(*pair) for pair in pairwise(bounds)]
    while len(pairs) > 1 and pairs[0].high <= low:
        pairs.pop(0)
    return pairs


def _money_bounds(low: Decimal, high: Decimal) -> list[Decimal]:
    bounds = [Decimal(0)] if low < 1 else []
    power = 0
    while not bounds or bounds[-1] <= high:
        bounds += [Decimal(digit).scaleb(power) for digit in (1, 2, 5)]
        power += 1
    bounds = bounds[: next(place for place, bound in enumerate(bounds) if bound > high) + 1]
    return [low, *bounds] if low < 0 else bounds


def counts(view: SegmentView, dimension: str) -> list[tuple[Bucket, int]]:
    """Each bucket with the customers that are shown; the buckets are those of all customers."""
    everybody = [value.low for value in view.figures.values if value.dimension == dimension]
    found = buckets(dimension, everybody)
    held = [0] * len(found)
    for value in view.values(dimension):
        place = next((at for at, bucket in enumerate(found) if value.low < bucket.high), len(found) - 1)
        held[place] += value.customers
    return list(zip(found, held, strict=True))


def label(dimension: str, bucket: Bucket, says: NumberFormatter) -> str:
    """A bucket in words.

    >>> label("frequency", Bucket(Decimal(11), Decimal(21)), Says())
    '11 to 20'
    """
    if dimension == "monetary":
        if bucket.low < 0:
            return "below 0"
        return f"{says.short(bucket.low).text} to {says.short(bucket.high).text}"
    low, high = int(bucket.low), int(bucket.high) - 1
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def distribution(view: SegmentView, dimension: str, says: NumberFormatter) -> SvgChart:
    """How many customers have which values, with the edges between scores."""
    left, top, height = 8.0, 26.0, 130.0
    counted = counts(view, dimension)
    room = WIDTH - 2 * left
    wide = room / len(counted)
    most = max(1, *(held for _, held in counted), 1)
    bottom = top + height
    shapes = []
    for place, (bucket, held) in enumerate(counted):
        if held:
            told = f"{label(dimension, bucket, says)}: {formatting.format_count(held, 'customer')}"
            size = max(1.0, height * held / most)
            shapes.append(bar(left + place * wide + 1, bottom - size, wide - 2, size, "one", told))
    shapes.append(path([(left, bottom), (left + room, bottom)], "grid"))
    every = max(1, math.ceil(len(counted) / 7))
    for place in range(0, len(counted), every):
        low = counted[place][0].low
        said = says.short(low) if dimension == "monetary" and low >= 0 else FormattedNumber(_start(low))
        shapes.append(text(left + place * wide, bottom + 16, said, "small soft"))
    shapes.append(text(left, bottom + 34, f"{UNITS[dimension]}; dashed: edges between scores", "soft"))
    for place_of_edge in _edges(view, dimension, [bucket for bucket, _ in counted]):
        x = left + place_of_edge * wide
        shapes.append(path([(x, top - 6), (x, bottom)], "edge"))
    peak, held = max(counted, key=lambda one: one[1])
    told = f"Most customers, {held:,}, are at {label(dimension, peak, says)} ({UNITS[dimension]})."
    return SvgChart(dimension, dimension.capitalize(), told, bottom + 42, shapes)


def _start(low: Decimal) -> str:
    return "< 0" if low < 0 else f"{int(low):,}"


def _edges(view: SegmentView, dimension: str, found: Sequence[Bucket]) -> Iterator[float]:
    """Where the edges lie, counted in buckets."""
    scores = next((scores for scores in view.figures.run.edges if scores.name == dimension), None)
    for edge in sorted(set(scores.edges or ()) if scores else ()):
        # A whole number is the last that its score takes: the edge lies behind it.
        value = edge if dimension == "monetary" else edge + 1
        place = next((at for at, bucket in enumerate(found) if value < bucket.high), None)
        if place is None:
            continue
        bucket = found[place]
        share = float((value - bucket.low) / (bucket.high - bucket.low))
        yield place + max(0.0, share)
