"""Tests of the report's data: they equal what the published tables contain."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.report.charts.distribution import count_buckets, make_buckets
from rfm_pipeline.report.charts.movements import move_direction
from rfm_pipeline.report.charts.segments import top_shares
from rfm_pipeline.report.data import ReportData, collect_report_data, report_source
from rfm_pipeline.report.number_format import NumberFormatter
from rfm_pipeline.report.page import render_page
from rfm_pipeline.report.segment_view import SegmentView
from rfm_pipeline.report.write import CHARTS
from rfm_pipeline.results.run_history import read_state
from rfm_pipeline.warehouse.factory import open_destination
from support.cli import Rfm
from support.orders import published
from support.report_shop import write_orders

HEADER = "customer_id,order_id,order_date,amount\n"
COLUMNS = (
    "segment, customer_id, r_score, f_score, m_score, frequency, monetary, recency_days, first_order_date,"
    " last_order_date"
)


def report_data(top_customers: int = 10) -> ReportData:
    settings = Configuration(flags={"to": "duckdb:rfm.duckdb"}).settings
    with open_destination(settings) as destination:
        return collect_report_data(report_source(destination, read_state(destination)), top_customers)


def publish(rfm: Rfm, source: Path, *flags: object) -> None:
    finished = rfm("run", source, "--quiet", *flags)
    assert finished.code == 0, finished.stderr


def is_due(orders: int, _: Decimal, silent_days: int, first: date, last: date) -> bool:
    """Return whether a customer has been silent for longer than the mean gap between the orders."""
    return orders > 1 and last > first and silent_days > Fraction((last - first).days, orders - 1)


def assert_equals_table(data: ReportData, database: Path) -> None:
    rows = published(database, f"SELECT {COLUMNS} FROM rfm_segments")
    for segment in (None, *{row[0] for row in rows}):
        expected, view = [row for row in rows if segment in {None, row[0]}], SegmentView(data, segment)
        assert (view.totals.customers, view.totals.orders) == (len(expected), sum(row[5] for row in expected))
        assert view.totals.revenue == sum(row[6] for row in expected)
        assert view.totals.recency_days == sum(row[7] for row in expected)
        due = [row[6] for row in expected if is_due(*row[5:])]
        assert (view.totals.due, view.totals.revenue_at_risk) == (len(due), sum(due))
        by_scores: Counter[tuple[int, int, int]] = Counter()
        for group in view.score_groups:
            by_scores[group.r, group.f, group.m] += group.customers
        assert by_scores == Counter(row[2:5] for row in expected)
        for column, dimension in ((7, "recency"), (5, "frequency"), (6, "monetary")):
            buckets = count_buckets(view, dimension)
            assert sum(customers for _, customers in buckets) == len(expected)
            for bucket, customers in buckets:
                inside = [row for row in expected if bucket.low <= row[column] < bucket.high]
                assert customers == len(inside), (dimension, bucket)
            exact = Decimal(median(row[column] for row in expected))
            estimated = view.median(dimension)
            assert estimated is not None
            # The median of money is known to three digits.
            tolerance = abs(exact) / 100 if dimension == "monetary" else Decimal(0)
            assert abs(estimated - exact) <= tolerance, dimension
        spend = sorted((row[6] for row in expected), reverse=True)
        for top, amount in top_shares(view):
            exact = sum(spend[: len(spend) * top // 100])
            # Interpolated within one customer, and within a group of nearly equal amounts.
            tolerance = max(map(abs, (spend[0], spend[-1], sum(spend) / 500)))
            assert abs(amount - exact) <= tolerance, (segment, top)
    by_segment: dict[str, list[tuple[Decimal, str]]] = defaultdict(list)
    for row in rows:
        by_segment[row[0]].append((-row[6], row[1]))
    for name, customers_by_spend in by_segment.items():
        first = [customer for _, customer in sorted(customers_by_spend)[:10]]
        assert [listed.customer_id for listed in data.top_customers if listed.segment == name] == first


def test_totals_equal_the_table(rfm: Rfm, tmp_path: Path) -> None:
    publish(rfm, write_orders(tmp_path / "orders.csv"))
    assert_equals_table(report_data(), tmp_path / "rfm.duckdb")


def test_totals_of_online_retail_equal_the_table(rfm: Rfm, tmp_path: Path, online_retail: Path) -> None:
    publish(rfm, online_retail, "--preset", "grid")
    data = report_data()
    assert (data.customers, data.revenue) == (4338, Decimal("8911407.904"))
    assert_equals_table(data, tmp_path / "rfm.duckdb")


@pytest.mark.slow
def test_the_page_of_online_retail_is_below_600_kilobytes(
    rfm: Rfm, tmp_path: Path, online_retail: Path
) -> None:
    publish(rfm, online_retail, "--preset", "grid", "--as-of", "2011-11-10")
    publish(rfm, online_retail, "--preset", "grid", "--report", tmp_path / "report.html")
    assert 100_000 < (tmp_path / "report.html").stat().st_size < 600_000


@pytest.mark.slow
def test_totals_of_cdnow_equal_the_table(rfm: Rfm, tmp_path: Path, cdnow_orders: Path) -> None:
    publish(rfm, cdnow_orders, "--preset", "grid")
    data = report_data()
    assert (data.customers, data.revenue) == (23_502, Decimal("2500315.63"))
    assert_equals_table(data, tmp_path / "rfm.duckdb")


@pytest.fixture
def changed(rfm: Rfm, tmp_path: Path) -> ReportData:
    source = write_orders(tmp_path / "orders.csv")
    for day in ("2024-05-31", "2024-09-30"):
        publish(rfm, source, "--as-of", day, "--window", "5 months")
    return report_data()


@pytest.mark.slow
def test_moves_equal_the_changes_between_two_results(changed: ReportData, tmp_path: Path) -> None:
    database, history = tmp_path / "rfm.duckdb", "SELECT customer_id, segment FROM rfm_segments_history"
    before = dict(published(database, f"{history} WHERE as_of_date = '2024-05-31'"))
    after = dict(published(database, f"{history} WHERE as_of_date = '2024-09-30'"))
    expected = Counter(
        (before.get(customer), after.get(customer)) for customer in before.keys() | after.keys()
    )
    assert {(move.before, move.after): move.customers for move in changed.moves} == expected
    assert any(move.after is None for move in changed.moves)
    assert any(move.before is None for move in changed.moves)
    assert changed.previous_as_of == date(2024, 5, 31)


@pytest.mark.slow
def test_a_move_to_a_segment_with_higher_mean_scores_is_up(changed: ReportData, tmp_path: Path) -> None:
    mean = dict(
        published(
            tmp_path / "rfm.duckdb",
            "SELECT segment, AVG(r_score + f_score + m_score) FROM rfm_segments GROUP BY segment",
        )
    )
    directions = {
        (move.before, move.after): move_direction(SegmentView(changed), move) for move in changed.moves
    }
    between = {
        (a, b): direction for (a, b), direction in directions.items() if a in mean and b in mean and a != b
    }
    assert set(between.values()) == {"up", "down"}
    assert all((direction == "up") == (mean[b] > mean[a]) for (a, b), direction in between.items())
    assert {direction for (before, _), direction in directions.items() if before is None} == {"new"}
    assert {direction for (_, after), direction in directions.items() if after is None} == {"gone"}


@pytest.mark.slow
def test_a_rolled_back_result_is_not_in_the_trend(changed: ReportData, rfm: Rfm, tmp_path: Path) -> None:
    finished = rfm("rollback", "--quiet")
    assert finished.code == 0, finished.stderr
    data = report_data()
    assert [period.as_of for period in data.periods.periods] == [date(2024, 5, 31)]
    assert (data.previous_as_of, data.moves) == (None, ())
    assert_equals_table(data, tmp_path / "rfm.duckdb")


def test_money_of_many_digits_stays_exact(rfm: Rfm, tmp_path: Path) -> None:
    lines = "customer_id,order_date,amount\na,2024-01-01,12345678901234567890.1234\nb,2024-01-02,0.0001\n"
    (tmp_path / "orders.csv").write_text(lines, encoding="utf-8")
    publish(rfm, tmp_path / "orders.csv")
    data = report_data()
    assert data.revenue == Decimal("12345678901234567890.1235")
    assert 'data-money="12345678901234567890.1235"' in render_page(data, NumberFormatter())


def test_customers_are_listed_by_id_only_if_configured(rfm: Rfm, tmp_path: Path) -> None:
    publish(rfm, write_orders(tmp_path / "orders.csv"))
    without, with_ids = (
        render_page(report_data(top_customers=limit), NumberFormatter()) for limit in (0, 50)
    )
    assert ("Personal data" in without, "c001" in without) == (False, False)
    assert ("Personal data" in with_ids, "c001" in with_ids) == (True, True)


def test_customers_with_equal_spend_are_listed_in_order_of_id(rfm: Rfm, tmp_path: Path) -> None:
    lines = "".join(f"c{number},2024-01-01,5\n" for number in range(100, 400))
    (tmp_path / "orders.csv").write_text(f"customer_id,order_date,amount\n{lines}", encoding="utf-8")
    publish(rfm, tmp_path / "orders.csv")
    assert [customer.customer_id for customer in report_data(3).top_customers] == ["c100", "c101", "c102"]


MANY = "".join(f"c{n},o{n},2024-{1 + n % 12:02d}-01,{n % 97 + 1}\n" for n in range(300))
SHOPS = {
    "one customer": ("a,x,2024-01-01,5\n", ()),
    "negative revenue": ("a,x,2024-01-01,5\na,y,2024-01-02,-9\nb,z,2024-01-03,0.5\n", ("--returns", "net")),
    "ntile": (MANY, ("--method", "ntile")),
    "ten bins": (MANY, ("--bins", "10")),
}


@pytest.mark.matrix
@pytest.mark.parametrize("name", SHOPS)
def test_any_result_has_a_report(name: str, rfm: Rfm, tmp_path: Path) -> None:
    lines, flags = SHOPS[name]
    (tmp_path / "orders.csv").write_text(HEADER + lines, encoding="utf-8")
    if name == "ten bins":
        halves = "[[segments.rules]]\nsegment = 'Recent'\nr = '>=6'\n"
        (tmp_path / "rfm.toml").write_text(f"[segments]\nfallback = 'Others'\n{halves}", encoding="utf-8")
    publish(rfm, tmp_path / "orders.csv", *flags)
    data = report_data()
    assert_equals_table(data, tmp_path / "rfm.duckdb")
    html = render_page(data, NumberFormatter())
    assert all(f'data-part="{chart}"' in html for chart in CHARTS)
    assert "<p>There is no earlier result to compare with.</p>" in html
    assert ("Total revenue is zero or negative" in html) >= (name == "negative revenue")


@pytest.mark.slow
def test_the_page_names_the_run_that_frozen_edges_come_from(rfm: Rfm, tmp_path: Path) -> None:
    source = write_orders(tmp_path / "orders.csv")
    calibration = rfm("calibrate", source, "--json").json["run_id"]
    publish(rfm, source, "--freeze", calibration)
    assert f"Recency scores, by quantile, edges of run {calibration}" in render_page(
        report_data(), NumberFormatter()
    )


@pytest.mark.slow
def test_page_size_does_not_depend_on_the_number_of_customers(rfm: Rfm, tmp_path: Path) -> None:
    sizes = []
    for customers in (2_000, 40_000):
        source = tmp_path / "orders.csv"
        lines = "".join(
            f"c{n % customers},o{n},2024-{1 + n * 7 % 12:02d}-{1 + n % 28:02d},{n * 37 % 9973}.5\n"
            for n in range(1, 3 * customers)
        )
        source.write_text(HEADER + lines, encoding="utf-8")
        publish(rfm, source, "--report", "report.html")
        sizes.append((tmp_path / "report.html").stat().st_size)
    assert sizes[1] < 1.1 * sizes[0] < 2_000_000


@pytest.mark.slow
@pytest.mark.parametrize("segments", [30, 100])
def test_many_segments_of_a_thousand_cells_stay_below_two_megabytes(
    segments: int, rfm: Rfm, tmp_path: Path
) -> None:
    cells: dict[int, list[str]] = defaultdict(list)
    for n in range(1000):
        cells[n % segments].append(f'"{n // 100 + 1}-{n // 10 % 10 + 1}-{n % 10 + 1}"')
    rules = "".join(
        f'[[segments.rules]]\nsegment = "A segment with a name of some length {n}"\n'
        f"cells = [{', '.join(members)}]\n"
        for n, members in cells.items()
    )
    (tmp_path / "rfm.toml").write_text(f"[scoring]\nbins = 10\n[segments]\n{rules}", encoding="utf-8")
    lines = "".join(
        f"c{n % 3001},o{n},{2000 + n * 7 % 24}-{1 + n * 7 % 12:02d}-{1 + n % 28:02d},{n * 37 % 9973}.5\n"
        for n in range(1, 40_000, 4)
    )
    (tmp_path / "orders.csv").write_text(HEADER + lines, encoding="utf-8")
    for day in ("2020-06-01", "2023-12-31"):
        publish(rfm, tmp_path / "orders.csv", "--as-of", day, "--report", "report.html")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(html.encode()) < 2_000_000
    # The page contains a view of each segment, or marks the segment as left out.
    drawn, left_out = html.count("<template "), html.count("(left out of this page)")
    assert drawn + left_out == segments
    assert (left_out == 0) == (segments == 30)
    assert drawn >= 10


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        ("recency", ["0", "17", "4000"]),
        ("frequency", ["1", "20", "1000"]),
        ("monetary", ["-3.5", "0", "0.4", "99999999.99"]),
    ],
)
def test_each_value_is_in_exactly_one_bucket(dimension: str, values: list[str]) -> None:
    decimals = list(map(Decimal, values))
    buckets = make_buckets(dimension, decimals)
    assert all(before.high == after.low for before, after in pairwise(buckets))
    assert all(sum(bucket.low <= value < bucket.high for bucket in buckets) == 1 for value in decimals)
    assert len(buckets) < 40
