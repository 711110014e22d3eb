"""Who is due: the limits of the condition."""

from __future__ import annotations

from contextlib import closing

import pytest

from rfm_pipeline.common.duckdb_engine import connect_in_memory
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.mean_gap import is_due

CASES = {
    # Orders, days from the first to the last one, days since then.
    "as long as the mean gap": (3, 20, 10, False),
    "a day longer": (3, 20, 11, True),
    "a fraction of a day longer": (4, 20, 7, True),
    "a fraction of a day shorter": (4, 20, 6, False),
    "one order": (1, 0, 500, False),
    "one order, of several days": (1, 3, 500, False),
    "all orders on one day": (5, 0, 500, False),
    "several orders a day": (100, 1, 1, True),
    "on the day of an order": (100, 1, 0, False),
}


@pytest.mark.parametrize("name", CASES)
def test_a_customer_is_due_after_more_days_than_the_mean_gap(name: str) -> None:
    orders, days, silent_days, expected = CASES[name]
    with closing(connect_in_memory()) as connection:
        row = connection.execute(
            f"SELECT {is_due(dialect_of('duckdb'))} FROM (SELECT CAST(? AS BIGINT) AS frequency,"
            " CAST(? AS INTEGER) AS recency_days, DATE '2024-01-01' AS first_order_date,"
            " DATE '2024-01-01' + CAST(? AS INTEGER) AS last_order_date)",
            [orders, silent_days, days],
        ).fetchone()
    assert row == (expected,)
