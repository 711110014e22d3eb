"""Frozen edges: which earlier run's they are, and whether they fit what is asked."""

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
        run_id: The run.
        as_of_date: Its as-of date.
        edges: By the name of each dimension whose method is `quantile`, in the form that `[scoring]` takes.
    """

    run_id: str
    as_of_date: date | None
    edges: Mapping[str, tuple[Decimal, ...]]

    def __str__(self) -> str:
        return f"run {self.run_id}, as of {self.as_of_date}"


def frozen_edges(records: Sequence[RunRecord], settings: Settings) -> FrozenEdges:
    """The edges that settings with `scoring.edges = "frozen"` ask for.

    Args:
        records: The runs on record at the destination, in any order.
        settings: They name a run in `scoring.calibration`, or take the newest calibration.

    Raises:
        ConfigurationError: There is no such run, or it was scored in other bins or by other methods.
    """
    scoring = settings.scoring
    run_id = scoring.calibration
    record = _newest_calibration(records, settings) if run_id is None else _named(run_id, records, settings)
    scored = {scores.name: scores for scores in record.edges}
    found: dict[str, tuple[Decimal, ...]] = {
        dimension.name: _fitting(dimension, scored.get(dimension.name), record)
        for dimension in scoring.dimensions
        if dimension.method == "quantile"
    }
    return FrozenEdges(record.run_id, record.as_of_date, found)


def _newest_calibration(records: Sequence[RunRecord], settings: Settings) -> RunRecord:
    calibrations = [record for record in _newest_first(records) if record.status == "calibrated"]
    if not calibrations:
        raise ConfigurationError(
            f"`scoring.edges` is 'frozen', and no calibration is on record at {settings.to}.",
            f"{_CALIBRATE}{_or_name_one_of(records)}.",
        )
    return calibrations[0]


def _named(run_id: str, records: Sequence[RunRecord], settings: Settings) -> RunRecord:
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
    """The newest runs that have edges, as an advice goes on with them."""
    ids = [record.run_id for record in _newest_first(records) if record.status in _HAS_EDGES and record.edges]
    newest = "the newest of " if len(ids) > _LISTED else ""
    return f"; or name a run, {newest}which are {', '.join(ids[:_LISTED])}" if ids else ""


def _fitting(
    dimension: DimensionScoring, scores: DimensionScores | None, record: RunRecord
) -> tuple[Decimal, ...]:
    wanted = f"`scoring.{dimension.name}` is {dimension.bins} bins by quantile edges"
    known = () if scores is None or scores.edges is None else scores.edges
    if scores is None or scores.method != "quantile" or len(known) != dimension.bins - 1:
        bins, method = (0, "no") if scores is None else (len(scores.customers), scores.method)
        had = f"{bins} bins by {method} edges" if bins else "none"
        raise ConfigurationError(
            f"Run {record.run_id} can't be frozen to: {wanted}, and the run had {had}.",
            f"{_CALIBRATE}; or set scoring as it was for that run.",
        )
    return known
