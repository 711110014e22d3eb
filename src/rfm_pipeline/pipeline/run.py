"""The orchestrator: plan, stage, audit, publish, record. The only room that knows all the others.

Nothing here prints; what goes on is told to a `Watcher`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from typing import Protocol

from msgspec.structs import replace

from rfm_pipeline.common.cancellation import ASKED
from rfm_pipeline.common.formatting import count, lowered
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import AuditError, ColumnError, ConfigurationError, RfmError, WarehouseError
from rfm_pipeline.pipeline.audits.hints import advice
from rfm_pipeline.pipeline.audits.run import audits_of
from rfm_pipeline.pipeline.audits.statistics import Staged
from rfm_pipeline.pipeline.output_files import Outputs
from rfm_pipeline.pipeline.plan import Plan, planned
from rfm_pipeline.pipeline.run_records import Beginning, failure_of, new_run_id, now, record_of
from rfm_pipeline.pipeline.run_statistics import Cell, cells_of, lines_of, segment_results, staged
from rfm_pipeline.results.run_history import RunRecord, date_before, standing_at, tables_of
from rfm_pipeline.results.run_result import Excluded, RunResult
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.publish import publish_sql, record_sql
from rfm_pipeline.sql.result_rows import previous_sql, result_sql
from rfm_pipeline.sql.stages.clean import AMBIGUOUS_DATE

_log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Told what a run is doing."""

    def begin(self, run_id: str) -> None:
        """A run begins, and this is its id."""

    def step(self, name: str) -> None:
        """A step begins; the one before it is over."""

    def progress(self, share: float) -> None:
        """The share of the step that is done, from 0 to 1."""


class Unwatched:
    """Watches a run, and tells nobody."""

    def begin(self, run_id: str) -> None:
        """Says nothing."""

    def step(self, name: str) -> None:
        """Says nothing."""

    def progress(self, share: float) -> None:
        """Says nothing."""


def run(configuration: Configuration, watcher: Watcher, *, today: date | None = None) -> RunResult:
    """Stages, audits, publishes and records.

    Args:
        configuration: All layers of settings.
        watcher: Told what is going on.
        today: As for `planned`.

    Raises:
        AuditError: An audit failed; nothing was published.
        RfmError: Anything else; nothing was published either.
    """
    result = run_unless(lambda _: False, configuration, watcher, today=today)
    assert result is not None  # nothing was to stop it
    return result


def run_unless(
    is_done: Callable[[Plan], bool],
    configuration: Configuration,
    watcher: Watcher,
    *,
    kind: str = "run",
    today: date | None = None,
) -> RunResult | None:
    """As `run`, but for a run that turns out to have been done before; then None.

    Args:
        is_done: Asked once it is known what stands at the destination.
        configuration: All layers of settings.
        watcher: Told what is going on.
        kind: What goes on record: `run`, `backfill`, or `calibration`, which goes on record alone.
        today: As for `planned`.

    Raises:
        RfmError: As for `run`.
    """
    begun = Beginning(new_run_id(), kind)
    watcher.begin(begun.run_id)
    watcher.step("Looking at the source")
    with ExitStack() as stack:
        plan = stack.enter_context(planned(configuration, today=today, run_id=begun.run_id))
        if is_done(plan):
            return None
        refused = [run.run_id for run in plan.standing.records if run.status == "refused"]
        plan.warehouse.destination.sweep(begun.run_id, refused)
        outputs = stack.enter_context(Outputs(plan.settings.output))
        with _failure_recorded(begun, plan):
            result, counted = stage(begun, plan, watcher)
            record = _record_unless_refused(begun, plan, result, counted)
            if outputs.names:
                watcher.step("Writing the outputs")
            outputs.write(plan.warehouse, "result")
        watcher.step("Publishing")
        _publish(plan, record)
        with _published():
            outputs.move()
            reports = _reported(plan) if kind == "run" else ()
        usage, took = plan.warehouse.usage(), now() - begun.started_at
        return replace(
            result,
            outputs=(*outputs.names, *reports),
            duration_s=took.total_seconds(),
            bytes_processed=usage.bytes_processed,
            bytes_billed=usage.bytes_billed,
            slot_ms=usage.slot_ms,
            jobs=usage.jobs,
        )


_STEPS = {
    "order_days": "Reading, cleaning and measuring",
    "customers": "Reading, cleaning and measuring",
    "edges": "Finding the edges",
}


def stage(begun: Beginning, plan: Plan, watcher: Watcher) -> tuple[RunResult, Staged]:
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
        warehouse.create(step.name, step.select, watcher.progress, step.cut)
    watcher.step("Scoring and segmenting")
    _stage_result(begun, plan, f"(\n{segments.select}\n)", watcher)
    watcher.step("Auditing")
    lines = lines_of(plan)
    refuse_ambiguous_dates(lines.excluded, plan.mapping)
    # All of it before the publish, after which nothing may fail that would look as if there were none.
    cells = cells_of(plan)
    counted = staged(plan, lines, cells, _last_run(plan, cells))
    return _result(begun, plan, counted, cells), counted


def _record_unless_refused(begun: Beginning, plan: Plan, result: RunResult, counted: Staged) -> RunRecord:
    """What is to be put on record; a result that failed its audits is kept aside, and goes on record so."""
    if is_refused(result):
        error = refusal(result, counted, plan.warehouse.keep())
        refused = replace(result, status="refused")
        _put_on_record(
            plan, record_of(begun, plan, refused, newest_order=counted.newest, error=error.message)
        )
        raise error
    oldest = _history_from(plan, result.as_of)
    return record_of(begun, plan, result, newest_order=counted.newest, history_from=oldest)


def _stage_result(begun: Beginning, plan: Plan, segments: str, watcher: Watcher) -> None:
    """The published rows: the segments, a SELECT in parentheses, with where each customer came from."""
    warehouse, dialect, previous = plan.warehouse, plan.spec.dialect, None
    if (before := _date_before(plan, segments)) is not None:
        history = warehouse.destination.table("history")
        warehouse.recall("previous", previous_sql(history, before, dialect))
        previous = warehouse.table("previous")
    warehouse.create("result", result_sql(segments, previous, begun.run_id, dialect), watcher.progress)


def _date_before(plan: Plan, segments: str) -> date | None:
    """The standing as-of date before this run's; None where there is none."""
    standing = plan.standing.dates
    if not standing or "history" not in plan.standing.tables:
        return None
    (row,) = plan.warehouse.rows(f"SELECT MAX(as_of_date) AS as_of_date FROM {segments}")
    return date_before(standing, row["as_of_date"]) if row["as_of_date"] else None


def _last_run(plan: Plan, cells: Sequence[Cell]) -> RunRecord | None:
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
    warehouse.recall("standing", f"SELECT {', '.join(RESULT_COLUMNS)}\nFROM {current}")
    return warehouse.table("standing")


def _history_from(plan: Plan, as_of: date | None) -> date | None:
    """The first as-of date that the history keeps; None where it keeps all."""
    keep = plan.settings.history.keep
    if keep is None or as_of is None:
        return None
    oldest = keep.first_day(max([as_of, *plan.standing.dates]))
    if as_of < oldest:
        raise ConfigurationError(
            f"The history keeps {keep}, which begin on {oldest}, and this result is as of {as_of}.",
            "give `history.keep` more time, or a later --as-of.",
        )
    return oldest


def _publish(plan: Plan, record: RunRecord) -> None:
    destination, dialect = plan.warehouse.destination, plan.spec.dialect
    tables, changes = tables_of(destination), []
    if record.status != "calibrated":
        assert record.as_of_date is not None  # an empty result does not pass the audits
        changes = publish_sql(
            tables,
            plan.warehouse.table("result"),
            record.as_of_date,
            replaces_current=record.status == "published",
            history_from=record.history_from,
            dialect=dialect,
        )
    destination.apply([*changes, *record_sql(tables, record.to_row(), dialect)], "publish")


@contextmanager
def _published() -> Iterator[None]:
    """Whatever breaks off in here, the result stands, and that is what is said of it.

    Raises:
        KeyboardInterrupt: A signal asked us to stop, be it before, when the publish was not to be broken off.
    """
    try:
        yield
    except (KeyboardInterrupt, RfmError) as error:
        if isinstance(error, RfmError) and not ASKED:
            raise
        raise KeyboardInterrupt("Stopped; the result had been published.") from error


def _reported(plan: Plan) -> tuple[str, ...]:
    """Writes the report of what stands now, where one is asked for; where it is.

    Raises:
        WarehouseError: It can't be written; the result is published all the same.
    """
    settings, destination = plan.settings.report, plan.warehouse.destination
    if settings.file is None:
        return ()
    from rfm_pipeline.report.data import reported
    from rfm_pipeline.report.write import write_report

    try:
        with destination.reading():
            write_report(reported(destination, standing_at(destination)), settings, settings.file)
    except RfmError as error:
        raise WarehouseError(
            f"The result was published, but not reported: {lowered(error.message)}",
            f"`rfm report` writes it again; {error.hint}" if error.hint else "`rfm report` writes it again.",
        ) from error
    return (str(settings.file),)


@contextmanager
def _failure_recorded(begun: Beginning, plan: Plan) -> Iterator[None]:
    """Puts on record why a run came to no result. Not the publish: whether that failed may not be known."""
    try:
        yield
    except AuditError:
        # Put on record with all that it found.
        raise
    except Exception as error:
        said = error.message if isinstance(error, RfmError) else f"a bug: {type(error).__name__}"
        _put_on_record(plan, failure_of(begun, plan, said))
        raise


def _put_on_record(plan: Plan, record: RunRecord) -> None:
    """Records a run that published nothing, where there is a record: it makes no destination of its own."""
    if "runs" not in plan.standing.tables:
        return
    destination = plan.warehouse.destination
    statements = record_sql(tables_of(destination), record.to_row(), plan.spec.dialect)
    try:
        destination.apply(statements, "record")
    except RfmError as error:
        # What stopped the run is what is to be told.
        _log.info("the run can't be put on record: %s", error.message)


def refuse_ambiguous_dates(excluded: Sequence[Excluded], mapping: ColumnMapping) -> None:
    """Stops where a date can be read in two ways.

    Raises:
        ColumnError: A line was excluded for that.
    """
    for reason in excluded:
        if reason.reason == AMBIGUOUS_DATE:
            raise ColumnError(
                f"The date '{reason.example}' in the column `{mapping.ordered_at.name}` can be read in"
                f" two ways ({count(reason.lines, 'such line')}).",
                "say how it is written: --date-format '%d/%m/%Y' with the day first, or '%m/%d/%Y'"
                " (with ' %H:%M' where a time follows).",
            )


def is_refused(result: RunResult) -> bool:
    """Whether an audit failed, so that nothing may be published."""
    return any(audit.status == "failed" for audit in result.audits)


def refusal(result: RunResult, staged: Staged, kept: str = "") -> AuditError:
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
        f"{advice(failed, staged)}{look}",
    )


def _result(begun: Beginning, plan: Plan, counted: Staged, cells: Sequence[Cell]) -> RunResult:
    segments, usage = segment_results(plan, cells), plan.warehouse.usage()
    as_of, current = (cells[0].as_of if cells else None), plan.standing.as_of
    is_older = as_of is not None and current is not None and as_of < current
    status = "filed" if is_older else "published"
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
        audits=audits_of(plan, counted, _standing_result(plan)),
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
