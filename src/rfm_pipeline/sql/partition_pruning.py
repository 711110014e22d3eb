"""Partition pruning: a filter on the source's partitioning column, so that old partitions are not scanned."""

from __future__ import annotations

from datetime import date, timedelta

from rfm_pipeline.common.schema import Kind, Partition, Pseudocolumn
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.window import Window
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.sql.dialects.base import Dialect

# A local day can begin up to 14 hours before the day in UTC.
_ZONES = timedelta(days=1)
_LAG = timedelta(days=7)
"""How much older than its newest partition a source's newest order may be, at first."""
_LITERALS = {Kind.TIMESTAMP: "DATETIME", Kind.TIMESTAMPTZ: "TIMESTAMP"}
_SUFFIXES = {"DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y"}


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
    if oldest is None and partition.is_required:
        raise ConfigurationError(
            f"The source can only be read with a filter on {_label(partition)}, but"
            f" {_missing_filter_reason(partition, mapping)}.",
            _missing_filter_hint(partition, mapping),
        )
    conditions = [partition.condition] if partition.condition else []
    if oldest is not None:
        conditions.append(_not_before(oldest, partition, dialect))
    if not conditions:
        return relation
    where = "\n    AND ".join(conditions)
    return f"(\n  SELECT *\n  FROM {relation}\n  WHERE {where}\n)"


def describe_pruning(
    partition: Partition | None, mapping: ColumnMapping, settings: Settings
) -> tuple[str, ...]:
    """Return a note about the partitions that are read, as a tuple of one; empty if all are read."""
    oldest = _oldest(partition, mapping, settings) if partition else None
    if partition is None or oldest is None:
        return ()
    if partition.column is Pseudocolumn.SHARD:
        return (f"only tables from {oldest:{_SUFFIXES[partition.unit]}} on are read",)
    return (f"only partitions of {_label(partition)} from {oldest} on are read",)


def is_bounded_by_newest(partition: Partition | None, mapping: ColumnMapping, settings: Settings) -> bool:
    """Return whether the newest partition would tell which partitions a run has to read.

    That is so if the window ends on the newest order, which no partition before it can have.
    """
    ends_on_newest = settings.window is not None and not isinstance(settings.as_of, date)
    return ends_on_newest and partition is not None and _bounds_orders(partition, mapping)


def earliest_as_of(partition: Partition | None) -> date | None:
    """Return the earliest as-of date whose window the read partitions have as a whole; None for any date."""
    return partition.newest - _LAG if partition and partition.newest else None


def _oldest(partition: Partition, mapping: ColumnMapping, settings: Settings) -> date | None:
    """Return the first day whose partition is read; None if all are read."""
    if not _bounds_orders(partition, mapping):
        return None
    limits = [max(settings.since, date(1, 1, 2)) - _ZONES] if settings.since else []
    as_of = settings.as_of if isinstance(settings.as_of, date) else earliest_as_of(partition)
    if settings.window and as_of:
        limits.append(_before(as_of, settings.window) - _ZONES)
    if not limits:
        return None
    # A partition begins before the first day that it is read for.
    first = max(limits)
    if isinstance(partition.column, Pseudocolumn):
        first = first.replace(day=1) if partition.unit in {"MONTH", "YEAR"} else first
        first = first.replace(month=1) if partition.unit == "YEAR" else first
    return first


def _not_before(first: date, partition: Partition, dialect: Dialect) -> str:
    """Return the condition that a row is in the partition of the first day, in a later one, or in none.

    Rows without a date are read, since a run counts them as `invalid_date`; and so are rows that were
    streamed into a table that is partitioned by ingestion time, which have no partition until they are
    stored.
    """
    if partition.column is Pseudocolumn.SHARD:
        suffix = dialect.quoted_text(f"{first:{_SUFFIXES[partition.unit]}}")
        return f"{partition.column} >= {suffix}"
    is_pseudo = isinstance(partition.column, Pseudocolumn)
    column = str(partition.column) if is_pseudo else dialect.quoted_name(partition.column)
    day = f"{_LITERALS.get(partition.kind, 'DATE')} {dialect.quoted_text(first.isoformat())}"
    return f"({column} >= {day} OR {column} IS NULL)"


def _bounds_orders(partition: Partition, mapping: ColumnMapping) -> bool:
    """Return whether the orders of a partition are not newer than the partition's day.

    This is true of the order's date, of the ingestion time, because lines are ingested after the order, and
    of the date in a table's name, whose lines were written until then.
    """
    if isinstance(partition.column, Pseudocolumn):
        return True
    is_date = partition.kind in {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}
    return is_date and mapping.ordered_at.name.casefold() == partition.column.casefold()


def _before(end: date, window: Window) -> date:
    """Return the day on which a window begins, or a day shortly before it."""
    days = {"day": 1, "week": 7, "month": 31, "year": 366}[window.unit]
    return end - timedelta(days=min(window.count * days, (end - date(1, 1, 3)).days))


def _label(partition: Partition) -> str:
    return "the ingestion time" if isinstance(partition.column, Pseudocolumn) else f"`{partition.column}`"


def _missing_filter_reason(partition: Partition, mapping: ColumnMapping) -> str:
    if not _bounds_orders(partition, mapping):
        return "that is not the column of the order date"
    return "neither since nor a window that ends on a known date is set"


def _missing_filter_hint(partition: Partition, mapping: ColumnMapping) -> str:
    if not _bounds_orders(partition, mapping):
        return "read a view with such a filter, or map ordered_at to that column."
    return "set --since 2024-01-01, or --window '24 months' with --as-of yesterday."
