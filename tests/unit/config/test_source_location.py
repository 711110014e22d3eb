"""SOURCE is parsed without accessing files, and unsupported locations are rejected with a hint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from rfm_pipeline.config.source_location import (
    BigQueryTable,
    DuckDBTable,
    FileLocation,
    StdinLocation,
    parse_source,
)
from rfm_pipeline.errors import UsageError


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("orders.csv", FileLocation("orders.csv")),
        ("exports/2024*/**/*.parquet", FileLocation("exports/2024*/**/*.parquet")),
        ("C:\\exports\\orders.csv", FileLocation("C:\\exports\\orders.csv")),
        ("C:/exports/orders.csv", FileLocation("C:/exports/orders.csv")),
        ("orders#2.csv", FileLocation("orders#2.csv")),
        ("-", StdinLocation()),
        ("duckdb:shop.duckdb#orders", DuckDBTable(Path("shop.duckdb"), "orders")),
        ("duckdb:shop.duckdb#sales.orders", DuckDBTable(Path("shop.duckdb"), "sales.orders")),
        ("duckdb:shop#1.duckdb#orders", DuckDBTable(Path("shop#1.duckdb"), "orders")),
        ("duckdb:shop.duckdb", DuckDBTable(Path("shop.duckdb"), None)),
        ("bigquery://my-shop.sales.order_lines", BigQueryTable("my-shop", "sales", "order_lines")),
        ("bigquery://example.com:shop.sales.orders", BigQueryTable("example.com:shop", "sales", "orders")),
        ("bigquery://p.d.events_*", BigQueryTable("p", "d", "events_*")),
        ("bigquery://`p.d.t`", BigQueryTable("p", "d", "t")),
        ("bigquery://p.d.Umsätze 2024", BigQueryTable("p", "d", "Umsätze 2024")),
        ("bigquery://p.d.売上-明細", BigQueryTable("p", "d", "売上-明細")),
        ("bigquery://p.d.ve\u0301los", BigQueryTable("p", "d", "ve\u0301los")),
        ("bigquery://p.lake-house.sales.orders", BigQueryTable("p", "lake-house.sales", "orders")),
    ],
)
def test_each_form_of_source_is_recognised(text: str, location: object) -> None:
    parsed = parse_source(text)
    assert str(parsed) == text
    assert replace(parsed, typed="") == location


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    file, table = "~/orders.csv", "duckdb:~/shop.duckdb#orders"
    assert parse_source(file) == FileLocation(str(tmp_path / "orders.csv"), file)
    assert parse_source(table) == DuckDBTable(tmp_path / "shop.duckdb", "orders", table)


@pytest.mark.parametrize(
    "text", ["https://shop.example/orders.csv", "s3://bucket/x.parquet", "GS://bucket/*.csv"]
)
def test_a_network_url_is_rejected_with_two_alternatives(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_source(text)
    assert text in caught.value.message
    assert "download it first" in str(caught.value.hint)
    assert "bigquery://project.dataset.table" in str(caught.value.hint)


def test_a_file_url_is_rejected_with_its_path() -> None:
    with pytest.raises(UsageError) as caught:
        parse_source("file:///exports/orders.csv")
    assert str(caught.value.hint).endswith("/exports/orders.csv")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("bigquery://dataset.table", "bigquery://project.dataset.table"),
        ("bigquery:p.d.t", "bigquery://project.dataset.table"),
        ("bigquery://p.d.t; DROP TABLE x", "bigquery://project.dataset.table"),
        ("duckdb:", "duckdb:FILE#table"),
        ("duckdb:#orders", "duckdb:FILE#table"),
        ("duckdb:shop.duckdb#", "duckdb:FILE#table"),
        ("duckdb://shop.duckdb", "duckdb:FILE#table"),
        ("  ", "a folder"),
    ],
)
def test_a_malformed_source_is_rejected_with_the_valid_form(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_source(text)
    assert hint in str(caught.value.hint)


def test_parsing_a_source_loads_no_engine() -> None:
    program = (
        "import sys; from rfm_pipeline.config.source_location import parse_source; parse_source('x.csv');"
        " sys.exit('duckdb' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("decorator", ["$20240131", "$__NULL__", "@-3600000", "$2024*"])
def test_a_partition_of_a_table_is_refused_with_two_alternatives(decorator: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_source(f"bigquery://p.d.orders{decorator}")
    if not decorator.endswith("*"):
        assert "names a part of the table orders" in caught.value.message
        assert "--since, or a .sql file" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["p.d.a/b", "p.d.a:b", "p.d.a\x00b", "p.d.€", "p.d.", "p.d.a.b.c", "p.d.*a"])
def test_a_name_that_no_table_has_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a BigQuery table"):
        parse_source(f"bigquery://{text}")


def test_a_table_of_a_catalog_has_four_parts() -> None:
    table = parse_source("bigquery://p.lake.sales.orders")
    assert isinstance(table, BigQueryTable)
    assert (table.parts, table.is_in_catalog) == (("p", "lake", "sales", "orders"), True)
