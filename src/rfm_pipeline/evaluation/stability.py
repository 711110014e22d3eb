"""Stability of a segment map: the share of customers who keep their segment with other customers or days.

Two things are changed. Resampling replaces the customers by a bootstrap sample of them, which has edges of
its own, and scores all customers by these. A day more or less is a run as of the day after, or before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.scoring import DimensionScoring
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.sql import stability_queries as queries
from rfm_pipeline.sql.query_spec import QuerySpec
from rfm_pipeline.sql.stages.scores import INITIALS
from rfm_pipeline.warehouse.base import Warehouse

ENOUGH = 0.9
"""Share of customers who keep a score under resampling, below which a dimension has too many bins."""


class SegmentStability(Struct, frozen=True):
    """The share of a segment's customers who keep it; each is None if it is unknown.

    Attributes:
        segment: Name of the segment.
        customers: Its number of customers.
        resampled: Share who keep it under resampling, over all replicates; None with the method `ntile`.
        day_earlier: Share who have it the day before, of those who were customers then.
        day_later: Share who have it the day after, of those who are customers still.
    """

    segment: str
    customers: int
    resampled: float | None
    day_earlier: float | None
    day_later: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "segment": self.segment,
            "customers": self.customers,
            "stay_resampled": self.resampled,
            "stay_day_earlier": self.day_earlier,
            "stay_day_later": self.day_later,
        }


class DimensionStability(Struct, frozen=True):
    """Whether the data of a dimension is enough for its bins.

    Attributes:
        dimension: `recency`, `frequency` or `monetary`.
        bins: Its number of bins.
        empty_scores: Scores that no customer has, because many customers have one value.
        resampled: Share of customers who keep their score under resampling.
        enough_bins: If the bins are too many, the largest number of bins without empty scores with which nine
            in ten customers keep their score; None if there is none, or the bins are not too many.
    """

    dimension: str
    bins: int
    empty_scores: tuple[int, ...]
    resampled: float
    enough_bins: int | None = None

    @property
    def has_too_many_bins(self) -> bool:
        """Whether a score has no customers, or fewer than nine in ten customers keep theirs."""
        return bool(self.empty_scores) or self.resampled < ENOUGH

    def sentence(self) -> str:
        """Return what is to be said of the bins if they are too many."""
        reasons = []
        if self.empty_scores:
            *first, last = map(str, self.empty_scores)
            reasons.append(f"no customer scores {', '.join(first)}{' or ' if first else ''}{last}")
        if self.resampled < ENOUGH:
            reasons.append(f"{self.resampled:.0%}".replace("%", " %") + " keep their score under resampling")
        enough = "no number of bins" if self.enough_bins is None else str(self.enough_bins)
        return (
            f"{self.bins} bins are too many for {self.dimension}: {' and '.join(reasons)}; {enough} would do."
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "dimension": self.dimension,
            "bins": self.bins,
            "empty_scores": list(self.empty_scores),
            "stay_resampled": self.resampled,
            "too_many_bins": self.has_too_many_bins,
            "enough_bins": self.enough_bins,
        }


class Stability(Struct, frozen=True):
    """The stability of a configuration on one date.

    Attributes:
        as_of: The date.
        configuration: Name of the configuration.
        replicates: Number of bootstrap samples; 0 if nothing is resampled.
        everyone: The shares of all customers; the name of the segment is empty.
        segments: The segments in the order of the map.
        dimensions: The dimensions whose edges depend on the customers; none with the method `ntile`.
    """

    as_of: date
    configuration: str
    replicates: int
    everyone: SegmentStability = SegmentStability("", 0, None, None, None)
    segments: tuple[SegmentStability, ...] = ()
    dimensions: tuple[DimensionStability, ...] = ()

    def sentences(self) -> list[str]:
        """Return a sentence for each dimension with too many bins."""
        return [
            f"{self.configuration}: {dimension.sentence()}"
            for dimension in self.dimensions
            if dimension.has_too_many_bins
        ]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        everyone = self.everyone.to_json()
        del everyone["segment"]
        return {
            "as_of": self.as_of.isoformat(),
            "configuration": self.configuration,
            "replicates": self.replicates,
            **everyone,
            "segments": [segment.to_json() for segment in self.segments],
            "dimensions": [dimension.to_json() for dimension in self.dimensions],
        }


class ScoredDate(Struct, frozen=True):
    """The staged customers of a date.

    Attributes:
        as_of: The date.
        evaluated: SQL identifier of the table `evaluated`.
        segments: SQL identifiers of the tables `segments`, one per configuration.
    """

    as_of: date
    evaluated: str
    segments: Sequence[str]


class _Resampled(Struct, frozen=True):
    """What resampling moves.

    Attributes:
        replicates: Number of replicates that have customers.
        moved: Pairs of a customer and a replicate with another segment, by segment; None if it is unknown.
        dimensions: The dimensions whose edges depend on the customers.
    """

    replicates: int
    moved: Mapping[str, int] | None
    dimensions: tuple[DimensionStability, ...] = ()


def measure_stability(
    warehouse: Warehouse,
    configurations: Sequence[tuple[str, QuerySpec]],
    scored: ScoredDate,
    score: Callable[[date], Sequence[str]],
    *,
    weights: Sequence[Sequence[int]],
    observer: RunObserver,
) -> list[Stability]:
    """Return the stability of each configuration. The tables `segments` are those of another day then.

    Args:
        warehouse: The engine with the staged tables.
        configurations: The names of the configurations, each with its specification.
        scored: The staged customers.
        score: Function that stages `segments` as of another day, as `ScoredDate.segments` has them.
        weights: For each replicate how often each group of customers is drawn.
        observer: Receives the progress.
    """
    observer.step(f"Resampling the customers as of {scored.as_of}")
    weights = weights[: queries.MAX_REPLICATES]
    dialect = configurations[0][1].dialect
    warehouse.materialize(StagingTable.DRAWS, queries.draws_sql(weights, dialect))
    cells, resampled = [], []
    for (_, spec), segments in zip(configurations, scored.segments, strict=True):
        rows = warehouse.rows(queries.score_counts_sql(segments))
        cells.append(rows)
        resampled.append(_resample(warehouse, spec, segments, rows))
    days: list[list[Sequence[Mapping[str, Any]]]] = []
    for day in (scored.as_of - timedelta(days=1), scored.as_of + timedelta(days=1)):
        observer.step(f"As of {day}")
        neighbours = score(day)
        days.append(
            [
                warehouse.rows(queries.neighbour_sql(scored.evaluated, number, neighbour))
                for number, neighbour in enumerate(neighbours)
            ]
        )
    return [
        _stability(
            Stability(scored.as_of, label, found.replicates, dimensions=found.dimensions),
            [segment.name for segment in spec.segment_map.segments],
            cells[number],
            found.moved,
            [day[number] for day in days],
        )
        for number, ((label, spec), found) in enumerate(zip(configurations, resampled, strict=True))
    ]


def _stability(
    stability: Stability,
    names: Sequence[str],
    cells: Sequence[Mapping[str, Any]],
    moved: Mapping[str, int] | None,
    days: Sequence[Sequence[Mapping[str, Any]]],
) -> Stability:
    """Return the stability with the shares of all customers, and of each segment."""

    def shares(chosen: Sequence[str], name: str = "") -> SegmentStability:
        customers = sum(row["customers"] for row in cells if row["segment"] in chosen)
        stay = None
        if moved is not None and customers:
            pairs = customers * stability.replicates
            stay = 1 - sum(moved.get(each, 0) for each in chosen) / pairs if pairs else 1.0
        earlier, later = (_share([row for row in day if row["segment"] in chosen]) for day in days)
        return SegmentStability(name, customers, stay, earlier, later)

    return replace(stability, everyone=shares(names), segments=tuple(shares([name], name) for name in names))


def _share(rows: Sequence[Mapping[str, Any]]) -> float | None:
    customers = sum(row["customers"] for row in rows)
    return sum(row["stayed"] for row in rows) / customers if customers else None


def _resample(
    warehouse: Warehouse, spec: QuerySpec, segments: str, cells: Sequence[Mapping[str, Any]]
) -> _Resampled:
    dimensions = spec.settings.scoring.dimensions
    if any(dimension.method == "ntile" for dimension in dimensions):
        return _Resampled(0, None)
    resampled = [dimension for dimension in dimensions if queries.is_resampled(spec, dimension)]
    if not resampled:
        return _Resampled(0, {})
    customers = sum(row["customers"] for row in cells)
    table = warehouse.table(StagingTable.RESAMPLED_EDGES)
    _stage_edges(warehouse, spec, dimensions, segments, customers)
    (row,) = warehouse.rows(queries.replicates_sql(table))
    replicates = row["replicates"]
    rows = warehouse.rows(queries.resampled_moves_sql(spec, segments, table))
    found = []
    for dimension in resampled:
        initial = INITIALS[dimension.name]
        kept = 1 - sum(row[f"{initial}_moved"] for row in rows) / (customers * replicates)
        present = {row[f"{initial}_score"] for row in cells}
        empty = tuple(score for score in range(1, dimension.bins + 1) if score not in present)
        found.append(DimensionStability(dimension.name, dimension.bins, empty, kept))
    return _Resampled(
        replicates,
        {row["segment"]: row["moved"] for row in rows},
        tuple(
            replace(each, enough_bins=_enough_bins(warehouse, spec, dimension, segments, customers))
            if each.has_too_many_bins
            else each
            for dimension, each in zip(resampled, found, strict=True)
        ),
    )


def _stage_edges(
    warehouse: Warehouse,
    spec: QuerySpec,
    dimensions: Sequence[DimensionScoring],
    segments: str,
    customers: int,
) -> None:
    draws = warehouse.table(StagingTable.DRAWS)
    select = queries.resampled_edges_sql(spec, dimensions, segments, draws, customers)
    warehouse.materialize(StagingTable.RESAMPLED_EDGES, select)


def _enough_bins(
    warehouse: Warehouse, spec: QuerySpec, dimension: DimensionScoring, segments: str, customers: int
) -> int | None:
    """Return the most bins, fewer than a dimension has, that are not too many; None if there are none."""
    table = warehouse.table(StagingTable.RESAMPLED_EDGES)
    for bins in range(dimension.bins - 1, 1, -1):
        fewer = replace(dimension, bins=bins)
        _stage_edges(warehouse, spec, [fewer], segments, customers)
        (row,) = warehouse.rows(queries.dimension_moves_sql(fewer, segments, table, spec.dialect))
        is_empty = row["scores"] < bins
        if not is_empty and 1 - int(row["moved"]) / (customers * row["replicates"]) >= ENOUGH:
            return bins
    return None
