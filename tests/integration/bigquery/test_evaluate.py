"""`rfm evaluate` of a table in the BigQuery emulator equals the evaluation on DuckDB."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from support.bigquery_proxy import Proxy
from support.bigquery_shop import Shop
from support.cli import Rfm
from support.databases import empty_database
from support.orders import refused

pytestmark = [pytest.mark.xdist_group("bigquery"), pytest.mark.usefixtures("few_replicates")]

COLUMNS = {"customer_id": "STRING", "order_id": "STRING", "order_date": "DATE", "amount": "NUMERIC"}
QUESTIONS = {
    "plain, compared": ("--compare", "preset=grid", "--compare", "preset=klaviyo"),
    "stability": ("--as-of", "2024-06-30", "--compare", "preset=lifecycle", "--stability"),
    "net, in a window": ("--returns", "net", "--window", "120 days", "--horizon", "30d"),
    "each line an order": ("--order-id", "none", "--as-of", "2024-06-30", "--horizon", "60d"),
    "totals of orders": ("--amount-of", "order", "--as-of", "2024-06-30"),
}


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Parquet file of 60 customers who buy for a year, each order in two lines; some lines are returns."""
    random, rows = Random(11), []
    for customer in range(60):
        day, gap = random.randrange(200), random.choice([10, 30, 90])
        while day < 365:
            ordered = date(2024, 1, 1) + timedelta(days=day)
            order = f"{customer}-{day}"
            rows += [(f"c{customer}", order, ordered, random.randrange(100, 9_000) / 100) for _ in "ab"]
            if random.random() < 0.1:
                rows.append((f"c{customer}", f"{order}-back", ordered, -1.5))
            day += 1 + int(random.expovariate(1 / gap))
    file = tmp_path_factory.mktemp("shop") / "orders.parquet"
    with empty_database() as connection:
        connection.execute(
            "CREATE TABLE orders"
            " (customer_id VARCHAR, order_id VARCHAR, order_date DATE, amount DECIMAL(18, 2))"
        )
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
        connection.execute(f"COPY orders TO '{file}' (FORMAT parquet)")
    return file


def without_engine(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Return an evaluation without the keys that differ between engines."""
    return {name: value for name, value in evaluation.items() if name not in {"engine", "source", "notes"}}


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_evaluation_equals_that_on_duckdb_to_the_last_digit(
    question: str, bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, lines: Path
) -> None:
    source = bigquery_shop.load_table("orders", COLUMNS, lines)
    on_bigquery = rfm("evaluate", source, "--to", bigquery_shop.destination, *QUESTIONS[question], "--json")
    on_duckdb = rfm("evaluate", lines, *QUESTIONS[question], "--json")
    assert (on_bigquery.code, on_duckdb.code) == (0, 0), on_bigquery.stderr + on_duckdb.stderr
    assert on_bigquery.json["engine"] == "bigquery"
    assert without_engine(on_bigquery.json) == without_engine(on_duckdb.json)
    assert bigquery_shop.tables() == ["orders"], "nothing is published, and nothing is left"
    assert len([sql for sql in proxy.statements if bigquery_shop.name("orders") in sql]) == 1, "read once"


def test_the_cost_limit_applies(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, lines: Path) -> None:
    source = bigquery_shop.load_table("orders", COLUMNS, lines)
    proxy.bytes_processed = 2**30
    asked = ("evaluate", source, "--to", bigquery_shop.destination)
    sentence, _ = refused(rfm(*asked, "--max-bytes", "512MiB"), code=6)
    assert sentence.startswith("The run would read 1 GiB")
    assert proxy.statements == [], "nothing ran"
