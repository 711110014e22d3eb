"""Partition pruning: a filter on the source's partitioning column, so that old partitions are not scanned."""

from __future__ import annotations

from datetime import date, timedelta

from rfm_pipeline.common.schema import Kind, Partition
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.window import Window
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.sql.dialects.base import Dialect

_DAY = timedelta(days=1)
# Pseudocolumn of BigQuery's tables that are partitioned by ingestion time.
_INGESTION_DAY = "_PARTITIONDATE"


def prune_partitions(
    relation: str, partition: Partition | None, mapping: ColumnMapping, settings: Settings, dialect: Dialect
) -> str:
    """Return a source as SQL that can follow FROM, without the partitions before the time window.

    Args:
        relation: The source's SQL identifier.
        partition: The source's partitioning; None if it is not partitioned.
        mapping: The column of each role.
        settings: The merged settings.
        dialect: The SQL dialect.

    Raises:
        ConfigurationError: If the source requires a partition filter, and the settings give none.
    """
    if partition is None:
        return relation
    oldest = _oldest(partition, mapping, settings)
    if oldest is None:
        if partition.is_required:
            raise ConfigurationError(
                f"The source can only be read with a filter on {_label(partition)}, but"
                f" {_missing_filter_reason(partition, mapping)}.",
                _missing_filter_hint(partition, mapping),
            )
        return relation
    column = dialect.quoted_name(partition.column) if partition.column else _INGESTION_DAY
    first = dialect.literal(oldest.isoformat())
    kind = {Kind.TIMESTAMP: "DATETIME", Kind.TIMESTAMPTZ: "TIMESTAMP"}.get(partition.kind, "DATE")
    return f"(\n  SELECT *\n  FROM {relation}\n  WHERE {column} >= {kind} {first}\n)"


def describe_pruning(
    partition: Partition | None, mapping: ColumnMapping, settings: Settings
) -> tuple[str, ...]:
    """Return a note about the partitions that are read, as a tuple of one; empty if all are read."""
    oldest = _oldest(partition, mapping, settings) if partition else None
    if partition is None or oldest is None:
        return ()
    return (f"only partitions of {_label(partition)} from {oldest} on are read",)


def _oldest(partition: Partition, mapping: ColumnMapping, settings: Settings) -> date | None:
    """Return the first day whose partition is read; None if all are read."""
    if not _bounds_orders(partition, mapping):
        return None
    limits = [settings.since] if settings.since else []
    if settings.window and isinstance(settings.as_of, date):
        limits.append(_before(settings.as_of, settings.window))
    # One day earlier, because a local day can begin up to 14 hours before the day in UTC.
    return max(limits) - _DAY if limits else None


def _bounds_orders(partition: Partition, mapping: ColumnMapping) -> bool:
    """Return whether the orders of a partition are not newer than the partition's day.

    This is true of the order's date, and of the ingestion time, because lines are ingested after the order.
    """
    if partition.column is None:
        return True
    is_date = partition.kind in {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}
    return is_date and mapping.ordered_at.name.casefold() == partition.column.casefold()


def _before(end: date, window: Window) -> date:
    """Return the day on which a window begins, or a day shortly before it."""
    days = {"day": 1, "week": 7, "month": 31, "year": 366}[window.unit]
    return end - timedelta(days=min(window.count * days, (end - date(1, 1, 3)).days))


def _label(partition: Partition) -> str:
    return f"`{partition.column}`" if partition.column else "the ingestion day of rows"


def _missing_filter_reason(partition: Partition, mapping: ColumnMapping) -> str:
    if not _bounds_orders(partition, mapping):
        return "that is not the column of the order date"
    return "neither since nor a window that ends on a fixed date is set"


def _missing_filter_hint(partition: Partition, mapping: ColumnMapping) -> str:
    if not _bounds_orders(partition, mapping):
        return "read a view with such a filter, or map ordered_at to that column."
    return "set --since 2024-01-01, or --window '24 months' with --as-of."
