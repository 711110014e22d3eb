"""Orders that are in several files: whether there are any, and the question about those that differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.questions import question
from rfm_pipeline.results.json_values import money
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.stages.duplicates import (
    DIFFERENT_ORDER,
    DUPLICATE_ORDER,
    ORDER_FILES,
    SHARED_ORDERS,
    compared_orders_sql,
    order_versions_sql,
)

if TYPE_CHECKING:
    from rfm_pipeline.pipeline.plan import Plan
    from rfm_pipeline.results.statistics import Excluded
    from rfm_pipeline.warehouse.base import Warehouse

_ALWAYS_COMPARED_BYTES = 8 << 20
"""Size of a source up to which orders are compared at once, which takes half a second at most.

In a larger source they are compared if a kept order is in several files: what is not noticed is an order that
one file has as a sale and the other as, say, cancelled, if no other order is in both.
"""


def comparing_files(plan: Plan) -> Plan:
    """Return the plan with a query that compares the orders of several files."""
    spec = replace(plan.spec, compares_files=plan.spec.may_share_orders, takes_over=None)
    return replace(plan, spec=spec, pipeline=QueryPipeline.of(spec))


def expects_shared_orders(plan: Plan) -> bool:
    """Return whether to compare the orders of several files at once, before a pass that counts them.

    The source is small, or the last run of the destination found an order in several files.
    """
    if not plan.spec.may_share_orders:
        return False
    size = plan.source.size_bytes
    if size is not None and size <= _ALWAYS_COMPARED_BYTES:
        return True
    computed = [record.statistics for record in plan.state.records if record.statistics]
    return bool(computed) and any(reason.reason == DUPLICATE_ORDER for reason in computed[-1].exclusions)


def has_shared_orders(warehouse: Warehouse) -> bool:
    """Return whether the staged `customers` have an order that is in several files."""
    table = warehouse.table(StagingTable.CUSTOMERS)
    (row,) = warehouse.rows(f"SELECT SUM(shared_orders) AS shared FROM {table} WHERE reason IS NULL")
    return bool(row["shared"])


def refuse_different_orders(plan: Plan, excluded: Iterable[Excluded]) -> None:
    """Raise if an order has different lines in several files, and nothing says which of them count.

    Raises:
        ColumnError: If there is such an order; the error has the money of each reading.
    """
    if all(reason.reason != DIFFERENT_ORDER for reason in excluded):
        return
    query = _pipeline(plan).with_required_ctes(compared_orders_sql(plan.spec), ORDER_FILES, SHARED_ORDERS)
    rows = {bool(row["is_equal"]): row for row in plan.warehouse.rows(query)}
    different, equal = rows[False], rows.get(True)
    orders = format_count(
        different["orders"], "order is in several files with", "orders are in several files with"
    )
    readings = ", ".join(
        f"{money(different[f'{name}_amount'])} {where}"
        for name, where in (
            ("first", "by the first file of each"),
            ("last", "by the last"),
            ("all", "by all lines together"),
        )
    )
    also = ""
    if equal:
        copies = format_count(equal["orders"], "order is", "orders are")
        also = f"; {copies} equal in several files and counted once, except by 'both'"
    raise question(
        "different_orders",
        orders=orders,
        totals=readings,
        example=_example(plan, different["order_id"]),
        also=also,
    )


def _pipeline(plan: Plan) -> QueryPipeline:
    """Return the query over the source, or over the staged orders of its parts."""
    if not plan.spec.keeps_orders:
        return plan.pipeline
    return plan.pipeline.over_part_orders(plan.warehouse.table(StagingTable.PART_ORDERS))


def _example(plan: Plan, order_id: str) -> str:
    """Return an order's money in each of its files."""
    query = _pipeline(plan).with_required_ctes(order_versions_sql(plan.spec, order_id), ORDER_FILES)
    files = plan.spec.files
    assert files is not None  # because an order is in several
    versions = (
        f"{money(row['amount'])} in {files.names[row['source_file'] - 1]}"
        for row in plan.warehouse.rows(query)
    )
    return f"such as order {order_id}: {', '.join(versions)}"
