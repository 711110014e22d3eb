"""Incremental runs: which sources they can read, and what the orders that they keep depend on.

Orders are kept for each part of the source, a file. They are the rows of the query over that file alone, in
which nothing is decided by another file, the run's date or its window (`sql.stages.part_orders`). A later run
asks the same query of the parts that are new or have changed, and computes all that follows from the orders
of all parts. So its result is that of a run that reads everything, as long as the query of a part, the
program and the engine are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rfm_pipeline._version import __version__
from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.common.source_parts import PartsRequest, PartVersion
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.results.statistics import Audit, PartsRead
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.stages.clean import PART_COLUMN
from rfm_pipeline.sql.stages.kept_customers import can_take_over, excluded_sql
from rfm_pipeline.sql.stages.unscored import no_amount_reasons
from rfm_pipeline.warehouse.base import KeptOrders, SourceTable

if TYPE_CHECKING:
    from rfm_pipeline.pipeline.plan import Plan
    from rfm_pipeline.pipeline.progress import RunObserver
    from rfm_pipeline.sql.query_spec import QuerySpec

KEPT_ORDERS_AUDIT = "kept_orders"
"""Name of the audit that a run has if it compared the kept orders with the source."""


def why_not_incremental(spec: QuerySpec, source: SourceTable, keeps: KeptOrders | None) -> str | None:
    """Return why no orders can be kept, as a clause; None if they can.

    Args:
        spec: What the query computes.
        source: The opened source.
        keeps: What keeps orders; None if the warehouse can't.
    """
    reasons = {
        "BigQuery reads tables, which are not kept": keeps is None,
        "the source is no file, folder or pattern of files": not source.parts,
        "each line of the source is a customer": spec.mapping.frequency is not None,
        "the amount is that of an order, which is found by comparing its lines": spec.counts_totals,
        "the orders of forgotten customers must not be kept": bool(spec.forgotten.hashes),
        f"the source has a column {PART_COLUMN}": any(
            column.path[0].casefold() == PART_COLUMN for column in spec.schema
        ),
    }
    if (reason := next((reason for reason, holds in reasons.items() if holds), None)) or keeps is None:
        return reason
    lines = f"(SELECT *, 1 AS {PART_COLUMN} FROM {spec.relation})"
    return keeps.why_not_kept(_select(replace(spec, keeps_orders=True), lines))


def keeping_orders(plan: Plan) -> Plan:
    """Return the plan of a run that keeps orders, if the settings ask for it and the source allows it."""
    if not plan.settings.incremental:
        return plan
    if why := why_not_incremental(plan.spec, plan.source, plan.warehouse.kept_orders):
        note = f"incremental: all lines are read, as {why}"
        return replace(plan, export_notes=(*plan.export_notes, note))
    spec = replace(plan.spec, keeps_orders=True)
    return replace(plan, spec=spec, pipeline=QueryPipeline.of(spec))


def stage_part_orders(plan: Plan, observer: RunObserver) -> PartsRead:
    """Stage the orders of all parts: kept ones, and those of parts that are new or have changed.

    Raises:
        RfmError: If the source can't be read, or the orders can't be kept.
    """
    return _kept_orders(plan).update(
        _request(plan), lambda relation: _select(plan.spec, relation), PART_COLUMN, observer.progress
    )


def taking_over(plan: Plan) -> Plan:
    """Return the plan that takes over the customers of an earlier run whose orders are the same, if it can.

    Raises:
        RfmError: If the kept customers can't be read.
    """
    if not can_take_over(plan.spec):
        return plan
    take_over = _kept_orders(plan).kept_customers(_customers_key(plan.spec), plan.spec.last_day)
    if take_over is None:
        return plan
    spec = replace(plan.spec, takes_over=take_over)
    return replace(plan, spec=spec, pipeline=QueryPipeline.of(spec))


def keep_staged(plan: Plan) -> None:
    """Keep the orders, and the staged customers unless they were partly taken over themselves.

    Raises:
        RfmError: If they can't be kept.
    """
    if plan.spec.takes_over is None and can_take_over(plan.spec):
        customers = plan.warehouse.table(StagingTable.CUSTOMERS)
        # Where returns are netted, later orders decide whether a customer has a positive one.
        is_kept = "reason IS NULL" if no_amount_reasons(plan.spec) else "customer_id IS NOT NULL"
        _kept_orders(plan).keep_customers(
            _customers_key(plan.spec),
            plan.spec.last_day,
            f"SELECT *\nFROM {customers}\nWHERE {is_kept}",
            excluded_sql(plan.spec),
        )
    if plan.spec.keeps_orders:
        _kept_orders(plan).save()


def describe_parts(parts: PartsRead) -> str:
    """Return the note on what an incremental run read."""
    if parts.why_all is not None:
        return f"incremental: read all {format_count(parts.read, 'file')}, as {parts.why_all}"
    return f"incremental: read {format_count(parts.read, 'file')}; {parts.kept:,} did not change"


def kept_orders_audit(parts: PartsRead | None) -> tuple[Audit, ...]:
    """Return the audit of the kept orders; none if they were not compared with the source."""
    if parts is None or parts.different is None:
        return ()
    if not parts.different:
        return (Audit(KEPT_ORDERS_AUDIT, "passed", "The kept orders are those of the source."),)
    files = format_count(parts.different, "file that seemed", "files that seemed")
    detail = (
        f"Of {files} unchanged, the kept orders were not those of the source. They were read anew; results of"
        " earlier runs may be wrong, which `rfm backfill --every stored` computes again."
    )
    return (Audit(KEPT_ORDERS_AUDIT, "warning", detail),)


def _kept_orders(plan: Plan) -> KeptOrders:
    kept = plan.warehouse.kept_orders
    assert kept is not None  # else `why_not_incremental` has a reason
    return kept


def _customers_key(spec: QuerySpec) -> str:
    """Return a hash of what customers depend on, beside the orders and the last day on which they count."""
    spec = replace(spec, settings=replace(spec.settings, as_of="latest"), today=date.min)
    steps = QueryPipeline.of(spec).steps(str)
    (select,) = (step.select for step in steps if step.name == StagingTable.CUSTOMERS)
    return hashlib.sha256(select.encode()).hexdigest()


def _request(plan: Plan) -> PartsRequest:
    states = {path.absolute(): state for path, state in plan.source_state.files.items()}
    versions = {
        part.path: PartVersion(state.size, state.modified_ns, state.tail, part.reading)
        for part in plan.source.parts
        for state in [states[part.path]]
    }
    return PartsRequest(versions, _file_numbers(plan), _key(plan), plan.reads_all, plan.settings.check_every)


def _file_numbers(plan: Plan) -> Mapping[Path, int]:
    """Return the number of each part's file among the files of the source, by which the query knows it."""
    if plan.source.files is None:
        return {part.path: 1 for part in plan.source.parts}
    return {Path(name).absolute(): number for number, name in enumerate(plan.source.files.names, 1)}


def _select(spec: QuerySpec, relation: str) -> str:
    """Return the SELECT of the orders of the lines of a relation."""
    pipeline = QueryPipeline.of(replace(spec, relation=relation))
    first = pipeline.steps(str)[0]
    assert first.name == StagingTable.PART_ORDERS  # because the orders are kept
    return first.select


def _key(plan: Plan) -> str:
    """Return a hash of all that the orders of a part depend on, beside the part.

    The text of the query has the columns, their formats and every rule. The types of the columns are in it
    only as far as the query depends on them. A workbook, and text in another encoding, is read from a copy,
    which the settings of `[read]` and `[columns]` decide.
    """
    types = [f"{column.name}: {column.declared}" for column in plan.spec.schema]
    copies = repr((plan.settings.read, plan.settings.columns))
    key = "\n".join([__version__, duckdb.__version__, copies, *types, _select(plan.spec, PART_COLUMN)])
    return hashlib.sha256(key.encode()).hexdigest()
