"""A user's audit: what passes the gate reads the result and what stood before; on both engines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from rfm_pipeline.errors import ExpressionError
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.audit_queries import audit_sql, failing_rows_sql
from rfm_pipeline.sql.dialects.registry import DIALECTS, dialect_of
from rfm_pipeline.warehouse.bigquery.schema import COLUMN_TYPES
from support.databases import empty_database
from support.googlesql_engine import googlesql

if TYPE_CHECKING:
    from support.googlesql import Columns

pytestmark = pytest.mark.xdist_group("googlesql")

RESULT: Columns = {name: COLUMN_TYPES[column.holds] for name, column in RESULT_COLUMNS.items()}
SECRET: Columns = {"password": "STRING"}

VALID = [
    "SELECT * FROM segments",
    "select customer_id, monetary from segments where monetary > 1000000",
    "SELECT * FROM segments;",
    "SELECT segment, COUNT(*) FROM segments GROUP BY segment HAVING COUNT(*) > 3",
    "SELECT COUNT(*) AS customers FROM SEGMENTS HAVING COUNT(*) < 100",
    "SELECT s.customer_id, p.segment AS before FROM segments AS s JOIN previous AS p USING (customer_id)",
    "SELECT customer_id FROM previous EXCEPT DISTINCT SELECT customer_id FROM segments",
    "WITH few AS (SELECT segment FROM segments),\nfewer AS (SELECT * FROM few)\nSELECT * FROM fewer",
    "WITH a AS (SELECT 1 AS one) SELECT one FROM a UNION ALL SELECT one FROM a",
    "SELECT customer_id FROM segments WHERE segment NOT IN ('a;b', '-- c', '/* d', '# e', '@f', '$g', '?')",
    "SELECT customer_id FROM segments WHERE customer_id IN (SELECT customer_id FROM previous)",
    "SELECT 1 AS one FROM segments AS s WHERE EXISTS (SELECT 1 FROM previous p WHERE p.segment = s.segment)",
    "SELECT (SELECT MAX(monetary) FROM previous) AS most, monetary FROM segments ORDER BY monetary LIMIT 3",
    "SELECT customer_id, ROW_NUMBER() OVER (PARTITION BY segment ORDER BY monetary) AS place FROM segments",
    "SELECT * FROM (SELECT customer_id FROM segments) AS inner_one CROSS JOIN previous",
    "SELECT previous.segment FROM segments AS previous",
    "SELECT CAST(monetary AS STRING) AS money FROM segments",
]  # fmt: skip

INVALID = {
    # More than one SELECT.
    "SELECT 1; DROP TABLE secret": "it has a semicolon",
    "SELECT 1;;": "it has a semicolon",
    "DROP TABLE secret": "it is not one SELECT",
    "DELETE FROM segments": "it is not one SELECT",
    "COPY segments TO 'a.csv'": "it is not one SELECT",
    "EXPLAIN SELECT 1": "it is not one SELECT",
    "FROM segments": "it is not one SELECT",
    "TABLE secret": "it is not one SELECT",
    "(SELECT 1)": "it is not one SELECT",
    "": "it is not one SELECT",
    "SELECT 1) AS found, (SELECT 2": "it is not one SELECT",
    "SELECT 1 AS a) AS found LIMIT 1 OFFSET (SELECT 2": "it can't be parsed",
    "SELECT 1)) AS found, ((SELECT 2": "it can't be parsed",
    "SELECT FROM WHERE": "it can't be parsed",
    "SELECT 'a": "it can't be parsed",
    f"SELECT {'(' * 2000}1{')' * 2000}": "nested too deeply",
    "WITH a AS (DELETE FROM segments RETURNING *) SELECT * FROM a": "it uses delete",
    "WITH a AS (INSERT INTO secret VALUES ('x') RETURNING *) SELECT * FROM a": "it uses insert",
    "SELECT * INTO secret FROM segments": "it uses into",
    "SELECT * FROM segments FOR UPDATE": "it uses lock",
    # Comments and parameters.
    "SELECT 1 -- one": "it has a comment",
    "SELECT 1 --": "it has a comment",
    "SELECT 1 # one": "it has a comment",
    "SELECT 1 /* one": "it has a comment",
    "SELECT 1 /* /* one */ FROM secret -- */": "it has a comment",
    "SELECT ?": "it has a parameter",
    "SELECT $1": "it has a parameter",
    "SELECT @customer": "it has a parameter",
    "SELECT @@project_id": "it has a parameter",
    "SELECT :customer": "it uses a parameter",
    # Other tables, and sources that are not tables.
    "SELECT * FROM secret": "it reads secret",
    "SELECT * FROM main.segments": "it reads main.segments",
    "SELECT * FROM information_schema.tables": "information_schema.tables",
    "SELECT * FROM segments, secret": "it reads secret",
    "SELECT * FROM segments JOIN secret ON TRUE": "it reads secret",
    "SELECT * FROM segments WHERE customer_id IN (SELECT password FROM secret)": "it reads secret",
    "SELECT (SELECT MAX(password) FROM secret) FROM segments": "it reads secret",
    "SELECT EXISTS (SELECT 1 FROM secret)": "it reads secret",
    "SELECT ARRAY(SELECT password FROM secret)": "it reads secret",
    "SELECT customer_id FROM segments LIMIT (SELECT COUNT(*) FROM secret)": "it reads secret",
    "SELECT 1 UNION ALL SELECT password FROM secret": "it reads secret",
    "SELECT * FROM segments WHERE EXISTS (SELECT 1 FROM (SELECT * FROM secret) AS a)": "it reads secret",
    "SELECT * FROM 'orders.csv'": "orders",
    'SELECT * FROM "orders.csv"': "orders",
    "SELECT * FROM read_csv('/etc/passwd')": "it reads READ_CSV('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')": "it calls read_text",
    "SELECT * FROM query('SELECT 1')": "it calls query",
    "SELECT * FROM EXTERNAL_QUERY('a.b', 'SELECT 1')": "EXTERNAL_QUERY",
    "SELECT * FROM segments, LATERAL read_csv('/etc/passwd')": "READ_CSV",
    "SELECT * FROM LATERAL read_csv('/etc/passwd')": "READ_CSV",
    "SELECT * FROM ROWS FROM (read_csv('/etc/passwd'))": "READ_CSV",
    "SELECT * FROM GENERATE_SERIES(1, 10)": "GENERATE_SERIES",
    "SELECT * FROM (SHOW TABLES)": "which is neither a table's name nor a query",
    'WITH "show" AS (SELECT 1) SELECT * FROM (SHOW TABLES)': "which is neither a table's name nor a query",
    "SELECT * FROM (PIVOT secret ON password)": "which is neither a table's name nor a query",
    # Redefined names.
    "WITH segments AS (SELECT 1 AS one) SELECT * FROM segments": "the name segments to something else",
    "WITH Previous AS (SELECT 1 AS one) SELECT * FROM segments": "the name previous to something else",
    "WITH a AS (SELECT * FROM secret), secret AS (SELECT 1 AS one) SELECT * FROM a": "it reads secret",
    "SELECT * FROM (WITH secret AS (SELECT 1) SELECT * FROM secret) AS a, secret": "not at its beginning",
    "WITH secret AS (SELECT * FROM secret) SELECT * FROM secret": "it reads secret",
    "WITH ss AS (SELECT 1 AS one) SELECT * FROM \u00df": "it reads \u00df",
    "WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM a) SELECT * FROM a": "may never end",
    # Results that change from day to day.
    "SELECT * FROM segments WHERE last_order_date < CURRENT_DATE": "it calls current_date",
    "SELECT RANDOM() AS r FROM segments": "it calls rand",
    "SELECT getenv('HOME') AS home": "it calls getenv",
    "SELECT shop.margin(monetary) AS margin FROM segments": "it calls shop.margin",
    "SELECT * FROM segments TABLESAMPLE SYSTEM (10 PERCENT)": "it uses tablesample",
    # Duplicate columns: one engine renames them, the other rejects them.
    "SELECT s.customer_id, p.customer_id FROM segments AS s, previous AS p": "two columns with the name",
}  # fmt: skip


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with empty_database() as connection:
        duck = dialect_of("duckdb")
        empty = ", ".join(
            duck.cast("NULL", "integer" if column.holds == "small" else column.holds) + f" AS {name}"
            for name, column in RESULT_COLUMNS.items()
        )
        # Tables with the names of the relations, which a warehouse may have too.
        for table in ("result", "previous", "segments"):
            connection.execute(f"CREATE TABLE {table} AS SELECT {empty} LIMIT 0")
        connection.execute(
            "INSERT INTO result (customer_id, monetary, segment) VALUES ('ann', 2000000, 'Lost')"
        )
        connection.execute("CREATE TABLE secret AS SELECT 'hunter2' AS password")
        yield connection


def audit_query(
    text: str, dialect: str, segments: str | None = "result", previous: str | None = "previous"
) -> str:
    return audit_sql(text, "odd", segments, previous, dialect_of(dialect))


@pytest.mark.slow
@pytest.mark.parametrize("text", VALID)
def test_duckdb_and_bigquery_accept_valid_audits(text: str, connection: duckdb.DuckDBPyConnection) -> None:
    tables = {"result": RESULT, "previous": RESULT}
    for segments, previous in product(("result", None), ("previous", None)):
        connection.execute(audit_query(text.replace("STRING", "VARCHAR"), "duckdb", segments, previous))
        googlesql().analyse(audit_query(text, "bigquery", segments, previous), tables)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", INVALID)
def test_sql_that_does_more_than_read_the_two_relations_is_rejected(text: str, dialect: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        audit_query(text, dialect)
    message = caught.value.message
    assert message.startswith("The audit `odd` is not usable: ")
    others = ("can't be parsed", "not one SELECT", "it calls", "which is neither")
    # The other dialect's parser may fail earlier.
    assert INVALID[text] in message or any(other in message for other in others), message
    if dialect == "duckdb":
        assert INVALID[text] in message


def test_the_query_defines_both_relations_before_the_select() -> None:
    select = "SELECT customer_id\nFROM segments\nWHERE monetary > 5 ; "
    assert audit_query(select, "bigquery", "`shop`.`sales`.`staged`") == (
        "WITH\n"
        "staged_result AS (\nSELECT\n  *\nFROM `shop`.`sales`.`staged`\n),\n"
        "standing_result AS (\nSELECT\n  *\nFROM previous\n),\n"
        "segments AS (SELECT * FROM staged_result),\n"
        "previous AS (SELECT * FROM standing_result)\n"
        "SELECT *\nFROM (\n"
        "SELECT customer_id\nFROM segments\nWHERE monetary > 5\n"
        ") AS found\nLIMIT 6"
    )


def test_a_relation_is_not_the_table_of_the_same_name(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rows = connection.execute(audit_query("SELECT customer_id FROM segments", "duckdb")).fetchall()
    assert rows == [("ann",)]
    assert connection.execute(audit_query("SELECT * FROM previous", "duckdb", "result", "result")).fetchall()
    assert not connection.execute(audit_query("SELECT * FROM previous", "duckdb", "result", None)).fetchall()


# The tables that the engine reads, compared with the result of the validation.

HEADS = (
    "SELECT * FROM",
    "SELECT 1 AS a WHERE 1 IN (SELECT 1 FROM",
    "WITH a AS (SELECT 1 AS one) SELECT * FROM",
)
SOURCES = (
    "secret", "segments, secret", "(secret)", "(FROM secret)", "(TABLE secret)", "SECRET", '"secret"',
    "main.secret", "'secret'", "secret AS segments", "segments AS secret", "a", "(SELECT * FROM secret)",
    "query_table('secret')", "(VALUES (1)) AS secret", "segments POSITIONAL JOIN secret",
    "segments ASOF JOIN secret ON TRUE", "(DESCRIBE secret)", "(SUMMARIZE secret)",
    "(WITH a AS (FROM secret) FROM a)", "secret AT (VERSION => 1)", "LATERAL (SELECT * FROM secret)",
    "segments SEMI JOIN secret ON TRUE", "(segments CROSS JOIN secret)", "(PIVOT secret ON password)",
    "(UNPIVOT secret ON password)", "memory.main.secret", "E'secret'", "$$secret$$",
    "segments WHERE E'\\'' <> 'x' UNION SELECT password FROM secret --'", "U&'secret'", "x'73'", "previous",
    "segments) UNION (SELECT password FROM secret", "segments WHERE EXISTS (FROM secret)",
    "UNNEST(['secret'])", "segments UNION BY NAME FROM secret",
    "segments WHERE customer_id = ANY (FROM secret)", "range(1)",
    "segments ORDER BY (SELECT password FROM secret)", "segments QUALIFY EXISTS (FROM secret)",
)  # fmt: skip
TAILS = (
    "",
    ")",
    " AS b",
    " USING SAMPLE 1",
    " -- x\n",
    " LIMIT ALL",
    " WINDOW w AS (ORDER BY (SELECT 1 FROM secret))",
)


def read_by_duckdb(sql: str, connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return every table, and every table function, that DuckDB's own parser finds in a query."""
    row = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    assert row is not None
    parsed = json.loads(row[0])
    if parsed["error"]:
        return set()
    assert len(parsed["statements"]) == 1, sql

    def walk(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if node.get("type") == "BASE_TABLE":
                yield ".".join(filter(None, (node["catalog_name"], node["schema_name"], node["table_name"])))
            elif node.get("type") in {"TABLE_FUNCTION", "SHOW_REF"}:
                yield str(node["type"])
            yield from (name for inner in node.values() for name in walk(inner))
        elif isinstance(node, list):
            yield from (name for inner in node for name in walk(inner))

    return {name.lower() for name in walk(parsed["statements"])}


def test_duckdb_reads_no_table_that_the_validation_misses(connection: duckdb.DuckDBPyConnection) -> None:
    ours = {"segments", "previous", "result", "staged_result", "standing_result", "a"}
    passed = set()
    for head, source, tail in product(HEADS, SOURCES, TAILS):
        text = f"{head} {source}{tail}"
        try:
            sql = audit_query(text, "duckdb")
        except ExpressionError:
            continue
        passed.add(source)
        # `unnest` of a list is a table function, but reads no table.
        read = read_by_duckdb(sql, connection) - ({"table_function"} if "UNNEST" in text else set())
        assert read <= ours, text
    assert {"previous", "a", "(VALUES (1)) AS secret", "segments AS secret"} <= passed
    assert not {source for source in passed if "FROM secret" in source or source.startswith("secret")}


def test_read_by_duckdb_finds_tables_and_table_functions(connection: duckdb.DuckDBPyConnection) -> None:
    assert read_by_duckdb("SELECT * FROM secret, (SHOW TABLES), range(3)", connection) >= {
        "secret",
        "table_function",
    }
    assert read_by_duckdb("SELECT 1 WHERE EXISTS (FROM main.secret)", connection) == {"main.secret"}


@pytest.mark.slow
def test_googlesql_reads_no_table_that_the_validation_misses() -> None:
    tables = {"result": RESULT, "previous": RESULT}
    for head, source, tail in product(HEADS, SOURCES, TAILS):
        try:
            sql = audit_query(f"{head} {source}{tail}", "bigquery")
        except ExpressionError:
            continue
        try:
            googlesql().analyse(sql, {**tables, "secret": SECRET})
        except AssertionError:
            continue
        # A query that is valid with the table of secrets is valid without it.
        googlesql().analyse(sql, tables)


# Sample rows of a failed audit.

BINS = (4, 5, 3)


@pytest.mark.slow
@pytest.mark.parametrize("audit", ["customers_unique", "scores_in_range", "segments_total"])
def test_both_engines_return_the_rows_that_violate_an_audit(audit: str) -> None:
    rows = [
        {
            "customer_id": "ann",
            "r_score": 4,
            "f_score": 5,
            "m_score": 3,
            "segment": "Lost",
            "rfm_score": "453",
        },
        {"customer_id": "bob", "r_score": 5, "f_score": 1, "m_score": 1, "segment": None, "rfm_score": "511"},
        {
            "customer_id": "cyd",
            "r_score": 1,
            "f_score": None,
            "m_score": 1,
            "segment": "Lost",
            "rfm_score": None,
        },
        {
            "customer_id": "cyd",
            "r_score": 1,
            "f_score": 1,
            "m_score": 0,
            "segment": "Lost",
            "rfm_score": "110",
        },
    ]
    expected: dict[str, list[Any]] = {
        "customers_unique": [("cyd", 2)],
        "scores_in_range": [("bob", 5, 1, 1), ("cyd", 1, None, 1), ("cyd", 1, 1, 0)],
        "segments_total": [("bob", "511")],
    }
    sql = failing_rows_sql(audit, "result", BINS)
    assert sql is not None
    google_rows = googlesql().execute(sql, {"result": RESULT}, {"result": rows})
    assert sorted((tuple(row.values()) for row in google_rows), key=str) == sorted(expected[audit], key=str)
    with empty_database() as connection:
        connection.execute(
            "CREATE TABLE result (customer_id TEXT, r_score INT, f_score INT, m_score INT, segment TEXT,"
            " rfm_score TEXT)"
        )
        connection.executemany(
            "INSERT INTO result VALUES (?, ?, ?, ?, ?, ?)", [list(row.values()) for row in rows]
        )
        assert sorted(connection.execute(sql).fetchall(), key=str) == sorted(expected[audit], key=str)


def test_audits_of_totals_have_no_sample_rows() -> None:
    assert failing_rows_sql("reconciliation", "result", BINS) is None
