"""Shops whose customers bought on few days: every preset gives the newest day the best recency score."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from rfm_pipeline.config import presets
from rfm_pipeline.config.loader import Configuration
from support.cli import Rfm
from support.databases import database
from support.paths import TEST_DATA

SUBSCRIPTIONS = (TEST_DATA / "cases" / "subscription.csv").read_text(encoding="utf-8")
NEWEST = date(2026, 6, 1)
PRESETS = [name for name in presets.names() if presets.info(name).kind == "segments"]


def _orders(days_of: dict[str, list[int]]) -> str:
    lines = [
        f"{customer}-{days},{customer},{NEWEST - timedelta(days=days)},19.00"
        for customer, all_days in days_of.items()
        for days in all_days
    ]
    return "\n".join(["order_id,customer_id,order_date,amount", *lines])


SHOPS = {
    "subscriptions": SUBSCRIPTIONS,
    "monthly": _orders({f"s{number}": [0, 31, 61, 92][number % 4 :] for number in range(40)}),
    "migration": _orders({f"s{number}": [400] if number % 5 else [number] for number in range(40)}),
    "equal": _orders({f"s{number}": [0, 30] for number in range(20)}),
    "one": _orders({"s0": [0, 30]}),
}


@pytest.mark.matrix
@pytest.mark.parametrize("shop", SHOPS)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_newest_day_scores_best_with_every_preset(
    preset: str, shop: str, rfm: Rfm, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text(SHOPS[shop], encoding="utf-8")
    finished = rfm("run", "orders.csv", "--preset", preset, "--quiet")
    assert finished.code == 0, finished.stderr
    with database(tmp_path / "rfm.duckdb") as connection:
        rows = connection.execute(
            "SELECT recency_days, frequency, monetary, r_score, f_score, m_score FROM rfm_segments"
        ).fetchall()
    scoring = Configuration(flags={"preset": [preset]}).settings.scoring
    best = scoring.bins
    assert {row[3] for row in rows if row[0] == min(row[0] for row in rows)} == {best}
    for position in range(3):
        values = [row[position] for row in rows]
        worst = max(values) if position == 0 else min(values)
        if scoring.dimensions[position].method != "quantile":
            continue
        if len(set(values)) > 1:
            assert {row[3 + position] for row in rows if row[position] == worst} == {1}
        else:
            # One value is the newest day, and the fewest orders and the least money.
            assert {row[3 + position] for row in rows} == {best if position == 0 else 1}
    by_values = {row[:3]: row[3:] for row in rows}
    assert all(by_values[row[:3]] == row[3:] for row in rows)
    ranked = sorted(rows)
    assert all(better[3] >= worse[3] for better, worse in pairwise(ranked))


@pytest.mark.slow
@pytest.mark.parametrize("shop", ["equal", "one"])
def test_a_run_says_that_a_dimension_with_one_value_tells_nothing(
    shop: str, rfm: Rfm, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text(SHOPS[shop], encoding="utf-8")
    ended = rfm("run", "orders.csv")
    assert ended.code == 0, ended.stderr
    said = " ".join(ended.stdout.split())
    for dimension in ("recency", "frequency", "monetary"):
        assert f"all customers have one {dimension} score, which tells nothing" in said.lower()
