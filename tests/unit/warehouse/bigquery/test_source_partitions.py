"""The partitions of a source table: when they tell what has changed, and that each line is read once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, cast

import duckdb
import pytest
import sqlglot
from google.cloud.bigquery import Table
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.common.schema import Partition
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.partitions import partition_of
from rfm_pipeline.warehouse.bigquery.source_partitions import (
    PartitionList,
    PartitionVersion,
    list_partitions,
    why_not_listed,
)
from support.lanes import max_examples

US = 1_000_000
NOW = 1_700_000_000 * US
DAILY = {"timePartitioning": {"type": "DAY", "field": "day"}}
FIELDS = [{"name": "customer", "type": "STRING"}, {"name": "day", "type": "DATE"}]
PROTECTED = {"name": "amount", "type": "NUMERIC", "policyTags": {"names": ["p/1"]}}
MASKED = {"name": "amount", "type": "NUMERIC", "dataPolicies": [{"name": "p/2"}]}


def table(fields: list[dict[str, Any]] | None = None, **resource: Any) -> Table:
    reference = {"projectId": "shop", "datasetId": "sales", "tableId": "orders"}
    described = {"tableReference": reference, "type": "TABLE", "schema": {"fields": fields or FIELDS}}
    return Table.from_api_repr({**described, **DAILY, **resource})


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (table(), None),
        (None, "no table of BigQuery"),
        (table(type="VIEW"), "the source is a view"),
        (table(type="EXTERNAL"), "the source is an external table"),
        (table(type="MATERIALIZED_VIEW"), "the source is a materialized view"),
        (table(biglakeConfiguration={"fileFormat": "PARQUET"}), "files are outside BigQuery"),
        (table(streamingBuffer={"estimatedRows": "1"}), "in no partition yet"),
        (table(timePartitioning=None, rangePartitioning={"field": "customer"}), "partitioned by numbers"),
        (table(requirePartitionFilter=True), "with a filter only"),
        (table([*FIELDS, PROTECTED]), "a column is protected"),
        (table([*FIELDS, MASKED]), "a column is protected"),
    ],
)
def test_only_tables_whose_partitions_tell_what_has_changed_are_listed(
    source: Table | None, why: str | None
) -> None:
    found = why_not_listed(source, partition_of(source) if source else None)
    assert (found is None) == (why is None)
    assert (why or "") in (found or "")


class Jobs:
    """Returns the given rows to any query, or fails."""

    def __init__(self, *rows: Mapping[str, object]) -> None:
        self._rows = rows

    def query(self, step: str, sql: str) -> str:
        return sql

    def rows(self, job: str) -> list[Mapping[str, object]]:
        if not self._rows:
            raise WarehouseError("Access denied.")
        return list(self._rows)


def row(partition_id: str | None, rows: int = 2, visible: int = 2, modified: int = 1) -> dict[str, object]:
    return {
        "listed_us": NOW,
        "visible_rows": visible,
        "partition_id": partition_id,
        "total_rows": rows,
        "total_bytes": 40 * rows,
        "modified_us": modified,
    }


def listed(*rows: Mapping[str, object], source: Table | None = None) -> PartitionList | str:
    source = source or table()
    return list_partitions(cast("JobRunner", Jobs(*rows)), source, partition_of(source))


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ((), "can't be listed"),
        ((row("20240131", visible=3),), "its rows are not those of its partitions"),
        ((row("20240131", visible=1),), "its rows are not those of its partitions"),
        ((row("20240131", visible=4), row("__UNPARTITIONED__", visible=4)), "were streamed into the table"),
        ((row("20240231"),), "the table has a partition 20240231"),
        ((row(None),), "the table has a partition None"),
    ],
)
def test_a_list_in_doubt_is_a_reason(rows: tuple[dict[str, object], ...], why: str) -> None:
    found = listed(*rows)
    assert isinstance(found, str)
    assert why in found


def test_a_table_without_partitions_has_one_part() -> None:
    whole = table(timePartitioning=None)
    found = listed(row(None), source=whole)
    assert isinstance(found, PartitionList)
    assert [part.rows for part in found.parts] == [2]
    assert isinstance(listed(row("20240131"), source=whole), str), "its partitioning is not visible"


def test_a_version_is_the_time_the_rows_and_the_bytes() -> None:
    base = row("20240131")
    found = listed(base)
    assert isinstance(found, PartitionList)
    for name, value in {"total_bytes": 81, "modified_us": 2, "total_rows": 3}.items():
        other = listed({**base, name: value, "visible_rows": 3 if name == "total_rows" else 2})
        assert isinstance(other, PartitionList)
        assert other.parts[0].version != found.parts[0].version


def test_a_partition_that_was_just_written_is_not_settled() -> None:
    for age_s, is_settled in ((-1, False), (0, False), (60, False), (61, True)):
        found = listed(row("20240131", modified=NOW - age_s * US))
        assert isinstance(found, PartitionList)
        assert found.parts[0].is_settled is is_settled
        assert found.relation.endswith("FOR SYSTEM_TIME AS OF TIMESTAMP '2023-11-14 22:13:20.000000+00:00'")


UNITS = {"DAY": ("DATE", 1), "HOUR": ("DATETIME", 1), "MONTH": ("TIMESTAMP", 40), "YEAR": ("DATE", 400)}


def first_of(day: date, unit: str) -> date:
    day = day.replace(day=1) if unit in {"MONTH", "YEAR"} else day
    return day.replace(month=1) if unit == "YEAR" else day


@max_examples(40)
@given(st.sampled_from(list(UNITS)), st.sets(st.integers(0, 12), min_size=1), st.data())
def test_exactly_the_lines_of_the_parts_that_are_asked_for_are_read(
    unit: str, numbers: set[int], data: st.DataObject
) -> None:
    type_, step = UNITS[unit]
    days = sorted(date(2023, 12, 30) + timedelta(days=number * step) for number in numbers)
    firsts = sorted({first_of(day, unit) for day in days})
    asked = data.draw(st.sets(st.sampled_from(firsts)))
    has_null = data.draw(st.booleans())
    source = table([{"name": "day", "type": type_}], timePartitioning={"type": unit, "field": "day"})
    partition = cast("Partition", partition_of(source))
    parts = tuple(PartitionVersion(first, "", 1, is_settled=True) for first in firsts)
    relation = PartitionList("t", partition, parts, has_null).lines_of(sorted(asked), "part")
    query = sqlglot.transpile(f"SELECT day, part FROM {relation}", "bigquery", "duckdb")[0]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        values = ", ".join(f"('{day} 23:59:59'::TIMESTAMP)" for day in days)
        stored = {"DATE": "DATE", "DATETIME": "TIMESTAMP", "TIMESTAMP": "TIMESTAMPTZ"}[type_]
        connection.execute(
            f"CREATE TABLE t AS SELECT day::{stored} AS day FROM (VALUES {values}, (NULL)) AS v(day)"
        )
        read = connection.execute(f"SELECT day::DATE, part::DATE FROM ({query})").fetchall()
    expected = [(day, first_of(day, unit)) for day in days if first_of(day, unit) in asked]
    assert sorted(pair for pair in read if pair[0]) == expected
    assert [pair for pair in read if pair[0] is None] == [(None, None)] * has_null
