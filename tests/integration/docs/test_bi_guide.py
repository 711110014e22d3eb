"""Each query of the guides on dashboards and history runs on its engines, which give equal results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from rfm_pipeline.config.presets import load_preset
from rfm_pipeline.results.tables import RESULT_COLUMNS, RUN_COLUMNS, PublishedColumn
from support.cli import Rfm
from support.googlesql_engine import googlesql
from support.markdown import blocks
from support.orders import EXPECTED_ROWS, ORDERS
from support.paths import ROOT
from support.report_shop import write_orders

if TYPE_CHECKING:
    from support.googlesql import Columns

DOCS = ROOT / "docs"
PAGE = (DOCS / "guides" / "bi.md").read_text(encoding="utf-8")
HISTORY = (DOCS / "guides" / "history.md").read_text(encoding="utf-8")
QUERIES = [block.strip() for page in (PAGE, HISTORY) for block in blocks("sql", page)]

IN_DUCKDB = {
    "text": "VARCHAR", "integer": "BIGINT", "small": "INTEGER", "money": "DECIMAL(38, 9)", "date": "DATE",
    "instant": "TIMESTAMP",
}  # fmt: skip
IN_BIGQUERY = {
    "text": "STRING", "integer": "INT64", "small": "INT64", "money": "NUMERIC", "date": "DATE",
    "instant": "TIMESTAMP",
}  # fmt: skip
TABLES = {
    "rfm_segments": RESULT_COLUMNS,
    "rfm_segments_history": RESULT_COLUMNS,
    "rfm_segments_runs": RUN_COLUMNS,
}

Rows = list[dict[str, Any]]
SEGMENTS = ("Loyal Customers", "Needs Attention", "Champions", "About to Sleep", "At-Risk", "Lost")
DATES = (date(2025, 10, 31), date(2025, 11, 30), date(2025, 12, 31), date(2026, 1, 31), date(2026, 2, 28))
WITHDRAWN = DATES[3]
"""As-of date that was published, and rolled back before the last date was published."""


def result(as_of: date) -> Rows:
    """Return 40 customers at the first date, and ten more at each later one; some change their segment."""
    index = DATES.index(as_of)
    rows = []
    for number in range(40 + 10 * index):
        segment, previous = (SEGMENTS[(number + number % 3 * step) % 6] for step in (index, index - 1))
        is_new = index == 0 or number >= 30 + 10 * index
        rows.append(
            {
                "customer_id": f"C{number:03}",
                "recency_days": 3 * number,
                "frequency": 1 + number % 7,
                "monetary": Decimal(number * 1234 + 567) / 100,
                "avg_order_value": Decimal("1.5"),
                "first_order_date": as_of - timedelta(days=400),
                "last_order_date": as_of - timedelta(days=3 * number),
                "r_score": 1 + number % 4,
                "f_score": 1 + number % 3,
                "m_score": 1 + number % 2,
                "rfm_score": "111",
                "segment": segment,
                "previous_segment": None if is_new else previous,
                "segment_since": as_of,
                "as_of_date": as_of,
                "run_id": f"run-{index}",
            }
        )
    return rows


def runs() -> Rows:
    """Return the runs: one per date, a failed one, and the rollback of `WITHDRAWN`."""
    rows = []
    for index, as_of in enumerate(DATES):
        started = datetime(as_of.year, as_of.month, as_of.day, 5, 30, tzinfo=UTC)
        excluded = [
            {"reason": "missing_customer", "lines": 7 + index, "amount": "12.340000000"},
            {"reason": "invalid_amount", "lines": 2, "amount": None},
        ]
        row = dict.fromkeys(RUN_COLUMNS) | {
            "run_id": f"run-{index}",
            "kind": "run",
            "status": "published",
            "started_at": started,
            "finished_at": started + timedelta(seconds=90 + index),
            "as_of_date": as_of,
            "rows_read": 1000 + index,
            "rows_kept": 991,
            "customers": 40 + 10 * index,
            "revenue": Decimal("1234.5") * (index + 1),
            "exclusions": json.dumps(excluded),
            "bytes_processed": 10**6,
            "bytes_billed": 10**7,
        }
        rows.append(row)
    failed = dict.fromkeys(RUN_COLUMNS) | {
        "run_id": "run-9",
        "kind": "run",
        "status": "failed",
        "started_at": datetime(2026, 2, 1, 5, 30, tzinfo=UTC),
        "finished_at": datetime(2026, 2, 1, 5, 31, tzinfo=UTC),
        "error": "The source has no lines.",
    }
    rollback = rows[2] | {
        "run_id": "run-back",
        "kind": "rollback",
        "finished_at": datetime(2026, 2, 2, 9, 0, tzinfo=UTC),
        "restored_run_id": "run-2",
    }
    return [*rows, failed, rollback]


ROWS = {
    "rfm_segments": result(DATES[-1]),
    "rfm_segments_history": [row for as_of in DATES for row in result(as_of)],
    "rfm_segments_runs": runs(),
}


@pytest.fixture(scope="module")
def destination(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB file with the three tables, attached as in the guide."""
    file = tmp_path_factory.mktemp("bi") / "rfm.duckdb"
    with duckdb.connect(str(file)) as connection:
        for name, columns in TABLES.items():
            types = ", ".join(
                f"{column} {IN_DUCKDB[published.holds]}" for column, published in columns.items()
            )
            connection.execute(f"CREATE TABLE {name} ({types})")
            marks = ", ".join("?" for _ in columns)
            values = [[_naive(row[column]) for column in columns] for row in ROWS[name]]
            connection.executemany(f"INSERT INTO {name} VALUES ({marks})", values)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{file}' AS marketing (READ_ONLY)")
        yield connection


def _naive(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def engines(query: str) -> set[str]:
    """Return the engines of a query: the one that its first comment names, or both."""
    comment = re.match(r"-- (BigQuery|DuckDB)\n", query)
    return {comment[1]} if comment else {"BigQuery", "DuckDB"}


def on_duckdb(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def on_bigquery(query: str) -> list[dict[str, Any]]:
    def columns(published: dict[str, PublishedColumn]) -> Columns:
        return {name: IN_BIGQUERY[column.holds] for name, column in published.items()}

    tables = {f"marketing.{name}": columns(dict(published)) for name, published in TABLES.items()}
    rows = {f"marketing.{name}": table for name, table in ROWS.items()}
    return googlesql().execute(query.rstrip(";"), tables, rows)


def comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with rounded floats as numbers, and times without a zone."""

    def plain(value: Any) -> Any:
        if isinstance(value, Decimal | float):
            return round(float(value), 6)
        return _naive(value)

    return [{name: plain(value) for name, value in row.items()} for row in rows]


def test_the_guide_has_queries_on_every_table() -> None:
    assert len(QUERIES) >= 12
    assert {"BigQuery"} in map(engines, QUERIES)
    text = " ".join(QUERIES)
    for table in TABLES:
        assert f"marketing.{table}" in text


def test_the_guide_describes_every_column_of_the_result() -> None:
    described = set(
        re.findall(r"`([a-z_]+)`", PAGE.partition("| column | meaning |")[2].partition("\n\n")[0])
    )
    assert described == set(RESULT_COLUMNS)


@pytest.mark.slow
@pytest.mark.parametrize("query", [query for query in QUERIES if "DuckDB" in engines(query)])
def test_a_query_returns_rows_on_duckdb(destination: duckdb.DuckDBPyConnection, query: str) -> None:
    assert on_duckdb(destination, query)


@pytest.mark.slow
@pytest.mark.xdist_group("googlesql")
@pytest.mark.parametrize("query", [query for query in QUERIES if engines(query) == {"BigQuery", "DuckDB"}])
def test_a_query_for_both_engines_gives_equal_results(
    destination: duckdb.DuckDBPyConnection, query: str
) -> None:
    assert comparable(on_bigquery(query)) == comparable(on_duckdb(destination, query))


@pytest.mark.slow
@pytest.mark.xdist_group("googlesql")
def test_the_two_variants_of_a_query_give_equal_results(destination: duckdb.DuckDBPyConnection) -> None:
    bigquery_queries = [query for query in QUERIES if engines(query) == {"BigQuery"}]
    duckdb_queries = [query for query in QUERIES if engines(query) == {"DuckDB"}]
    assert len(bigquery_queries) == len(duckdb_queries) >= 2
    for bigquery, duckdb_query in zip(bigquery_queries, duckdb_queries, strict=True):
        assert comparable(on_bigquery(bigquery)) == comparable(on_duckdb(destination, duckdb_query))


@pytest.mark.slow
def test_the_revenue_at_risk_is_that_of_a_run(rfm: Rfm, tmp_path: Path) -> None:
    write_orders(tmp_path / "orders.csv")
    at_risk = rfm("run", "orders.csv", "--json").json["at_risk"]
    (query,) = (query for query in QUERIES if "at_risk" in query and engines(query) == {"DuckDB"})
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{tmp_path / 'rfm.duckdb'}' AS marketing (READ_ONLY)")
        rows = on_duckdb(connection, query)
    assert len(rows) > 1
    assert sum(row["customers"] for row in rows) == at_risk["customers"]
    assert sum(row["revenue_at_risk"] for row in rows) == Decimal(at_risk["revenue"])


def test_trends_leave_out_dates_that_were_rolled_back(destination: duckdb.DuckDBPyConnection) -> None:
    trends = [query for query in QUERIES if "AS last_rollback ON TRUE" in query and "- 7" not in query]
    assert trends
    for query in trends:
        dates = {row["as_of_date"] for row in on_duckdb(destination, query)}
        # Retention has no rows at the first date.
        assert dates | {DATES[0]} == {*DATES} - {WITHDRAWN}


def test_customers_lost_at_a_date_that_was_rolled_back_are_left_out() -> None:
    (lost,) = (query for query in QUERIES if "- 7" in query)
    active, withdrawn = date(2026, 3, 1), date(2026, 3, 2)
    runs = (("run-1", "run", active), ("run-2", "run", withdrawn), ("run-3", "rollback", active))
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA marketing")
        for name, columns in TABLES.items():
            types = ", ".join(
                f"{column} {IN_DUCKDB[published.holds]}" for column, published in columns.items()
            )
            connection.execute(f"CREATE TABLE marketing.{name} ({types})")
        connection.execute("INSERT INTO marketing.rfm_segments (as_of_date) VALUES (?)", [active])
        for customer, run_id, day in (("ann", "run-1", active), ("bob", "run-2", withdrawn)):
            connection.execute(
                "INSERT INTO marketing.rfm_segments_history"
                " (customer_id, previous_segment, segment, as_of_date, run_id)"
                " VALUES (?, 'Champions', 'At-Risk', ?, ?)",
                [customer, day, run_id],
            )
        for hour, (run_id, kind, day) in enumerate(runs):
            connection.execute(
                "INSERT INTO marketing.rfm_segments_runs (run_id, kind, status, as_of_date, finished_at)"
                " VALUES (?, ?, 'published', ?, ?)",
                [run_id, kind, day, _naive(datetime(2026, 3, 3, hour, tzinfo=UTC))],
            )
        assert [row["customer_id"] for row in on_duckdb(connection, lost)] == ["ann"]


def test_the_segments_that_the_guide_names_are_those_of_the_preset() -> None:
    named = {
        name for names in re.findall(r"IN \(('[^)]+)\)", PAGE) for name in re.findall(r"'([^']+)'", names)
    }
    segments = {rule["segment"] for rule in load_preset("classic")["segments"]["rules"]}
    assert named
    assert named <= segments


def test_the_figures_of_the_segments_add_up(destination: duckdb.DuckDBPyConnection) -> None:
    (headline,) = (on_duckdb(destination, query) for query in QUERIES if "revenue_per_order" in query)
    (segments,) = (on_duckdb(destination, query) for query in QUERIES if "customers_percent" in query)
    assert sum(row["customers"] for row in segments) == headline[0]["customers"] == len(ROWS["rfm_segments"])
    assert sum(row["revenue"] for row in segments) == headline[0]["revenue"]


@pytest.mark.slow
def test_the_queries_run_on_published_tables(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for as_of in ("2024-01-31", "2024-03-01"):
        assert rfm("run", "orders.csv", "--as-of", as_of, "--quiet").code == 0
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{tmp_path}/rfm.duckdb' AS marketing (READ_ONLY)")
        results = {query: on_duckdb(connection, query) for query in QUERIES if "DuckDB" in engines(query)}
    (headline,) = (rows for query, rows in results.items() if "revenue_per_order" in query)
    assert (headline[0]["as_of_date"], headline[0]["customers"]) == (date(2024, 3, 1), len(EXPECTED_ROWS))
    (excluded,) = (rows for query, rows in results.items() if "rows_excluded" in query)
    assert ("missing_customer", 1) in {(row["reason"], row["rows_excluded"]) for row in excluded}
    (health,) = (rows for query, rows in results.items() if "kept_percent" in query)
    assert [row["status"] for row in health] == ["published", "published"]
