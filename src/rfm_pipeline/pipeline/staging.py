"""Staging a run: compute the result in staging tables, collect its statistics, audit it.

`rfm run` publishes what is staged here; `segment` and `rfm explain` only read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from msgspec.structs import replace

from rfm_pipeline.common.formatting import capitalize_first, format_count
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.reading import Reading
from rfm_pipeline.config.sale_rules import OTHER_CURRENCY
from rfm_pipeline.errors import AuditError
from rfm_pipeline.pipeline.audits.hints import audit_hint
from rfm_pipeline.pipeline.audits.run import run_audits
from rfm_pipeline.pipeline.audits.statistics import NO_SALES, AuditInput
from rfm_pipeline.pipeline.currencies import refuse_unexpected_currencies
from rfm_pipeline.pipeline.incremental import (
    describe_parts,
    keep_staged,
    kept_orders_audit,
    stage_part_orders,
    taking_over,
)
from rfm_pipeline.pipeline.key_counts import refuse_scientific_ids
from rfm_pipeline.pipeline.partition_bound import reading_all_partitions, reads_too_little
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_records import RunStart
from rfm_pipeline.pipeline.run_statistics import (
    StagedCounts,
    collect_statistics,
    count_staged,
    measure_drift,
)
from rfm_pipeline.pipeline.scoring_rule import current_has_other_rule, has_other_rule, rule_notes
from rfm_pipeline.pipeline.shared_orders import (
    comparing_files,
    has_shared_orders,
    refuse_different_orders,
)
from rfm_pipeline.pipeline.source_identity import has_other_customers, last_run, unrecorded_notes
from rfm_pipeline.results.run_history import previous_date
from rfm_pipeline.results.run_result import RunResult
from rfm_pipeline.results.statistics import Excluded, RunStatistics
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.result_rows import previous_sql, result_sql
from rfm_pipeline.sql.stages.clean import AMBIGUOUS_DATE

STEP_NAMES = {
    StagingTable.PART_ORDERS: "Reading, cleaning and measuring",
    StagingTable.ORDER_DAYS: "Reading, cleaning and measuring",
    StagingTable.CUSTOMERS: "Reading, cleaning and measuring",
    StagingTable.EDGES: "Finding the edges",
}
"""Names of the steps by the staging table that they fill, as the user sees them."""


def stage_result(start: RunStart, plan: Plan, observer: RunObserver) -> RunResult:
    """Compute the staging table `result`, and audit it.

    Raises:
        ColumnError: If a date can be read in two ways.
        OtherSourceError: If the destination has the result of a source with other customers.
        RfmError: If the engine fails.
    """
    warehouse = plan.warehouse
    with plan.source_state.checked():
        parts = None
        if plan.spec.keeps_orders:
            observer.step(STEP_NAMES[StagingTable.PART_ORDERS])
            parts = stage_part_orders(plan, observer)
            plan = taking_over(plan)
        elif plan.source.packed_relation and plan.spec.relation == plan.source.relation:
            spec = replace(plan.spec, relation=plan.source.packed_relation)
            plan = replace(plan, spec=spec, pipeline=QueryPipeline.of(spec))
        plan = stage_metrics(plan, observer)
    segments = plan.pipeline.steps(warehouse.table)[-1]
    observer.step("Scoring and segmenting")
    _materialize_result(start, plan, f"(\n{segments.select}\n)", observer)
    observer.step("Auditing")
    counts = count_staged(warehouse, plan.spec)
    refuse_scientific_ids(counts.lines.excluded, plan.spec.reading)
    refuse_ambiguous_dates(counts.lines.excluded, plan.spec.reading)
    refuse_unexpected_currencies(counts.lines, plan.spec.reading)
    refuse_different_orders(plan, counts.lines.excluded)
    is_other = has_other_customers(plan, counts.as_of, counts.customers, counts.lines.excluded)
    keep_staged(plan)
    statistics = replace(collect_statistics(warehouse, plan.spec, counts, plan.frozen), parts=parts)
    audit_input = _audit_input(plan, statistics, counts, has_other_customers=is_other)
    return RunResult(
        run_id=start.run_id,
        status=_status(start, plan, counts.as_of),
        as_of=counts.as_of,
        engine=warehouse.engine,
        source=plan.source.label,
        destination=warehouse.destination.label,
        statistics=statistics,
        audits=(
            *run_audits(plan, audit_input, _current_result(plan)),
            *kept_orders_audit(parts, warehouse.engine),
        ),
        usage=warehouse.usage(),
        columns={role: column.name for role, column in plan.mapping.roles().items()},
        notes=(
            *plan.notes,
            *plan.source_state.notes(),
            *rule_notes(plan),
            *unrecorded_notes(plan),
            *counts.lines.keys.notes(plan.spec.reading),
            *([describe_parts(parts, warehouse.engine)] if parts else []),
        ),
        drift=audit_input.drift,
    )


def stage_metrics(plan: Plan, observer: RunObserver) -> Plan:
    """Compute the staging tables up to the edges.

    Returns:
        The plan that was carried out: if orders are in several files, it compares them; if the window begins
        before the partitions that were read, it reads all.

    Raises:
        RfmError: If the engine fails.
    """
    warehouse = plan.warehouse
    for step in plan.pipeline.steps(warehouse.table)[:-1]:
        if step.name == StagingTable.PART_ORDERS:
            continue  # staged before, once
        observer.step(STEP_NAMES[step.name])
        warehouse.materialize(step.name, step.select, observer.progress, step.partitioned)
        if step.name == StagingTable.ORDER_DAYS and reads_too_little(plan):
            plan = reading_all_partitions(plan)
            if plan.spec.keeps_orders:
                stage_part_orders(plan, observer)
            return stage_metrics(plan, observer)
        is_counted = step.name == StagingTable.CUSTOMERS and plan.spec.counts_shared_orders
        if is_counted and has_shared_orders(warehouse):
            return stage_metrics(comparing_files(plan), observer)
    return plan


def audit_error(result: RunResult, retained: str = "") -> AuditError:
    """Return the error of a result that failed an audit.

    Args:
        result: The result.
        retained: Clause that says where the staging tables can be inspected; may be empty.
    """
    failed = [audit for audit in result.audits if audit.status == "failed"]
    inspect = f" {capitalize_first(retained)}." if retained else ""
    hints = [f"{audit_hint(failed, result.statistics, masked=masked)}{inspect}" for masked in (True, False)]
    return AuditError(
        f"Nothing was published, because an audit failed: {failed[0].detail}",
        hints[0],
        terminal_hint=hints[1],
        audits=tuple(audit.name for audit in failed),
    )


_DAY_OR_MONTH_FIRST = ("--date-format '%d/%m/%Y'", "--date-format '%m/%d/%Y'")


def refuse_ambiguous_dates(excluded: Sequence[Excluded], reading: Reading) -> None:
    """Raise if a line was excluded because its date can be read in two ways.

    Raises:
        ColumnError: If there is such a line; the error shows its date.
    """
    for reason in excluded:
        if reason.reason == AMBIGUOUS_DATE:
            from rfm_pipeline.source.profile.dates import late_date_choices

            choices = late_date_choices(str(reason.example), reading.date_formats)
            day_first, month_first = choices if len(choices) == 2 else _DAY_OR_MONTH_FIRST
            raise question(
                "late_ambiguous_date",
                value=reason.example,
                column=reading.mapping.ordered_at.name,
                lines=format_count(reason.lines, "such line"),
                day_first=day_first,
                month_first=month_first,
            )


def _materialize_result(start: RunStart, plan: Plan, segments: str, observer: RunObserver) -> None:
    """Compute the rows to publish: `segments`, a SELECT in parentheses, with each earlier segment."""
    warehouse, dialect, previous = plan.warehouse, plan.spec.dialect, None
    if (before := _previous_as_of(plan, segments)) is not None:
        history = warehouse.destination.table("history")
        warehouse.copy_from_destination(StagingTable.PREVIOUS, previous_sql(history, before, dialect))
        previous = warehouse.table(StagingTable.PREVIOUS)
    warehouse.materialize(
        StagingTable.RESULT, result_sql(segments, previous, start.run_id, dialect), observer.progress
    )


def _previous_as_of(plan: Plan, segments: str) -> date | None:
    """Return the active as-of date before that of this run; None if there is none."""
    active = plan.state.dates
    if not active or "history" not in plan.state.tables:
        return None
    (row,) = plan.warehouse.rows(f"SELECT MAX(as_of_date) AS as_of_date FROM {segments}")
    return previous_date(active, row["as_of_date"]) if row["as_of_date"] else None


def _current_result(plan: Plan) -> str | None:
    """Copy the current result to a staging table for the user's own audits, and return the table's name.

    None if the user has no audits, or there is no current result.
    """
    warehouse = plan.warehouse
    if not plan.settings.audits.custom or "current" not in plan.state.tables:
        return None
    current = warehouse.destination.table("current")
    warehouse.copy_from_destination(
        StagingTable.CURRENT, f"SELECT {', '.join(RESULT_COLUMNS)}\nFROM {current}"
    )
    return warehouse.table(StagingTable.CURRENT)


def _audit_input(
    plan: Plan, statistics: RunStatistics, counts: StagedCounts, *, has_other_customers: bool
) -> AuditInput:
    last, is_another_source = last_run(plan, counts.as_of, has_other_customers=has_other_customers)
    bins, today = plan.settings.scoring.bins_by_dimension, plan.spec.today
    return AuditInput(
        statistics=statistics,
        rows_declared=plan.source.rows,
        customers_kept=counts.lines.customers,
        staged_rows=sum(cell.customers for cell in counts.cells),
        without_segment=sum(cell.customers for cell in counts.cells if cell.segment is None),
        out_of_range=sum(cell.customers for cell in counts.cells if not cell.in_range(bins)),
        source=plan.source.label,
        oldest_order_date=counts.oldest_order_date,
        has_order_ids=plan.mapping.order_id is not None,
        expected_exclusions=NO_SALES
        | {reason.reason for reason in statistics.exclusions if reason.reason.startswith(OTHER_CURRENCY)}
        | frozenset(plan.settings.skip),
        date_formats=plan.spec.reading.date_formats,
        decimal_is_known=any(way.thousands for way in plan.spec.reading.separators.values()),
        up_to=min(plan.spec.as_of or today, today),
        config_hash=plan.settings.config_hash,
        last=last,
        last_source_differs=is_another_source,
        last_rule_differs=has_other_rule(last, plan.settings),
        current_rule_differs=current_has_other_rule(plan),
        drift=measure_drift(plan.warehouse, plan.spec, plan.frozen),
    )


def _status(start: RunStart, plan: Plan, as_of: date | None) -> str:
    if start.kind == "calibration":
        return "calibrated"
    current = plan.state.as_of
    is_older = as_of is not None and current is not None and as_of < current
    return "history_only" if is_older else "published"
