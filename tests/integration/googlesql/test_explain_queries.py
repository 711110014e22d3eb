"""The queries of `rfm explain`: GoogleSQL accepts them, and both engines return the same lines."""

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
    decided_lines,
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
from support.golden_queries import stage_questions
from support.googlesql import GoogleSql
from support.lanes import max_examples

pytestmark = pytest.mark.xdist_group("googlesql")

# The queries read the CTEs up to `clean` only.
QUESTIONS = stage_questions("clean")
AS_OF = date(2024, 2, 20)
IDS = ["12347", "O'Brien\\", "FROM clean\n-- 😀"]


def texts(question: Question, dialect: str, customer: str) -> Mapping[str, str]:
    """Return each query by its purpose; the others read the rows of `lines` as the table `explained`."""
    spec = question.spec(dialect)
    pipeline = QueryPipeline.of(spec)
    lines = decided_lines(spec, dialect_of(dialect).table("explained"), customer, AS_OF)
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


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("customer", IDS)
def test_googlesql_accepts_the_queries_about_a_customer(name: str, customer: str) -> None:
    question = QUESTIONS[name]
    for text in texts(question, "bigquery", customer).values():
        GoogleSql.load().analyse(text, {"source": question.columns, "explained": LINES})
    row = row_sql("segments", customer, dialect_of("bigquery"))
    GoogleSql.load().analyse(row, {"segments": {"customer_id": "STRING"}})


@pytest.mark.parametrize("dialect", ["duckdb", "bigquery"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_the_source_is_read_once_for_the_lines(name: str, dialect: str) -> None:
    spec = QUESTIONS[name].spec(dialect, relation="the_source")
    assert lines_sql(spec, QueryPipeline.of(spec), IDS).count("the_source") == 1


@max_examples(25)
@given(shapes(), rules(), scorings(), st.integers(0, 2**32))
def test_both_engines_return_the_same_lines_and_similar_ids(
    shape: Any, exclusions: dict[str, Any], scored: dict[str, Any], seed: int
) -> None:
    question = Question(shape.columns, shape.rows(seed, 30), {**shape.settings, **exclusions, **scored})
    with connected(question) as connection:
        spec = question.spec("duckdb")
        customers = connection.execute(
            QueryPipeline.of(spec).with_required_ctes(
                f"SELECT DISTINCT {printed(spec)} AS id FROM clean WHERE customer_id IS NOT NULL ORDER BY id",
                "clean",
            )
        ).fetchall()
        customer = customers[seed % len(customers)][0] if customers else "nobody"
        in_duckdb = texts(question, "duckdb", customer)
        lines = rows_of(connection.execute(in_duckdb["lines"]))
        nearby = rows_of(connection.execute(in_duckdb["nearby"]))
        connection.execute(f"CREATE TABLE explained AS {in_duckdb['lines']}")
        totals = rows_of(connection.execute(in_duckdb["totals"]))
    google = GoogleSql.load()
    in_googlesql = texts(question, "bigquery", customer)
    tables: dict[str, Any] = {"source": question.columns}
    rows: dict[str, Any] = {"source": question.rows}
    google_lines = google.execute(in_googlesql["lines"], tables, rows)
    assert in_order(lines) == in_order(google_lines)
    assert nearby == google.execute(in_googlesql["nearby"], tables, rows)
    kinds = {name: kind for name, kind in LINES.items() if name != "late_reason" or spec.window_moves}
    tables["explained"], rows["explained"] = kinds, google_lines
    assert in_order(totals) == in_order(google.execute(in_googlesql["totals"], tables, rows))
    assert not customers or [row["customer_id"] for row in nearby].count(customer) == 1


def printed(spec: QuerySpec) -> str:
    dialect: Dialect = spec.dialect
    return dialect.id_text("customer_id", spec.mapping.customer_id.kind)
