"""The guides to several shops, currencies and subscriptions: commands run, and print what is shown."""

from __future__ import annotations

import csv
import io
import os
import re
import shlex
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from support.cli import Outcome, Rfm
from support.orders import published
from support.paths import ROOT
from support.tutorials import is_excerpt, printed

pytestmark = pytest.mark.slow

UPDATE = bool(os.environ.get("RFM_UPDATE_GOLDEN"))
GUIDES = ROOT / "docs" / "guides"
BLOCK = re.compile(r"^```(sh|text|sql|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"(?:--|#) (\S+\.(?:sql|toml))\n")
TABLE = re.compile(r"<!-- computed: subscribers -->\n\|[^\n]*\n\|[-|]+\|\n((?:\|[^\n]*\n)*)")
SECTION = re.compile(r"^## .+$", re.MULTILINE)
EXIT_CODES = {"rfm run lines.csv": 2}
"""Commands of the pages that fail, as the pages say."""
LAST_PAYMENT = date(2025, 6, 30)


def write_csv(name: str, header: str, rows: Iterable[tuple[object, ...]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header.split(","))
    writer.writerows(rows)
    Path(name).write_text(text.getvalue(), encoding="utf-8")


def days(first: str, *gaps: int) -> list[date]:
    """Return the first day, and the days that follow at the gaps."""
    found = [date.fromisoformat(first)]
    for gap in gaps:
        found.append(found[-1] + timedelta(days=gap))
    return found


def month_ends(year: int, *months: int) -> list[date]:
    return [date(year, month + 1, 1) - timedelta(days=1) for month in months]


PAYMENTS = {
    "monthly": month_ends(2025, 1, 2, 3, 4, 5),
    "monthly, long": [date(2024 + month // 12, month % 12 + 1, 15) for month in range(18)],
    "monthly, missed": [date(2025, month, 1) for month in (1, 2, 3, 4, 5)],
    "monthly, left": [date(2024 + month // 12, month % 12 + 1, 20) for month in range(16)],
    "yearly": days("2022-07-20", 365, 366),
    "new": [date(2025, 6, 10)],
    "tried once": [date(2025, 2, 3)],
}
"""Days of payment by customer of the guide to subscriptions."""


@pytest.fixture
def inputs(rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the guides speak of, in the current folder."""
    monkeypatch.setenv("COLUMNS", "100")
    lines = [(f"{1 + n % 7}", f"{100 + n}", f"2025-03-{1 + n:02}", f"{10 + n}.50") for n in range(20)]
    for shop in ("berlin", "london"):
        write_csv(f"{shop}.csv", "customer_id,order_id,order_date,amount", lines)
    both = [(shop, *line) for shop in ("berlin", "london") for line in lines]
    write_csv("all_shops.csv", "shop,customer_id,order_id,order_date,amount", both)
    currencies = [("EUR", Decimal(1)), ("EUR", Decimal(1)), ("USD", Decimal("0.92"))]
    foreign = [(*line, *currencies[n % 3]) for n, line in enumerate(lines)]
    header = "customer_id,order_id,order_date,amount,currency"
    write_csv("lines.csv", header, [line[:5] for line in foreign])
    converted = [(*line[:5], Decimal(line[3]) * line[5]) for line in foreign]
    write_csv("payouts.csv", f"{header},amount_eur", converted)
    rates = [(line[2], code, rate) for line in lines for code, rate in dict(currencies).items()]
    write_csv("rates.csv", "day,currency,rate", rates)
    kinds = [(*line, ("renewal", "renewal", "purchase")[n % 3]) for n, line in enumerate(lines)]
    write_csv("shop.csv", "customer_id,order_id,order_date,amount,type", kinds)
    paid = [(customer, day, "9.90") for customer, payments in PAYMENTS.items() for day in payments]
    write_csv("payments.csv", "customer_id,order_date,amount", paid)


def sections(page: str) -> list[tuple[int, str]]:
    """Return the parts of a page with commands: position and text."""
    starts = [0, *(match.start() for match in SECTION.finditer(page)), len(page)]
    parts = [(start, page[start:end]) for start, end in pairwise(starts)]
    return [(start, part) for start, part in parts if "```sh" in part]


def page_text(guide: str) -> str:
    return (GUIDES / f"{guide}.md").read_text(encoding="utf-8")


PARTS = [(guide, index) for guide in ("shops", "currencies", "subscriptions")
         for index in range(len(sections(page_text(guide))))]  # fmt: skip


def shown(outcome: Outcome) -> str:
    return printed(outcome.stdout if outcome.code == 0 else outcome.stderr)


@pytest.mark.parametrize(("guide", "index"), PARTS)
@pytest.mark.usefixtures("inputs")
def test_a_section_of_a_guide_runs_and_prints_what_it_shows(rfm: Rfm, guide: str, index: int) -> None:
    page = page_text(guide)
    start, section = sections(page)[index]
    replaced = section
    outcome = None
    for block in BLOCK.finditer(section):
        kind, text = block.groups()
        if kind in {"sql", "toml"}:
            name = FILE_NAME.match(text)
            assert name is not None, text
            Path(name[1]).write_text(text, encoding="utf-8")
        elif kind == "sh":
            for line in text.splitlines():
                outcome = rfm(*shlex.split(line)[1:])
                assert outcome.code == EXIT_CODES.get(line, 0), (line, outcome.stderr)
        elif "...\n" in text:
            assert outcome is not None
            assert is_excerpt(text, shown(outcome))
        elif UPDATE:
            assert outcome is not None
            replaced = replaced.replace(text, shown(outcome))
        else:
            assert outcome is not None
            assert text == shown(outcome)
    if replaced != section:
        page = page[:start] + replaced + page[start + len(section) :]
        (GUIDES / f"{guide}.md").write_text(page, encoding="utf-8")


@pytest.mark.usefixtures("inputs")
def test_the_three_ways_to_convert_agree(rfm: Rfm) -> None:
    """One rate for all days, a converted column and daily rates of that rate give the same money."""
    page = page_text("currencies")
    for kind, text in BLOCK.findall(page):
        if kind in {"sql", "toml"} and (name := FILE_NAME.match(text)):
            Path(name[1]).write_text(text, encoding="utf-8")
    column = rfm("run", "payouts.csv", "--amount", "amount_eur", "--json").json
    fixed = rfm("run", "--config", "rates.toml", "--json").json
    daily = rfm("run", "converted.sql", "--to", "duckdb:daily.duckdb", "--json").json
    assert column["customers"] == fixed["customers"] == daily["customers"] == 7
    assert Decimal(column["revenue"]) == Decimal(fixed["revenue"]) == Decimal(daily["revenue"])


@pytest.mark.usefixtures("inputs")
def test_a_new_currency_stops_a_run_with_rates(rfm: Rfm) -> None:
    (settings,) = [
        text for kind, text in BLOCK.findall(page_text("currencies")) if kind == "toml" and "rates =" in text
    ]
    Path("rates.toml").write_text(settings, encoding="utf-8")
    with Path("lines.csv").open("a", encoding="utf-8") as file:
        file.write("8,999,2025-03-20,5.00,GBP\n")
    outcome = rfm("run", "--config", "rates.toml")
    assert outcome.code == 2
    assert "GBP" in outcome.stderr


@pytest.mark.usefixtures("inputs")
def test_one_result_has_the_customers_of_both_shops(rfm: Rfm) -> None:
    (query,) = [text for kind, text in BLOCK.findall(page_text("shops")) if text.startswith("-- shops.sql")]
    Path("shops.sql").write_text(query, encoding="utf-8")
    with Path("berlin.csv").open("a", encoding="utf-8") as file:
        file.write('"",200,2025-03-05,9.00\n')
    result = rfm("run", "shops.sql", "--json").json
    assert (result["customers"], result["orders"]) == (14, 40)
    assert result["rows"]["excluded"] == {"missing_customer": 1}


@pytest.mark.usefixtures("inputs")
def test_the_segments_of_subscribers_are_those_of_the_table(rfm: Rfm) -> None:
    page = page_text("subscriptions")
    (settings,) = [text for _, text in BLOCK.findall(page) if text.startswith("# subscribers.toml")]
    Path("subscribers.toml").write_text(settings, encoding="utf-8")
    day = LAST_PAYMENT.isoformat()
    for flags in (["--config", "subscribers.toml"], ["payments.csv", "--to", "duckdb:classic.duckdb"]):
        outcome = rfm("run", *flags, "--as-of", day, "--quiet")
        assert outcome.code == 0, outcome.stderr
    query = "SELECT customer_id, segment FROM rfm_segments"
    classic = dict(published(Path("classic.duckdb"), query))
    by_gap = dict(published(Path("subscribers.duckdb"), query))
    rows = []
    for customer, payments in PAYMENTS.items():
        gaps = [(after - before).days for before, after in pairwise(payments)]
        gap = Fraction((LAST_PAYMENT - payments[-1]).days) / Fraction(median(gaps)) if gaps else None
        cells = (
            customer,
            len(payments),
            payments[-1],
            f"{median(gaps):g}" if gaps else "–",
            "–" if gap is None else f"{float(gap):.2f}",
            classic[customer],
            by_gap[customer],
        )
        rows.append("| " + " | ".join(map(str, cells)) + " |\n")
    shown_rows = TABLE.search(page)
    assert shown_rows is not None
    if UPDATE:
        page = page[: shown_rows.start(1)] + "".join(rows) + page[shown_rows.end(1) :]
        (GUIDES / "subscriptions.md").write_text(page, encoding="utf-8")
        return
    assert shown_rows[1] == "".join(rows)
