"""`rfm explain` of a table in the BigQuery emulator equals the explanation on DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.bigquery_proxy import Proxy
from support.bigquery_shop import Shop
from support.cli import Rfm
from support.orders import ORDERS, refused

pytestmark = pytest.mark.xdist_group("bigquery")

QUESTIONS = {
    "plain": (),
    "net, in a moving window": ("--returns", "net", "--window", "60 days"),
    "as of a date, each line an order": ("--as-of", "2024-02-28", "--order-id", "none"),
}


def without_engine(explanation: dict[str, Any]) -> dict[str, Any]:
    """Return an explanation without the keys that differ between engines."""
    return {name: value for name, value in explanation.items() if name not in {"engine", "source"}}


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_explanation_equals_that_on_duckdb(
    question: str, bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    source, arguments = bigquery_shop.create_table(), QUESTIONS[question]
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for customer in ("007", "bob", "cyd"):
        on_bigquery = rfm(
            "explain", customer, source, "--to", bigquery_shop.destination, *arguments, "--json"
        )
        on_duckdb = rfm("explain", customer, "orders.csv", *arguments, "--json")
        assert (on_bigquery.code, on_duckdb.code) == (0, 0), on_bigquery.stderr
        assert without_engine(on_bigquery.json) == without_engine(on_duckdb.json)
        assert on_bigquery.json["engine"] == "bigquery"
    assert bigquery_shop.tables() == ["orders"], "nothing is published, and nothing is left"


def test_earlier_results_are_shown(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source, to = bigquery_shop.create_table(), ("--to", bigquery_shop.destination)
    for as_of in ("2024-02-28", "2024-03-01"):
        assert rfm("run", source, *to, "--as-of", as_of).code == 0
    explanation = rfm("explain", "bob", source, *to, "--json").json
    assert [past["as_of"] for past in explanation["history"]] == ["2024-02-28", "2024-03-01"]
    assert (explanation["published"], explanation["differences"]) == (explanation["history"][-1], [])
    tables = ["orders", "rfm_segments", "rfm_segments_history", "rfm_segments_runs"]
    assert bigquery_shop.tables() == tables


def test_the_source_is_read_exactly_twice(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.create_table()
    assert rfm("explain", "bob", source, "--to", bigquery_shop.destination).code == 0
    assert len([sql for sql in proxy.statements if bigquery_shop.name("orders") in sql]) == 2


def test_a_local_file_is_loaded_and_removed(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    ended = rfm("explain", "bob", "orders.csv", "--to", bigquery_shop.destination, "--json")
    assert ended.code == 0, ended.stderr
    assert without_engine(ended.json) == without_engine(rfm("explain", "bob", "orders.csv", "--json").json)
    assert bigquery_shop.tables() == []


def test_the_cost_limit_applies_to_both_queries_together(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    arguments = ("explain", "bob", bigquery_shop.create_table(), "--to", bigquery_shop.destination)
    proxy.bytes_processed = 2**30
    sentence, hint = refused(rfm(*arguments, "--max-bytes", "1.5 GiB"), code=6)
    assert sentence == "Explaining would read 2 GiB in two queries, and the limit is 1.5 GiB."
    assert "--max-bytes '2.2 GiB'" in hint
    assert proxy.statements == [], "nothing ran"
    assert rfm(*arguments, "--max-bytes", "2.2 GiB").code == 0


@pytest.mark.parametrize("customer", ["O'Brien", "back\\slash'", "a`b", 'x" OR 1=1 --', "zoë 😀"])
def test_ids_are_quoted_in_sql(customer: str, bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    literal = customer.replace("\\", "\\\\").replace("'", "\\'")
    select = f"SELECT '{literal}' AS customer_id, DATE '2024-01-01' AS order_date, 5 AS amount"
    source, to = bigquery_shop.create_table("odd", select), ("--to", bigquery_shop.destination, "--json")
    assert rfm("explain", customer, source, *to).json["customer_id"] == customer
    sentence, hint = refused(rfm("explain", f"{customer}?", source, *to))
    assert sentence.startswith(f"There is no customer '{customer}?' in ")
    assert hint.startswith("1 customer has a similar id, which a terminal shows")
