"""Incremental runs: which sources they can read, and what the orders that they keep depend on.

Orders are kept for each part of the source, a file or a partition of a table. They are the rows of the query
over that part alone, in which nothing is decided by another part, the run's date or its window
(`sql.stages.part_orders`). A later run asks the same query of the parts that are new or have changed, and
computes all that follows from the orders of all parts. So its result is that of a run that reads everything,
as long as the query of a part, the program and the engine are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rfm_pipeline._version import __version__
from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.common.source_parts import CustomersRequest, PartsRequest, PartVersion
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.results.statistics import PART_NOUNS, Audit, PartsRead
from rfm_pipeline.sql.partition_pruning import first_partition
from rfm_pipeline.sql.pipeline import QueryPipeline, with_ctes
from rfm_pipeline.sql.query_spec import Cte
from rfm_pipeline.sql.stages.clean import PART_COLUMN
from rfm_pipeline.sql.stages.kept_customers import can_take_over, excluded_sql
from rfm_pipeline.sql.stages.part_orders import PART_ORDERS
from rfm_pipeline.sql.stages.unscored import no_amount_reasons
from rfm_pipeline.warehouse.base import Cost, KeptOrders

if TYPE_CHECKING:
    from rfm_pipeline.pipeline.plan import Plan
    from rfm_pipeline.pipeline.progress import RunObserver
    from rfm_pipeline.sql.query_spec import QuerySpec

KEPT_ORDERS_AUDIT = "kept_orders"
"""Name of the audit that a run has if it compared the kept orders with the source."""


def why_not_incremental(spec: QuerySpec, keeps: KeptOrders) -> str | None:
    """Return why no orders can be kept, as a clause; None if they can.

    Args:
        spec: What the query computes.
        keeps: What keeps orders.
    """
    reasons = {
        "each line of the source is a customer": spec.mapping.frequency is not None,
        "the amount is that of an order, which is found by comparing its lines": spec.counts_totals,
        "the orders of forgotten customers must not be kept": bool(spec.forgotten.hashes),
        f"the source has a column {PART_COLUMN}": any(
            column.path[0].casefold() == PART_COLUMN for column in spec.schema
        ),
    }
    held = next((reason for reason, holds in reasons.items() if holds), None)
    if (reason := held or keeps.why_no_parts()) is not None:
        return reason
    lines = f"(SELECT *, 1 AS {PART_COLUMN} FROM {spec.relation})"
    return keeps.why_not_kept(_select(replace(spec, keeps_orders=True), lines))


def keeping_orders(plan: Plan) -> Plan:
    """Return the plan of a run that keeps orders, if the settings ask for it and the source allows it."""
    if not plan.settings.incremental:
        return plan
    if why := why_not_incremental(plan.spec, plan.warehouse.kept_orders):
        note = f"incremental: all lines are read, as {why}"
        return replace(plan, export_notes=(*plan.export_notes, note))
    spec = replace(plan.spec, keeps_orders=True)
    return replace(plan, spec=spec, pipeline=QueryPipeline.of(spec))


def with_preview(plan: Plan, *, beside_full: bool) -> Plan:
    """Return the plan of a run that keeps orders with what it will read, and what that costs.

    Args:
        plan: The plan.
        beside_full: Whether to add the cost of reading everything.

    Raises:
        CostLimitError: If it would read more than the configured limit.
        RfmError: If the kept orders can't be read.
    """
    preview = plan.warehouse.kept_orders.preview(
        _request(plan), lambda relation: _select(plan.spec, relation), PART_COLUMN
    )
    if preview is None:
        return plan
    full = None
    if beside_full:
        pipeline = QueryPipeline.of(replace(plan.spec, keeps_orders=False))
        full = plan.warehouse.estimate(pipeline.steps(plan.warehouse.table)[0].select, limited=False)
    cost = plan.warehouse.estimate(preview.select) if preview.select else Cost(0, Decimal(0))
    return replace(plan, cost=cost, preview=preview, full_cost=full)


def stage_part_orders(plan: Plan, observer: RunObserver) -> PartsRead:
    """Stage the orders of all parts: kept ones, and those of parts that are new or have changed.

    Raises:
        RfmError: If the source can't be read, or the orders can't be kept.
    """
    return plan.warehouse.kept_orders.update(
        _request(plan), lambda relation: _select(plan.spec, relation), PART_COLUMN, observer.progress
    )


def taking_over(plan: Plan) -> Plan:
    """Return the plan that takes over the customers of an earlier run whose orders are the same, if it can.

    Raises:
        RfmError: If the kept customers can't be read.
    """
    if not can_take_over(plan.spec):
        return plan
    take_over = plan.warehouse.kept_orders.kept_customers(_customers_request(plan.spec))
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
        plan.warehouse.kept_orders.keep_customers(
            _customers_key(plan.spec),
            plan.spec.last_day,
            f"SELECT *\nFROM {customers}\nWHERE {_is_kept(plan.spec)}",
            excluded_sql(plan.spec),
        )
    if plan.spec.keeps_orders:
        plan.warehouse.kept_orders.save()


def describe_parts(parts: PartsRead, engine: str) -> str:
    """Return the note on what an incremental run read.

    Args:
        parts: What the run read.
        engine: Name of the engine.
    """
    read = format_count(parts.read, PART_NOUNS[engine])
    if parts.why_all is not None:
        return f"incremental: read all {read}, as {parts.why_all}"
    return f"incremental: read {read}; {parts.kept:,} did not change"


def kept_orders_audit(parts: PartsRead | None, engine: str) -> tuple[Audit, ...]:
    """Return the audit of the kept orders; none if they were not compared with the source.

    Args:
        parts: What the run read; None if it keeps no orders.
        engine: Name of the engine.
    """
    if parts is None or parts.different is None:
        return ()
    if not parts.different:
        return (Audit(KEPT_ORDERS_AUDIT, "passed", "The kept orders are those of the source."),)
    noun = PART_NOUNS[engine]
    seemed = format_count(parts.different, f"{noun} that seemed", f"{noun}s that seemed")
    detail = (
        f"Of {seemed} unchanged, the kept orders were not those of the source. They were read anew; results"
        " of earlier runs may be wrong, which `rfm run --as-of DATE` computes again, date by date."
    )
    return (Audit(KEPT_ORDERS_AUDIT, "warning", detail),)


def _customers_request(spec: QuerySpec) -> CustomersRequest:
    """Return how the run computes customers from orders."""

    def customers_of(orders: str) -> str:
        query = _customers_sql(spec, lambda name: orders if name == StagingTable.PART_ORDERS else name)
        return f"SELECT *\nFROM (\n{query}\n) AS customers\nWHERE customer_id IS NOT NULL"

    def excluded_of(orders: str) -> str:
        rows = Cte(PART_ORDERS, "One row per row of some parts.", f"SELECT *\nFROM {orders}")
        return with_ctes((rows,), excluded_sql(spec), spec.dialect.name)

    return CustomersRequest(
        _customers_key(spec),
        spec.last_day,
        customers_of,
        excluded_of,
        _is_kept(spec),
        has_order_ids=spec.mapping.order_id is not None,
        are_sums=not spec.segment_map.uses_gap,
    )


def _is_kept(spec: QuerySpec) -> str:
    """Return the condition that a row of `customers` is a customer to take over.

    Where returns are netted, later orders decide whether a customer has a positive one.
    """
    return "reason IS NULL" if no_amount_reasons(spec) else "customer_id IS NOT NULL"


def _customers_key(spec: QuerySpec) -> str:
    """Return a hash of what customers depend on, beside the orders and the last day on which they count."""
    spec = replace(spec, settings=replace(spec.settings, as_of="latest"), today=date.min)
    return hashlib.sha256(_customers_sql(spec, str).encode()).hexdigest()


def _customers_sql(spec: QuerySpec, table_of: Callable[[str], str]) -> str:
    steps = QueryPipeline.of(spec).steps(table_of)
    (select,) = (step.select for step in steps if step.name == StagingTable.CUSTOMERS)
    return select


def _request(plan: Plan) -> PartsRequest:
    states = {path.absolute(): state for path, state in plan.source_state.files.items()}
    versions = {
        part.path: PartVersion(state.size, state.modified_ns, state.tail, part.reading)
        for part in plan.source.parts
        for state in [states[part.path]]
    }
    return PartsRequest(
        versions,
        _file_numbers(plan),
        _key(plan),
        plan.reads_all,
        plan.settings.check_every if plan.checks_kept_orders else None,
        first_partition(plan.source.partition, plan.mapping, plan.settings),
    )


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
    which the settings of `[read]` and `[columns]` decide. Of a table, the name counts.
    """
    types = [f"{column.name}: {column.declared}" for column in plan.spec.schema]
    copies = repr((plan.settings.read, plan.settings.columns))
    engine = duckdb.__version__ if plan.warehouse.engine == "duckdb" else plan.source.label
    key = "\n".join([__version__, engine, copies, *types, _select(plan.spec, PART_COLUMN)])
    return hashlib.sha256(key.encode()).hexdigest()
