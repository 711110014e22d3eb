"""A partitioned source table in the emulator, with the list of partitions that BigQuery would have of it.

The emulator lists a partition's time of the creation of the table, and no monthly or hourly partitions. So
the list is a table of its own, which the proxy reads in place of `INFORMATION_SCHEMA.PARTITIONS`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
from google.cloud.bigquery import SchemaField, Table, TimePartitioning

from support.bigquery_proxy import Proxy
from support.bigquery_shop import PROJECT, Shop
from support.cli import Outcome, Rfm

Line = tuple[str | None, str, date | None, str]
"""Customer, order, date of the partition and of the order, and amount."""
_EQUAL = ("as_of", "rows", "amount", "customers", "orders", "revenue", "edges", "segments")
_COLUMNS = "* EXCLUDE (previous_segment, segment_since, run_id)"
_IDS = {"HOUR": "%Y%m%d23", "DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y"}
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass
class PartitionedOrders:
    """A source table whose lines are replaced partition by partition.

    Attributes:
        shop: The dataset.
        proxy: The proxy that the runs connect to.
        table: Name of the table.
        type_: Type of the column of the order's date, which partitions the table.
        unit: `HOUR`, `DAY`, `MONTH` or `YEAR`; None for a table without partitions.
        lines: The lines of each date; None for lines without a date.
        hidden: Number of rows that the list of partitions has and a query does not see.
        extra: Rows of further partitions in the list, by their ids.
    """

    shop: Shop
    proxy: Proxy
    table: str = "orders"
    type_: str = "DATE"
    unit: str | None = "DAY"
    lines: dict[date | None, list[Line]] = field(default_factory=dict)
    hidden: int = 0
    extra: dict[str | None, int] = field(default_factory=dict)
    _times: dict[str | None, datetime] = field(default_factory=dict)
    _clock: int = 0

    def __post_init__(self) -> None:
        # Of a table that a statement creates, the emulator does not return the unit.
        schema = [SchemaField("customer", "STRING"), SchemaField("order_no", "STRING")]
        schema += [SchemaField("day", self.type_), SchemaField("amount", "NUMERIC", precision=38, scale=9)]
        table = Table(f"{PROJECT}.{self.shop.dataset}.{self.table}", schema)
        if self.unit:
            table.time_partitioning = TimePartitioning(self.unit, "day")
        self.shop.client.create_table(table)
        listed = re.escape(f"`{PROJECT}`.`{self.shop.dataset}`.INFORMATION_SCHEMA.PARTITIONS")
        self.proxy.rewrites.append((listed, self.shop.name("partitions")))

    @property
    def source(self) -> str:
        """The table as SOURCE."""
        return self.shop.source(self.table)

    @property
    def _name(self) -> str:
        return self.shop.name(self.table)

    def replace(self, changes: Mapping[date | None, Sequence[Line]], *, shows: bool = True) -> None:
        """Replace the lines of some dates.

        Args:
            changes: The new lines by date.
            shows: Whether the times of the partitions change.
        """
        statements = []
        for day, lines in changes.items():
            where = "day IS NULL" if day is None else f"DATE(day) = DATE '{day}'"
            statements.append(f"DELETE FROM {self._name} WHERE {where}")
            if lines:
                statements.append(f"INSERT INTO {self._name} VALUES {', '.join(map(self._row, lines))}")
            self.lines[day] = list(lines)
            self._clock += 1
            if shows:
                self._times[self._id(day)] = LONG_AGO + timedelta(minutes=self._clock)
        for statement in statements:
            self.shop.execute(statement)
        self.list_partitions()

    def list_partitions(self) -> None:
        """Write the list of the partitions."""
        rows: dict[str | None, int] = {}
        for day, lines in self.lines.items():
            if lines:
                rows[self._id(day)] = rows.get(self._id(day), 0) + len(lines)
        rows |= self.extra
        structs = [
            f"STRUCT('{self.table}' AS table_name, {_text(name)} AS partition_id, {count} AS total_rows,"
            f" {count * 40} AS total_logical_bytes,"
            f" TIMESTAMP '{self._times.get(name, LONG_AGO).isoformat()}' AS last_modified_time)"
            for name, count in rows.items()
        ]
        if self.hidden:
            structs[0] = structs[0].replace(" AS total_rows", f" + {self.hidden} AS total_rows")
        selects = " UNION ALL ".join(f"SELECT s.* FROM (SELECT {struct} AS s)" for struct in structs)
        self.shop.execute(f"CREATE OR REPLACE TABLE {self.shop.name('partitions')} AS {selects}")

    def touch(self, day: date, at: datetime) -> None:
        """Set the time of a partition's last change."""
        self._times[self._id(day)] = at
        self.list_partitions()

    def _id(self, day: date | None) -> str | None:
        if self.unit is None:
            return None
        return "__NULL__" if day is None else f"{day:{_IDS[self.unit]}}"

    def _row(self, line: Line) -> str:
        customer, order, day, amount = line
        value = "NULL"
        if day is not None:
            value = f"DATE '{day}'" if self.type_ == "DATE" else f"{self.type_} '{day} 23:30:00'"
        return f"({_text(customer)}, {_text(order)}, {value}, NUMERIC '{amount}')"


def assert_is_full(rfm: Rfm, orders: PartitionedOrders, ended: Outcome, *flags: object) -> None:
    """Hold a run equal to one of DuckDB that reads all lines, but for what depends on earlier runs."""
    with Path("all.csv").open("w", newline="", encoding="utf-8") as file:
        lines = [line for each in orders.lines.values() for line in each]
        csv.writer(file).writerows([("customer", "order_no", "day", "amount"), *lines])
    Path("all.duckdb").unlink(missing_ok=True)
    full = rfm("run", "all.csv", "--to", "duckdb:all.duckdb", "--json", *flags)
    assert full.code == 0, full.stderr
    assert {name: ended.json[name] for name in _EQUAL} == {name: full.json[name] for name in _EQUAL}
    with duckdb.connect("all.duckdb", read_only=True) as connection:
        expected = connection.execute(f"SELECT {_COLUMNS} FROM rfm_segments").fetchall()
    columns = _COLUMNS.replace("EXCLUDE", "EXCEPT")
    rows = orders.shop.execute(f"SELECT {columns} FROM {orders.shop.name('rfm_segments')}")
    assert sorted(tuple(row.values()) for row in rows) == sorted(expected)
    assert expected


def _text(value: str | None) -> str:
    return "CAST(NULL AS STRING)" if value is None else f"'{value}'"
