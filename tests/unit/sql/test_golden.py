"""The SQL of every stage in both dialects is the reviewed one, so that changes appear in a commit's diff.

To regenerate the expected SQL: `RFM_UPDATE_GOLDEN=1 uv run pytest tests/unit/sql/test_golden.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from itertools import pairwise
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from rfm_pipeline.sql.dialects.registry import DIALECTS, dialect_of
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.query_spec import Cte
from rfm_pipeline.sql.stages.gaps import day_column_names
from rfm_pipeline.sql.transitions import transitions_ctes
from support.engines import Question, connected
from support.generated import SEGMENT_PRESETS
from support.golden_queries import (
    GOLDEN_SQL,
    QUERIES,
    STAGES,
    TRANSITIONS,
    WHOLE_QUERIES,
    Built,
    Case,
    Fixture,
    build_movers,
    build_stage,
    build_transitions,
    fixture_sql,
    movers_fixture,
    stage_fixture,
    transitions_fixture,
)

FIXTURES: Mapping[str, Fixture] = {
    **{stage: stage_fixture(stage) for stage in STAGES},
    "transitions": transitions_fixture(),
    "movers": movers_fixture(),
}
BUILDERS: Mapping[str, Callable[[Case, str], Built]] = {
    "transitions": build_transitions,
    "movers": build_movers,
}
CASES = [(fixture, case.name) for fixture in FIXTURES for case in FIXTURES[fixture].cases]
WHOLE = [(name, dialect) for name in WHOLE_QUERIES for dialect in DIALECTS]
IS_UPDATE = bool(os.environ.get("RFM_UPDATE_GOLDEN"))
REGENERATE = "RFM_UPDATE_GOLDEN=1 regenerates it"


@cache
def built_sql(fixture: str) -> dict[str, str]:
    """Return the SQL that the code builds for each case of a fixture."""
    return fixture_sql(FIXTURES[fixture], lambda case, dialect: build(fixture, case, dialect))


def build(fixture: str, case: Case, dialect: str) -> Built:
    if fixture in BUILDERS:
        return BUILDERS[fixture](case, dialect)
    return build_stage(fixture, case, dialect)


@pytest.mark.parametrize(("fixture", "case"), CASES)
def test_each_case_has_the_expected_sql(fixture: str, case: str) -> None:
    path = FIXTURES[fixture].path
    if IS_UPDATE:
        Fixture.read(path).with_sql(built_sql(fixture)).write()
    assert Fixture.read(path).sql_by_case()[case] == built_sql(fixture)[case], REGENERATE


@pytest.mark.parametrize(("name", "dialect"), WHOLE)
def test_whole_queries_are_the_expected_ones(name: str, dialect: str) -> None:
    path = GOLDEN_SQL / "queries" / f"{name}.{dialect}.sql"
    query = f"{WHOLE_QUERIES[name].pipeline(dialect).query()}\n"
    if IS_UPDATE:
        path.write_text(query, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == query, REGENERATE


@pytest.mark.parametrize("question", QUERIES)
def test_one_statement_reads_the_source(question: str) -> None:
    """Whatever changes in the source between two statements of a run, BigQuery's snapshot is that of one."""
    steps = QUERIES[question].pipeline("bigquery", "the_source").steps(str)
    assert [step.name for step in steps if "the_source" in step.select] == [steps[0].name]
    assert steps[0].select.count("the_source") == 1


def test_every_file_of_golden_sql_is_compared() -> None:
    whole = {GOLDEN_SQL / "queries" / f"{name}.{dialect}.sql" for name, dialect in WHOLE}
    fixtures = {fixture.path for fixture in FIXTURES.values()}
    assert set(GOLDEN_SQL.rglob("*.sql")) == whole | fixtures


@pytest.mark.parametrize("fixture", FIXTURES)
def test_every_case_has_a_name_of_its_own_and_sql_of_its_own(fixture: str) -> None:
    cases = FIXTURES[fixture].cases
    assert len({case.name for case in cases}) == len(cases)
    for dialect in DIALECTS:
        assert len({build(fixture, case, dialect).sql for case in cases}) == len(cases), dialect


def test_every_segment_preset_has_a_case() -> None:
    assert {case.name for case in FIXTURES["segments"].cases} >= set(SEGMENT_PRESETS)


TEXTS: Mapping[tuple[str, str], str] = {
    **{
        (f"{name}/{case.name}", dialect): build(name, case, dialect).sql
        for name, fixture in FIXTURES.items()
        for case in fixture.cases
        for dialect in DIALECTS
    },
    **{(name, dialect): WHOLE_QUERIES[name].pipeline(dialect).query() for name, dialect in WHOLE},
}


@pytest.mark.parametrize(("name", "dialect"), TEXTS)
def test_the_sql_parses_in_its_dialect_as_one_query(name: str, dialect: str) -> None:
    statements = sqlglot.parse(TEXTS[name, dialect], read=dialect)
    (query,) = statements
    assert isinstance(query, exp.Query)
    assert not list(query.find_all(exp.Command)), "sqlglot does not parse commands"
    names = [cte.alias for cte in query.ctes]
    assert len(set(names)) == len(names) >= 1


@pytest.mark.parametrize(("name", "dialect"), TEXTS)
def test_the_sql_is_formatted_for_readers(name: str, dialect: str) -> None:
    lines = TEXTS[name, dialect].splitlines()
    for number, line in enumerate(lines, start=1):
        assert line == line.rstrip(), f"blanks at the end of line {number}"
        assert "\t" not in line
    undescribed = [
        line for before, line in pairwise(lines) if line.endswith(" AS (") and not before.startswith("-- ")
    ]
    assert not undescribed, "a comment above each CTE says what a row is"


# The CTEs that a CTE reads


def tables_read(cte: Cte, dialect: str) -> set[str]:
    """Return the names of all tables and CTEs in the SQL of a CTE, as sqlglot parses them."""
    return {table.name for table in sqlglot.parse_one(cte.sql, read=dialect).find_all(exp.Table)}


def assert_reads_are_complete(ctes: tuple[Cte, ...], source: str, dialect: str) -> None:
    names = [cte.name for cte in ctes]
    for position, cte in enumerate(ctes):
        read = tables_read(cte, dialect)
        assert read - {source} == set(cte.reads), cte.name
        assert set(cte.reads) <= set(names[:position]), f"{cte.name} reads only CTEs above it"
        assert len(set(cte.reads)) == len(cte.reads), cte.name


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", QUERIES)
def test_each_cte_names_the_ctes_that_it_reads(name: str, dialect: str) -> None:
    pipeline = QUERIES[name].pipeline(dialect, relation="the_source")
    assert_reads_are_complete(pipeline.ctes, "the_source", dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", TRANSITIONS)
def test_each_cte_of_the_transitions_names_the_ctes_that_it_reads(name: str, dialect: str) -> None:
    ctes = transitions_ctes("the_history", *TRANSITIONS[name], dialect_of(dialect))
    assert_reads_are_complete(ctes, "the_history", dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_cte_of_the_movers_names_the_ctes_that_it_reads(dialect: str) -> None:
    for case in FIXTURES["movers"].cases:
        assert_reads_are_complete(build_movers(case, dialect).ctes, "history", dialect)


def test_a_query_has_only_the_ctes_that_its_select_needs() -> None:
    pipeline = QUERIES["clean/defaults"].pipeline("duckdb")
    query = sqlglot.parse_one(pipeline.with_required_ctes("SELECT 1 FROM as_of", "as_of"), read="duckdb")
    assert isinstance(query, exp.Select)
    assert [cte.alias for cte in query.ctes] == ["source", "lines", "clean", "orders", "customers", "as_of"]


# Whole queries and steps in DuckDB


@pytest.mark.parametrize("name", QUERIES)
def test_duckdb_binds_the_whole_query_and_returns_the_columns_of_the_result(name: str) -> None:
    with connected(QUERIES[name]) as connection:
        bound = connection.sql(QUERIES[name].pipeline("duckdb").query())
        types = {column: str(kind) for column, kind in zip(bound.columns, bound.types, strict=True)}
    days = dict.fromkeys(day_column_names(QUERIES[name].spec("duckdb")), "BIGINT")
    assert types == {
        "customer_id": "VARCHAR",
        "recency_days": "BIGINT",
        "frequency": "BIGINT",
        "monetary": "DECIMAL(38,9)",
        "avg_order_value": "DECIMAL(38,9)",
        "first_order_date": "DATE",
        "last_order_date": "DATE",
        "r_score": "INTEGER",
        # NTILE returns 64 bits; readers of the table see an integer in both cases.
        "f_score": "BIGINT" if name == "scores/fixed-and-ntile" else "INTEGER",
        "m_score": "INTEGER",
        "rfm_score": "VARCHAR",
        "segment": "VARCHAR",
        **days,
        "as_of_date": "DATE",
    }


@pytest.mark.parametrize("name", QUERIES)
def test_duckdb_binds_each_step_over_the_tables_of_earlier_steps(name: str) -> None:
    question = QUERIES[name]
    with connected(question) as connection:
        for step in question.pipeline("duckdb").steps(lambda table: f'"staged {table}"'):
            connection.execute(f'CREATE TEMP TABLE "staged {step.name}" AS\n{step.select}')
        assert connection.execute('SELECT COUNT(*) FROM "staged segments"').fetchone() == (0,)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", QUERIES)
def test_only_the_first_step_reads_the_source_and_reads_it_once(name: str, dialect: str) -> None:
    spec = QUERIES[name].spec(dialect, relation="the_source")
    first, *later = QueryPipeline.of(spec).steps(lambda table: f"staged_{table}")
    assert first.select.count("the_source") == 1
    assert not [step.name for step in later if "the_source" in step.select]


def test_line_breaks_in_column_names_and_values_are_not_indented() -> None:
    columns = {"customer_id": "STRING", "Order\nDate": "DATE", "amount": "INT64", "a\u2028b": "STRING"}
    settings: dict[str, Any] = {
        "columns": {"ordered_at": "Order\nDate"},
        "exclude": {
            "broken_value": {"column": "a\u2028b", "equals": ["x\n  y", "x\u2028y", "x\\", "x\ny"]},
            "broken_text": "amount = 2\nOR \"a\u2028b\" = 'p\nq'",
        },
    }
    day = date(2024, 1, 1)
    values = ["x\ny", "x\n  y", "x\u2028y", "x\\", "p\nq", "p\n  q", "x\n y", "xy"]
    rows = [
        {"customer_id": repr(value), "Order\nDate": day, "amount": 1, "a\u2028b": value} for value in values
    ]
    question = Question(columns, rows, settings)
    with connected(question) as connection:
        kept = connection.execute(question.pipeline("duckdb").query()).fetchall()
    assert {row[0] for row in kept} == {repr(value) for value in values[5:]}


def test_duckdb_does_not_bind_a_query_with_an_unknown_column() -> None:
    question = QUERIES["clean/net-returns"]
    query = question.pipeline("duckdb").query().replace("last_order_date", "newest_order_date", 1)
    with connected(question) as connection, pytest.raises(duckdb.BinderException):
        connection.sql(query)
