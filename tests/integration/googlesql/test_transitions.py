"""Transitions on both engines: GoogleSQL and DuckDB return the same rows for any history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from rfm_pipeline.config.scoring import DimensionScoring
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.transitions import CAUSES, ScoredSnapshot, transitions_sql
from rfm_pipeline.warehouse.bigquery.schema import COLUMN_TYPES
from support.engines import Question, connected, fill, in_order, rows_of
from support.golden_queries import TRANSITIONS
from support.googlesql import GoogleSql

pytestmark = pytest.mark.xdist_group("googlesql")

HISTORY = {name: COLUMN_TYPES[column.holds] for name, column in RESULT_COLUMNS.items()}


def score(
    dimension: DimensionScoring, scored: ScoredSnapshot, values: Mapping[str, Any], random: Random
) -> int:
    """Return a customer's score by the edges of a snapshot; a random one if the dimension has ranks."""
    edges, value = scored.edges[dimension.name], values[dimension.name]
    if edges is None:
        return random.randrange(1, dimension.bins + 1)
    is_recency = dimension.name == "recency"
    return 1 + sum(bool(value <= edge if is_recency else value > edge) for edge in edges)


def history(
    earlier: ScoredSnapshot, later: ScoredSnapshot, customers: int, random: Random
) -> list[dict[str, Any]]:
    """Return rows of both dates, and of a date between them that is not compared.

    The scores match the edges, and the segments match the scores.
    """
    rows: list[dict[str, Any]] = []
    for number in range(customers):
        kept: Mapping[str, Any] | None = None
        for scored in (earlier, earlier, later):
            between = scored is earlier and kept is not None
            if random.random() < 0.15 and not between:
                continue
            first = earlier.as_of - timedelta(days=random.randrange(200))
            orders: dict[str, Any] = {
                "frequency": random.randrange(1, 8),
                "monetary": Decimal(random.randrange(1, 40_000)) / 100,
                "first_order_date": first,
                "last_order_date": min(first + timedelta(days=random.randrange(150)), scored.as_of),
            }
            if kept and random.random() < 0.6:
                orders = {name: kept[name] for name in orders}
            values = {"recency": (scored.as_of - orders["last_order_date"]).days, **orders}
            r, f, m = (score(dimension, scored, values, random) for dimension in scored.dimensions)
            kept = {
                "customer_id": f"c{number}",
                **orders,
                "recency_days": values["recency"],
                "r_score": r,
                "f_score": f,
                "m_score": m,
                "segment": scored.segment_map.segment_of(r, f, m),
                "as_of_date": scored.as_of + timedelta(days=7 if between else 0),
            }
            rows.append(kept)
    return rows


@pytest.mark.parametrize("name", TRANSITIONS)
def test_both_engines_count_the_same_movements_for_the_same_causes(name: str) -> None:
    earlier, later = TRANSITIONS[name]
    rows = history(earlier, later, 300, Random(name))
    texts = {
        engine: transitions_sql("history", earlier, later, dialect_of(engine))
        for engine in ("duckdb", "bigquery")
    }
    by_google = GoogleSql.load().execute(texts["bigquery"], {"history": HISTORY}, {"history": rows})
    with connected(
        Question({"customer_id": "STRING", "ordered_at": "DATE", "amount": "INT64"})
    ) as connection:
        fill(connection, "history", HISTORY, rows)
        by_duckdb = rows_of(connection.execute(texts["duckdb"]))
    assert in_order(by_google) == in_order(by_duckdb)
    customers = {row["customer_id"] for row in rows if row["as_of_date"] in {earlier.as_of, later.as_of}}
    assert sum(row["customers"] for row in by_duckdb) == len(customers)
    for row in by_duckdb:
        moved = None not in (row["earlier_segment"], row["later_segment"])
        moved = moved and row["earlier_segment"] != row["later_segment"]
        assert (row["cause"] in CAUSES) == moved
    is_same = set(earlier.has_same_scoring(later).values())
    # Scores with other bins are not comparable: their moves are due to the rules.
    possible = {"rules"} if is_same == {False} else {"time", "behaviour", "edges"}
    possible |= {"rules"} if False in is_same else set()
    assert {row["cause"] for row in by_duckdb} >= {None, *possible}
