"""Rows of another engine are loaded into DuckDB with the types of the published tables."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

from rfm_pipeline.common.duckdb_engine import connect_in_memory, fetch_dicts
from rfm_pipeline.warehouse.duckdb.load import create_table_from_pages

ROWS = [
    {"customer_id": "it's 007", "frequency": 2**53 + 1, "monetary": Decimal("0.100000001"), "segment": None},
    {"customer_id": "Ä\n\u2028", "frequency": 1, "monetary": Decimal("9" * 29), "segment": "Lost"},
]


def test_values_of_all_pages_are_exact_and_the_temporary_file_is_removed(tmp_path: Path) -> None:
    pages = [[{**row, "as_of_date": date(2024, 2, 29), "unused": 1}] for row in ROWS]
    columns = (*ROWS[0], "as_of_date")
    with connect_in_memory() as connection:
        create_table_from_pages(connection, "customers", columns, iter(pages), tmp_path)
        rows = fetch_dicts(connection.execute("FROM customers"))
    assert rows == [{**row, "as_of_date": date(2024, 2, 29)} for row in ROWS]
    assert not list(tmp_path.iterdir())


def test_a_table_without_rows_has_the_columns(tmp_path: Path) -> None:
    with connect_in_memory() as connection:
        create_table_from_pages(connection, "customers", ("customer_id", "monetary"), [], tmp_path)
        types = connection.execute("SELECT column_type FROM (DESCRIBE customers)").fetchall()
    assert types == [("VARCHAR",), ("DECIMAL(38,9)",)]
