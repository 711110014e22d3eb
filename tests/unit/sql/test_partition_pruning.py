"""Which partitions and tables of a source are read, as SQL."""

from __future__ import annotations

from datetime import date

import pytest

from rfm_pipeline.common.schema import Column, Kind, Partition, Pseudocolumn
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.presets import load_preset
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.partition_pruning import (
    describe_pruning,
    earliest_as_of,
    is_bounded_by_newest,
    prune_partitions,
)

MAPPING = ColumnMapping(Column(("id",), Kind.TEXT, "STRING"), Column(("day",), Kind.DATE, "DATE"))
BY_DAY = Partition("day", Kind.DATE)


def settings(**given: object) -> Settings:
    return Settings.of({**load_preset("classic"), "preset": (), **given})


def condition(partition: Partition, options: Settings) -> str:
    """Return the condition on the partitions that are read; empty if all are."""
    relation = prune_partitions("lines", partition, MAPPING, options, dialect_of("bigquery"))
    return " ".join(relation.partition("WHERE ")[2].removesuffix("\n)").split())


@pytest.mark.parametrize(
    ("unit", "first"),
    [("HOUR", "2024-03-14"), ("DAY", "2024-03-14"), ("MONTH", "2024-03-01"), ("YEAR", "2024-01-01")],
)
def test_the_ingestion_time_is_compared_with_the_first_moment_of_a_partition(unit: str, first: str) -> None:
    partition = Partition(Pseudocolumn.INGESTION, Kind.TIMESTAMPTZ, unit=unit)
    bound = condition(partition, settings(since="2024-03-15"))
    assert bound == f"(_PARTITIONTIME >= TIMESTAMP '{first}' OR _PARTITIONTIME IS NULL)"


def test_a_column_is_compared_with_the_first_day_of_a_partition() -> None:
    """BigQuery reads a partition as a whole, and an incremental run keeps the orders of all its lines."""
    bound = condition(Partition("day", Kind.DATE, unit="MONTH"), settings(since="2024-03-15"))
    assert bound == "(`day` >= DATE '2024-03-01' OR `day` IS NULL)"


@pytest.mark.parametrize(("unit", "first"), [("DAY", "20240314"), ("MONTH", "202403"), ("YEAR", "2024")])
def test_the_names_of_tables_are_compared_with_the_first_date(unit: str, first: str) -> None:
    partition = Partition(Pseudocolumn.SHARD, Kind.TEXT, unit=unit, condition="dated")
    assert condition(partition, settings(since="2024-03-15")) == f"dated AND _TABLE_SUFFIX >= '{first}'"
    assert condition(partition, settings()) == "dated"
    (note,) = describe_pruning(partition, MAPPING, settings(since="2024-03-15"))
    assert note == f"only tables from {first} on are read"


def test_the_bound_of_a_query_for_many_days_moves_with_its_as_of_date() -> None:
    options = settings(window="3 weeks", since="2024-03-15", as_of="2024-06-15")
    relation = prune_partitions(
        "lines", BY_DAY, MAPPING, options, dialect_of("bigquery"), as_of="CURRENT_DATE()"
    )
    assert "`day` >= DATE_SUB(CURRENT_DATE(), INTERVAL 22 DAY) OR `day` IS NULL" in relation
    assert "`day` >= DATE '2024-03-14' OR `day` IS NULL" in relation
    relation = prune_partitions(
        "lines", BY_DAY, MAPPING, settings(since="2024-03-15"), dialect_of("bigquery"), as_of="CURRENT_DATE()"
    )
    assert "CURRENT_DATE" not in relation


def test_a_window_that_ends_on_the_newest_order_is_bounded_by_the_newest_partition() -> None:
    assert is_bounded_by_newest(BY_DAY, MAPPING, settings(window="30 days"))
    partition = Partition("day", Kind.DATE, is_required=True, newest=date(2024, 3, 15))
    # The newest order that counts may be up to a week older than the newest partition.
    assert earliest_as_of(partition) == date(2024, 3, 8)
    bound = condition(partition, settings(window="30 days"))
    assert bound == "(`day` >= DATE '2024-02-06' OR `day` IS NULL)"


@pytest.mark.parametrize(
    "options", [settings(), settings(since="2024-01-01"), settings(window="30 days", as_of="2024-03-01")]
)
def test_the_newest_partition_is_not_asked_for_where_it_tells_nothing(options: Settings) -> None:
    assert not is_bounded_by_newest(BY_DAY, MAPPING, options)
    assert not is_bounded_by_newest(Partition("other", Kind.DATE), MAPPING, settings(window="30 days"))
    assert not is_bounded_by_newest(None, MAPPING, settings(window="30 days"))


def test_the_first_date_of_all_is_no_error() -> None:
    assert "'0001-01-01'" in condition(BY_DAY, settings(since="0001-01-01"))
