"""The queries of the guide run on small tables, and its commands are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rfm_pipeline.sql.validation.source_query import validate_source_query
from support.cli import Rfm
from support.markdown import blocks
from support.paths import ROOT

PAGE = (ROOT / "docs" / "guides" / "queries.md").read_text(encoding="utf-8")
QUERIES = {block.partition("\n")[0].removeprefix("-- "): block for block in blocks("sql", PAGE)}

LINES = """\
customer_id,order_id,order_date,sku,quantity
c1,1,2024-01-01,A,2
c1,1,2024-01-01,B,1
c2,2,2024-01-07,A,4
c2,3,2024-01-08,unknown,1
"""
SALES = """\
customer_id,order_id,order_date,amount
c1,1,2024-01-01,20.00
c1,1,2024-01-01,5.00
c1,2,2024-01-05,8.00
c2,3,2024-01-07,12.50
"""
RETURNS = "order_id,refund\n1,5.00\n2,8.00\n99,3.00\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, query in QUERIES.items():
        (tmp_path / name).write_text(query, encoding="utf-8")
    return tmp_path


def test_every_query_has_a_file_name() -> None:
    assert list(QUERIES) == ["lines.sql", "sales_and_returns.sql", "olist.sql", "warehouse_lines.sql"]
    named = set(re.findall(r"^rfm (?:run|check) (\S+)", PAGE, re.MULTILINE))
    assert named <= set(QUERIES)


@pytest.mark.slow
def test_lines_are_joined_with_a_price_list(rfm: Rfm, folder: Path) -> None:
    (folder / "lines.csv").write_text(LINES, encoding="utf-8")
    (folder / "prices.csv").write_text("sku,price\nA,2.50\nB,10.00\n", encoding="utf-8")
    result = rfm("run", "lines.sql", "--json").json
    assert (result["customers"], result["orders"], result["revenue"]) == (2, 2, "25.00")
    assert result["rows"]["excluded"] == {"invalid_amount": 1}


@pytest.mark.slow
def test_returns_of_another_sheet_are_subtracted(rfm: Rfm, folder: Path) -> None:
    (folder / "sales.csv").write_text(SALES, encoding="utf-8")
    (folder / "returns.csv").write_text(RETURNS, encoding="utf-8")
    result = rfm("run", "sales_and_returns.sql", "--returns", "net", "--json").json
    assert (result["customers"], result["orders"], result["revenue"]) == (2, 2, "32.50")
    assert result["rows"]["excluded"] == {"missing_customer": 1}


def test_olists_tables_are_joined(rfm: Rfm, folder: Path) -> None:
    (folder / "olist_orders_dataset.csv").write_text(
        "order_id,customer_id,order_status,order_purchase_timestamp\n"
        "o1,k1,delivered,2017-10-02 10:56:33\n"
        "o2,k2,delivered,2018-07-24 20:41:37\n"
        "o3,k3,delivered,2018-08-08 08:38:49\n",
        encoding="utf-8",
    )
    (folder / "olist_customers_dataset.csv").write_text(
        "customer_id,customer_unique_id,customer_city\nk1,u1,sao paulo\nk2,u1,sao paulo\nk3,u2,vianopolis\n",
        encoding="utf-8",
    )
    (folder / "olist_order_items_dataset.csv").write_text(
        "order_id,order_item_id,product_id,price,freight_value\n"
        "o1,1,p1,29.99,8.72\n"
        "o1,2,p1,29.99,8.72\n"
        "o2,1,p2,118.70,22.76\n"
        "o3,1,p3,159.90,19.22\n",
        encoding="utf-8",
    )
    result = rfm("run", "olist.sql", "--json").json
    assert (result["customers"], result["orders"], result["revenue"]) == (2, 3, "338.58")


def test_the_query_for_bigquery_is_accepted() -> None:
    name = "warehouse_lines.sql"
    assert validate_source_query(QUERIES[name], name, "bigquery") == QUERIES[name]
