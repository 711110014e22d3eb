"""Figures of one configuration on one date, from the rows of its queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.evaluation.bgnbd import History, Model, expected_purchases, fit
from rfm_pipeline.evaluation.bootstrap import GroupTotals, SegmentIntervals, segment_intervals
from rfm_pipeline.evaluation.result import Outcome, SegmentOutcome
from rfm_pipeline.evaluation.statistics import (
    Auc,
    AucDifference,
    Counts,
    auc,
    auc_difference,
    spearman,
)
from rfm_pipeline.sql.evaluation_queries import HASH_GROUPS

Row = Mapping[str, Any]


class Rates(Struct, frozen=True):
    """Shares of customers who bought again in a horizon that has ended, by which segments are ordered.

    Attributes:
        by_segment: Share by segment.
        overall: Share of all customers, for segments without customers; None if nobody bought again.
    """

    by_segment: Mapping[str, float]
    overall: float | None

    def of(self, segment: str) -> float:
        """Return the share of a segment."""
        return self.by_segment.get(segment, self.overall or 0.0)


class DateFigures(Struct, frozen=True):
    """Figures of a configuration on a date; see `DateEvaluation`."""

    segments: tuple[SegmentOutcome, ...]
    aucs: dict[str, Auc | None]
    map_less_sum: AucDifference | None
    spearman: float | None


def outcome_of(rows: Sequence[Row]) -> Outcome:
    """Return the totals of rows with `customers`, `bought_again`, `orders` and `revenue`."""
    return Outcome(
        sum(int(row["customers"]) for row in rows),
        sum(int(row["bought_again"]) for row in rows),
        sum(int(row["orders"]) for row in rows),
        exact_sum(Decimal(row["revenue"]) for row in rows),
    )


def segment_rates(rows: Sequence[Row]) -> Rates:
    """Return the share that bought again of each segment, from its totals."""
    everyone = outcome_of(rows)
    return Rates(
        {row["segment"]: row["bought_again"] / row["customers"] for row in rows}, everyone.share or None
    )


def date_evaluation(
    cells: Sequence[Row],
    groups: Sequence[Row],
    ties: Mapping[int, int],
    *,
    segments: Sequence[str],
    rates: Rates | None,
    weights: Sequence[Sequence[int]],
) -> DateFigures:
    """Return the figures of a configuration on a date.

    Args:
        cells: Totals by segment and scores, of `cells_sql`.
        groups: Totals by segment and group of customers, of `groups_sql`.
        ties: Numbers of equal revenues, of `revenue_ties_sql`.
        segments: The segments in the order of the map.
        rates: Shares of the horizon before; None if there is none.
        weights: Replicates of the bootstrap.
    """
    everyone = outcome_of(cells)
    totals = _group_totals(groups)
    intervals = segment_intervals(totals, weights)
    by_segment: dict[str, list[Row]] = defaultdict(list)
    for cell in cells:
        by_segment[cell["segment"]].append(cell)
    is_ordered = rates is not None and rates.overall is not None
    counts = [
        _counts(cell, (rates.of(cell["segment"]) if rates else 0.0, _sum_of(cell), *_scores_of(cell)))
        for cell in cells
    ]
    names = ("map", "rfm_sum", "recency", "frequency", "monetary")
    aucs = {name: auc(counts, position) for position, name in enumerate(names)}
    if not is_ordered:
        aucs["map"] = None
    return DateFigures(
        tuple(
            SegmentOutcome(
                name, outcome_of(by_segment[name]), everyone, intervals.get(name, SegmentIntervals())
            )
            for name in segments
        ),
        aucs,
        auc_difference(counts) if is_ordered else None,
        _spearman(cells, ties),
    )


def map_difference(pairs: Sequence[Row], other: Rates, first: Rates) -> AucDifference | None:
    """Return the AUC of a configuration's map less that of the first configuration.

    Args:
        pairs: Customers by the segments of both, of `pairs_sql`.
        other: Shares of the horizon before, by the segments of the configuration.
        first: The same by the segments of the first configuration.
    """
    if first.overall is None:
        return None
    return auc_difference(
        [_counts(row, (other.of(row["other_segment"]), first.of(row["segment"]))) for row in pairs]
    )


def fit_model(histories: Sequence[History], horizon_days: int) -> tuple[Model | None, Auc | None]:
    """Return the BG/NBD model of customers, and the AUC of its expected purchases."""
    model = fit(histories)
    if model is None:
        return None, None
    expected = expected_purchases(model, histories, horizon_days)
    return model, auc(
        [
            Counts((value,), history.bought_again, history.customers - history.bought_again)
            for value, history in zip(expected, histories, strict=True)
        ]
    )


def _counts(row: Row, scores: tuple[float, ...]) -> Counts:
    bought = int(row["bought_again"])
    return Counts(scores, bought, int(row["customers"]) - bought)


def _scores_of(cell: Row) -> tuple[int, int, int]:
    return cell["r"], cell["f"], cell["m"]


def _sum_of(cell: Row) -> int:
    return sum(_scores_of(cell))


def _group_totals(rows: Sequence[Row]) -> dict[str, GroupTotals]:
    totals: dict[str, GroupTotals] = {}
    for row in sorted(rows, key=lambda row: (row["segment"], row["hash_group"])):
        of_segment = totals.setdefault(
            row["segment"],
            GroupTotals([0] * HASH_GROUPS, [0] * HASH_GROUPS, [0] * HASH_GROUPS, [0.0] * HASH_GROUPS),
        )
        group = int(row["hash_group"], 16)
        of_segment.customers[group] = int(row["customers"])
        of_segment.bought_again[group] = int(row["bought_again"])
        of_segment.orders[group] = int(row["orders"])
        of_segment.revenue[group] = float(row["revenue"])
    return totals


def _spearman(cells: Sequence[Row], ties: Mapping[int, int]) -> float | None:
    by_score: dict[int, tuple[int, int]] = {}
    for cell in cells:
        customers, ranks = by_score.get(_sum_of(cell), (0, 0))
        by_score[_sum_of(cell)] = customers + int(cell["customers"]), ranks + int(cell["rank_sum"])
    return spearman(by_score, ties)
