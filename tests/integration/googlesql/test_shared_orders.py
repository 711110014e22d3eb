"""DuckDB and GoogleSQL's evaluator agree about orders in several files, and about the ride-along count."""

from __future__ import annotations

import itertools
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from rfm_pipeline.common.source_files import SourceFiles
from rfm_pipeline.sql.stages.duplicates import (
    ORDER_FILES,
    SHARED_ORDERS,
    compared_orders_sql,
    order_versions_sql,
)
from support.engines import Question, ask_duckdb, ask_google, connected
from support.googlesql_engine import googlesql

pytestmark = pytest.mark.xdist_group("googlesql")

COLUMNS = {"customer_id": "STRING", "order_id": "STRING", "order_date": "DATE", "amount": "NUMERIC"}
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"returns": "net"},
    {"window": "6 months"},
    {"window": "6 months", "returns": "net", "same_order": "first"},
    {"as_of": "2024-09-30", "same_order": "last"},
)


def question(seed: int, settings: dict[str, Any], *, compares: bool) -> Question:
    """Return a question about three files and a copy of the first one, whose orders overlap."""
    random, rows = Random(seed), []
    for file in (1, 2, 3):
        for order in random.sample(range(12), 6):
            changed = random.random() < 0.2
            for line in range(order % 3 + 1):
                amount = 10 * order + line - 15 * (line == 2) + changed
                rows.append(
                    {
                        "customer_id": None if order == 7 else f"c{order % 5}",
                        "order_id": None if order == 5 else str(order),
                        "order_date": date(2024, order % 9 + 1, 10 + line),
                        "amount": Decimal(amount),
                        "file": file,
                    }
                )
    rows += [{**row, "file": 4} for row in rows if row["file"] == 1]
    files = SourceFiles("file", ("1", "2", "3", "4"), {4: 1})
    return Question(COLUMNS, rows, settings, files=files, compares_files=compares)


@pytest.mark.parametrize("compares", [True, False])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_engines_agree_about_orders_in_several_files(settings: dict[str, Any], compares: bool) -> None:
    for seed, steps in itertools.product(range(3), (False, True)):
        asked = question(seed, settings, compares=compares)
        duckdb, google = ask_duckdb(asked, steps=steps), ask_google(asked, steps=steps)
        assert duckdb.segments == google.segments
        assert duckdb.excluded == google.excluded
        assert "duplicate_file" in duckdb.excluded


def test_the_engines_agree_about_the_question() -> None:
    asked = question(1, {}, compares=True)
    answers = []
    for dialect in ("duckdb", "bigquery"):
        spec, pipeline = asked.spec(dialect), asked.pipeline(dialect)
        queries = [
            pipeline.with_required_ctes(
                f"{compared_orders_sql(spec)}\nORDER BY 1", ORDER_FILES, SHARED_ORDERS
            ),
            pipeline.with_required_ctes(order_versions_sql(spec, "3"), ORDER_FILES),
        ]
        if dialect == "duckdb":
            with connected(asked) as connection:
                answers.append([connection.execute(query).fetchall() for query in queries])
        else:
            types, rows = {"source": asked.table_columns}, {"source": asked.rows}
            answers.append(
                [
                    [tuple(row.values()) for row in googlesql().execute(query, types, rows)]
                    for query in queries
                ]
            )
    assert answers[0] == answers[1]
