"""Bounds on what is read of a view, and of a source whose window ends on the newest order."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from rfm_pipeline.common.schema import Column, Kind, Partition
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.presets import load_preset
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import CostLimitError, WarehouseError
from rfm_pipeline.pipeline.partition_bound import with_filtered_view, with_newest_partition
from rfm_pipeline.warehouse.base import Cost, SourceTable

MAPPING = ColumnMapping(Column(("id",), Kind.TEXT, "STRING"), Column(("day",), Kind.DATE, "DATE"))
VIEW = SourceTable("seen", "`seen`", (), is_view=True)
DAY = date(2024, 3, 15)


class FakeWarehouse:
    """A warehouse of BigQuery: estimates or their errors, of the view with a filter and without.

    Args:
        narrowed: Bytes with the filter, or the error.
        whole: Bytes without it, or the error.
    """

    engine = "bigquery"

    def __init__(self, narrowed: int | Exception = 0, whole: int | Exception = 0) -> None:
        self._narrowed, self._whole = narrowed, whole
        self.estimated: list[str] = []

    def estimate(self, select: str) -> Cost:
        self.estimated.append(select)
        result = self._narrowed if "WHERE" in select else self._whole
        if isinstance(result, Exception):
            raise result
        return Cost(result, Decimal(0))

    def newest_partition(self, up_to: date) -> date:
        return up_to


def settings(**given: object) -> Settings:
    return Settings.of({**load_preset("classic"), "preset": (), **given})


SINCE = settings(since="2024-01-31")
FILTER_IS_REQUIRED = WarehouseError("Cannot query over table 'a' without a filter over column(s) 'day'.")


@pytest.mark.parametrize(
    ("narrowed", "whole", "is_narrower"),
    [
        (10, 100, True),
        (100, 100, False),
        (10, CostLimitError("too much"), True),
        (10, FILTER_IS_REQUIRED, True),
        (FILTER_IS_REQUIRED, FILTER_IS_REQUIRED, False),
    ],
)
def test_a_view_is_filtered_where_a_dry_run_shows_that_it_reads_less(
    narrowed: int | Exception, whole: int | Exception, is_narrower: bool
) -> None:
    warehouse: Any = FakeWarehouse(narrowed, whole)
    source = with_filtered_view(VIEW, warehouse, MAPPING, SINCE)
    assert source.partition == (Partition("day", Kind.DATE) if is_narrower else None)
    assert "WHERE (`day` >= DATE '2024-01-30' OR `day` IS NULL)" in warehouse.estimated[0]


@pytest.mark.parametrize(
    ("source", "mapping", "options"),
    [
        (replace(VIEW, is_view=False), MAPPING, SINCE),
        (VIEW, MAPPING, settings()),
        (VIEW, replace(MAPPING, ordered_at=Column(("day",), Kind.TEXT, "STRING")), SINCE),
        (VIEW, replace(MAPPING, ordered_at=Column(("a", "day"), Kind.DATE, "DATE")), SINCE),
    ],
)
def test_other_sources_cost_no_dry_run(
    source: SourceTable, mapping: ColumnMapping, options: Settings
) -> None:
    warehouse: Any = FakeWarehouse()
    assert with_filtered_view(source, warehouse, mapping, options) is source
    assert warehouse.estimated == []


def test_the_newest_partition_is_asked_for_where_the_window_ends_on_the_newest_order() -> None:
    warehouse: Any = FakeWarehouse()
    table = SourceTable("lines", "`lines`", (), partition=Partition("day", Kind.DATE))
    moving = with_newest_partition(table, warehouse, MAPPING, settings(window="30 days"), DAY)
    assert moving.partition == Partition("day", Kind.DATE, newest=DAY)
    assert with_newest_partition(table, warehouse, MAPPING, SINCE, DAY) is table
    assert with_newest_partition(VIEW, warehouse, MAPPING, settings(window="30 days"), DAY) is VIEW
