"""The kinds of partitioned tables, and tables of one per date."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from google.cloud.bigquery import Table

from rfm_pipeline.common.schema import Kind, Partition, Pseudocolumn
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.warehouse.bigquery.partitions import newest_partition_sql, partition_of, shards_of

GA4 = ["events_20240101", "events_20240102", "events_intraday_20240103", "pseudonymous_users_20240101"]


def table(**resource: Any) -> Table:
    reference = {"projectId": "example.com:shop", "datasetId": "sales", "tableId": "it's"}
    schema = {"fields": [{"name": "Day", "type": "DATETIME"}]}
    return Table.from_api_repr({"tableReference": reference, "schema": schema, **resource})


@pytest.mark.parametrize("unit", ["HOUR", "DAY", "MONTH", "YEAR"])
def test_the_partitioning_of_a_table(unit: str) -> None:
    by_ingestion = table(timePartitioning={"type": unit}, requirePartitionFilter=True)
    assert partition_of(by_ingestion) == Partition(
        Pseudocolumn.INGESTION, Kind.TIMESTAMPTZ, is_required=True, unit=unit
    )
    by_column = table(timePartitioning={"type": unit, "field": "day"})
    assert partition_of(by_column) == Partition("day", Kind.TIMESTAMP, unit=unit)
    assert partition_of(table()) is None


def test_the_query_for_the_newest_partition_reads_metadata() -> None:
    text = newest_partition_sql(table(), date(2024, 1, 31))
    assert "FROM `example.com:shop`.`sales`.INFORMATION_SCHEMA.PARTITIONS" in text
    assert "table_name = 'it\\'s'" in text
    assert "SUBSTR(partition_id, 1, 8) <= '20240131'" in text


def test_the_tables_of_the_google_analytics_export_leave_out_todays() -> None:
    shards = shards_of("events_*", GA4, BigQuerySettings())
    assert shards.days == (date(2024, 1, 1), date(2024, 1, 2))
    assert shards.partition == Partition(
        Pseudocolumn.SHARD, Kind.TEXT, condition="REGEXP_CONTAINS(_TABLE_SUFFIX, r'^[0-9]{8}$')"
    )
    assert shards.notes == (
        "2 tables, events_20240101 to events_20240102",
        'left out: events_intraday_20240103; bigquery.wildcard = "all" reads them as well',
    )
    assert shards.newest(date(2024, 1, 1)) == date(2024, 1, 1)
    assert shards.newest(date(2023, 1, 1)) is None


@pytest.mark.parametrize(
    ("wildcard", "tables"),
    [
        ("part_*", ["part_a", "part_b"]),
        ("events_2024*", ["events_20240101", "events_20240102"]),
        ("orders_*", ["orders_1234", "orders_5678"]),
        ("orders_*", []),
    ],
)
def test_tables_that_are_not_named_after_dates_are_all_read(wildcard: str, tables: list[str]) -> None:
    shards = shards_of(wildcard, tables, BigQuerySettings())
    assert (shards.partition, shards.notes) == (None, (f"all tables that begin with {wildcard[:-1]}",))


def test_all_tables_are_read_where_the_settings_say_so() -> None:
    shards = shards_of("events_*", GA4, BigQuerySettings(wildcard="all"))
    assert (shards.partition, shards.notes) == (None, ("all tables that begin with events_",))


def test_tables_with_other_names_are_a_question() -> None:
    tables = ["orders_202401", "orders_202402", "orders_archive", "orders_intraday_20240103"]
    with pytest.raises(ConfigurationError, match="and others: orders_archive") as error:
        shards_of("orders_*", tables, BigQuerySettings())
    assert 'bigquery.wildcard = "dated"' in (error.value.hint or "")
    shards = shards_of("orders_*", tables, BigQuerySettings(wildcard="dated"))
    assert shards.partition is not None
    assert shards.partition.unit == "MONTH"
    assert "left out: orders_archive, orders_intraday_20240103" in shards.notes[1]
