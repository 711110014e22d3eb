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
_LONGEST = {"day": 1, "week": 7, "month": 31, "year": 366}
"""Days that a unit of a window has at most."""
_SUFFIXES = {"DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y"}


def prune_partitions(
    relation: str,
    partition: Partition | None,
    mapping: ColumnMapping,
    settings: Settings,
    dialect: Dialect,
    *,
    as_of: str | None = None,
) -> str:
    """Return a source as SQL that can follow FROM, without the partitions before the time window.

    Args:
        relation: The source's SQL identifier.
        partition: The source's partitioning; None if it is not partitioned.
        mapping: The column of each role.
        settings: The merged settings.
        dialect: The SQL dialect.
        as_of: SQL of the as-of date of a query that runs on many days; None if the settings have the date.

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
    if oldest is not None and as_of is not None and settings.window is not None:
        conditions += _moving_bounds(as_of, settings.window, settings.since, partition, dialect)
    elif oldest is not None:
        conditions.append(_not_before(_bound(oldest, partition, dialect), partition, dialect))
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


def first_partition(partition: Partition | None, mapping: ColumnMapping, settings: Settings) -> date | None:
    """Return the first day of the first partition that is read; None if all are read."""
    return _oldest(partition, mapping, settings) if partition else None


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
    return _first_day_of_partition(max(limits), partition)


def _first_day_of_partition(day: date, partition: Partition) -> date:
    """Return the day on which the partition of a day begins."""
    day = day.replace(day=1) if partition.unit in {"MONTH", "YEAR"} else day
    return day.replace(month=1) if partition.unit == "YEAR" else day


def _moving_bounds(
    as_of: str, window: Window, since: date | None, partition: Partition, dialect: Dialect
) -> list[str]:
    """Return the conditions of a query that runs on many days; BigQuery computes them before it reads."""
    # As in `_before`: no unit is longer, and a local day can begin before the day in UTC.
    days = window.count * _LONGEST[window.unit] + _ZONES.days
    first = f"DATE_SUB({as_of}, INTERVAL {days} DAY)"
    if isinstance(partition.column, Pseudocolumn) and partition.unit in {"MONTH", "YEAR"}:
        first = f"DATE_TRUNC({first}, {partition.unit})"
    if partition.column is Pseudocolumn.SHARD:
        first = f"FORMAT_DATE({dialect.quoted_text(_SUFFIXES[partition.unit])}, {first})"
    elif partition.kind in _LITERALS:
        first = f"{_LITERALS[partition.kind]}({first})"
    bounds = [_not_before(first, partition, dialect)]
    if since:
        day = _first_day_of_partition(max(since, date(1, 1, 2)) - _ZONES, partition)
        bounds.append(_not_before(_bound(day, partition, dialect), partition, dialect))
    return bounds


def _bound(first: date, partition: Partition, dialect: Dialect) -> str:
    """Return a day as a literal of the partitioning column."""
    if partition.column is Pseudocolumn.SHARD:
        return dialect.quoted_text(f"{first:{_SUFFIXES[partition.unit]}}")
    return f"{_LITERALS.get(partition.kind, 'DATE')} {dialect.quoted_text(first.isoformat())}"


def _not_before(first: str, partition: Partition, dialect: Dialect) -> str:
    """Return the condition that a row is in the partition of the first day, in a later one, or in none.

    Rows without a date are read, since a run counts them as `invalid_date`; and so are rows that were
    streamed into a table that is partitioned by ingestion time, which have no partition until they are
    stored.
    """
    if partition.column is Pseudocolumn.SHARD:
        return f"{partition.column} >= {first}"
    is_pseudo = isinstance(partition.column, Pseudocolumn)
    column = str(partition.column) if is_pseudo else dialect.quoted_name(partition.column)
    return f"({column} >= {first} OR {column} IS NULL)"


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
    days = window.count * _LONGEST[window.unit]
    return end - timedelta(days=min(days, (end - date(1, 1, 3)).days))


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
