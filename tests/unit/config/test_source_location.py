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
