"""One order of the names of two ordered lists, such as the segments of two maps from best to worst."""

from __future__ import annotations

from collections.abc import Sequence


def merge_orders(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    """Return the names of both lists, each once, in one order.

    Names of `first` keep their order. A name that only `second` has takes the place between its neighbours
    in `second` that `first` has too, in proportion to the distances there; the ends of the lists are such
    neighbours.

    Args:
        first: Names in order, each once.
        second: Names in order, each once.

    >>> merge_orders(["best", "good", "bad", "worst"], ["best", "fair", "worst"])
    ('best', 'good', 'fair', 'bad', 'worst')
    """
    places = {name: float(place) for place, name in enumerate(first, start=1)}
    # Places in `second`, counted from 1, and in `first`, of the names of both; 0 and the end are virtual.
    known = [(place, places[name]) for place, name in enumerate(second, start=1) if name in places]
    anchors = [(0, 0.0), *known, (len(second) + 1, len(first) + 1.0)]
    merged = dict(places)
    for place, name in enumerate(second, start=1):
        if name not in places:
            before = max(anchor for anchor in anchors if anchor[0] < place)
            after = min(anchor for anchor in anchors if anchor[0] > place)
            share = (place - before[0]) / (after[0] - before[0])
            merged[name] = before[1] + share * (after[1] - before[1])
    return tuple(sorted(merged, key=lambda name: merged[name]))
