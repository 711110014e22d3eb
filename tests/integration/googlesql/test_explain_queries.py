"""The text that reads one customer's lines: Google accepts it, and both engines find the same lines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.explain_queries import (
    counted_sql,
    decided,
    lines_sql,
    nearby_sql,
    newest_sql,
    row_sql,
    totals_sql,
)
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.query_spec import QuerySpec
from support.engines import Question, connected, in_order, rows_of
from support.generated import rules, scorings, shapes
from support.golden_queries import QUERIES
from support.googlesql import GoogleSql
from support.lanes import max_examples

pytestmark = pytest.mark.xdist_group("googlesql")

AS_OF = date(2024, 2, 20)
IDS = ["12347", "O'Brien\\", "FROM clean\n-- 😀"]


def texts(asked: Question, dialect: str, customer: str) -> Mapping[str, str]:
    """Each query by what it is for; `lines` is the one that the others read, as the table `explained`."""
    spec = asked.spec(dialect)
    pipeline = QueryPipeline.of(spec)
    lines = decided(spec, dialect_of(dialect).table("explained"), customer, AS_OF)
    return {
        "lines": lines_sql(spec, pipeline, [customer, *IDS]),
        "nearby": nearby_sql(spec, pipeline, customer),
        "totals": totals_sql(lines),
        "newest": newest_sql(lines, 20),
        "counted": counted_sql(lines, 20),
    }


LINES = {
    **dict.fromkeys(["customer_id", "order_id", "reason", "late_reason", "written"], "STRING"),
    **dict.fromkeys(["purchases", "lines"], "INT64"),
    "order_date": "DATE",
    "amount": "NUMERIC",
}


@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("customer", IDS)
def test_google_accepts_what_is_asked_about_a_customer(name: str, customer: str) -> None:
    asked = QUERIES[name]
    for text in texts(asked, "bigquery", customer).values():
        GoogleSql.load().analyse(text, {"source": asked.columns, "explained": LINES})
    row = row_sql("segments", customer, dialect_of("bigquery"))
    GoogleSql.load().analyse(row, {"segments": {"customer_id": "STRING"}})


@pytest.mark.parametrize("dialect", ["duckdb", "bigquery"])
@pytest.mark.parametrize("name", QUERIES)
def test_the_source_is_read_once_for_the_lines(name: str, dialect: str) -> None:
    spec = QUERIES[name].spec(dialect, relation="the_source")
    assert lines_sql(spec, QueryPipeline.of(spec), IDS).count("the_source") == 1


@max_examples(25)
@given(shapes(), rules(), scorings(), st.integers(0, 2**32))
def test_both_engines_find_the_same_lines_and_neighbours(
    shape: Any, asked: dict[str, Any], scored: dict[str, Any], seed: int
) -> None:
    question = Question(shape.columns, shape.rows(seed, 30), {**shape.settings, **asked, **scored})
    with connected(question) as connection:
        everybody = "SELECT DISTINCT {} AS id FROM clean WHERE customer_id IS NOT NULL ORDER BY id"
        spec = question.spec("duckdb")
        identity = printed(spec)
        found = connection.execute(QueryPipeline.of(spec).reading(everybody.format(identity))).fetchall()
        customer = found[seed % len(found)][0] if found else "nobody"
        here = texts(question, "duckdb", customer)
        lines = rows_of(connection.execute(here["lines"]))
        nearby = rows_of(connection.execute(here["nearby"]))
        connection.execute(f"CREATE TABLE explained AS {here['lines']}")
        totals = rows_of(connection.execute(here["totals"]))
    google = GoogleSql.load()
    there = texts(question, "bigquery", customer)
    tables: dict[str, Any] = {"source": question.columns}
    rows: dict[str, Any] = {"source": question.rows}
    their_lines = google.execute(there["lines"], tables, rows)
    assert in_order(lines) == in_order(their_lines)
    assert nearby == google.execute(there["nearby"], tables, rows)
    kinds = {name: kind for name, kind in LINES.items() if name != "late_reason" or spec.window_moves}
    tables["explained"], rows["explained"] = kinds, their_lines
    assert in_order(totals) == in_order(google.execute(there["totals"], tables, rows))
    assert not found or [row["customer_id"] for row in nearby].count(customer) == 1


def printed(spec: QuerySpec) -> str:
    dialect: Dialect = spec.dialect
    return dialect.id_text("customer_id", spec.mapping.customer_id.kind)
