"""A query as the source, and the check for another source, on BigQuery (the emulator)."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.bigquery_shop import Shop
from support.cli import Rfm
from support.orders import refused

pytestmark = [pytest.mark.xdist_group("bigquery"), pytest.mark.usefixtures("proxy")]

QUERY = """\
-- One row per line of an order.
SELECT l.customer_id, l.order_id, l.order_date, l.quantity, p.price AS unit_price
FROM {lines} AS l
JOIN {prices} AS p USING (sku);
"""


def create_tables(shop: Shop, first: int = 0) -> None:
    """Create the lines of 40 customers, who are numbered from `first`, and a price list."""
    shop.execute(
        f"CREATE OR REPLACE TABLE {shop.name('lines')} AS"
        " SELECT CONCAT('c', CAST(number AS STRING)) AS customer_id,"
        " CONCAT('o', CAST(number AS STRING)) AS order_id, DATE '2024-01-01' AS order_date, 'A' AS sku,"
        f" 2 AS quantity FROM UNNEST(GENERATE_ARRAY({first}, {first + 39})) AS number"
    )
    shop.execute(
        f"CREATE OR REPLACE TABLE {shop.name('prices')} AS SELECT 'A' AS sku, NUMERIC '2.50' AS price"
    )


@pytest.fixture
def query(bigquery_shop: Shop, tmp_path: Path) -> Path:
    create_tables(bigquery_shop)
    path = tmp_path / "lines.sql"
    names = {name: bigquery_shop.name(name) for name in ("lines", "prices")}
    path.write_text(QUERY.format(**names), encoding="utf-8")
    return path


def test_a_query_runs_in_bigquery(rfm: Rfm, bigquery_shop: Shop, query: Path) -> None:
    plan = rfm("check", query, "--to", bigquery_shop.destination, "--json").json
    assert (plan["source"], plan["engine"]) == ("lines.sql", "bigquery")
    assert plan["cost"]["bytes_processed"] >= 0
    result = rfm("run", query, "--to", bigquery_shop.destination, "--json").json
    assert (result["customers"], result["orders"], result["revenue"]) == (40, 40, "200.00")
    assert len(bigquery_shop.published_rows()) == 40


def test_errors_of_a_query_name_the_line_of_the_file(rfm: Rfm, bigquery_shop: Shop, query: Path) -> None:
    good = query.read_text(encoding="utf-8")
    query.write_text(good.replace("p.price", "p.prize"), encoding="utf-8")
    sentence, hint = refused(rfm("run", query, "--to", bigquery_shop.destination), code=2)
    assert sentence.startswith("lines.sql")
    assert "prize" in sentence
    assert "BigQuery" in hint
    query.write_text(f"{good}DROP TABLE {bigquery_shop.name('lines')}", encoding="utf-8")
    sentence, _ = refused(rfm("run", query, "--to", bigquery_shop.destination), code=2)
    assert sentence == "lines.sql, line 5: there is a second statement."


def test_another_source_is_refused_unless_it_is_meant_to_replace(
    rfm: Rfm, bigquery_shop: Shop, query: Path
) -> None:
    assert rfm("run", query, "--to", bigquery_shop.destination, "-q").code == 0
    create_tables(bigquery_shop, first=37)
    before, tables = bigquery_shop.published_rows(), bigquery_shop.tables()
    arguments = ("run", query, "--to", bigquery_shop.destination, "--json")
    sentence, _ = refused(rfm(*arguments), code=2)
    assert sentence.endswith("of the 40 customers of the current result, 3 occur in this source.")
    assert (bigquery_shop.published_rows(), bigquery_shop.tables()) == (before, tables)
    table = bigquery_shop.source("lines")
    sentence, _ = refused(
        rfm("run", table, "--to", bigquery_shop.destination, "--amount", "quantity"), code=2
    )
    assert "it was read from an SQL query, and now from a BigQuery table; " in sentence
    result = rfm(*arguments, "--replace-source").json
    assert result["customers"] == 40
    assert {audit["status"] for audit in result["audits"] if audit["name"] == "customers_dropped"} == {
        "not_compared"
    }
