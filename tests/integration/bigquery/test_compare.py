"""`rfm compare` with BigQuery: equal to DuckDB, to the last digit, on either side and on both."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from support.bigquery_proxy import Proxy
from support.bigquery_shop import Shop
from support.cli import Rfm
from support.orders import ORDERS, refused

pytestmark = pytest.mark.xdist_group("bigquery")

OLD = (
    "SELECT customer_id AS client_id, UPPER(segment) AS grp, CAST(monetary AS FLOAT64) AS ltv,"
    " 9 AS r_score, m_score"
)


def figures(result: dict[str, Any]) -> dict[str, Any]:
    """Return a comparison without the keys that differ between engines."""
    sides = {side: {**result[side], "name": ""} for side in ("a", "b")}
    return {**result, **sides, "engine": "", "notes": []}


def test_tables_of_both_engines_are_compared_to_the_last_digit(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    shop, source = bigquery_shop, bigquery_shop.create_table()
    for arguments in ((source, "--to", shop.destination), ("orders.csv",)):
        ended = rfm("run", *arguments, "-q", "--as-of", "2024-03-01")
        assert ended.code == 0, ended
    # One side on each engine: the destinations are equal.
    ended = rfm("compare", "duckdb:rfm.duckdb", shop.destination, "--json")
    assert ended.code == 0, ended
    assert ended.json["engine"] == "duckdb"
    assert ended.json["equal"] is True, ended.json["columns"]
    assert len(ended.json["columns"]) == 14
    # Both sides in BigQuery: the table of another pipeline is compared there.
    old = shop.create_table("old", f"{OLD} FROM {shop.name('rfm_segments')}")
    before = len(proxy.statements)
    asked = ("--segment", "grp", "--monetary", "ltv")
    there = rfm("compare", shop.destination, old, *asked, "--json")
    assert there.code == 0, there
    assert there.json["engine"] == "bigquery"
    assert len([sql for sql in proxy.statements[before:] if shop.name("old") in sql]) == 2, (
        "checked, compared"
    )
    here = rfm("compare", "duckdb:rfm.duckdb", old, *asked, "--json")
    assert figures(there.json) == figures(here.json)
    assert there.json["columns"] == {"segment": 0, "monetary": 0, "r_score": 4, "m_score": 0}
    assert there.json["agreement"]["kappa"] == 1
    listed = [
        rfm("compare", side, old, *asked, "--customers", "r_score", "--csv").stdout
        for side in (shop.destination, "duckdb:rfm.duckdb")
    ]
    rows = list(csv.DictReader(io.StringIO(listed[0])))
    assert listed[0] == listed[1]
    assert len(rows) == 4
    assert {row["r_score_b"] for row in rows} == {"9"}
    tables = ["old", "orders", "rfm_segments", "rfm_segments_history", "rfm_segments_runs"]
    assert shop.tables() == tables, "nothing is left"


def test_two_configurations_of_a_table_in_bigquery_equal_those_on_duckdb(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    source = bigquery_shop.create_table()
    asked = ("--with", "preset=grid", "--as-of", "2024-03-01", "--json")
    on_bigquery = rfm("compare", source, "--to", bigquery_shop.destination, *asked)
    on_duckdb = rfm("compare", "orders.csv", *asked)
    assert (on_bigquery.code, on_duckdb.code) == (0, 0), on_bigquery.stderr + on_duckdb.stderr
    assert on_bigquery.json["engine"] == "bigquery"
    assert figures(on_bigquery.json) == figures(on_duckdb.json)
    assert bigquery_shop.tables() == ["orders"], "nothing is published, and nothing is left"
    assert len([sql for sql in proxy.statements if bigquery_shop.name("orders") in sql]) == 1, "read once"


@pytest.mark.usefixtures("proxy")
def test_a_dataset_without_a_result_is_refused(bigquery_shop: Shop, rfm: Rfm) -> None:
    sentence, hint = refused(rfm("compare", bigquery_shop.destination, "old.csv"))
    assert sentence == f"There is no result of rfm at {bigquery_shop.destination}."
    assert hint.startswith("`rfm run` publishes one")
