"""The examples of scores in the concepts are what a run computes."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from support.cli import Rfm
from support.orders import published

NEWEST_DAY = [(80, 0), *((1, 10 * step) for step in range(1, 21))]
CROWD_BETWEEN = [(10, 0), (80, 30), (10, 60)]


@pytest.mark.parametrize(
    ("customers_by_days", "scores", "edges"),
    [
        (NEWEST_DAY, {0: 4, **{10 * step: 1 for step in range(1, 21)}}, [0, 0, 0]),
        (CROWD_BETWEEN, {0: 4, 30: 3, 60: 1}, [0, 30, 30]),
    ],
    ids=["newest day", "crowd between"],
)
def test_an_example_of_ties(
    customers_by_days: list[tuple[int, int]],
    scores: dict[int, int],
    edges: list[int],
    rfm: Rfm,
    tmp_path: Path,
) -> None:
    days = [days for customers, days in customers_by_days for _ in range(customers)]
    assert len(days) == 100
    lines = [f"c{n},o{n},{date(2025, 6, 30) - timedelta(days=ago)},10" for n, ago in enumerate(days)]
    header = "customer_id,order_id,order_date,amount"
    (tmp_path / "orders.csv").write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    result = rfm("run", "orders.csv", "--json").json
    query = "SELECT DISTINCT recency_days, r_score FROM rfm_segments"
    assert dict(published(tmp_path / "rfm.duckdb", query)) == scores
    assert result["edges"]["recency_days"] == edges
