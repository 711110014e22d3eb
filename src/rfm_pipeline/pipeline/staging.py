"""Staging of a run: compute the result, collect its statistics, audit it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.errors import AuditError, ColumnError
from rfm_pipeline.pipeline.audits.hints import audit_hint
from rfm_pipeline.pipeline.audits.run import run_audits
from rfm_pipeline.pipeline.audits.statistics import RunStatistics
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_records import RunStart
from rfm_pipeline.pipeline.run_statistics import (
    ScoreCell,
    collect_statistics,
    count_lines,
    count_score_cells,
    segment_results,
)
from rfm_pipeline.results.run_history import previous_date
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.run_result import Excluded, RunResult
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.result_rows import previous_sql, result_sql
from rfm_pipeline.sql.stages.clean import AMBIGUOUS_DATE

_STEPS = {
    "order_days": "Reading, cleaning and measuring",
    "customers": "Reading, cleaning and measuring",
    "edges": "Finding the edges",
}


def stage_result(begun: RunStart, plan: Plan, watcher: RunObserver) -> tuple[RunResult, RunStatistics]:
    """Stages the result as the table `result`, and audits it.

    Returns:
        What was found, the audits among it, and what they looked at.

    Raises:
        ColumnError: A date can be read in two ways.
        RfmError: The engine failed.
    """
    warehouse = plan.warehouse
    *steps, segments = plan.pipeline.steps(warehouse.table)
    for step in steps:
        watcher.step(_STEPS[step.name])
        warehouse.materialize(step.name, step.select, watcher.progress, step.partitioned)
    watcher.step("Scoring and segmenting")
    _stage_result(begun, plan, f"(\n{segments.select}\n)", watcher)
    watcher.step("Auditing")
    lines = count_lines(plan)
    refuse_ambiguous_dates(lines.excluded, plan.mapping)
    # All of it before the publish, after which nothing may fail that would look as if there were none.
    cells = count_score_cells(plan)
    counted = collect_statistics(plan, lines, cells, _last_run(plan, cells))
    return _result(begun, plan, counted, cells), counted


def _stage_result(begun: RunStart, plan: Plan, segments: str, watcher: RunObserver) -> None:
    """The published rows: the segments, a SELECT in parentheses, with where each customer came from."""
    warehouse, dialect, previous = plan.warehouse, plan.spec.dialect, None
    if (before := _date_before(plan, segments)) is not None:
        history = warehouse.destination.table("history")
        warehouse.copy_from_destination("previous", previous_sql(history, before, dialect))
        previous = warehouse.table("previous")
    warehouse.materialize("result", result_sql(segments, previous, begun.run_id, dialect), watcher.progress)


def _date_before(plan: Plan, segments: str) -> date | None:
    """The standing as-of date before this run's; None where there is none."""
    standing = plan.standing.dates
    if not standing or "history" not in plan.standing.tables:
        return None
    (row,) = plan.warehouse.rows(f"SELECT MAX(as_of_date) AS as_of_date FROM {segments}")
    return previous_date(standing, row["as_of_date"]) if row["as_of_date"] else None


def _last_run(plan: Plan, cells: Sequence[ScoreCell]) -> RunRecord | None:
    """The run to compare this one with: that of the newest date up to this one's, from the same source."""
    standing = plan.standing.dates
    days = [day for day in standing if cells and day <= cells[0].as_of]
    last = standing[max(days)] if days else None
    return last if last and last.source == plan.settings.source else None


def _standing_result(plan: Plan) -> str | None:
    """The current result, for the user's own audits to look at; None where there is none, or nobody looks."""
    warehouse = plan.warehouse
    if not plan.settings.audits.own or "current" not in plan.standing.tables:
        return None
    current = warehouse.destination.table("current")
    warehouse.copy_from_destination("standing", f"SELECT {', '.join(RESULT_COLUMNS)}\nFROM {current}")
    return warehouse.table("standing")


def refuse_ambiguous_dates(excluded: Sequence[Excluded], mapping: ColumnMapping) -> None:
    """Stops where a date can be read in two ways.

    Raises:
        ColumnError: A line was excluded for that.
    """
    for reason in excluded:
        if reason.reason == AMBIGUOUS_DATE:
            raise ColumnError(
                f"The date '{reason.example}' in the column `{mapping.ordered_at.name}` can be read in"
                f" two ways ({format_count(reason.lines, 'such line')}).",
                "say how it is written: --date-format '%d/%m/%Y' with the day first, or '%m/%d/%Y'"
                " (with ' %H:%M' where a time follows).",
            )


def is_refused(result: RunResult) -> bool:
    """Whether an audit failed, so that nothing may be published."""
    return any(audit.status == "failed" for audit in result.audits)


def audit_error(result: RunResult, staged: RunStatistics, kept: str = "") -> AuditError:
    """The error in which a refused result ends.

    Args:
        result: What was found.
        staged: What the audits looked at.
        kept: Where it can be looked at, in words.
    """
    failed = [audit for audit in result.audits if audit.status == "failed"]
    look = f" {kept[0].upper()}{kept[1:]}." if kept else ""
    return AuditError(
        f"Nothing was published, because an audit failed: {failed[0].detail}",
        f"{audit_hint(failed, staged)}{look}",
    )


def _result(begun: RunStart, plan: Plan, counted: RunStatistics, cells: Sequence[ScoreCell]) -> RunResult:
    segments, usage = segment_results(plan, cells), plan.warehouse.usage()
    as_of, current = (cells[0].as_of if cells else None), plan.standing.as_of
    is_older = as_of is not None and current is not None and as_of < current
    status = "history_only" if is_older else "published"
    return RunResult(
        run_id=begun.run_id,
        status="calibrated" if begun.kind == "calibration" else status,
        as_of=as_of,
        engine=plan.warehouse.engine,
        source=plan.source.label,
        rows_read=counted.rows_read,
        rows_kept=counted.rows_kept,
        amount_kept=counted.amount_kept,
        excluded=counted.excluded,
        customers=counted.customers,
        orders=sum(segment.orders for segment in segments),
        revenue=counted.monetary,
        dimensions=counted.dimensions,
        segments=segments,
        audits=run_audits(plan, counted, _standing_result(plan)),
        destination=plan.warehouse.destination.label,
        outputs=(),
        duration_s=0.0,
        bytes_processed=usage.bytes_processed,
        bytes_billed=usage.bytes_billed,
        slot_ms=usage.slot_ms,
        jobs=usage.jobs,
        columns={role: column.name for role, column in plan.mapping.roles().items()},
        notes=plan.notes,
        drift=counted.drift,
    )
