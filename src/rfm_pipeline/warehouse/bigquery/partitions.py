"""Partitioning of a table, and tables of one per day: what a filter on dates can leave unread."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.common.schema import Kind, Partition, Pseudocolumn
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.errors import ConfigurationError, WarehouseError
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.schema import schema_of

if TYPE_CHECKING:
    from google.cloud.bigquery import Table

_FORMATS = {8: ("DAY", "%Y%m%d"), 6: ("MONTH", "%Y%m"), 4: ("YEAR", "%Y")}
_UNFINISHED = re.compile(r"(?:intraday|fresh)_\d{8}")
"""Suffix of the tables of the Google Analytics export whose rows come again in the table of the day."""
_MAX_NAMED = 3


def partition_of(table: Table) -> Partition | None:
    """Return how a table is partitioned; None if it is not."""
    is_required = bool(table.require_partition_filter)
    by_time = table.time_partitioning
    if by_time is not None and by_time.field is None:
        # `_PARTITIONDATE` exists in tables that are partitioned by day only.
        return Partition(Pseudocolumn.INGESTION, Kind.TIMESTAMPTZ, is_required, by_time.type_ or "DAY")
    if by_time is not None:
        kinds = {column.name.casefold(): column.kind for column in schema_of(table.schema)}
        kind = kinds.get(by_time.field.casefold(), Kind.OTHER)
        return Partition(by_time.field, kind, is_required, by_time.type_ or "DAY")
    if table.range_partitioning is not None:
        return Partition(table.range_partitioning.field, Kind.INTEGER, is_required)
    return None


def newest_partition(jobs: JobRunner, table: Table, up_to: date) -> date | None:
    """Return the first day of a table's newest partition that has rows; None if it is not visible.

    Args:
        jobs: Job runner with the client.
        table: Metadata of the table.
        up_to: Partitions after this day are not considered.
    """
    try:
        (row,) = jobs.rows(jobs.query("newest-partition", newest_partition_sql(table, up_to)))
    except WarehouseError:
        # The role on a single table does not include the list of its partitions. All are read then.
        return None
    return day_of(str(row["partition_id"])[:8]) if row["partition_id"] else None


def newest_partition_sql(table: Table, up_to: date) -> str:
    """Return a SELECT of the id of the newest partition that has rows, such as `20240131` or `202401`.

    The ids `__NULL__` and `__UNPARTITIONED__` sort after each date.
    """
    catalog = statements.qualified_name(table.project, table.dataset_id)
    return (
        f"SELECT MAX(partition_id) AS partition_id\nFROM {catalog}.INFORMATION_SCHEMA.PARTITIONS\n"
        f"WHERE table_name = {statements.string_literal(table.table_id)}\n"
        f"  AND total_rows > 0\n  AND SUBSTR(partition_id, 1, 8) <= '{up_to:%Y%m%d}'"
    )


class Shards(Struct, frozen=True):
    """The tables of a wildcard that are read.

    Attributes:
        days: First day of each table, ascending; empty if the tables are not named after dates.
        partition: The tables as partitions; None if the tables are not named after dates.
        notes: Remarks for the user.
    """

    days: tuple[date, ...] = ()
    partition: Partition | None = None
    notes: tuple[str, ...] = ()

    def newest(self, up_to: date) -> date | None:
        """Return the newest day that is not later than `up_to`; None if there is none."""
        return max((day for day in self.days if day <= up_to), default=None)


def shards_of(wildcard: str, tables: Sequence[str], settings: BigQuerySettings) -> Shards:
    """Return which tables of a wildcard are read: if there are tables of one per date, those alone.

    Args:
        wildcard: Name of the tables, such as `events_*`.
        tables: Names of the dataset's tables.
        settings: Settings with `wildcard`.

    Raises:
        ConfigurationError: If some of the tables are not named after a date, and nothing says whether they
            count.
    """
    prefix = wildcard.removesuffix("*")
    suffixes = sorted(name.removeprefix(prefix) for name in tables if name.startswith(prefix))
    # A wildcard such as `events_2024*` has a part of each date.
    length = None if prefix[-1:].isdigit() else _dated_length(suffixes)
    if length is None or settings.wildcard == "all":
        return Shards(notes=(f"all tables that begin with {prefix}",))
    unit, _ = _FORMATS[length]
    dated = [suffix for suffix in suffixes if len(suffix) == length and day_of(suffix)]
    others = [suffix for suffix in suffixes if suffix not in set(dated)]
    unknown = [f"{prefix}{suffix}" for suffix in others if not _UNFINISHED.fullmatch(suffix)]
    if unknown and settings.wildcard is None:
        raise ConfigurationError(
            f"{wildcard} takes tables that are named after a date, and others: {_named(unknown)}.",
            'set bigquery.wildcard = "dated" to leave the others out, or "all" to read them as well.',
        )
    notes = [f"{format_count(len(dated), 'table')}, {prefix}{dated[0]} to {prefix}{dated[-1]}"]
    if others:
        notes.append(
            f"left out: {_named([f'{prefix}{suffix}' for suffix in others])};"
            ' bigquery.wildcard = "all" reads them as well'
        )
    condition = f"REGEXP_CONTAINS({Pseudocolumn.SHARD}, r'^[0-9]{{{length}}}$')"
    days = tuple(day for suffix in dated if (day := day_of(suffix)))
    return Shards(
        days, Partition(Pseudocolumn.SHARD, Kind.TEXT, unit=unit, condition=condition), tuple(notes)
    )


def _dated_length(suffixes: Sequence[str]) -> int | None:
    """Return the number of digits of the dates that tables are named after; None if there are none."""
    dated = {len(suffix) for suffix in suffixes if day_of(suffix)}
    return max(dated, default=None)


def day_of(text: str) -> date | None:
    """Return the first day of `20240131`, `202401` or `2024`; None if the text is no such date.

    >>> str(day_of("202401")), day_of("intraday_20240131"), day_of("20240230")
    ('2024-01-01', None, None)
    """
    if len(text) not in _FORMATS or not text.isascii() or not text.isdigit():
        return None
    try:
        day = datetime.strptime(text, _FORMATS[len(text)][1]).date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None
    return day if 1900 <= day.year < 2200 else None


def _named(tables: Sequence[str]) -> str:
    more = len(tables) - _MAX_NAMED
    return ", ".join([*tables[:_MAX_NAMED], *([f"{more} more"] if more > 0 else [])])
