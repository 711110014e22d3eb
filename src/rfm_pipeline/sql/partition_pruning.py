"""Reading only the partitions that can count: a filter on the dates that a source is cut by."""

from __future__ import annotations

from datetime import date, timedelta

from rfm_pipeline.common.schema import Kind, Partition
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.window import Window
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.sql.dialects.base import Dialect

_DAY = timedelta(days=1)
# By ingestion, BigQuery has the day of each row in a column that is not among the columns.
_INGESTED = "_PARTITIONDATE"


def narrowed(
    relation: str, partition: Partition | None, mapping: ColumnMapping, settings: Settings, dialect: Dialect
) -> str:
    """A source as it stands behind FROM, without the partitions that lie before everything that counts.

    Raises:
        ConfigurationError: A filter is required, and nothing that was configured gives one.
    """
    if partition is None:
        return relation
    oldest = _oldest(partition, mapping, settings)
    if oldest is None:
        if partition.is_required:
            raise ConfigurationError(
                f"The source is only read with a filter on {_name(partition)}, and"
                f" {_why_not(partition, mapping)}.",
                _what_to_do(partition, mapping),
            )
        return relation
    column = dialect.quoted_name(partition.column) if partition.column else _INGESTED
    first = dialect.literal(oldest.isoformat())
    kind = {Kind.TIMESTAMP: "DATETIME", Kind.TIMESTAMPTZ: "TIMESTAMP"}.get(partition.kind, "DATE")
    return f"(\n  SELECT *\n  FROM {relation}\n  WHERE {column} >= {kind} {first}\n)"


def narrowing(partition: Partition | None, mapping: ColumnMapping, settings: Settings) -> tuple[str, ...]:
    """What is not read, for a person; nothing where everything is."""
    oldest = _oldest(partition, mapping, settings) if partition else None
    if partition is None or oldest is None:
        return ()
    return (f"only partitions of {_name(partition)} from {oldest} on are read",)


def _oldest(partition: Partition, mapping: ColumnMapping, settings: Settings) -> date | None:
    """The first day whose partition is read; None where all are."""
    if not _bounds_orders(partition, mapping):
        return None
    limits = [settings.since] if settings.since else []
    if settings.window and isinstance(settings.as_of, date):
        limits.append(_before(settings.as_of, settings.window))
    # A day more, for a day of a time zone begins up to fourteen hours before that of UTC.
    return max(limits) - _DAY if limits else None


def _bounds_orders(partition: Partition, mapping: ColumnMapping) -> bool:
    """Whether a line in a partition can't be older than it: the order's date, or the day on which it came in.

    A line does not come in before it is ordered.
    """
    if partition.column is None:
        return True
    is_date = partition.kind in {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}
    return is_date and mapping.ordered_at.name.casefold() == partition.column.casefold()


def _before(end: date, window: Window) -> date:
    """The day on which a window begins, or one that is a little earlier."""
    days = {"day": 1, "week": 7, "month": 31, "year": 366}[window.unit]
    return end - timedelta(days=min(window.count * days, (end - date(1, 1, 3)).days))


def _name(partition: Partition) -> str:
    return f"`{partition.column}`" if partition.column else "the day on which rows came in"


def _why_not(partition: Partition, mapping: ColumnMapping) -> str:
    if not _bounds_orders(partition, mapping):
        return "that is not the date of the order"
    return "neither since nor a window that ends on a given date is set"


def _what_to_do(partition: Partition, mapping: ColumnMapping) -> str:
    if not _bounds_orders(partition, mapping):
        return "read a view with such a filter, or map ordered_at to that column."
    return "set --since 2024-01-01, or --window '24 months' with --as-of."
