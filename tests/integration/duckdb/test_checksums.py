"""Checksums of the history: edits of any column are found, and results without a checksum are still used."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.checksums import checksums_sql
from rfm_pipeline.sql.dialects.registry import dialect_of
from support.cli import Rfm
from support.orders import refused
from support.shops import current, day, history, remove_checksums, write_orders

EDITS = {"text": "{} || 'x'", "date": "{} + 1", "integer": "{} + 1", "small": "{} + 1", "money": "{} + 1e-9"}
ROWS = """\
SELECT
  'c' || n AS customer_id, (n % 9)::INTEGER AS recency_days, n AS frequency,
  CASE WHEN n = 7 THEN 12345678901234567890.5 ELSE n * 1.25 END::DECIMAL(38, 9) AS monetary,
  (n / 3)::DECIMAL(38, 9) AS avg_order_value,
  DATE '2024-01-01' + n::INTEGER AS first_order_date, DATE '2024-06-01' + n::INTEGER AS last_order_date,
  (n % 4)::INTEGER AS r_score, (n % 3)::INTEGER AS f_score, (n % 2)::INTEGER AS m_score, '123' AS rfm_score,
  CASE WHEN n % 2 = 0 THEN 'Lost' ELSE 'Loyal' END AS segment,
  CASE WHEN n % 3 = 0 THEN 'Lost' END AS previous_segment,
  DATE '2024-06-01' AS segment_since, DATE '2024-07-01' AS as_of_date, 'run' AS run_id
FROM range(1, 41) AS numbers(n)"""


def checksum(connection: duckdb.DuckDBPyConnection, rows: str) -> object:
    (row,) = connection.execute(checksums_sql(f"({rows}) AS edited", dialect_of("duckdb"))).fetchall()
    return row[1:]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@pytest.mark.parametrize("column", [column for column in RESULT_COLUMNS if column != "as_of_date"])
def test_an_edit_of_any_column_of_any_row_changes_the_checksum(
    column: str, connection: duckdb.DuckDBPyConnection
) -> None:
    before = checksum(connection, ROWS)
    edit = EDITS[RESULT_COLUMNS[column].holds].format(column)
    edit = f"COALESCE({edit}, '')" if column == "previous_segment" else edit
    for number in (1, 7, 39):
        for value in (edit, "NULL"):
            edited = (
                f"SELECT * REPLACE (CASE WHEN customer_id = 'c{number}' THEN {value} ELSE {column} END"
                f" AS {column}) FROM ({ROWS})"
            )
            is_same = value == "NULL" and column == "previous_segment" and number % 3
            assert (checksum(connection, edited) == before) == bool(is_same), (number, value)


@pytest.mark.parametrize("column", [column for column in RESULT_COLUMNS if column != "as_of_date"])
def test_an_exchange_of_two_customers_values_changes_the_checksum(
    column: str, connection: duckdb.DuckDBPyConnection
) -> None:
    exchanged = (
        f"SELECT a.* REPLACE (b.{column} AS {column}) FROM ({ROWS}) AS a JOIN ({ROWS}) AS b ON"
        " b.customer_id = CASE a.customer_id WHEN 'c3' THEN 'c4' WHEN 'c4' THEN 'c3' ELSE a.customer_id END"
    )
    is_equal_in_both = column in {"rfm_score", "segment_since", "run_id"}
    assert (checksum(connection, exchanged) == checksum(connection, ROWS)) == is_equal_in_both


def test_the_checksum_depends_on_each_row_but_not_on_their_order(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    before = checksum(connection, ROWS)
    assert checksum(connection, f"FROM ({ROWS}) ORDER BY customer_id DESC") == before
    assert checksum(connection, f"FROM ({ROWS}) WHERE customer_id <> 'c9'") != before
    twice = f"FROM ({ROWS}) UNION ALL FROM ({ROWS}) WHERE customer_id = 'c9'"
    assert checksum(connection, twice) != before
    assert checksum(connection, f"{twice} UNION ALL FROM ({ROWS}) WHERE customer_id = 'c9'") != before


def test_extreme_values_have_a_checksum(connection: duckdb.DuckDBPyConnection) -> None:
    extreme = (
        "SELECT * REPLACE (2147483647 AS recency_days, 9223372036854775807 AS frequency,"
        " 99999999999999999999999999999::DECIMAL(38, 9) AS monetary, DATE '-infinity' AS first_order_date,"
        f" DATE 'infinity' AS last_order_date, 2147483647 AS r_score) FROM ({ROWS})"
    )
    assert checksum(connection, extreme) != checksum(connection, ROWS)


@pytest.fixture
def published(tmp_path: Path, rfm: Rfm) -> Path:
    """A destination with results as of two days."""
    write_orders(tmp_path)
    for number in (10, 20):
        assert rfm("run", "orders.csv", "--as-of", day(number)).code == 0
    return tmp_path / "rfm.duckdb"


def edit(file: Path, assignment: str) -> None:
    with closing(duckdb.connect(str(file))) as connection:
        connection.execute(
            f"UPDATE rfm_segments_rows SET {assignment} WHERE as_of_date = '{day(10)}' AND customer_id ="
            f" (SELECT MIN(customer_id) FROM rfm_segments_rows WHERE as_of_date = '{day(10)}')"
        )


@pytest.mark.slow
def test_edited_rows_are_neither_restored_nor_compared_nor_left_by_a_backfill(
    published: Path, rfm: Rfm
) -> None:
    expected = history(published)
    edit(published, "segment = 'Champions of the World', monetary = monetary + 100")
    restored = refused(rfm("rollback"))
    assert restored == refused(rfm("transitions")) == refused(rfm("movers"))
    assert restored == refused(rfm("export", "--moved", "* -> *", "-o", "moved.csv"))
    sentence, hint = restored
    assert sentence.startswith("The checksum of the history's ")
    assert f" rows as of {day(10)} is not that of the run " in sentence
    assert hint == f"compute them again: rfm run --as-of {day(10)}."
    backfilled = rfm("backfill", "orders.csv", "--from", day(10), "--until", day(10), "--json")
    assert backfilled.code == 0, backfilled.stderr
    assert backfilled.json["published"]
    assert history(published) == expected
    assert rfm("transitions").code == 0
    assert rfm("rollback").code == 0


@pytest.mark.slow
def test_results_without_a_checksum_are_used_and_said_to_have_none(published: Path, rfm: Rfm) -> None:
    with closing(duckdb.connect(str(published))) as connection:
        remove_checksums(connection)
    transitions = rfm("transitions")
    assert f"No checksum: an earlier version of rfm published {day(10)} and {day(20)}." in transitions.stdout
    assert rfm("transitions", "--json").json["unchecked"] == [day(10), day(20)]
    assert rfm("movers", "--json").json["unchecked"] == [day(10), day(20)]
    edit(published, "segment = 'Champions of the World'")
    restored = rfm("rollback")
    assert restored.code == 0
    assert "No checksum: an earlier version of rfm published this result." in restored.stdout
    assert "Champions of the World" in {row["segment"] for row in current(published)}


@pytest.mark.slow
def test_the_report_of_a_run_says_which_dates_were_edited(published: Path, rfm: Rfm) -> None:
    edit(published, "monetary = monetary + 100")
    run = ("run", "orders.csv", "--as-of", day(30), "--report", "report.html", "--json")
    ended, page = rfm(*run), published.with_name("report.html")
    assert ended.code == 0, ended.stderr
    (sentence,) = ended.json["warnings"]
    assert f"shows rows that were edited: those as of {day(10)} are not what the runs published" in sentence
    assert sentence in " ".join(ended.stderr.split())
    assert f"The rows as of {day(10)} are not those that the runs published." in page.read_text("utf-8")
    assert rfm("run", "orders.csv", "--as-of", day(10), "-q").code == 0
    ended = rfm(*run)
    assert (ended.json["warnings"], "Edited rows" in page.read_text("utf-8")) == ([], False)
