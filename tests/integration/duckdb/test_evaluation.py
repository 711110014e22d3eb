"""`rfm evaluate` on real shops gives the figures of an independent computation in pandas and scipy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from scipy import stats

from rfm_pipeline.common.duckdb_engine import execute_interruptibly
from support.cli import Rfm
from support.evaluation_reference import MIN_BUYERS, BgNbd, Shop, area, auc_interval, intervals
from support.orders import published


def cdnow_shop(file: Path) -> Shop:
    lines = pd.read_parquet(file)
    lines = lines[lines.amount > 0]
    units = [int(amount * 100) for amount in lines.amount]
    kept = pd.DataFrame(
        {
            "customer_id": lines.customer_id,
            "order_id": lines.order_id,
            "day": pd.to_datetime(lines.ordered_at),
            "units": units,
        }
    )
    return Shop(kept, 100)


def retail_shop(file: Path) -> Shop:
    lines = pd.read_parquet(file)
    lines = lines[lines.CustomerID.notna() & (lines.Quantity > 0) & (lines.UnitPrice > 0)]
    # The prices are doubles with at most six decimals.
    units = (lines.UnitPrice * 1_000_000).round().astype("int64") * lines.Quantity.astype("int64")
    kept = pd.DataFrame(
        {
            "customer_id": lines.CustomerID.astype("int64").astype(str),
            "order_id": lines.InvoiceNo.astype(str),
            "day": pd.to_datetime(lines.InvoiceDate).dt.normalize(),
            "units": units,
        }
    )
    return Shop(kept, 1_000_000)


SHOPS: dict[str, tuple[Callable[[Path], Shop], list[date]]] = {
    "cdnow": (cdnow_shop, [date(1997, 7, 5), date(1997, 10, 3), date(1998, 1, 1), date(1998, 4, 1)]),
    "online_retail": (retail_shop, [date(2011, 3, 14), date(2011, 6, 12), date(2011, 9, 10)]),
}


@pytest.fixture(params=["cdnow", pytest.param("online_retail", marks=pytest.mark.slow)])
def shop(request: pytest.FixtureRequest) -> tuple[Path, Shop, list[date]]:
    """Each real shop: its file, its kept lines, and the origins that are expected by default."""
    names = {"cdnow": "cdnow_orders", "online_retail": "online_retail"}
    file: Path = request.getfixturevalue(names[request.param])
    read, origins = SHOPS[request.param]
    return file, read(file), origins


@pytest.mark.slow
def test_every_figure_is_that_of_pandas(shop: tuple[Path, Shop, list[date]], rfm: Rfm) -> None:
    file, lines, origins = shop
    ended = rfm("evaluate", file, "--json")
    assert (ended.code, ended.stderr) == (0, "")
    evaluations = ended.json["evaluations"]
    assert [one["as_of"] for one in evaluations] == [str(origin) for origin in origins]
    for one, origin in zip(evaluations, origins, strict=True):
        rows = lines.scored(origin, 90)
        before = lines.scored(origin - timedelta(days=90), 90)
        assert_totals(one, rows, lines, origin)
        for segment in one["segments"]:
            assert_segment(segment, rows, lines.unit)
        assert_statistics(one["statistics"], rows, before)
    # The intervals take the longest to recompute: one date is enough.
    rows = lines.scored(origins[-1], 90)
    for segment in evaluations[-1]["segments"]:
        if segment["bought_again"] < MIN_BUYERS:
            assert segment["lift_interval"] is segment["orders_per_customer_interval"] is None
            continue
        for name, interval in intervals(rows, segment["segment"], lines.unit).items():
            assert segment[name] == pytest.approx(interval, rel=1e-9)


def money(units: int, unit: int) -> Decimal:
    return Decimal(int(units)) / unit


def assert_totals(one: dict[str, Any], rows: pd.DataFrame, lines: Shop, origin: date) -> None:
    assert (one["customers"], one["bought_again"]) == (len(rows), rows.again.sum())
    assert (one["orders"], Decimal(one["revenue"])) == (
        rows.orders.sum(),
        money(rows.units.sum(), lines.unit),
    )
    days = lines.lines.day
    end = pd.Timestamp(origin + timedelta(days=90))
    later = lines.lines[(days > pd.Timestamp(origin)) & (days <= end)]
    newcomers = later[~later.customer_id.isin(rows.index)]
    assert one["not_scored"]["orders"] == newcomers.groupby("customer_id").order_id.nunique().sum()
    assert Decimal(one["not_scored"]["revenue"]) == money(newcomers.units.sum(), lines.unit)


def assert_segment(segment: dict[str, Any], rows: pd.DataFrame, unit: int) -> None:
    of_segment = rows[rows.segment == segment["segment"]]
    customers, bought = len(of_segment), int(of_segment.again.sum())
    assert (segment["customers"], segment["bought_again"]) == (customers, bought)
    assert (segment["orders"], Decimal(segment["revenue"])) == (
        of_segment.orders.sum(),
        money(of_segment.units.sum(), unit),
    )
    if not customers:
        assert segment["bought_again_share"] is segment["bought_again_interval"] is segment["lift"] is None
        return
    wilson = stats.binomtest(bought, customers).proportion_ci(0.95, method="wilson")
    assert segment["bought_again_share"] == pytest.approx(bought / customers, rel=1e-12)
    assert segment["bought_again_interval"] == pytest.approx([wilson.low, wilson.high], abs=1e-9)
    assert segment["orders_per_customer"] == pytest.approx(of_segment.orders.mean(), rel=1e-12)
    assert segment["revenue_per_customer"] == pytest.approx(of_segment.units.mean() / unit, rel=1e-12)
    assert segment["lift"] == pytest.approx(of_segment.again.mean() / rows.again.mean(), rel=1e-12)
    assert segment["revenue_share"] == pytest.approx(of_segment.units.sum() / rows.units.sum(), rel=1e-12)


def assert_statistics(statistics: dict[str, Any], rows: pd.DataFrame, before: pd.DataFrame) -> None:
    again, total = rows.again.to_numpy(), rows.r + rows.f + rows.m
    rates = before.groupby("segment").again.mean()
    by_map = rows.segment.map(rates).fillna(before.again.mean())
    wanted = {"map": by_map, "rfm_sum": total, "recency": rows.r, "frequency": rows.f, "monetary": rows.m}
    for name, score in wanted.items():
        found = statistics["auc"][name]
        assert found["auc"] == pytest.approx(area(score.to_numpy(), again), abs=1e-9)
        assert found["gini"] == pytest.approx(2 * area(score.to_numpy(), again) - 1, abs=1e-9)
        assert found["auc_interval"] == pytest.approx(auc_interval(again, score), abs=1e-9)
    difference = area(by_map.to_numpy(), again) - area(total.to_numpy(), again)
    less_sum = statistics["map_less_rfm_sum"]
    assert less_sum["difference"] == pytest.approx(difference, abs=1e-9)
    assert less_sum["interval"] == pytest.approx(auc_interval(again, by_map, total), abs=1e-9)
    assert statistics["spearman_revenue"] == pytest.approx(
        stats.spearmanr(total, rows.units).statistic, abs=1e-9
    )
    assert_model(statistics, rows)


def assert_model(statistics: dict[str, Any], rows: pd.DataFrame) -> None:
    found, reference = statistics["bg_nbd"], BgNbd.fitted(rows)
    assert found["customers"] == len(rows)
    own = BgNbd(*(found[name] for name in ("r", "alpha_weeks", "a", "b")))
    likelihood, highest = own.log_likelihood(rows), reference.log_likelihood(rows)
    assert found["log_likelihood"] == pytest.approx(likelihood, rel=1e-9)
    assert [own.r, own.alpha] == pytest.approx([reference.r, reference.alpha], rel=1e-4)
    if found["has_dropout"]:
        assert likelihood == pytest.approx(highest, rel=1e-9)
        assert [own.a, own.b] == pytest.approx([reference.a, reference.b], rel=1e-4)
    else:
        # The likelihood grows towards a = 0 for ever, and each optimiser ends elsewhere on the way.
        assert likelihood == pytest.approx(highest, rel=1e-8)
        assert reference.a / (reference.a + reference.b) < 1e-3
    again, expected = rows.again.to_numpy(), own.expected(rows, 90)
    by_model = statistics["auc"]["bg_nbd"]
    assert by_model["auc"] == pytest.approx(area(expected, again), abs=1e-9)
    assert by_model["auc_interval"] == pytest.approx(auc_interval(again, expected), abs=1e-9)


@pytest.mark.slow
@pytest.mark.usefixtures("few_replicates")
def test_customers_of_each_segment_are_those_of_a_run(
    shop: tuple[Path, Shop, list[date]], rfm: Rfm, tmp_path: Path
) -> None:
    file, _, origins = shop
    origin = str(origins[1])
    (one,) = rfm("evaluate", file, "--as-of", origin, "--json").json["evaluations"]
    assert rfm("run", file, "--as-of", origin, "--quiet").code == 0
    counted = dict(
        published(tmp_path / "rfm.duckdb", "SELECT segment, COUNT(*) FROM rfm_segments GROUP BY 1")
    )
    assert {row["segment"]: row["customers"] for row in one["segments"] if row["customers"]} == counted


@pytest.mark.slow
@pytest.mark.usefixtures("few_replicates")
def test_comparisons_are_paired(shop: tuple[Path, Shop, list[date]], rfm: Rfm) -> None:
    file, _, origins = shop
    asked = ("evaluate", file, "--as-of", str(origins[1]), "--json")
    compared = rfm(*asked, "--compare", "preset=grid", "--compare", "bins=4").json
    alone = rfm(*asked, "--preset", "grid").json
    first, grid, same = compared["evaluations"]
    assert [one["configuration"] for one in (first, grid, same)] == [
        "classic, 4 bins", "preset=grid", "bins=4",
    ]  # fmt: skip
    assert grid["segments"] == alone["evaluations"][0]["segments"]
    assert grid["statistics"] == alone["evaluations"][0]["statistics"]
    assert {**same, "configuration": first["configuration"]} == first
    to_grid, to_itself = (one["auc_difference"] for one in compared["comparisons"])
    areas = [one["statistics"]["auc"]["map"]["auc"] for one in (grid, first)]
    assert to_grid["difference"] == pytest.approx(areas[0] - areas[1], abs=1e-12)
    assert to_itself == {"difference": 0, "interval": None}
    low, high = to_grid["interval"]
    # Intervals of the same customers are shorter than those of two independent samples.
    lengths = [one["statistics"]["auc"]["map"]["auc_interval"] for one in (grid, first)]
    assert high - low < sum((b - a) ** 2 for a, b in lengths) ** 0.5


@pytest.mark.slow
@pytest.mark.usefixtures("few_replicates")
def test_the_source_is_read_once(cdnow_orders: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []

    def recorded(connection: duckdb.DuckDBPyConnection, statement: str, *others: Any) -> Any:
        statements.append(statement)
        return execute_interruptibly(connection, statement, *others)

    monkeypatch.setattr("rfm_pipeline.warehouse.duckdb.warehouse.execute_interruptibly", recorded)
    assert rfm("evaluate", cdnow_orders, "--compare", "preset=grid").code == 0
    assert sum("read_parquet" in statement for statement in statements) == 1
    assert sum("TABLE evaluated" in statement for statement in statements) == 5, "once per date"
