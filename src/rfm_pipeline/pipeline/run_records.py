"""Building the record of a run, successful or not, and saving it at the destination."""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from rfm_pipeline._version import __version__
from rfm_pipeline.common.customer_mask import mask_addresses
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.config.scoring import SCORING_VERSION
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import RfmError
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.pipeline.source_identity import source_identity
from rfm_pipeline.results.run_history import tables_of
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.run_result import RunResult
from rfm_pipeline.sql.partition_pruning import first_partition
from rfm_pipeline.sql.publish import record_sql


def now() -> datetime:
    """Return the current time in UTC without a time zone, as records hold it."""
    return datetime.now(UTC).replace(tzinfo=None)


def new_run_id() -> str:
    """Return a new id, such as `20251231T060000-1f9c3a`: ids sort by time and are unique."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


class RunStart(Struct, frozen=True):
    """What is known of a run when it starts.

    Attributes:
        run_id: Id of the run.
        kind: `run`, `backfill`, `rollback` or `calibration`.
        started_at: Start time in UTC.
    """

    run_id: str
    kind: str
    started_at: datetime = field(default_factory=now)


def build_run_record(
    start: RunStart,
    plan: Plan,
    result: RunResult,
    *,
    history_from: date | None = None,
    error: str | None = None,
) -> RunRecord:
    """Build the record of a run that computed a result, which is published or rejected.

    Args:
        start: The start of the run.
        plan: The plan of the run.
        result: The result.
        history_from: The oldest as-of date that retention keeps; None if it keeps all.
        error: Why the result was rejected; None if it is published.
    """
    return replace(
        _new_record(start, plan, result.status, result.as_of),
        statistics=result.statistics,
        audits=result.audits,
        usage=result.usage,
        history_from=history_from,
        error=error,
    )


def build_failure_record(start: RunStart, plan: Plan, error: str) -> RunRecord:
    """Build the record of a run that computed no result."""
    return replace(
        _new_record(start, plan, "failed", plan.spec.as_of),
        usage=plan.warehouse.usage(),
        error=mask_addresses(error),
    )


def _new_record(start: RunStart, plan: Plan, status: str, as_of: date | None) -> RunRecord:
    return RunRecord(
        run_id=start.run_id,
        kind=start.kind,
        status=status,
        started_at=start.started_at,
        finished_at=now(),
        as_of_date=as_of,
        source=plan.settings.source_name,
        engine=plan.warehouse.engine,
        version=__version__,
        config_hash=plan.settings.config_hash,
        rules={**rules_of(plan.settings), **_pruning(plan)},
        identity=source_identity(plan),
    )


def rules_of(settings: Settings) -> dict[str, object]:
    """Return scoring and segments as configured, and the version of the scoring rule, in plain values."""
    return {
        "scoring_version": SCORING_VERSION,
        "scoring": msgspec.to_builtins(settings.scoring, enc_hook=str),
        "segments": msgspec.to_builtins(settings.segments, enc_hook=str),
    }


def _pruning(plan: Plan) -> dict[str, str]:
    """Return the first day of the partitions that the run read, as `reads_from`; empty if it read all."""
    first = first_partition(plan.source.partition, plan.mapping, plan.settings)
    return {} if first is None else {"reads_from": first.isoformat()}


def save_run_record(plan: Plan, record: RunRecord) -> str:
    """Save the record of a run that published nothing, if the runs table exists already.

    A failure to save is returned as a sentence, not raised: what stopped the run decides the exit code.

    Returns:
        Why the record can't be saved; blank if it was, or need not be.
    """
    if "runs" not in plan.state.tables:
        return ""
    destination = plan.warehouse.destination
    statements = record_sql(tables_of(destination), record.to_row(), plan.spec.dialect)
    try:
        destination.apply(statements, "record")
    except RfmError as error:
        return f"The run can't be put on record: {lower_first(error.message)}"
    return ""
