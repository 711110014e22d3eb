"""Frozen edges: the edges of an earlier run, by which customers are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct

from rfm_pipeline.config.scoring import DimensionScoring
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.statistics import DimensionScores

_LISTED = 5
_HAS_EDGES = {"published", "history_only", "calibrated"}
_CALIBRATE = "`rfm calibrate` makes a calibration with these settings"


class FrozenEdges(Struct, frozen=True):
    """The edges of an earlier run.

    Attributes:
        run_id: Id of the run.
        as_of_date: As-of date of the run.
        edges: The edges by dimension, for dimensions whose method is `quantile`, as `[scoring]` takes them.
    """

    run_id: str
    as_of_date: date | None
    edges: Mapping[str, tuple[Decimal, ...]]

    def __str__(self) -> str:
        return f"run {self.run_id}, as of {self.as_of_date}"


def frozen_edges(records: Sequence[RunRecord], settings: Settings) -> FrozenEdges:
    """Return the edges that settings with `scoring.edges = "frozen"` request.

    Args:
        records: The runs on record at the destination, in any order.
        settings: The settings; `scoring.calibration` names the run, or None for the newest calibration.

    Raises:
        ConfigurationError: If there is no such run, or it was scored with other bins or methods.
    """
    scoring = settings.scoring
    run_id = scoring.calibration
    record = (
        _newest_calibration(records, settings) if run_id is None else _run_named(run_id, records, settings)
    )
    scored = {scores.name: scores for scores in record.edges}
    edges: dict[str, tuple[Decimal, ...]] = {
        dimension.name: _matching_edges(dimension, scored.get(dimension.name), record)
        for dimension in scoring.dimensions
        if dimension.method == "quantile"
    }
    return FrozenEdges(record.run_id, record.as_of_date, edges)


def edges_of_result(record: RunRecord, settings: Settings) -> FrozenEdges | None:
    """Return the edges of an earlier result; None if all of them are fixed, and thus in the settings.

    Args:
        record: The record of the result.
        settings: The settings of the result that is scored by these edges.

    Raises:
        ConfigurationError: If the result was scored with other bins, methods or fixed edges, or by `ntile`.
    """
    earlier = {scores.name: scores for scores in record.edges}
    for dimension in settings.scoring.dimensions:
        scores = earlier[dimension.name]
        wanted = (dimension.bins, dimension.method)
        given = (len(scores.customers), scores.method)
        if wanted != given:
            raise ConfigurationError(
                f"The thresholds of the earlier result don't fit: it scored {dimension.name} in {given[0]}"
                f" bins by {given[1]}, and this call scores it in {wanted[0]} bins by {wanted[1]}.",
                "give the bins and methods of the earlier call, or leave `thresholds` out.",
            )
        if scores.edges is None:
            raise ConfigurationError(
                f"The earlier result has no thresholds: it scored {dimension.name} by ntile.",
                'score the earlier result by method="quantile".',
            )
        if dimension.method == "fixed" and scores.edges != dimension.edges:
            raise ConfigurationError(
                f"The fixed edges of {dimension.name} are not those of the earlier result.",
                "give the same edges to both calls, or leave `thresholds` out.",
            )
    edges = {name: scores.edges or () for name, scores in earlier.items() if scores.method == "quantile"}
    return FrozenEdges(record.run_id, record.as_of_date, edges) if edges else None


def _newest_calibration(records: Sequence[RunRecord], settings: Settings) -> RunRecord:
    calibrations = [record for record in _newest_first(records) if record.status == "calibrated"]
    if not calibrations:
        raise ConfigurationError(
            f"`scoring.edges` is 'frozen', and no calibration is on record at {settings.to}.",
            f"{_CALIBRATE}{_or_name_one_of(records)}.",
        )
    return calibrations[0]


def _run_named(run_id: str, records: Sequence[RunRecord], settings: Settings) -> RunRecord:
    for record in records:
        if record.run_id == run_id:
            if record.status in _HAS_EDGES and record.edges:
                return record
            raise ConfigurationError(
                f"Run {run_id} has no edges to freeze: it is on record as a {record.kind} that was"
                f" {record.status}.",
                f"{_CALIBRATE}{_or_name_one_of(records)}.",
            )
    raise ConfigurationError(
        f"There is no run '{run_id}' on record at {settings.to} to take edges from.",
        f"{_CALIBRATE}{_or_name_one_of(records)}.",
    )


def _newest_first(records: Sequence[RunRecord]) -> list[RunRecord]:
    return sorted(records, key=lambda record: (record.finished_at, record.run_id), reverse=True)


def _or_name_one_of(records: Sequence[RunRecord]) -> str:
    """Return the end of a hint, with the newest runs that have edges; empty if there is none."""
    ids = [record.run_id for record in _newest_first(records) if record.status in _HAS_EDGES and record.edges]
    newest = "the newest of " if len(ids) > _LISTED else ""
    return f"; or name a run, {newest}which are {', '.join(ids[:_LISTED])}" if ids else ""


def _matching_edges(
    dimension: DimensionScoring, scores: DimensionScores | None, record: RunRecord
) -> tuple[Decimal, ...]:
    """Return the edges of a dimension from a run.

    Raises:
        ConfigurationError: If the run did not score the dimension by quantiles with the same bins.
    """
    wanted = f"`scoring.{dimension.name}` is {dimension.bins} bins by quantile edges"
    edges = () if scores is None or scores.edges is None else scores.edges
    if scores is None or scores.method != "quantile" or len(edges) != dimension.bins - 1:
        bins, method = (0, "no") if scores is None else (len(scores.customers), scores.method)
        recorded = f"{bins} bins by {method} edges" if bins else "none"
        raise ConfigurationError(
            f"Run {record.run_id} can't be frozen to: {wanted}, and the run had {recorded}.",
            f"{_CALIBRATE}; or set scoring as it was for that run.",
        )
    return edges
