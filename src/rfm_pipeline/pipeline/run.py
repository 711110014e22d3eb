"""The orchestrator: plan, stage, audit, publish, record. The only room that knows all the others.

Nothing here prints; what goes on is told to a `RunObserver`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date

from msgspec.structs import replace

from rfm_pipeline.common.cancellation import received_signals
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import AuditError, ConfigurationError, RfmError, WarehouseError
from rfm_pipeline.pipeline.audits.statistics import RunStatistics
from rfm_pipeline.pipeline.output_files import OutputFiles
from rfm_pipeline.pipeline.plan import Plan, open_plan
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_records import (
    RunStart,
    build_failure_record,
    build_run_record,
    new_run_id,
    now,
)
from rfm_pipeline.pipeline.staging import audit_error, is_refused, stage_result
from rfm_pipeline.results.run_history import read_state, tables_of
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.run_result import RunResult
from rfm_pipeline.sql.publish import publish_sql, record_sql

_log = logging.getLogger(__name__)


def run(configuration: Configuration, watcher: RunObserver, *, today: date | None = None) -> RunResult:
    """Stages, audits, publishes and records.

    Args:
        configuration: All layers of settings.
        watcher: Told what is going on.
        today: As for `open_plan`.

    Raises:
        AuditError: An audit failed; nothing was published.
        RfmError: Anything else; nothing was published either.
    """
    result = execute_run(lambda _: False, configuration, watcher, today=today)
    assert result is not None  # nothing was to stop it
    return result


def execute_run(
    is_done: Callable[[Plan], bool],
    configuration: Configuration,
    watcher: RunObserver,
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
        today: As for `open_plan`.

    Raises:
        RfmError: As for `run`.
    """
    begun = RunStart(new_run_id(), kind)
    watcher.begin(begun.run_id)
    watcher.step("Looking at the source")
    with ExitStack() as stack:
        plan = stack.enter_context(open_plan(configuration, today=today, run_id=begun.run_id))
        if is_done(plan):
            return None
        refused = [run.run_id for run in plan.standing.records if run.status == "rejected"]
        plan.warehouse.destination.remove_orphans(begun.run_id, refused)
        outputs = stack.enter_context(OutputFiles(plan.settings.output))
        with _failure_recorded(begun, plan):
            result, counted = stage_result(begun, plan, watcher)
            record = _record_unless_refused(begun, plan, result, counted)
            if outputs.names:
                watcher.step("Writing the outputs")
            outputs.write(plan.warehouse, "result")
        watcher.step("Publishing")
        _publish(plan, record)
        with _after_commit():
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


def _record_unless_refused(
    begun: RunStart, plan: Plan, result: RunResult, counted: RunStatistics
) -> RunRecord:
    """What is to be put on record; a result that failed its audits is kept aside, and goes on record so."""
    if is_refused(result):
        error = audit_error(result, counted, plan.warehouse.retain_staged_tables())
        refused = replace(result, status="rejected")
        save_run_record(
            plan, build_run_record(begun, plan, refused, newest_order=counted.newest, error=error.message)
        )
        raise error
    oldest = _history_from(plan, result.as_of)
    return build_run_record(begun, plan, result, newest_order=counted.newest, history_from=oldest)


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
def _after_commit() -> Iterator[None]:
    """Whatever breaks off in here, the result stands, and that is what is said of it.

    Raises:
        KeyboardInterrupt: A signal asked us to stop, be it before, when the publish was not to be broken off.
    """
    try:
        yield
    except (KeyboardInterrupt, RfmError) as error:
        if isinstance(error, RfmError) and not received_signals:
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
    from rfm_pipeline.report.data import report_source
    from rfm_pipeline.report.write import write_report

    try:
        with destination.open_for_reading():
            write_report(report_source(destination, read_state(destination)), settings, settings.file)
    except RfmError as error:
        raise WarehouseError(
            f"The result was published, but not reported: {lower_first(error.message)}",
            f"`rfm report` writes it again; {error.hint}" if error.hint else "`rfm report` writes it again.",
        ) from error
    return (str(settings.file),)


@contextmanager
def _failure_recorded(begun: RunStart, plan: Plan) -> Iterator[None]:
    """Puts on record why a run came to no result. Not the publish: whether that failed may not be known."""
    try:
        yield
    except AuditError:
        # Put on record with all that it found.
        raise
    except Exception as error:
        said = error.message if isinstance(error, RfmError) else f"a bug: {type(error).__name__}"
        save_run_record(plan, build_failure_record(begun, plan, said))
        raise


def save_run_record(plan: Plan, record: RunRecord) -> None:
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
