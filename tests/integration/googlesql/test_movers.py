"""Movers on both engines: GoogleSQL and DuckDB return the same rows for the same history."""

from __future__ import annotations

from contextlib import closing
from random import Random

import pytest

from rfm_pipeline.common.duckdb_engine import connect_in_memory
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.movers import MoverFilter, mover_ids_sql, movers_sql
from support.engines import fill, in_order, rows_of
from support.golden_queries import TRANSITIONS
from support.googlesql import GoogleSql
from support.random_history import HISTORY, random_history

pytestmark = pytest.mark.xdist_group("googlesql")


def test_both_engines_find_the_same_movers() -> None:
    earlier, later = TRANSITIONS["quantile-edges"]
    rows = random_history(earlier, later, 120, Random(19))
    moved = MoverFilter(moves=(("Champions", None), (None, "Lost")), reasons=("slipped", "due"))
    found = []
    for engine in ("duckdb", "bigquery"):
        dialect = dialect_of(engine)
        texts = (
            movers_sql("history", earlier, later, MoverFilter(), dialect, limit=7),
            mover_ids_sql("history", earlier, later, moved, dialect),
        )
        with closing(connect_in_memory()) as connection:
            fill(connection, "history", HISTORY, rows)
            found.append(
                [
                    in_order(
                        rows_of(connection.execute(text))
                        if engine == "duckdb"
                        else GoogleSql.load().execute(text, {"history": HISTORY}, {"history": rows})
                    )
                    for text in texts
                ]
            )
    assert found[0] == found[1]
    assert all(found[0])
