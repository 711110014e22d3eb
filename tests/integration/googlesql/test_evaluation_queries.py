"""The statements of `rfm evaluate`: GoogleSQL accepts them, and both engines return the same figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.sql import evaluation_queries as queries
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.evaluation_queries import OriginSteps
from support.engines import Question, connected, in_order, rows_of, staged_types
from support.generated import START, questions
from support.golden_queries import stage_questions
from support.googlesql import GoogleSql
from support.lanes import max_examples

pytestmark = pytest.mark.xdist_group("googlesql")

QUESTIONS = stage_questions("metrics")
HORIZON = timedelta(days=20)
BUYING_DAYS = {
    "customer_id": "STRING",
    "order_date": "DATE",
    **dict.fromkeys(["purchases", "orders"], "INT64"),
    "revenue": "NUMERIC",
}
EVALUATED = {
    "customer_id": "STRING",
    **{f"segment_{number}": "STRING" for number in (0, 1)},
    **{f"{initial}_{number}": "INT64" for number in (0, 1) for initial in "rfm"},
    "hash_group": "STRING",
    "orders": "INT64",
    "revenue": "NUMERIC",
}


def table(name: str) -> str:
    return f"stage_{name}"


def figures(dialect: Dialect, origin: date) -> Mapping[str, str]:
    """Return the queries of figures over the tables `evaluated` and `buying_days`."""
    evaluated, days, end = table("evaluated"), table("buying_days"), origin + HORIZON
    return {
        "horizon": queries.horizon_sql(days, origin, end, dialect),
        "totals": queries.totals_sql(evaluated, 0),
        "cells": queries.cells_sql(evaluated, 1, dialect),
        "ties": queries.revenue_ties_sql(evaluated),
        "groups": queries.groups_sql(evaluated, 0),
        "pairs": queries.pairs_sql(evaluated, 1),
        "histories": queries.histories_sql(evaluated, days, origin, 128, dialect),
    }


def staging(question: Question, name: str, origin: date) -> Iterator[tuple[str, str]]:
    """Yield the name and the SELECT of each staging table of an origin, scored twice."""
    spec, dialect = question.spec(name), dialect_of(name)
    steps = OriginSteps(spec, table)
    for step in steps.scan():
        yield step.name, step.select
    yield "buying_days", queries.buying_days_sql(spec, table("order_days"))
    for step in steps.score(spec, origin):
        yield step.name, step.select
    scored = [table("segments"), table("segments")]
    yield (
        "evaluated",
        queries.evaluated_sql(scored, table("buying_days"), origin, origin + HORIZON, dialect),
    )


def types_of(question: Question, name: str) -> Mapping[str, str]:
    if name == "clean_lines":
        days = staged_types(question, "order_days")
        lines = {key: kind for key, kind in days.items() if key not in {"lines", "purchases", "repeated"}}
        return {**lines, "refunded": "NUMERIC", "source_file": "INT64"}
    own = {"buying_days": BUYING_DAYS, "evaluated": EVALUATED}
    return own.get(name) or staged_types(question, name)


@pytest.mark.parametrize("name", QUESTIONS)
def test_googlesql_accepts_every_statement(name: str) -> None:
    question, origin = QUESTIONS[name], date(2024, 2, 20)
    tables: dict[str, Mapping[str, str]] = {"source": question.table_columns}
    for step, select in staging(question, "bigquery", origin):
        GoogleSql.load().analyse(select, tables)
        tables[table(step)] = types_of(question, step)
    order_days = table("order_days")
    texts = [
        queries.lines_by_reason_sql(question.spec("bigquery"), order_days),
        *figures(dialect_of("bigquery"), origin).values(),
    ]
    for text in texts:
        GoogleSql.load().analyse(text, tables)


def collect(
    question: Question, name: str, origin: date, create: Callable[[str, str], Any], run: Callable[[str], Any]
) -> dict[str, Any]:
    for step, select in staging(question, name, origin):
        create(step, select)
    texts = {
        **figures(dialect_of(name), origin),
        "lines": queries.lines_by_reason_sql(question.spec(name), table("order_days")),
        "evaluated": f"SELECT * FROM {table('evaluated')}",
    }
    return {key: in_order(rows_of(run(text))) for key, text in texts.items()}


@max_examples(12)
@given(questions(), st.integers(0, 30))
def test_both_engines_return_the_same_figures(question: Question, day: int) -> None:
    origin = min(START + timedelta(days=day), question.today)
    settings = {key: value for key, value in question.settings.items() if key not in {"as_of", "since"}}
    asked = Question(question.columns, question.rows, settings, question.today, question.frozen)
    with connected(asked) as connection:
        in_duckdb = collect(
            asked,
            "duckdb",
            origin,
            lambda step, select: connection.execute(f"CREATE TABLE {table(step)} AS\n{select}"),
            connection.execute,
        )
    google = GoogleSql.load()
    types: dict[str, Any] = {"source": asked.table_columns}
    rows: dict[str, Any] = {"source": asked.rows}

    def create(step: str, select: str) -> None:
        rows[table(step)] = google.execute(select, types, rows)
        types[table(step)] = types_of(asked, step)

    in_googlesql = collect(asked, "bigquery", origin, create, lambda text: google.execute(text, types, rows))
    assert in_duckdb == in_googlesql
