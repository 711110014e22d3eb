"""Movers of random histories equal those of the reference in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from random import Random
from typing import Any

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.common.duckdb_engine import connect_in_memory
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.movers import REASONS, MoverFilter, mover_ids_sql, movers_sql
from rfm_pipeline.sql.transitions import ScoredSnapshot
from support.engines import fill, rows_of
from support.golden_queries import TRANSITIONS
from support.lanes import max_examples
from support.movers_reference import Expected, movers_of
from support.random_history import HISTORY, random_history

DUCKDB = dialect_of("duckdb")


@st.composite
def filters(draw: st.DrawFn, earlier: ScoredSnapshot, later: ScoredSnapshot) -> MoverFilter:
    before, now = (
        st.sampled_from([segment.name for segment in scored.segment_map.segments])
        for scored in (earlier, later)
    )
    moves = draw(st.lists(st.tuples(st.none() | before, st.none() | now), max_size=2))
    return MoverFilter(
        tuple((start, end) for start, end in moves if start is None or start != end),
        tuple(draw(st.lists(st.sampled_from(REASONS), max_size=2, unique=True))),
        tuple(draw(st.lists(now, max_size=3, unique=True))),
    )


def ask(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    return [dict(row) for row in rows_of(connection.execute(sql))]


def totals(customers: Sequence[Expected]) -> tuple[int, Decimal]:
    return len(customers), sum((customer.row["monetary"] for customer in customers), Decimal(0))


def counted(rows: Sequence[dict[str, Any]], flag: str) -> tuple[int, Decimal]:
    flagged = [row for row in rows if row[flag]]
    return sum(row["customers"] for row in flagged), sum((row["monetary"] for row in flagged), Decimal(0))


@max_examples(10)
@given(st.data(), st.sampled_from(list(TRANSITIONS)), st.integers(0, 2**32))
def test_movers_are_those_of_the_reference(data: st.DataObject, name: str, seed: int) -> None:
    earlier, later = TRANSITIONS[name]
    chosen = data.draw(filters(earlier, later))
    limit = data.draw(st.none() | st.integers(1, 20))
    history = random_history(earlier, later, 40, Random(seed))
    customers = movers_of(history, earlier, later)
    expected = [customer for customer in customers if customer.is_chosen(chosen)]
    with closing(connect_in_memory()) as connection:
        fill(connection, "history", HISTORY, history)
        rows = ask(connection, movers_sql("history", earlier, later, chosen, DUCKDB, limit=limit))
        ids = ask(connection, mover_ids_sql("history", earlier, later, chosen, DUCKDB))
    assert Counter(row["customer_id"] for row in ids) == Counter(
        customer.row["customer_id"] for customer in expected
    )
    listed = [row for row in rows if row["customer_id"] is not None]
    listed.sort(key=lambda row: (-row["monetary"], row["customer_id"]))
    assert [
        (row["customer_id"], row["segment"], frozenset(reason for reason in REASONS if row[reason]))
        for row in listed
    ] == [
        (customer.row["customer_id"], customer.row["segment"], customer.reasons)
        for customer in expected[:limit]
    ]
    summed = [row for row in rows if row["customer_id"] is None]
    assert counted(summed, "is_chosen") == totals(expected)
    assert counted(summed, "due") == totals([other for other in customers if "due" in other.reasons])
    left_out = [
        customer
        for customer in customers
        if customer.by_rules and customer.is_chosen(chosen, ignoring_rules=True)
    ]
    assert counted(summed, "by_rules") == totals(left_out)
    assert sum(row["customers"] for row in summed) == len(customers)
