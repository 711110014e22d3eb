"""Descriptions of score edges, and of how far frozen edges have drifted."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from rfm_pipeline.common.formatting import format_amount, format_count, format_percent
from rfm_pipeline.results.statistics import DimensionScores, Drift

_MAX_DECIMALS = 9
"""Decimals of a monetary value."""


def describe_edges(scores: DimensionScores) -> list[tuple[int, str]]:
    """Return each score, from the best down, with the range of values that gets it.

    >>> describe_edges(DimensionScores("recency", "fixed", (Decimal(180), Decimal(365)), (1, 1, 1)))
    [(3, 'up to 180 days'), (2, '181 to 365 days'), (1, '366 days and more')]
    >>> describe_edges(DimensionScores("monetary", "quantile", (Decimal(7), Decimal(30)), (1, 1, 1)))
    [(3, 'above 30.00'), (2, 'above 7.00 to 30.00'), (1, 'up to 7.00')]
    """
    if scores.edges is None:
        share = f"a {_ordinal(len(scores.customers))} of the customers"
        return [(score, share) for score in range(len(scores.customers), 0, -1)]
    # From the best score down: recency's edges ascend that way, the others' descend.
    limits = list(scores.edges)
    if scores.name == "recency":
        return _from_best(limits)
    return list(reversed(_amounts(limits) if scores.name == "monetary" else _orders(limits)))


def _from_best(limits: list[Decimal]) -> list[tuple[int, str]]:
    bins, ranges = len(limits) + 1, []
    below = -1
    for position, limit in enumerate(int(limit) for limit in limits):
        ranges.append((bins - position, _days(below + 1, limit)))
        below = max(below, limit)
    ranges.append((1, f"{format_count(below + 1, 'day')} and more"))
    return ranges


def _days(low: int, high: int) -> str:
    if high < low:
        return "no customer"
    if low == high:
        return format_count(low, "day")
    return f"up to {format_count(high, 'day')}" if low == 0 else f"{low:,} to {format_count(high, 'day')}"


def _orders(limits: list[Decimal]) -> list[tuple[int, str]]:
    ranges: list[tuple[int, str]] = []
    # Each customer has at least one order.
    low = 1
    for score, high in enumerate((int(limit) for limit in limits), start=1):
        ranges.append((score, _order_range(low, high)))
        low = max(low, high + 1)
    return [*ranges, (len(limits) + 1, f"{format_count(low, 'order')} and more")]


def _order_range(low: int, high: int) -> str:
    if high < low:
        return "no customer"
    if low == high:
        return format_count(high, "order")
    return f"up to {format_count(high, 'order')}" if low == 1 else f"{low:,} to {format_count(high, 'order')}"


def _amounts(limits: list[Decimal]) -> list[tuple[int, str]]:
    texts = _distinct_amounts(limits)
    ranges = [(1, f"up to {texts[0]}")]
    for score, (below, limit) in enumerate(pairwise(texts), start=2):
        ranges.append((score, "no customer" if limit == below else f"above {below} to {limit}"))
    return [*ranges, (len(limits) + 1, f"above {texts[-1]}")]


def _distinct_amounts(limits: list[Decimal]) -> list[str]:
    """Return the limits with two decimals, or with as many as tell different limits apart."""
    for decimals in range(2, _MAX_DECIMALS):
        texts = [format_amount(limit) if decimals == 2 else f"{limit:,.{decimals}f}" for limit in limits]
        if len(set(texts)) == len(set(limits)):
            return texts
    return [f"{limit:,.{_MAX_DECIMALS}f}" for limit in limits]


def describe_drift(drift: Drift, dimensions: Sequence[DimensionScores], customers: int) -> str:
    """Return a sentence on the frozen edges, the edges of today's customers, and who would score differently.

    Args:
        drift: The drift of the edges.
        dimensions: The scored dimensions.
        customers: Number of customers of the result.
    """
    moved = [
        scores for scores in dimensions if scores.recomputed is not None and scores.recomputed != scores.edges
    ]
    frozen = f"Edges of run {drift.run_id}, as of {drift.as_of}; recomputed edges would be"
    if not moved:
        return f"{frozen} the same."
    listed = "; ".join(f"{scores.name} {_listed(scores)}" for scores in moved)
    rescored = f"{format_count(drift.customers, 'customer')} ({format_percent(drift.customers, customers)})"
    return f"{frozen}: {listed}. {rescored} would get other scores."


def _listed(scores: DimensionScores) -> str:
    edges = scores.recomputed or ()
    if scores.name == "monetary":
        return ", ".join(map(format_amount, edges))
    whole = ", ".join(f"{int(edge):,}" for edge in edges)
    return f"{whole} {'days' if scores.name == 'recency' else 'orders'}"


def _ordinal(number: int) -> str:
    names = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth"}
    return names.get(number, {9: "ninth", 10: "tenth"}.get(number, f"{number}th"))
