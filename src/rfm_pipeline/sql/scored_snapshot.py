"""The scoring and the segment map of a result, from the record of its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rfm_pipeline.config.base import SettingsError
from rfm_pipeline.config.scoring import Scoring
from rfm_pipeline.config.segment_map import SegmentMap, SegmentsConfig
from rfm_pipeline.errors import UsageError
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.sql.transitions import ScoredSnapshot


def scored_snapshot(record: RunRecord) -> ScoredSnapshot:
    """Return the scoring and the segment map of a run, as its record has them.

    Raises:
        UsageError: If another version of rfm recorded the rules, and this one can't read them.
    """
    assert record.as_of_date is not None  # an active result has a date
    try:
        scoring = Scoring.of(_without_none(record.rules["scoring"]))
        segments = SegmentsConfig.of(_without_none(record.rules["segments"]))
    except SettingsError:
        raise UsageError(
            f"The rules of the run {record.run_id}, as of {record.as_of_date}, were recorded by another"
            " version of rfm, and this one can't read them.",
            f"compute the result again: rfm run --as-of {record.as_of_date}.",
        ) from None
    return ScoredSnapshot(
        record.as_of_date,
        scoring.dimensions,
        {scores.name: scores.edges for scores in record.edges},
        SegmentMap.from_config(segments, scoring.bins_by_dimension),
        record.scoring_version if scoring.depends_on_rule else None,
    )


def _without_none(value: Any) -> Any:
    """Return plain values without None: a configuration leaves out settings that are not set."""
    if isinstance(value, Mapping):
        return {name: _without_none(inner) for name, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value
