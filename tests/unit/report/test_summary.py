"""Tests of the summary's first sentence: what customers spent since, and not a total that always grows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.report.data import collect_report_data, dates_read, report_source
from rfm_pipeline.report.markdown import render_markdown
from rfm_pipeline.report.number_format import NumberFormatter
from rfm_pipeline.report.spending import Spending, date_as_long_before
from rfm_pipeline.report.summary import _compared, summary_sentences
from rfm_pipeline.results.run_history import read_state
from rfm_pipeline.warehouse.factory import open_destination
from support.cli import Rfm

ORDERS = (
    "customer_id,order_id,order_date,amount\n"
    "a,1,2024-01-05,100\nb,2,2024-01-20,50\na,3,2024-02-10,40\nb,4,2024-03-03,20\nc,5,2024-03-09,10\n"
)


def growth(rfm: Rfm, *days: str, flags: tuple[str, ...] = ()) -> str:
    """Return the first sentence of the report on the last of the results."""
    Path("orders.csv").write_text(ORDERS, encoding="utf-8")
    for day in days:
        finished = rfm("run", "orders.csv", "--as-of", day, "--quiet", *flags)
        assert finished.code == 0, finished.stderr
    with open_destination(Configuration(flags={"to": "duckdb:rfm.duckdb"}).settings) as destination:
        source = report_source(destination, read_state(destination))
        data = collect_report_data(source, 0)
        # What is read is also what is checked for edited rows.
        assert dates_read(source, data.as_of)[-len(days) :] == tuple(map(date.fromisoformat, sorted(days)))
        sentence = summary_sentences(data, NumberFormatter())[0].text
        assert f"- {sentence}" in render_markdown(data, NumberFormatter()).replace("\\", "")
        return sentence


@pytest.mark.slow
def test_what_came_in_is_compared_with_as_long_a_time_before(rfm: Rfm) -> None:
    # Totals grow from 190.00 to 220.00, and customers spent less than in the month before.
    sentence = growth(rfm, "2024-01-31", "2024-02-29", "2024-03-31")
    assert sentence.startswith(
        "In the 31 days since 2024-02-29, customers spent 30.00, 25.0\u00a0% less than the 40.00"
        " of the 29 days before; the number of customers grew by 1 (50.0\u00a0%) to 3; "
    )
    assert "revenue" not in sentence


@pytest.mark.slow
def test_with_a_window_the_sentence_is_about_the_revenue_in_the_window(rfm: Rfm) -> None:
    sentence = growth(rfm, "2024-02-29", "2024-03-31", flags=("--window", "40 days"))
    assert sentence.startswith(
        "Since 2024-02-29, revenue in the time window fell by 10.00 (25.0\u00a0%) to 30.00 and "
    )


@pytest.mark.slow
def test_another_column_of_the_amount_is_no_spending(rfm: Rfm) -> None:
    orders = ORDERS.replace("amount\n", "amount,net\n", 1)
    lines = [f"{line},{line.rsplit(',', 1)[1]}0" for line in orders.splitlines()[1:]]
    Path("net.csv").write_text("\n".join([orders.splitlines()[0], *lines]) + "\n", encoding="utf-8")
    flags = ("--to", "duckdb:rfm.duckdb", "--replace-source", "--quiet", "--amount")
    for day, column in (("2024-02-29", "amount"), ("2024-03-31", "net")):
        finished = rfm("run", "net.csv", "--as-of", day, *flags, column)
        assert finished.code == 0, finished.stderr
    with open_destination(Configuration(flags={"to": "duckdb:rfm.duckdb"}).settings) as destination:
        data = collect_report_data(report_source(destination, read_state(destination)), 0)
    assert data.spending is None
    assert summary_sentences(data, NumberFormatter())[0].text.startswith(
        "Since 2024-02-29, total revenue grew by"
    )


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (None, ""),
        (Spending(30, Decimal(-5)), ""),
        (Spending(30, Decimal(0)), ", and nothing in the 30 days before"),
        (Spending(1, Decimal(80)), ", as much as in the 1 day before"),
        (Spending(30, Decimal(64)), ", 25.0\u00a0% more than the 64.00 of the 30 days before"),
    ],
)
def test_the_comparison_says_only_what_is_known(before: Spending | None, expected: str) -> None:
    parts = _compared(Spending(31, Decimal(80)), before, NumberFormatter())
    assert "".join(part if isinstance(part, str) else part.text for part in parts) == expected


@pytest.mark.parametrize(
    ("as_of", "previous", "dates", "expected"),
    [
        ("2024-03-31", "2024-02-29", ("2024-01-31", "2024-01-29"), "2024-01-31"),  # ends of months
        ("2024-05-15", "2024-04-15", ("2024-03-15", "2024-03-16"), "2024-03-15"),  # the same day
        ("2024-03-18", "2024-03-11", ("2024-03-04",), "2024-03-04"),  # weeks
        ("2024-03-18", "2024-03-11", ("2024-03-05",), None),
        ("2024-12-31", "2023-12-31", ("2022-12-31",), "2022-12-31"),  # years
        ("0001-03-31", "0001-01-31", (), None),
    ],
)
def test_as_long_a_time_is_as_many_days_or_months(
    as_of: str, previous: str, dates: tuple[str, ...], expected: str | None
) -> None:
    known = [date.fromisoformat(day) for day in dates]
    found = date_as_long_before(known, date.fromisoformat(as_of), date.fromisoformat(previous))
    assert found == (None if expected is None else date.fromisoformat(expected))
