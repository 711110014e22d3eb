"""The text of every stage, in both dialects, as it was reviewed: a change shows as a diff of `golden/`.

RFM_UPDATE_GOLDEN=1 writes the files anew.
"""

from __future__ import annotations

import os
from datetime import date
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.stages.clean import clean_ctes
from rfm_pipeline.sql.stages.metrics import metrics_ctes
from rfm_pipeline.sql.stages.scores import scores_ctes
from rfm_pipeline.sql.stages.segments import segments_ctes
from rfm_pipeline.sql.transitions import transitions_sql
from support.engines import Question, connected
from support.generated import SEGMENT_PRESETS, preset
from support.golden_queries import GERMANY, LINES, QUERIES, TRANSITIONS
from support.paths import TEST_DATA

GOLDEN = TEST_DATA / "sql"
DIALECTS = ("duckdb", "bigquery")
STAGES = {"clean": clean_ctes, "metrics": metrics_ctes, "scores": scores_ctes, "segments": segments_ctes}


def stage_text(question: Question, stage: str, dialect: str) -> str:
    """A stage as one statement: its CTEs, and a SELECT of the last."""
    ctes = STAGES[stage](question.spec(dialect))
    last = ctes[-1].name
    whole = QueryPipeline(ctes, window_moves=False, dialect=dialect).query()
    return whole.removesuffix("SELECT *\nFROM segments\nORDER BY customer_id") + f"SELECT *\nFROM {last}"


def texts() -> dict[str, str]:
    """File name -> the text that belongs into it."""
    found = {}
    for dialect in DIALECTS:
        for stage in STAGES:
            question = Question(LINES, settings={"exclude": GERMANY})
            found[f"{stage}.{dialect}.sql"] = stage_text(question, stage, dialect)
        for name in SEGMENT_PRESETS:
            question = Question(LINES, settings=preset(name))
            found[f"segments-{name}.{dialect}.sql"] = stage_text(question, "segments", dialect)
        for name, question in QUERIES.items():
            found[f"query-{name}.{dialect}.sql"] = question.pipeline(dialect).query()
        for name, (earlier, later) in TRANSITIONS.items():
            spoken = dialect_of(dialect)
            found[f"{name}.{dialect}.sql"] = transitions_sql(spoken.table("history"), earlier, later, spoken)
    return found


TEXTS = texts()


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_is_the_reviewed_one(name: str) -> None:
    text = f"{TEXTS[name]}\n"
    if os.environ.get("RFM_UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert (GOLDEN / name).read_text(encoding="utf-8") == text, "RFM_UPDATE_GOLDEN=1 writes it anew"


def test_no_reviewed_text_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_parses_in_its_dialect_as_one_query(name: str) -> None:
    statements = sqlglot.parse(TEXTS[name], read=name.split(".")[1])
    assert [type(statement) for statement in statements] == [exp.Select]
    query = statements[0]
    assert isinstance(query, exp.Select)
    assert not list(query.find_all(exp.Command)), "nothing that sqlglot only carries along"
    names = [cte.alias for cte in query.ctes]
    assert len(set(names)) == len(names) >= 1


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_is_laid_out_to_be_read(name: str) -> None:
    for number, line in enumerate(TEXTS[name].splitlines(), start=1):
        assert line == line.rstrip(), f"blanks at the end of line {number}"
        assert "\t" not in line
    unexplained = [
        line
        for before, line in zip(TEXTS[name].splitlines(), TEXTS[name].splitlines()[1:], strict=False)
        if line.endswith(" AS (") and not before.startswith("-- ")
    ]
    assert not unexplained, "a comment above each CTE says what a row of it is"


@pytest.mark.parametrize("name", QUERIES)
def test_duckdb_binds_the_whole_query_and_gives_the_columns_of_the_result(name: str) -> None:
    with connected(QUERIES[name]) as connection:
        bound = connection.sql(TEXTS[f"query-{name}.duckdb.sql"])
        found = {column: str(kind) for column, kind in zip(bound.columns, bound.types, strict=True)}
    assert found == {
        "customer_id": "VARCHAR",
        "recency_days": "BIGINT",
        "frequency": "BIGINT",
        "monetary": "DECIMAL(38,9)",
        "avg_order_value": "DECIMAL(38,9)",
        "first_order_date": "DATE",
        "last_order_date": "DATE",
        "r_score": "INTEGER",
        # NTILE counts in 64 bits; either is an integer to whoever reads the table.
        "f_score": "BIGINT" if name == "fixed-and-ntile" else "INTEGER",
        "m_score": "INTEGER",
        "rfm_score": "VARCHAR",
        "segment": "VARCHAR",
        "as_of_date": "DATE",
    }


@pytest.mark.parametrize("name", QUERIES)
def test_duckdb_binds_each_step_over_the_tables_of_the_steps_before(name: str) -> None:
    question = QUERIES[name]
    with connected(question) as connection:
        for step in question.pipeline("duckdb").steps(lambda table: f'"staged {table}"'):
            connection.execute(f'CREATE TEMP TABLE "staged {step.name}" AS\n{step.select}')
        assert connection.execute('SELECT COUNT(*) FROM "staged segments"').fetchone() == (0,)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", QUERIES)
def test_only_the_first_step_reads_the_source(name: str, dialect: str) -> None:
    """One scan, whatever is asked: by name the source stands in the first step, once, and nowhere else."""
    question = QUERIES[name]
    spec = question.spec(dialect, relation="the_source")
    first, *later = QueryPipeline.of(spec).steps(lambda table: f"staged_{table}")
    assert first.select.count("the_source") == 1
    assert not [step.name for step in later if "the_source" in step.select]


def test_a_line_break_in_a_column_name_or_a_value_stays_as_it_is() -> None:
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
        found = connection.execute(question.pipeline("duckdb").query()).fetchall()
    assert {row[0] for row in found} == {repr(value) for value in values[5:]}


def test_a_query_that_duckdb_can_not_bind_would_be_noticed() -> None:
    with connected(QUERIES["net"]) as connection, pytest.raises(duckdb.BinderException):
        connection.sql(TEXTS["query-net.duckdb.sql"].replace("last_order_date", "newest_order_date", 1))
