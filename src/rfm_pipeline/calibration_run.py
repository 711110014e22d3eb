"""`rfm calibrate`: a run that publishes nothing, and leaves its edges for later runs to score by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import msgspec

from rfm_pipeline import __version__
from rfm_pipeline.config import Configuration, merge
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.ledger import RunRecord, SegmentFigures
from rfm_pipeline.planning import Plan, planned
from rfm_pipeline.result import RunResult
from rfm_pipeline.runner import Watcher, new_run_id, result_of, stage
from rfm_pipeline.settings import Settings

# A configuration whose runs are frozen is the one that is calibrated anew.
_FRESH = {"scoring": {"edges": "fresh", "calibration": "latest"}}


def calibrate(
    configuration: Configuration,
    watcher: Watcher,
    record: Callable[[RunRecord], None],
    *,
    today: date | None = None,
) -> RunResult:
    """Stages and audits as a run does, and records the edges. Edges are fresh, whatever is configured.

    Args:
        configuration: All layers of settings.
        watcher: Told what is going on.
        record: Puts the run on record, when the engine is done.
        today: As for `planned`.

    Raises:
        AuditError: An audit failed; nothing was recorded.
        RfmError: Anything else; nothing was recorded either.
    """
    started, started_at = time.monotonic(), _now()
    run_id = new_run_id()
    asked = replace(configuration, flags=merge([configuration.flags, _FRESH]))
    _refuse_nothing_to_freeze(asked.settings())
    watcher.step("Looking at the source")
    with planned(asked, today=today, run_id=run_id) as plan:
        audited = stage(plan, run_id, watcher)
        took = time.monotonic() - started
        result = result_of(plan, audited, run_id=run_id, status="calibrated", took=took)
    watcher.step("Recording")
    record(_recorded(plan, result, started_at))
    return result


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _refuse_nothing_to_freeze(settings: Settings) -> None:
    if all(dimension.method != "quantile" for dimension in settings.scoring.dimensions):
        raise ConfigurationError(
            "There is nothing to calibrate: no dimension is scored by method = 'quantile', and no other has"
            " edges that come from the customers.",
            "`rfm run` scores the same way each time.",
        )


def _recorded(plan: Plan, result: RunResult, started_at: datetime) -> RunRecord:
    rules = {"scoring": plan.settings.scoring, "segments": plan.settings.segments}
    return RunRecord(
        run_id=result.run_id,
        kind="calibration",
        status=result.status,
        started_at=started_at,
        finished_at=_now(),
        as_of_date=result.as_of,
        source=result.source,
        engine=result.engine,
        version=__version__,
        config_hash=plan.settings.config_hash,
        rules=msgspec.to_builtins(rules, enc_hook=str),
        rows_read=result.rows_read,
        rows_kept=result.rows_kept,
        amount_kept=result.amount_kept,
        customers=result.customers,
        orders=result.orders,
        revenue=result.revenue,
        exclusions=result.excluded,
        edges=result.dimensions,
        segments=tuple(
            SegmentFigures(segment.segment, segment.customers, segment.orders, segment.revenue)
            for segment in result.segments
        ),
        audits=result.audits,
        bytes_processed=result.bytes_processed,
        bytes_billed=result.bytes_billed,
        slot_ms=result.slot_ms,
        jobs=result.jobs,
    )
