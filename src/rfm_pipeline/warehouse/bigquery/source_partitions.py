"""Partitions of a source table as the parts of an incremental run: their versions, and how each is read.

`INFORMATION_SCHEMA.PARTITIONS` tells when a partition was written last, and how many rows and bytes it has.
The time alone is not enough: deletions may not change it. All reads of a run are of the moment at which the
partitions were listed, so that they see what the list describes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from rfm_pipeline.common.schema import Kind, Partition, Pseudocolumn
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.partitions import day_of
from rfm_pipeline.warehouse.bigquery.tables import is_protected

if TYPE_CHECKING:
    from google.cloud.bigquery import Table

MAX_PARTS = 3_900
"""Most parts whose orders are kept: a job may change 4,000 partitions of a table."""
WHOLE_TABLE = date(1970, 1, 1)
"""Day that names the only part of a table without partitions."""
_SETTLED_US = 60_000_000
"""Microseconds after which a partition that was not written again is known to be as it was listed.

What is written within them may have the same time as what was read, and its clock is another server's.
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = {
    "VIEW": "a view",
    "MATERIALIZED_VIEW": "a materialized view",
    "EXTERNAL": "an external table",
    "SNAPSHOT": "a snapshot",
}
_NULL_PARTITION = "__NULL__"


class PartitionVersion(Struct, frozen=True):
    """A part of the source: a partition, or the hourly partitions of a day.

    Attributes:
        day: First day of the partition.
        version: Hash (16 hex digits) of the times of the last changes, the rows and the bytes.
        rows: Number of rows.
        is_settled: Whether a later change is certain to change the version.
    """

    day: date
    version: str
    rows: int
    is_settled: bool


class PartitionList(Struct, frozen=True):
    """The partitions of a table at a moment.

    Attributes:
        relation: The table at that moment, as SQL that can follow FROM.
        partition: How the table is partitioned; None if it is not.
        parts: The parts that have rows, by their days, ascending.
        has_null: Whether the table has rows without a partitioning date.
    """

    relation: str
    partition: Partition | None
    parts: tuple[PartitionVersion, ...]
    has_null: bool

    def all_lines(self, column: str, first_day: date | None = None) -> str:
        """Return the lines of all parts, listed or not, as SQL that can follow FROM.

        Args:
            column: As for `lines_of`.
            first_day: First day of the first part that counts; None if all do.
        """
        where = ""
        if self.partition is not None and first_day is not None:
            name = _column(self.partition)
            where = f"\n  WHERE ({name} >= {_bound(first_day, self.partition)} OR {name} IS NULL)"
        return self._lines(column, where)

    def lines_of(self, days: Sequence[date], column: str) -> str:
        """Return the lines of some parts, and those without a date, as SQL that can follow FROM.

        Args:
            days: Days of the parts.
            column: Name of the column with the day of each line's part; NULL for lines without a date.
        """
        if self.partition is None:
            return self._lines(column, "")
        name = _column(self.partition)
        conditions = [
            f"({name} >= {_bound(first, self.partition)} AND {name} < {_bound(end, self.partition)})"
            for first, end in self._ranges(set(days))
        ]
        if self.has_null:
            conditions.append(f"{name} IS NULL")
        return self._lines(column, "\n  WHERE " + ("\n    OR ".join(conditions) or "FALSE"))

    def ends_before(self, day: date, end: date) -> bool:
        """Return whether a part has ended before a day, given its first day; the whole table never has."""
        return self.partition is not None and _next(day, self.partition) <= end

    def _lines(self, column: str, where: str) -> str:
        day = _part_day(self.partition) if self.partition else statements.date_literal(WHOLE_TABLE)
        return f"(\n  SELECT *, {day} AS {column}\n  FROM {self.relation}{where}\n)"

    def _ranges(self, days: set[date]) -> Iterator[tuple[date, date]]:
        """Yield the first day, and the day after the last, of parts with no other part between them."""
        assert self.partition is not None  # callers have looked
        first = last = None
        for part in self.parts:
            if part.day in days:
                first, last = first or part.day, part.day
            elif first and last:
                yield first, _next(last, self.partition)
                first = last = None
        if first and last:
            yield first, _next(last, self.partition)


def why_not_listed(table: Table | None, partition: Partition | None) -> str | None:
    """Return why the partitions of a source do not tell what has changed, as a clause; None if they do.

    Args:
        table: Metadata of the table; None if the source is no single table.
        partition: How the table is partitioned; None if it is not.
    """
    if table is None:
        return "the source is no table of BigQuery, whose partitions tell what has changed"
    kind = table.table_type or "TABLE"
    has_days = partition is None or partition.kind in {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}
    reasons = {
        f"the source is {_KINDS.get(kind, kind)}, which does not tell what has changed": kind != "TABLE",
        "the table's files are outside BigQuery": "biglakeConfiguration" in table.to_api_repr(),
        "rows were streamed into the table that are in no partition yet": table.streaming_buffer is not None,
        "the table is partitioned by numbers": not has_days,
        "the table can be read with a filter only, so its rows can't be counted": bool(
            partition and partition.is_required
        ),
        "a column is protected, and who may read it can change": any(map(is_protected, table.schema)),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def list_partitions(jobs: JobRunner, table: Table, partition: Partition | None) -> PartitionList | str:
    """Return the partitions of a table; or why they do not tell what has changed, as a clause.

    Args:
        jobs: Job runner with the client.
        table: Metadata of the table.
        partition: How the table is partitioned; None if it is not.
    """
    try:
        rows = jobs.rows(jobs.query("list-partitions", list_partitions_sql(table)))
    except WarehouseError:
        return "its partitions can't be listed, which needs bigquery.tables.list on the dataset"
    if not rows:
        return "the table has no rows"
    if any(str(row["partition_id"]).startswith("__UNPART") and row["total_rows"] for row in rows):
        return "rows were streamed into the table that are in no partition yet"
    if sum(row["total_rows"] for row in rows) != rows[0]["visible_rows"]:
        return (
            "its rows are not those of its partitions: rows are being written, or a policy on rows hides some"
        )
    listed_us: int = rows[0]["listed_us"]
    parts: dict[date, list[dict[str, object]]] = {}
    for row in rows:
        day = day_of(str(row["partition_id"])[:8]) if partition else WHOLE_TABLE
        if day is not None and (row["partition_id"] is None) == (partition is None):
            parts.setdefault(day, []).append(row)
        elif partition is None or row["partition_id"] != _NULL_PARTITION:
            return f"the table has a partition {row['partition_id']}"
    if len(parts) > MAX_PARTS:
        return f"the table has {len(parts):,} partitions, and orders of {MAX_PARTS:,} at most are kept"
    return PartitionList(
        f"{_name(table)} FOR SYSTEM_TIME AS OF {_timestamp(listed_us)}",
        partition,
        tuple(_version(day, parts[day], listed_us) for day in sorted(parts)),
        any(row["partition_id"] == _NULL_PARTITION for row in rows),
    )


def list_partitions_sql(table: Table) -> str:
    """Return the SELECT of a table's partitions, each with the moment and the rows that are visible then.

    `__UNPARTITIONED__` can have a row per storage tier.
    """
    catalog = statements.qualified_name(table.project, table.dataset_id)
    return (
        "SELECT\n"
        "  UNIX_MICROS(CURRENT_TIMESTAMP()) AS listed_us,\n"
        f"  (SELECT COUNT(*) FROM {_name(table)}) AS visible_rows,\n"
        "  partition_id,\n"
        "  SUM(total_rows) AS total_rows,\n"
        "  SUM(total_logical_bytes) AS total_bytes,\n"
        "  UNIX_MICROS(MAX(last_modified_time)) AS modified_us\n"
        f"FROM {catalog}.INFORMATION_SCHEMA.PARTITIONS\n"
        f"WHERE table_name = {statements.string_literal(table.table_id)}\n"
        "GROUP BY partition_id\n"
        "ORDER BY partition_id"
    )


def _version(day: date, rows: Sequence[dict[str, object]], listed_us: int) -> PartitionVersion:
    fields = ("partition_id", "total_rows", "total_bytes", "modified_us")
    text = "\n".join(" ".join(str(row[name]) for name in fields) for row in rows)
    modified = [row["modified_us"] for row in rows]
    return PartitionVersion(
        day,
        hashlib.sha256(text.encode()).hexdigest()[:16],
        sum(int(str(row["total_rows"])) for row in rows),
        all(isinstance(us, int) and us < listed_us - _SETTLED_US for us in modified),
    )


def _name(table: Table) -> str:
    return statements.qualified_name(table.project, table.dataset_id, table.table_id)


def _column(partition: Partition) -> str:
    column = partition.column
    return str(column) if isinstance(column, Pseudocolumn) else statements.qualified_name(column)


def _part_day(partition: Partition) -> str:
    """Return SQL of the first day of a row's partition."""
    name = _column(partition)
    day = name if partition.kind is Kind.DATE else f"DATE({name})"
    return f"DATE_TRUNC({day}, {partition.unit})" if partition.unit in {"MONTH", "YEAR"} else day


def _bound(day: date, partition: Partition) -> str:
    """Return the begin of a day as a literal of the partitioning column, whose days are those of UTC."""
    if partition.kind is Kind.DATE:
        return statements.date_literal(day)
    if partition.kind is Kind.TIMESTAMP:
        return f"DATETIME '{day.isoformat()} 00:00:00'"
    return f"TIMESTAMP '{day.isoformat()} 00:00:00+00:00'"


def _next(day: date, partition: Partition) -> date:
    """Return the day after a partition, given its first day."""
    if partition.unit == "YEAR":
        return date(day.year + 1, 1, 1)
    if partition.unit == "MONTH":
        return date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return day + timedelta(days=1)


def _timestamp(microseconds: int) -> str:
    return f"TIMESTAMP '{_EPOCH + timedelta(microseconds=microseconds):%Y-%m-%d %H:%M:%S.%f}+00:00'"
