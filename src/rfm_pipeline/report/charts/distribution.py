"""Histogram of a dimension's values, with the edges between its scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from rfm_pipeline.common import formatting
from rfm_pipeline.report.charts.svg import WIDTH, SvgChart, line_element, rect_element, text_element
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter, Phrase
from rfm_pipeline.report.segment_view import SegmentView

UNITS = {"recency": "days since the last order", "frequency": "orders", "monetary": "money"}
"""Unit of the values, by dimension."""
_BARS = 18
_DAY_STEPS = (1, 2, 5, 7, 14, 30, 60, 90, 180, 365)
_ORDER_BOUNDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 21, 51, 101, 1000)


class Bucket(Struct, frozen=True):
    """A bar of the histogram: values from `low` (inclusive) to `high` (exclusive)."""

    low: Decimal
    high: Decimal


def make_buckets(dimension: str, values: Sequence[Decimal]) -> list[Bucket]:
    """Return adjacent buckets for all values, in ascending order.

    Days have equal steps; orders have a bucket for each number up to ten, then larger ones; money has steps
    of 1, 2 and 5, so that a few customers with high spend do not compress all others into one bar.
    """
    low, high = min(values), max(values)
    if dimension == "recency":
        needed = (int(high) + 1) / _BARS
        step = next((step for step in _DAY_STEPS if step >= needed), math.ceil(needed / 365) * 365)
        bounds = [Decimal(step * index) for index in range(int(high) // step + 2)]
    elif dimension == "frequency":
        bounds = [Decimal(bound) for bound in _ORDER_BOUNDS if bound <= high]
        bounds.append(Decimal(next((bound for bound in _ORDER_BOUNDS if bound > high), int(high) + 1)))
    else:
        bounds = _money_bounds(low, high)
    buckets = [Bucket(*pair) for pair in pairwise(bounds)]
    while len(buckets) > 1 and buckets[0].high <= low:
        buckets.pop(0)
    return buckets


def _money_bounds(low: Decimal, high: Decimal) -> list[Decimal]:
    bounds = [Decimal(0)] if low < 1 else []
    power = 0
    while not bounds or bounds[-1] <= high:
        bounds += [Decimal(digit).scaleb(power) for digit in (1, 2, 5)]
        power += 1
    bounds = bounds[: next(index for index, bound in enumerate(bounds) if bound > high) + 1]
    return [low, *bounds] if low < 0 else bounds


def count_buckets(view: SegmentView, dimension: str) -> list[tuple[Bucket, int]]:
    """Return each bucket with its number of customers in the view; the buckets are those of all customers."""
    buckets = make_buckets(
        dimension, [value.low for value in view.data.values if value.dimension == dimension]
    )
    customers = [0] * len(buckets)
    for value in view.values(dimension):
        index = next((i for i, bucket in enumerate(buckets) if value.low < bucket.high), len(buckets) - 1)
        customers[index] += value.customers
    return list(zip(buckets, customers, strict=True))


def bucket_label(dimension: str, bucket: Bucket, formatter: NumberFormatter) -> str:
    """Return the range of a bucket as text.

    >>> bucket_label("frequency", Bucket(Decimal(11), Decimal(21)), NumberFormatter())
    '11 to 20'
    """
    if dimension == "monetary":
        if bucket.low < 0:
            return "below 0"
        return f"{formatter.short(bucket.low).text} to {formatter.short(bucket.high).text}"
    low, high = int(bucket.low), int(bucket.high) - 1
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def distribution_chart(view: SegmentView, dimension: str, formatter: NumberFormatter) -> SvgChart:
    """Draw the histogram of a dimension's values, with a dashed line at each edge between scores."""
    left, top, height = 8.0, 26.0, 130.0
    buckets = count_buckets(view, dimension)
    chart_width = WIDTH - 2 * left
    bar_width = chart_width / len(buckets)
    highest = max(1, *(customers for _, customers in buckets), 1)
    bottom = top + height
    shapes = [text_element(left, 12, "customers", "small soft")]
    for index, (bucket, customers) in enumerate(buckets):
        if customers:
            range_label = bucket_label(dimension, bucket, formatter)
            tooltip = f"{range_label}: {formatting.format_count(customers, 'customer')}"
            bar_height = max(1.0, height * customers / highest)
            x, y = left + index * bar_width + 1, bottom - bar_height
            shapes.append(rect_element(x, y, bar_width - 2, bar_height, "one", tooltip))
    shapes.append(line_element([(left, bottom), (left + chart_width, bottom)], "grid"))
    label_step = max(1, math.ceil(len(buckets) / 7))
    for index in range(0, len(buckets), label_step):
        low = buckets[index][0].low
        is_amount = dimension == "monetary" and low >= 0
        label = formatter.short(low) if is_amount else FormattedNumber(_whole_number(low))
        shapes.append(text_element(left + index * bar_width, bottom + 16, label, "small soft"))
    legend = f"{UNITS[dimension]}; dashed: edges between scores"
    shapes.append(text_element(left, bottom + 34, legend, "soft"))
    for position in _edge_positions(view, dimension, [bucket for bucket, _ in buckets]):
        x = left + position * bar_width
        shapes.append(line_element([(x, top - 6), (x, bottom)], "edge"))
    peak, customers = max(buckets, key=lambda item: item[1])
    summary = Phrase(("No customers.",))
    if customers:
        peak_label = f"{bucket_label(dimension, peak, formatter)} ({UNITS[dimension]})"
        noun = " customer." if customers == 1 else " customers."
        summary = Phrase((f"The most frequent range is {peak_label}: ", formatter.count(customers), noun))
    return SvgChart(dimension, dimension.capitalize(), summary, bottom + 42, shapes)


def _whole_number(low: Decimal) -> str:
    return "< 0" if low < 0 else f"{int(low):,}"


def _edge_positions(view: SegmentView, dimension: str, buckets: Sequence[Bucket]) -> Iterator[float]:
    """Yield the positions of the edges on the x axis, in bucket widths from the left, ascending."""
    scores = next((scores for scores in view.data.run.edges if scores.name == dimension), None)
    for edge in sorted(set(scores.edges or ()) if scores else ()):
        # An edge in days or orders is the last value of its score: the line comes after that value.
        value = edge if dimension == "monetary" else edge + 1
        index = next((i for i, bucket in enumerate(buckets) if value < bucket.high), None)
        if index is None:
            continue
        bucket = buckets[index]
        share = float((value - bucket.low) / (bucket.high - bucket.low))
        yield index + max(0.0, share)
