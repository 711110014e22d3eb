"""What a report tells is what stands in the tables."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.report.charts.distribution import buckets, counts
from rfm_pipeline.report.charts.movements import direction
from rfm_pipeline.report.charts.segments import top_shares
from rfm_pipeline.report.data import ReportData, collect_report_data, report_source
from rfm_pipeline.report.number_format import NumberFormatter
from rfm_pipeline.report.page import page
from rfm_pipeline.report.segment_view import SegmentView
from rfm_pipeline.report.write import CHARTS
from rfm_pipeline.results.run_history import read_state
from rfm_pipeline.warehouse.factory import open_destination
from support.cli import Rfm
from support.orders import published
from support.report_shop import orders

HEADER = "customer_id,order_id,order_date,amount\n"
COLUMNS = "segment, customer_id, r_score, f_score, m_score, frequency, monetary, recency_days"


def figures(top_customers: int = 10) -> ReportData:
    settings = Configuration(flags={"to": "duckdb:rfm.duckdb"}).settings()
    with open_destination(settings) as destination:
        return collect_report_data(report_source(destination, read_state(destination)), top_customers)


def run(rfm: Rfm, source: Path, *flags: object) -> None:
    ended = rfm("run", source, "--quiet", *flags)
    assert ended.code == 0, ended.stderr


def check_against_the_table(found: ReportData, file: Path) -> None:
    rows = published(file, f"SELECT {COLUMNS} FROM rfm_segments")
    for segment in (None, *{row[0] for row in rows}):
        mine, view = [row for row in rows if segment in {None, row[0]}], SegmentView(found, segment)
        assert (view.sum.customers, view.sum.orders) == (len(mine), sum(row[5] for row in mine))
        assert view.sum.revenue == sum(row[6] for row in mine)
        assert view.sum.recency_days == sum(row[7] for row in mine)
        held: Counter[tuple[int, int, int]] = Counter()
        for cell in view.cells:
            held[cell.r, cell.f, cell.m] += cell.customers
        assert held == Counter(row[2:5] for row in mine)
        for place, dimension in ((7, "recency"), (5, "frequency"), (6, "monetary")):
            counted = counts(view, dimension)
            assert sum(number for _, number in counted) == len(mine)
            for bucket, number in counted:
                inside = [row for row in mine if bucket.low <= row[place] < bucket.high]
                assert number == len(inside), (dimension, bucket)
        spent = sorted((row[6] for row in mine), reverse=True)
        for top, amount in top_shares(view):
            exact = sum(spent[: len(spent) * top // 100])
            # Within a customer, and within a group of nearly equal amounts.
            room = max(map(abs, (spent[0], spent[-1], sum(spent) / 500)))
            assert abs(amount - exact) <= room, (segment, top)
    by_segment: dict[str, list[tuple[Decimal, str]]] = defaultdict(list)
    for row in rows:
        by_segment[row[0]].append((-row[6], row[1]))
    for name, customers in by_segment.items():
        first = [customer for _, customer in sorted(customers)[:10]]
        assert [named.customer_id for named in found.named if named.segment == name] == first


def test_figures_are_those_of_the_table(rfm: Rfm, tmp_path: Path) -> None:
    run(rfm, orders(tmp_path / "orders.csv"))
    check_against_the_table(figures(), tmp_path / "rfm.duckdb")


def test_figures_of_online_retail_are_those_of_the_table(
    rfm: Rfm, tmp_path: Path, online_retail: Path
) -> None:
    run(rfm, online_retail, "--preset", "grid")
    found = figures()
    assert (found.customers, found.revenue) == (4338, Decimal("8911407.904"))
    check_against_the_table(found, tmp_path / "rfm.duckdb")


@pytest.fixture
def changed(rfm: Rfm, tmp_path: Path) -> ReportData:
    source = orders(tmp_path / "orders.csv")
    for day in ("2024-05-31", "2024-09-30"):
        run(rfm, source, "--as-of", day, "--window", "5 months")
    return figures()


def test_moves_are_those_between_the_two_results(changed: ReportData, tmp_path: Path) -> None:
    file, history = tmp_path / "rfm.duckdb", "SELECT customer_id, segment FROM rfm_segments_history"
    before = dict(published(file, f"{history} WHERE as_of_date = '2024-05-31'"))
    after = dict(published(file, f"{history} WHERE as_of_date = '2024-09-30'"))
    expected = Counter((before.get(one), after.get(one)) for one in before.keys() | after.keys())
    assert {(move.before, move.after): move.customers for move in changed.moves} == expected
    assert any(move.after is None for move in changed.moves)
    assert any(move.before is None for move in changed.moves)
    assert changed.before == date(2024, 5, 31)


def test_a_move_to_customers_with_higher_scores_is_up(changed: ReportData, tmp_path: Path) -> None:
    mean = dict(
        published(
            tmp_path / "rfm.duckdb",
            "SELECT segment, AVG(r_score + f_score + m_score) FROM rfm_segments GROUP BY segment",
        )
    )
    ways = {(move.before, move.after): direction(SegmentView(changed), move) for move in changed.moves}
    between = {(a, b): way for (a, b), way in ways.items() if a in mean and b in mean and a != b}
    assert set(between.values()) == {"up", "down"}
    assert all((way == "up") == (mean[b] > mean[a]) for (a, b), way in between.items())
    assert {way for (before, _), way in ways.items() if before is None} == {"new"}
    assert {way for (_, after), way in ways.items() if after is None} == {"gone"}


def test_the_trend_is_the_results_that_stand(changed: ReportData) -> None:
    course = list(SegmentView(changed).course())
    assert [record.as_of_date for record, _, _ in course] == [date(2024, 5, 31), date(2024, 9, 30)]
    assert course[-1][1:] == (changed.customers, changed.revenue)
    for segment in changed.segments:
        view = SegmentView(changed, segment.name)
        assert list(view.course())[-1][1:] == (view.sum.customers, view.sum.revenue)


def test_a_result_that_was_rolled_back_is_not_in_the_trend(
    changed: ReportData, rfm: Rfm, tmp_path: Path
) -> None:
    ended = rfm("rollback", "--quiet")
    assert ended.code == 0, ended.stderr
    found = figures()
    assert [record.as_of_date for record in found.trend] == [date(2024, 5, 31)]
    assert (found.before, found.moves) == (None, ())
    check_against_the_table(found, tmp_path / "rfm.duckdb")


def test_money_of_many_digits_stays_exact(rfm: Rfm, tmp_path: Path) -> None:
    lines = "customer_id,order_date,amount\na,2024-01-01,12345678901234567890.1234\nb,2024-01-02,0.0001\n"
    (tmp_path / "orders.csv").write_text(lines, encoding="utf-8")
    run(rfm, tmp_path / "orders.csv")
    found = figures()
    assert found.revenue == Decimal("12345678901234567890.1235")
    assert 'data-money="12345678901234567890.1235"' in page(found, NumberFormatter())


def test_nobody_is_named_where_nobody_is_to_be(rfm: Rfm, tmp_path: Path) -> None:
    run(rfm, orders(tmp_path / "orders.csv"))
    nobody, some = (page(figures(top_customers=most), NumberFormatter()) for most in (0, 50))
    assert ("Personal data" in nobody, "c001" in nobody) == (False, False)
    assert ("Personal data" in some, "c001" in some) == (True, True)


def test_customers_who_spent_the_same_are_named_by_their_ids(rfm: Rfm, tmp_path: Path) -> None:
    lines = "".join(f"c{number},2024-01-01,5\n" for number in range(100, 400))
    (tmp_path / "orders.csv").write_text(f"customer_id,order_date,amount\n{lines}", encoding="utf-8")
    run(rfm, tmp_path / "orders.csv")
    assert [customer.customer_id for customer in figures(3).named] == ["c100", "c101", "c102"]


MANY = "".join(f"c{n},o{n},2024-{1 + n % 12:02d}-01,{n % 97 + 1}\n" for n in range(300))
SHOPS = {
    "one customer": ("a,x,2024-01-01,5\n", ()),
    "negative revenue": ("a,x,2024-01-01,5\na,y,2024-01-02,-9\nb,z,2024-01-03,0.5\n", ("--returns", "net")),
    "ntile": (MANY, ("--method", "ntile")),
    "ten bins": (MANY, ("--bins", "10")),
}


@pytest.mark.parametrize("name", SHOPS)
def test_any_result_has_a_report(name: str, rfm: Rfm, tmp_path: Path) -> None:
    lines, flags = SHOPS[name]
    (tmp_path / "orders.csv").write_text(HEADER + lines, encoding="utf-8")
    if name == "ten bins":
        halves = "[[segments.rules]]\nsegment = 'Recent'\nr = '>=6'\n"
        (tmp_path / "rfm.toml").write_text(f"[segments]\nfallback = 'Others'\n{halves}", encoding="utf-8")
    run(rfm, tmp_path / "orders.csv", *flags)
    found = figures()
    check_against_the_table(found, tmp_path / "rfm.duckdb")
    text = page(found, NumberFormatter())
    assert all(f'data-part="{chart}"' in text for chart in CHARTS)
    assert "There is no earlier result to compare with." in text
    assert ("There is no revenue to share." in text) >= (name == "negative revenue")


def test_frozen_edges_name_the_run_that_they_are_of(rfm: Rfm, tmp_path: Path) -> None:
    source = orders(tmp_path / "orders.csv")
    calibration = rfm("calibrate", source, "--json").json["run_id"]
    run(rfm, source, "--freeze", calibration)
    assert f"Recency scores, by quantile, edges of run {calibration}" in page(figures(), NumberFormatter())


def test_a_page_does_not_grow_with_its_customers(rfm: Rfm, tmp_path: Path) -> None:
    sizes = []
    for customers in (2_000, 40_000):
        source = tmp_path / "orders.csv"
        lines = "".join(
            f"c{n % customers},o{n},2024-{1 + n * 7 % 12:02d}-{1 + n % 28:02d},{n * 37 % 9973}.5\n"
            for n in range(1, 3 * customers)
        )
        source.write_text(HEADER + lines, encoding="utf-8")
        run(rfm, source, "--report", "report.html")
        sizes.append((tmp_path / "report.html").stat().st_size)
    assert sizes[1] < 1.1 * sizes[0] < 2_000_000


@pytest.mark.parametrize("segments", [30, 100])
def test_many_segments_of_a_thousand_cells_stay_below_two_megabytes(
    segments: int, rfm: Rfm, tmp_path: Path
) -> None:
    cells: dict[int, list[str]] = defaultdict(list)
    for n in range(1000):
        cells[n % segments].append(f'"{n // 100 + 1}-{n // 10 % 10 + 1}-{n % 10 + 1}"')
    rules = "".join(
        f'[[segments.rules]]\nsegment = "A segment with a name of some length {n}"\n'
        f"cells = [{', '.join(found)}]\n"
        for n, found in cells.items()
    )
    (tmp_path / "rfm.toml").write_text(f"[scoring]\nbins = 10\n[segments]\n{rules}", encoding="utf-8")
    lines = "".join(
        f"c{n % 3001},o{n},{2000 + n * 7 % 24}-{1 + n * 7 % 12:02d}-{1 + n % 28:02d},{n * 37 % 9973}.5\n"
        for n in range(1, 40_000, 4)
    )
    (tmp_path / "orders.csv").write_text(HEADER + lines, encoding="utf-8")
    for day in ("2020-06-01", "2023-12-31"):
        run(rfm, tmp_path / "orders.csv", "--as-of", day, "--report", "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 2_000_000
    # The page carries a view of each, or says which it does not carry.
    drawn, left_out = text.count("<template "), text.count("(left out of this page)")
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
def test_buckets_take_every_value_once(dimension: str, values: list[str]) -> None:
    some = list(map(Decimal, values))
    found = buckets(dimension, some)
    assert all(before.high == after.low for before, after in pairwise(found))
    assert all(sum(one.low <= value < one.high for one in found) == 1 for value in some)
    assert len(found) < 40
