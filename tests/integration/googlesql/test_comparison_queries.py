"""The statements of `rfm compare`: GoogleSQL accepts them, and both engines return the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from rfm_pipeline.common.schema import Column
from rfm_pipeline.sql import comparison_queries as queries
from rfm_pipeline.sql.dialects.registry import dialect_of
from support.databases import empty_database
from support.engines import KINDS, in_order, rows_of
from support.googlesql import GoogleSql

pytestmark = pytest.mark.xdist_group("googlesql")

# An old table with values as text, as floats, or of the published types.
TABLES: Mapping[str, Mapping[str, str]] = {
    "texts": {
        "customer_id": "STRING",
        "segment": "STRING",
        "monetary": "STRING",
        "frequency": "STRING",
        "last_order_date": "STRING",
    },
    "numbers": {
        "customer_id": "FLOAT64",
        "segment": "INT64",
        "monetary": "FLOAT64",
        "frequency": "NUMERIC",
        "last_order_date": "TIMESTAMP",
    },
    "published": {
        "customer_id": "STRING",
        "segment": "STRING",
        "monetary": "NUMERIC",
        "frequency": "INT64",
        "last_order_date": "DATE",
    },
}
NAMES = tuple(TABLES["texts"])
ROWS: Mapping[str, list[tuple[Any, ...]]] = {
    "texts": [
        ("1", "Best", "12.50", "2", "2024-03-01"),
        (" 2 ", " ", "1e3", "1.0", "2024-03-01 10:00:00"),
        ("JANE@example.com", "At Risk", "0.3333", "x", "soon"),
        (None, "Best", "5", "1", "2024-01-01"),
        ("4", None, None, None, None),
    ],
    "numbers": [
        (1.0, 3, 12.5, Decimal(2), datetime(2024, 3, 1, 23, 59, tzinfo=UTC)),
        (2.5, None, 0.1, Decimal("1.5"), None),
        (float("nan"), 1, 1.0, Decimal(1), None),
    ],
    "published": [
        ("1", "Best", Decimal("12.5"), 2, date(2024, 3, 1)),
        ("2", "Lost", Decimal(1000), 1, date(2024, 3, 1)),
        ("jane@example.com", "At-Risk", Decimal("0.3333"), 1, date(2024, 1, 1)),
        ("5", "Best", Decimal("0.000000001"), 1, date(2024, 1, 1)),
    ],
}


def column(table: str, name: str) -> Column:
    kind, declared = KINDS[TABLES[table][name]]
    return Column((name,), kind, declared)


def statements(table: str, engine: str) -> dict[str, str]:
    """Return the statements that compare a table with the published one."""
    dialect = dialect_of(engine)
    sides, checks = [], ""
    for each in (table, "published"):
        values = {name: queries.value_sql(name, column(each, name), dialect, ("iso",), ".") for name in NAMES}
        written = {
            name: column(each, name)
            for name in ("monetary", "frequency", "last_order_date")
            if TABLES[each][name] == "STRING"
        }
        condition = f"customer_id <> {dialect.literal('5')}" if each == "published" else ""
        checks = checks or queries.checks_sql(each, values, written, condition, dialect)
        sides.append(queries.side_sql(each, values, condition, dialect))
    a, b = sides
    renamed = {"At-Risk": "At Risk"}
    return {
        "checks": checks,
        "side": a,
        "pairs": queries.pairs_sql((a, b), ("monetary", "frequency", "last_order_date"), dialect),
        "segment": queries.customers_sql((a, b), "segment", renamed, dialect),
        "plain segment": queries.customers_sql((a, b), "segment", {}, dialect, limit=3),
        "frequency": queries.customers_sql((a, b), "frequency", renamed, dialect),
        "monetary": queries.customers_sql((a, b), "monetary", renamed, dialect, limit=1),
    }


@pytest.mark.parametrize("table", TABLES)
def test_both_engines_return_the_same_rows(table: str) -> None:
    rows = {name: [dict(zip(NAMES, row, strict=True)) for row in ROWS[name]] for name in TABLES}
    with empty_database() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, types in TABLES.items():
            listed = ", ".join(f"{each} {KINDS[kind][1]}" for each, kind in types.items())
            connection.execute(f"CREATE TABLE {name} ({listed})")
            connection.executemany(f"INSERT INTO {name} VALUES (?, ?, ?, ?, ?)", ROWS[name])
        in_duckdb = {
            key: in_order(rows_of(connection.execute(text)))
            for key, text in statements(table, "duckdb").items()
        }
    google, in_googlesql = GoogleSql.load(), {}
    for key, text in statements(table, "bigquery").items():
        google.analyse(text, TABLES)
        in_googlesql[key] = in_order(rows_of(google.execute(text, TABLES, rows)))
    assert in_duckdb == in_googlesql
    assert in_duckdb["pairs"]


def test_values_are_read_from_text_and_unreadable_ones_are_counted() -> None:
    with empty_database() as connection:
        connection.execute("CREATE TABLE published (customer_id VARCHAR)")
        connection.execute(
            "CREATE TABLE texts (customer_id VARCHAR, segment VARCHAR, monetary VARCHAR, frequency VARCHAR,"
            " last_order_date VARCHAR)"
        )
        connection.executemany("INSERT INTO texts VALUES (?, ?, ?, ?, ?)", ROWS["texts"])
        found = statements("texts", "duckdb")
        (checks,) = rows_of(connection.execute(found["checks"]))
        side = {row["customer_id"]: row for row in rows_of(connection.execute(found["side"]))}
    assert checks == {
        "table_rows": 5, "ids": 4, "customers": 4, "segments": 2,
        "unreadable_monetary": 0, "unreadable_frequency": 1, "unreadable_last_order_date": 1,
    }  # fmt: skip
    assert set(side) == {"1", "2", "jane@example.com", "4"}
    assert (side["2"]["segment"], side["2"]["monetary"]) == ("", 1000)
    assert side["2"]["last_order_date"] == date(2024, 3, 1)
    assert side["4"]["monetary"] is None
