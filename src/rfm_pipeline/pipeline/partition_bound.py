"""Bounds on what a run reads: of a view, and of a source whose window ends on the newest order.

The newest order is known only when the source has been read, so the bound comes from the newest partition
that has rows. If none of the newest rows count, the window begins before the bound, and everything is read
again.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rfm_pipeline.common.schema import Partition
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ConfigurationError, CostLimitError, WarehouseError
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.partition_pruning import earliest_as_of, is_bounded_by_newest, prune_partitions
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.stages.metrics import as_of_sql
from rfm_pipeline.warehouse.base import SourceTable, Warehouse

if TYPE_CHECKING:
    from rfm_pipeline.pipeline.plan import Plan


def with_newest_partition(
    source: SourceTable, warehouse: Warehouse, mapping: ColumnMapping, settings: Settings, today: date
) -> SourceTable:
    """Return the source with its newest partition, if that bounds what a run reads."""
    if source.partition is None or not is_bounded_by_newest(source.partition, mapping, settings):
        return source
    newest = warehouse.newest_partition(today)
    return replace(source, partition=replace(source.partition, newest=newest))


def with_filtered_view(
    source: SourceTable, warehouse: Warehouse, mapping: ColumnMapping, settings: Settings
) -> SourceTable:
    """Return the source with the order date as its partitioning column, if it is a view that this narrows.

    A view says nothing about the partitions that it reads: dry runs with and without the filter tell.
    """
    ordered_at = mapping.ordered_at
    if not source.is_view or len(ordered_at.path) > 1:
        return source
    dialect = dialect_of(warehouse.engine)
    partition = Partition(ordered_at.name, ordered_at.kind)
    narrowed = prune_partitions(source.relation, partition, mapping, settings, dialect)
    if narrowed == source.relation:
        return source
    column = dialect.quoted_name(ordered_at.name)
    sizes = []
    for relation in (narrowed, source.relation):
        try:
            cost = warehouse.estimate(f"SELECT {column}\nFROM {relation}")
        except (CostLimitError, WarehouseError):
            # The view reads too much, or a table that requires a filter.
            cost = None
        sizes.append(cost.bytes_processed if cost else None)
    with_filter, without = sizes
    is_narrower = with_filter is not None and (without is None or with_filter < without)
    return replace(source, partition=partition) if is_narrower else source


def reads_too_little(plan: Plan) -> bool:
    """Return whether the staged orders show that the window begins before the partitions that were read."""
    earliest = earliest_as_of(plan.source.partition)
    if earliest is None:
        return False
    order_days = plan.warehouse.table(StagingTable.ORDER_DAYS)
    (row,) = plan.warehouse.rows(as_of_sql(plan.spec, order_days))
    return row["as_of_date"] is None or row["as_of_date"] < earliest


def reading_all_partitions(plan: Plan) -> Plan:
    """Return the plan without the bound.

    Raises:
        ConfigurationError: If the source can't be read without a filter.
        CostLimitError: If reading everything would cost more than the limit.
    """
    partition = plan.source.partition
    assert partition is not None  # because it has a bound
    if partition.is_required:
        raise ConfigurationError(
            f"No order of the newest partitions of {plan.source.label} counts, so it is unknown where the"
            " window begins, and the table can only be read with a filter.",
            "end the window on a date: --as-of yesterday.",
        )
    source = replace(plan.source, partition=replace(partition, newest=None))
    relation = prune_partitions(
        source.relation, source.partition, plan.mapping, plan.settings, plan.spec.dialect
    )
    spec = replace(plan.spec, relation=relation)
    pipeline = QueryPipeline.of(spec)
    cost = plan.warehouse.estimate(pipeline.steps(plan.warehouse.table)[0].select)
    return replace(plan, source=source, spec=spec, pipeline=pipeline, cost=cost)
