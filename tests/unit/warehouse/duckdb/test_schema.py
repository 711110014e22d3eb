"""Differences between an existing table and a published one are described."""

from __future__ import annotations

import pytest

from rfm_pipeline.results.tables import PUBLISHED_COLUMNS
from rfm_pipeline.warehouse.duckdb.schema import COLUMN_TYPES, published_schema_differences

CURRENT = {column: COLUMN_TYPES[about.holds] for column, about in PUBLISHED_COLUMNS["current"].items()}


@pytest.mark.parametrize(
    ("columns", "differences"),
    [
        (CURRENT, None),
        (dict(reversed(CURRENT.items())), "has its columns in another order"),
        ({**CURRENT, "a": "DATE", "b": "DATE", "c": "DATE", "d": "DATE"}, "has a, b, c"),
        ({"customer_id": "VARCHAR", "x": "DATE"}, "lacks recency_days, frequency, monetary and has x"),
        ({**CURRENT, "monetary": "DOUBLE"}, "has monetary as DOUBLE in place of DECIMAL(38,9)"),
    ],
)
def test_columns_are_compared_by_name_type_and_order(
    columns: dict[str, str], differences: str | None
) -> None:
    assert published_schema_differences("current", columns) == differences
