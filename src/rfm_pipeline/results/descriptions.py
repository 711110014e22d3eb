"""Descriptions of score edges and of their drift, in words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rfm_pipeline.common.formatting import format_amount, format_count, format_percent
from rfm_pipeline.results.statistics import DimensionScores, Drift


def edges(scores: DimensionScores) -> list[tuple[int, str]]:
    """Each score from the best down, and in words whom it takes.

    >>> edges(DimensionScores("recency", "fixed", (Decimal(180), Decimal(365)), (1, 1, 1)))
    [(3, 'up to 180 days'), (2, '181 to 365 days'), (1, '366 days and more')]
    """
    if scores.edges is None:
        share = f"a {_ordinal(len(scores.customers))} of the customers"
        return [(score, share) for score in range(len(scores.customers), 0, -1)]
    # From the best score down: recency's edges ascend that way, the others' descend.
    limits = list(scores.edges)
    if scores.name == "recency":
        return _from_best(limits)
    return list(reversed(_ascending(limits, scores.name)))


def _from_best(limits: list[Decimal]) -> list[tuple[int, str]]:
    bins, told = len(limits) + 1, []
    below = -1
    for position, limit in enumerate(int(limit) for limit in limits):
        told.append((bins - position, _days(below + 1, limit)))
        below = max(below, limit)
    told.append((1, f"{format_count(below + 1, 'day')} and more"))
    return told


def _days(low: int, high: int) -> str:
    if high < low:
        return "nobody"
    if low == high:
        return format_count(low, "day")
    return f"up to {format_count(high, 'day')}" if low == 0 else f"{low:,} to {format_count(high, 'day')}"


def _ascending(limits: list[Decimal], name: str) -> list[tuple[int, str]]:
    told, below = [], None
    for score, limit in enumerate(limits, start=1):
        told.append((score, _range(below, limit, name)))
        below = limit
    assert below is not None  # there are at least two bins
    return [*told, (len(limits) + 1, _above(below, name))]


def _range(below: Decimal | None, limit: Decimal, name: str) -> str:
    if below is not None and limit <= below:
        return "nobody"
    if name == "monetary":
        return f"up to {format_amount(limit)}"
    # A customer has an order at least.
    low = 1 if below is None else max(1, int(below) + 1)
    high = int(limit)
    if high < low:
        return "nobody"
    if low == high:
        return format_count(high, "order")
    return f"up to {format_count(high, 'order')}" if low == 1 else f"{low:,} to {format_count(high, 'order')}"


def _above(below: Decimal, name: str) -> str:
    if name == "monetary":
        return f"above {format_amount(below)}"
    return f"{format_count(int(below) + 1, 'order')} and more"


def drift(drift: Drift, dimensions: Sequence[DimensionScores], customers: int) -> str:
    """Whose edges customers are scored by, and what the edges of today would be.

    Args:
        drift: As it was counted.
        dimensions: Those that were scored.
        customers: All of them.
    """
    moved = [
        scores for scores in dimensions if scores.recomputed is not None and scores.recomputed != scores.edges
    ]
    told = f"Edges of run {drift.run_id}, as of {drift.as_of}; recomputed edges would be"
    if not moved:
        return f"{told} the same."
    listed = "; ".join(f"{scores.name} {_listed(scores)}" for scores in moved)
    otherwise = f"{format_count(drift.customers, 'customer')} ({format_percent(drift.customers, customers)})"
    return f"{told}: {listed}. {otherwise} would score otherwise."


def _listed(scores: DimensionScores) -> str:
    edges = scores.recomputed or ()
    if scores.name == "monetary":
        return ", ".join(map(format_amount, edges))
    whole = ", ".join(f"{int(edge):,}" for edge in edges)
    return f"{whole} {'days' if scores.name == 'recency' else 'orders'}"


def _ordinal(number: int) -> str:
    names = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth"}
    return names.get(number, {9: "ninth", 10: "tenth"}.get(number, f"{number}th"))
