"""`rfm explain` of a table of BigQuery: what it says of the same lines on DuckDB, within the limit."""

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
    "as it is": (),
    "net, in a moving window": ("--returns", "net", "--window", "60 days"),
    "as of a date, each line an order": ("--as-of", "2024-02-28", "--order-id", "none"),
}


def alike(found: dict[str, Any]) -> dict[str, Any]:
    """An explanation without what tells the engine."""
    return {name: value for name, value in found.items() if name not in {"engine", "source"}}


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_explanation_is_that_of_duckdb(
    question: str, bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    source, asked = bigquery_shop.make(), QUESTIONS[question]
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for customer in ("007", "bob", "cyd"):
        there = rfm("explain", customer, source, "--to", bigquery_shop.destination, *asked, "--json")
        here = rfm("explain", customer, "orders.csv", *asked, "--json")
        assert (there.code, here.code) == (0, 0), there.stderr
        assert alike(there.json) == alike(here.json)
        assert there.json["engine"] == "bigquery"
    assert bigquery_shop.tables() == ["orders"], "nothing is published, and nothing is left"


def test_earlier_results_are_told(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source, to = bigquery_shop.make(), ("--to", bigquery_shop.destination)
    for as_of in ("2024-02-28", "2024-03-01"):
        assert rfm("run", source, *to, "--as-of", as_of).code == 0
    found = rfm("explain", "bob", source, *to, "--json").json
    assert [past["as_of"] for past in found["history"]] == ["2024-02-28", "2024-03-01"]
    assert (found["published"], found["differences"]) == (found["history"][-1], [])
    tables = ["orders", "rfm_segments", "rfm_segments_history", "rfm_segments_runs"]
    assert bigquery_shop.tables() == tables


def test_the_source_is_read_twice_and_no_more(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    source = bigquery_shop.make()
    assert rfm("explain", "bob", source, "--to", bigquery_shop.destination).code == 0
    assert len([sql for sql in proxy.statements if bigquery_shop.name("orders") in sql]) == 2


def test_a_file_is_loaded_for_it(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    ended = rfm("explain", "bob", "orders.csv", "--to", bigquery_shop.destination, "--json")
    assert ended.code == 0, ended.stderr
    assert alike(ended.json) == alike(rfm("explain", "bob", "orders.csv", "--json").json)
    assert bigquery_shop.tables() == []


def test_both_readings_together_stay_below_the_limit(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    asked = ("explain", "bob", bigquery_shop.make(), "--to", bigquery_shop.destination)
    proxy.bytes_processed = 2**30
    sentence, hint = refused(rfm(*asked, "--max-bytes", "1.5 GiB"), code=6)
    assert sentence == "Explaining would read 2 GiB in two queries, and the limit is 1.5 GiB."
    assert "--max-bytes '2.2 GiB'" in hint
    assert proxy.statements == [], "nothing ran"
    assert rfm(*asked, "--max-bytes", "2.2 GiB").code == 0


@pytest.mark.parametrize("customer", ["O'Brien", "back\\slash'", "a`b", 'x" OR 1=1 --', "zoë 😀"])
def test_an_id_is_text_and_nothing_else(customer: str, bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    literal = customer.replace("\\", "\\\\").replace("'", "\\'")
    select = f"SELECT '{literal}' AS customer_id, DATE '2024-01-01' AS order_date, 5 AS amount"
    source, to = bigquery_shop.make("odd", select), ("--to", bigquery_shop.destination, "--json")
    assert rfm("explain", customer, source, *to).json["customer_id"] == customer
    sentence, hint = refused(rfm("explain", f"{customer}?", source, *to))
    assert sentence.startswith(f"There is no customer '{customer}?' in ")
    assert hint.startswith(f"did you mean '{customer}'?")
