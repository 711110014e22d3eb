"""Tests of the periods between results: revenue by segment and cohorts equal what the orders say."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.report.charts.treemap import _squarify
from rfm_pipeline.report.data import ReportData, collect_report_data, report_source
from rfm_pipeline.report.number_format import NumberFormatter
from rfm_pipeline.report.page import render_page
from rfm_pipeline.report.periods import CohortPeriod, choose_dates
from rfm_pipeline.results.run_history import read_state
from rfm_pipeline.warehouse.factory import open_destination
from support.cli import Rfm
from support.orders import published
from support.report_shop import write_orders

DATES = tuple(date(2024, month, 28) for month in (3, 5, 6, 9))


def report_data(rfm: Rfm, *flags: str) -> ReportData:
    write_orders(Path("orders.csv"))
    for day in DATES:
        finished = rfm("run", "orders.csv", "--as-of", day.isoformat(), "--quiet", *flags)
        assert finished.code == 0, finished.stderr
    with open_destination(Configuration(flags={"to": "duckdb:rfm.duckdb"}).settings) as destination:
        return collect_report_data(report_source(destination, read_state(destination)), 0)


def orders() -> list[tuple[str, date, Decimal]]:
    """Return the kept orders of the shop."""
    with Path("orders.csv").open(encoding="utf-8") as file:
        return [
            (line["customer_id"], date.fromisoformat(line["order_date"]), Decimal(line["amount"]))
            for line in csv.DictReader(file)
            if line["customer_id"] and Decimal(line["amount"]) > 0 and line["order_date"] != "2024-13-40"
        ]


@pytest.mark.slow
def test_periods_and_cohorts_are_those_of_the_orders(rfm: Rfm) -> None:
    periods = report_data(rfm).periods
    segments: dict[date, dict[str, str]] = defaultdict(dict)
    for day, customer, segment in published(
        Path("rfm.duckdb"), "SELECT as_of_date, customer_id, segment FROM rfm_segments_history"
    ):
        segments[day][customer] = segment
    first: dict[str, date] = {}
    for customer, day, _ in sorted(orders(), key=lambda order: order[1]):
        first.setdefault(customer, day)
    cohort_of = {
        customer: next((end for end in DATES if day <= end), None) for customer, day in first.items()
    }
    expected = []
    for before, after in pairwise(DATES):
        bought = [order for order in orders() if before < order[1] <= after]
        revenue: dict[str, Decimal] = defaultdict(Decimal)
        for customer, _, amount in bought:
            revenue[segments[after][customer]] += amount
        period = next(period for period in periods.periods if period.as_of == after)
        assert period.revenue is not None
        assert {name: amount for name, amount in period.revenue.items() if amount} == revenue
        for cohort in (end for end in DATES if end <= after):
            members = {customer for customer, end in cohort_of.items() if end == cohort}
            known = members if cohort < after else set()
            again = {customer for customer, _, _ in bought} & known
            amount = sum((order[2] for order in bought if order[0] in members), Decimal(0))
            expected.append(CohortPeriod(cohort, after, len(members), len(known), len(again), amount))
    assert [cell for cell in periods.cohorts if cell.customers] == sorted(
        (cell for cell in expected if cell.customers), key=lambda cell: (cell.cohort, cell.as_of)
    )
    assert periods.periods[0].revenue is None
    assert (periods.has_window, periods.is_monthly) == (False, False)


@pytest.mark.slow
def test_with_a_window_revenue_is_that_in_the_window_and_there_are_no_cohorts(rfm: Rfm) -> None:
    data = report_data(rfm, "--window", "4 months")
    assert (data.periods.has_window, data.periods.cohorts) == (True, ())
    last = data.periods.periods[-1]
    assert last.revenue is not None
    assert sum(last.revenue.values()) == data.revenue
    html = render_page(data, NumberFormatter())
    assert "there are no cohorts" in html
    assert "share of the revenue in the time window" in html


def test_the_dates_are_the_last_of_each_month_or_all_of_few_months() -> None:
    weekly = [date.fromordinal(date(2024, 1, 1).toordinal() + 7 * week) for week in range(80)]
    chosen = choose_dates(weekly)
    assert len(chosen) == 13
    assert [day.replace(day=1) for day in chosen[-2:]] == [date(2025, 6, 1), date(2025, 7, 1)]
    assert all(day == max(other for other in weekly if other.month == day.month and other.year == day.year)
               for day in chosen)  # fmt: skip
    assert choose_dates(weekly[:6]) == tuple(weekly[:6])


@pytest.mark.parametrize("areas", [[100.0], [60.0, 30.0, 10.0], [50.0] + [1.0] * 40])
def test_the_boxes_of_a_tree_map_have_the_areas_and_fill_the_whole(areas: list[float]) -> None:
    scale = 440 * 300 / sum(areas)
    boxes = _squarify([area * scale for area in areas], (0.0, 0.0, 440.0, 300.0))
    assert [width * height for _, _, width, height in boxes] == pytest.approx(
        [area * scale for area in areas]
    )
    assert all(x > -1e-6 and y > -1e-6 and x + w < 440.001 and y + h < 300.001 for x, y, w, h in boxes)
    centres = [(x + w / 2, y + h / 2) for x, y, w, h in boxes]
    for index, (x, y, w, h) in enumerate(boxes):
        inside = [at for at, (cx, cy) in enumerate(centres) if x < cx < x + w and y < cy < y + h]
        assert inside == [index]
