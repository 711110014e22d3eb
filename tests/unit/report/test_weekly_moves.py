"""Tests of the report's first screen: its commands export what it counts, its sentences have the figures."""

from __future__ import annotations

import csv
import shlex
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.report import ReportSettings
from rfm_pipeline.report.data import ReportData, collect_report_data, report_source
from rfm_pipeline.report.number_format import NumberFormatter
from rfm_pipeline.report.page import render_page
from rfm_pipeline.report.summary import summary_sentences
from rfm_pipeline.report.weekly_moves import weekly_moves
from rfm_pipeline.results.run_history import read_state
from rfm_pipeline.warehouse.factory import open_destination
from support.cli import Rfm
from support.orders import published
from support.report_shop import write_orders


def publish(rfm: Rfm, *days: str) -> ReportData:
    """Publish results of a shop, whose best segment has a name that a shell must quote."""
    Path("rfm.toml").write_text(
        'source = "orders.csv"\n[scoring]\nbins = 3\n[segments]\nfallback = "-Others"\n'
        "[[segments.rules]]\nsegment = \"Best $HOME 'ones'\"\nr = '>=2'\nf = 3\n"
        "[[segments.rules]]\nsegment = 'Recent'\nr = 3\n",
        encoding="utf-8",
    )
    write_orders(Path("orders.csv"))
    for day in days:
        finished = rfm("run", "--as-of", day, "--quiet")
        assert finished.code == 0, finished.stderr
    with open_destination(Configuration(flags={"to": "duckdb:rfm.duckdb"}).settings) as destination:
        return collect_report_data(report_source(destination, read_state(destination)), 0)


def assert_commands_export_the_counted(data: ReportData, rfm: Rfm) -> None:
    assert data.to is not None
    for move in weekly_moves(data):
        program, *arguments = shlex.split(move.command(data.to))
        finished = rfm(*arguments, "--quiet")
        assert (program, finished.code) == ("rfm", 0), finished.stderr
        with Path(arguments[-1]).open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == move.customers, move.title
        assert sum(Decimal(row["monetary"]) for row in rows) == move.revenue, move.title


@pytest.mark.slow
def test_the_first_screen_has_the_figures_of_movers_and_exports(rfm: Rfm, tmp_path: Path) -> None:
    data = publish(rfm, "2024-08-31", "2024-09-30")
    assert_sentences_have_the_figures_of_movers(data, rfm)
    assert_advice_depends_on_the_cause_and_the_value(data)
    moves = weekly_moves(data)
    assert {move.reason for move in moves} == {"slipped", "new_at_top", "due"}
    assert [move.revenue for move in moves] == sorted((move.revenue for move in moves), reverse=True)
    assert_commands_export_the_counted(data, rfm)
    assert (tmp_path / "due-others.csv").exists()


def test_a_first_result_has_who_is_due_the_shop_and_both_dates(rfm: Rfm) -> None:
    data = publish(rfm, "2025-01-02")
    assert {move.reason for move in weekly_moves(data)} == {"due"}
    assert_commands_export_the_counted(data, rfm)
    sentences = [sentence.text for sentence in summary_sentences(data, NumberFormatter())]
    assert sentences[0].startswith(f"This is the first result: {data.customers} customers have bought for ")
    for shop, prefix in ((None, ""), ("Gifts <& more>", "Gifts &lt;&amp; more&gt;: ")):
        html = render_page(data, NumberFormatter(ReportSettings(shop=shop, title="Our customers")))
        assert f"<title>{prefix}Our customers as of 2025-01-02</title>" in html
        assert "<h1>Our customers</h1>" in html
        newest = max(published(Path("rfm.duckdb"), "SELECT last_order_date FROM rfm_segments"))[0]
        days = (data.as_of - newest).days
        assert f"As of 2025-01-02 · newest order {newest}, {days} days before" in html


def assert_sentences_have_the_figures_of_movers(data: ReportData, rfm: Rfm) -> None:
    growth, slips, at_risk = (sentence.text for sentence in summary_sentences(data, NumberFormatter()))
    now, before = (rfm("runs", "--json").json["runs"][at] for at in (-1, -2))
    if now["as_of_date"] < before["as_of_date"]:
        now, before = before, now
    whole = NumberFormatter().whole
    grown = Decimal(now["revenue"]) - Decimal(before["revenue"])
    assert growth.startswith(f"In the 30 days since 2024-08-31, customers spent {whole(grown).text}; ")
    movers = rfm("movers", "--json").json
    slipped = movers["by_reason"]["slipped"]
    assert f"{slipped['customers']} customers slipped" in slips
    assert f"with {whole(Decimal(slipped['revenue'])).text} of revenue" in slips
    assert at_risk.startswith(f"{whole(Decimal(movers['at_risk']['revenue'])).text} of the revenue (")
    assert f": {movers['at_risk']['customers']} customers are silent" in at_risk


def assert_advice_depends_on_the_cause_and_the_value(data: ReportData) -> None:
    move = next(move for move in weekly_moves(data) if move.reason == "slipped")

    def advice(cause: str, worth: int, customers: int) -> str:
        group = replace(move.groups[0], cause=cause, customers=customers, revenue=Decimal(worth * customers))
        return replace(move, groups=(group,)).advice(data, NumberFormatter()).text

    mean = int(data.revenue / data.customers)
    assert "because time passed" in advice("time", mean, 10)
    assert "because of their orders or returns" in advice("behaviour", mean, 10)
    assert advice("edges", mean, 10).endswith("few enough to call.")
    assert advice("time", 5 * mean, 900).endswith("5 times the average: a personal message pays.")
    assert advice("time", mean // 2, 900).endswith("an automatic message is enough.")
