"""`rfm sql`: the printed query runs unchanged, and names of files can't inject SQL."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from support.cli import Rfm
from support.databases import empty_database
from support.orders import published, refused

ORDERS = "customer_id,order_id,ordered_at,amount\na,1,2025-01-01,5\nb,2,2025-02-01,7.5\n"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("end", ["\n", "\r", "\u2028", "\x85", "\x0b"])
def test_a_line_break_in_a_file_name_does_not_end_a_comment(end: str, shop: Path, rfm: Rfm) -> None:
    (shop / "orders.csv").rename(shop / f"o{end}CREATE TABLE stolen AS SELECT 1; --.csv")
    for dialect in ("duckdb", "bigquery"):
        printed = rfm("sql", "o*.csv", "--dialect", dialect)
        assert printed.code == 0
        header = printed.stdout.partition("\nWITH\n")[0]
        assert all(line.startswith("--") for line in header.splitlines())
        assert "CREATE TABLE stolen" in header


@pytest.mark.slow
def test_the_query_of_a_table_in_a_duckdb_file_runs_in_another_session(shop: Path, rfm: Rfm) -> None:
    with duckdb.connect(shop / "shop's.duckdb") as connection:
        connection.execute("CREATE SCHEMA raw")
        connection.execute("CREATE TABLE raw.\"my orders\" AS FROM 'orders.csv'")
    source = "duckdb:shop's.duckdb#raw.my orders"
    printed = rfm("sql", source)
    assert rfm("run", source, "--quiet").code == 0
    with empty_database() as connection:
        rows = connection.execute(printed.stdout).fetchall()
    columns = (
        "customer_id, recency_days, frequency, monetary, avg_order_value, first_order_date, last_order_date,"
        " r_score, f_score, m_score, rfm_score, segment, as_of_date"
    )
    query = f"SELECT {columns} FROM rfm_segments ORDER BY customer_id"
    assert rows == published(shop / "rfm.duckdb", query)
    assert "ATTACH" not in rfm("sql", source, "--table", "orders").stdout


def test_a_comment_names_the_date_after_which_lines_are_excluded(shop: Path, rfm: Rfm) -> None:
    (comment,) = [line for line in rfm("sql", "orders.csv").stdout.splitlines() if "future: after 20" in line]
    day = comment.split()[3].rstrip(",")
    assert f"order_date > DATE '{day}'" in rfm("sql", "orders.csv").stdout
    assert "future:" not in rfm("sql", "orders.csv", "--as-of", "2025-03-01").stdout


def test_a_comment_says_that_ambiguous_dates_are_excluded(shop: Path, rfm: Rfm) -> None:
    assert "left out as ambiguous_date; a run stops at it" in rfm("sql", "orders.csv").stdout
    with_format = rfm("sql", "orders.csv", "--date-format", "%d/%m/%Y")
    assert "ambiguous" not in with_format.stdout


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["duckdb", "bigquery"])
def test_ntile_is_noted_in_the_query_and_in_the_output(dialect: str, shop: Path, rfm: Rfm) -> None:
    printed = rfm("sql", "orders.csv", "--method", "ntile", "--dialect", dialect).stdout
    assert "NTILE gives equal customers different scores, and is for comparison with older" in printed
    assert ("it sorts all customers on one worker" in printed) == (dialect == "bigquery")
    assert "older pipelines only" in rfm("run", "orders.csv", "--method", "ntile").stdout
    assert "older pipelines" not in rfm("run", "orders.csv").stdout


@pytest.mark.parametrize("table", ["", "a..b", ".a"])
def test_an_invalid_table_name_is_an_error(table: str, shop: Path, rfm: Rfm) -> None:
    sentence, _ = refused(rfm("sql", "orders.csv", "--table", table))
    assert sentence == f"'{table}' is no table."
