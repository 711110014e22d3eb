"""Running the pipeline: plan, stage, audit, publish, record.

Nothing here prints; a `RunObserver` receives the progress.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from msgspec.structs import replace

from rfm_pipeline.common.cancellation import received_signals
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import (
    AuditError,
    ConfigurationError,
    OtherSourceError,
    OutputError,
    RfmError,
    UsageError,
)
from rfm_pipeline.pipeline.checksums import compute_checksums, edited_results
from rfm_pipeline.pipeline.digest import weekly_digest
from rfm_pipeline.pipeline.output_files import OutputFiles
from rfm_pipeline.pipeline.plan import Plan, open_plan
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_records import (
    RunStart,
    build_failure_record,
    build_run_record,
    new_run_id,
    now,
    save_run_record,
)
from rfm_pipeline.pipeline.staging import audit_error, stage_result
from rfm_pipeline.results.run_history import read_state, tables_of
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.run_result import RunResult
from rfm_pipeline.sql.publication import Publication
from rfm_pipeline.sql.publish import publish_sql, record_sql, unchanged_sql


def run(
    configuration: Configuration,
    observer: RunObserver,
    *,
    kind: str = "run",
    today: date | None = None,
    replace_source: bool = False,
    full: bool = False,
) -> RunResult:
    """Plan, stage, audit, publish and record one result.

    Args:
        configuration: All layers of settings.
        observer: Receives the progress.
        kind: `run`, or `calibration`, which publishes nothing but its record.
        today: As for `open_plan`.
        replace_source: As for `open_plan`.
        full: Whether an incremental run reads all parts of the source.

    Raises:
        AuditError: If an audit failed; nothing was published.
        RfmError: If anything else failed; nothing was published either.
    """
    if full and not configuration.settings.incremental:
        raise UsageError(
            "--full is about incremental runs, and this run is none: it reads all files anyway.",
            "leave --full out, or add --incremental.",
        )
    with start_run(
        configuration, observer, kind=kind, today=today, replace_source=replace_source, full=full
    ) as (start, plan):
        return execute_run(start, plan, observer)


@contextmanager
def start_run(
    configuration: Configuration,
    observer: RunObserver,
    *,
    kind: str,
    today: date | None = None,
    replace_source: bool = False,
    full: bool = False,
) -> Iterator[tuple[RunStart, Plan]]:
    """Plan a run, and hold the destination's lease inside the `with` block.

    Args:
        configuration: All layers of settings.
        observer: Receives the progress.
        kind: Kind of the run, as it is recorded: `run`, `backfill` or `calibration`.
        today: As for `open_plan`.
        replace_source: As for `open_plan`.
        full: As for `run`.

    Raises:
        RfmError: If any check fails.
    """
    start = RunStart(new_run_id(), kind)
    observer.begin(start.run_id)
    observer.step("Looking at the source")
    with open_plan(
        configuration,
        today=today,
        run_id=start.run_id,
        replace_source=replace_source,
        bounds_read=True,
        keeps_orders=True,
        reads_all="--full asks for it" if full else None,
        checks_kept_orders=kind != "backfill",
    ) as plan:
        yield start, plan


def execute_run(start: RunStart, plan: Plan, observer: RunObserver) -> RunResult:
    """Stage, audit, publish and record the planned result.

    Raises:
        AuditError: If an audit failed; nothing was published, and the rejected result is on record.
        RfmError: If anything else failed; nothing was published, and the failure is on record.
    """
    destination = plan.warehouse.destination
    rejected = [record.run_id for record in plan.state.records if record.status == "rejected"]
    destination.remove_orphans(start.run_id, rejected)
    with OutputFiles(plan.settings.output) as outputs:
        with _failure_recorded(start, plan):
            result = stage_result(start, plan, observer)
            record = _record_or_reject(start, plan, result)
            if outputs.names:
                observer.step("Writing the outputs")
            outputs.write(plan.warehouse, StagingTable.RESULT)
        observer.step("Publishing")
        with _failure_recorded(start, plan):
            plan.source_state.check()
        _publish(plan, record)
        with _after_commit():
            errors = outputs.move()
            reports, warnings = tuple[str, ...](), tuple[str, ...]()
            try:
                reports, warnings = _write_report(plan, record) if start.kind == "run" else ((), ())
            except OutputError as error:
                errors.append(error)
            _raise_first(errors)
            digest = weekly_digest(plan, start.started_at) if start.kind == "run" else ()
        return replace(
            result,
            outputs=(*outputs.names, *reports),
            digest=digest,
            warnings=warnings,
            duration_s=(now() - start.started_at).total_seconds(),
            usage=plan.warehouse.usage(),
        )


def _raise_first(errors: Sequence[RfmError]) -> None:
    """Raise the first of some errors, if there is one, with the sentences of the others in its hint."""
    for first in errors[:1]:
        for other in errors[1:]:
            first.add_to_hint(other.message)
        raise first


def _record_or_reject(start: RunStart, plan: Plan, result: RunResult) -> RunRecord:
    """Return the record to publish with the result.

    Raises:
        AuditError: If an audit failed. The rejected result is retained for inspection, and recorded.
    """
    if result.is_rejected:
        error = audit_error(result, _retain_staged_tables(plan))
        rejected = replace(result, status="rejected")
        error.add_to_hint(save_run_record(plan, build_run_record(start, plan, rejected, error=error.message)))
        raise error
    record = build_run_record(start, plan, result, history_from=_history_from(plan, result.as_of))
    if not record.is_in_history:
        return record
    staged = plan.warehouse.table(StagingTable.RESULT)
    (checksum,) = compute_checksums(plan.warehouse.rows, staged, plan.spec.dialect).values()
    return record.with_checksum(checksum)


def _retain_staged_tables(plan: Plan) -> str:
    """Keep the staged tables for inspection; return a clause with their place, or why there is none."""
    try:
        return plan.warehouse.retain_staged_tables()
    except RfmError as error:
        return f"the staged tables can't be kept: {lower_first(error.message.rstrip('.'))}"


def _history_from(plan: Plan, as_of: date | None) -> date | None:
    """Return the oldest as-of date that the history keeps; None if it keeps all.

    Raises:
        ConfigurationError: If `as_of` itself is older.
    """
    keep = plan.settings.history.keep
    if keep is None or as_of is None:
        return None
    oldest = keep.first_day(max([as_of, *plan.state.dates]))
    if as_of < oldest:
        raise ConfigurationError(
            f"The history keeps {keep}, which begin on {oldest}, and this result is as of {as_of}.",
            "give `history.keep` more time, or a later --as-of.",
        )
    return oldest


def _publish(plan: Plan, record: RunRecord) -> None:
    """Publish the staged result and its record in one transaction; of a calibration, the record alone.

    Raises:
        LockedError: If another run has published since the plan looked at the destination.
    """
    destination, dialect = plan.warehouse.destination, plan.spec.dialect
    tables, changes = tables_of(destination), []
    if record.status != "calibrated":
        assert record.as_of_date is not None  # an empty result does not pass the audits
        publication = Publication(
            plan.warehouse.table(StagingTable.RESULT),
            record.as_of_date,
            replaces_current=record.status == "published",
            history_from=record.history_from,
        )
        changes = publish_sql(tables, publication, dialect)
    unchanged = unchanged_sql(tables, record.run_id, plan.state.published_runs, dialect)
    destination.apply([unchanged, *changes, *record_sql(tables, record.to_row(), dialect)], "publish")


@contextmanager
def _after_commit() -> Iterator[None]:
    """Report a cancellation after the commit as such: the result is published.

    Raises:
        KeyboardInterrupt: If a signal arrived, including one that was deferred during the commit.
    """
    try:
        yield
    except (KeyboardInterrupt, RfmError) as error:
        if isinstance(error, RfmError) and not received_signals:
            raise
        raise KeyboardInterrupt("Stopped; the result had been published.") from error


def _write_report(plan: Plan, record: RunRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Write the report of the published result if one is configured.

    Args:
        plan: The plan of the run.
        record: The record of the run, which has just written the rows of its date.

    Returns:
        The path of the report, and a warning if it shows dates whose rows were edited; none of either if no
        report is configured.

    Raises:
        OutputError: If it can't be written; the result is published all the same.
    """
    settings, destination = plan.settings.report, plan.warehouse.destination
    if settings.file is None:
        return (), ()
    from rfm_pipeline.report.data import dates_read, report_source
    from rfm_pipeline.report.write import write_report

    try:
        with destination.open_for_reading():
            state = read_state(destination)
            source = report_source(destination, state)
            earlier = [day for day in dates_read(source, state.as_of) if day != record.as_of_date]
            edited = tuple(sorted(edited_results(destination, state, earlier)))
            write_report(replace(source, edited=edited), settings, settings.file)
    except RfmError as error:
        raise OutputError(
            f"The result was published, but not reported: {lower_first(error.message)}",
            f"`rfm report` writes it again; {error.hint}" if error.hint else "`rfm report` writes it again.",
        ) from error
    days = ", ".join(map(str, edited))
    warning = (
        f"The report {settings.file} shows rows that were edited: those as of {days} are not what the runs"
        " published. `rfm run --as-of DATE` computes them again."
    )
    return (str(settings.file),), (warning,) if edited else ()


@contextmanager
def _failure_recorded(start: RunStart, plan: Plan) -> Iterator[None]:
    """Record why a run computed no result.

    The publish is not part of the body, because it may be unknown whether a publish failed.
    """
    try:
        yield
    except AuditError:
        # `_record_or_reject` has recorded the run with its statistics.
        raise
    except OtherSourceError:
        # A run of another source changes nothing at all.
        raise
    except Exception as error:
        reason = error.message if isinstance(error, RfmError) else f"a bug: {type(error).__name__}"
        problem = save_run_record(plan, build_failure_record(start, plan, reason))
        if isinstance(error, RfmError):
            error.add_to_hint(problem)
        raise
