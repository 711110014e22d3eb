"""What a run puts on record, made of what it found."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime

import msgspec
from msgspec import Struct, field

from rfm_pipeline._version import __version__
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.results.run_record import RunRecord, SegmentTotals
from rfm_pipeline.results.run_result import RunResult


def now() -> datetime:
    """The time in UTC, as records have it."""
    return datetime.now(UTC).replace(tzinfo=None)


def new_run_id() -> str:
    """An id that sorts by time and never comes twice: `20251231T060000-1f9c3a`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


class RunStart(Struct, frozen=True):
    """What is known of a run when it begins.

    Attributes:
        run_id: Its id.
        kind: What it is: `run`, `backfill`, `rollback` or `calibration`.
        started_at: When, in UTC.
    """

    run_id: str
    kind: str
    started_at: datetime = field(default_factory=now)


def build_run_record(
    begun: RunStart,
    plan: Plan,
    result: RunResult,
    *,
    newest_order: date | None = None,
    history_from: date | None = None,
    error: str | None = None,
) -> RunRecord:
    """The record of a run that came to a result, which was published or refused."""
    return RunRecord(
        run_id=begun.run_id,
        kind=begun.kind,
        status=result.status,
        started_at=begun.started_at,
        finished_at=now(),
        as_of_date=result.as_of,
        source=plan.settings.source,
        engine=result.engine,
        version=__version__,
        config_hash=plan.settings.config_hash,
        rules=rules_of(plan.settings),
        rows_read=result.rows_read,
        rows_kept=result.rows_kept,
        amount_kept=result.amount_kept,
        customers=result.customers,
        orders=result.orders,
        revenue=result.revenue,
        newest_order_date=newest_order,
        exclusions=result.excluded,
        edges=result.dimensions,
        segments=tuple(
            SegmentTotals(segment.segment, segment.customers, segment.orders, segment.revenue)
            for segment in result.segments
        ),
        audits=result.audits,
        bytes_processed=result.bytes_processed,
        bytes_billed=result.bytes_billed,
        slot_ms=result.slot_ms,
        jobs=result.jobs,
        history_from=history_from,
        error=error,
    )


def build_failure_record(begun: RunStart, plan: Plan, error: str) -> RunRecord:
    """The record of a run that came to no result."""
    usage = plan.warehouse.usage()
    return RunRecord(
        run_id=begun.run_id,
        kind=begun.kind,
        status="failed",
        started_at=begun.started_at,
        finished_at=now(),
        as_of_date=plan.spec.as_of,
        source=plan.settings.source,
        engine=plan.warehouse.engine,
        version=__version__,
        config_hash=plan.settings.config_hash,
        rules=rules_of(plan.settings),
        bytes_processed=usage.bytes_processed,
        bytes_billed=usage.bytes_billed,
        slot_ms=usage.slot_ms,
        jobs=usage.jobs,
        error=error,
    )


def rules_of(settings: Settings) -> dict[str, object]:
    """Scoring and segments as they were configured, in plain values."""
    return {
        "scoring": msgspec.to_builtins(settings.scoring, enc_hook=str),
        "segments": msgspec.to_builtins(settings.segments, enc_hook=str),
    }
