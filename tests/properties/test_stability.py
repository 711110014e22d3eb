"""Stability under resampling: the SQL equals a bootstrap by brute force, customer by customer."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date
from random import Random
from typing import Any

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.config.scoring import DimensionScoring
from rfm_pipeline.evaluation.bootstrap import SEED, draw_weights
from rfm_pipeline.sql import stability_queries as queries
from rfm_pipeline.sql.evaluation_queries import HASH_GROUPS
from rfm_pipeline.sql.query_spec import QuerySpec
from rfm_pipeline.sql.stages.scores import edge_names
from support.engines import Question, rows_of
from support.lanes import max_examples
from support.reference import effective_edges

TODAY = date(2025, 12, 31)
COLUMNS = {"customer": "STRING", "day": "DATE", "amount": "NUMERIC"}
Values = tuple[int, int, int]
"""Days, orders and money of a customer."""


def spec_of(bins: int) -> QuerySpec:
    """Return a specification whose map has a segment per recency score, and one for the most orders."""
    rules: list[dict[str, Any]] = [{"segment": "Often", "f": bins}]
    rules += [{"segment": f"r{score}", "r": score} for score in range(bins, 0, -1)]
    settings = {
        "columns": {"customer_id": "customer", "ordered_at": "day", "amount": "amount", "order_id": "none"},
        "scoring": {"bins": bins},
        "segments": {"rules": rules},
    }
    return Question(COLUMNS, settings=settings, today=TODAY).spec("duckdb")


def segment_of(scores: Sequence[int], bins: int) -> str:
    return "Often" if scores[1] == bins else f"r{scores[0]}"


def few_draws(replicates: int, seed: int) -> list[list[int]]:
    random = Random(seed)
    drawn = [Counter(random.choices(range(HASH_GROUPS), k=HASH_GROUPS)) for _ in range(replicates)]
    return [[counts[group] for group in range(HASH_GROUPS)] for counts in drawn]


class Brute:
    """Scores by edges, and what a bootstrap moves, from one value per customer and no SQL."""

    def __init__(self, customers: Sequence[Values], bins: int, weights: Sequence[Sequence[int]]) -> None:
        self.customers, self.bins = customers, bins
        groups = [
            hashlib.md5(str(number).encode(), usedforsecurity=False).digest()[0]
            for number in range(len(customers))
        ]
        drawn = [
            [one for one, group in zip(customers, groups, strict=True) for _ in range(weight[group])]
            for weight in weights
        ]
        self.edges = {0: self.edges_of(customers)}
        self.edges |= {number: self.edges_of(sample) for number, sample in enumerate(drawn, 1) if sample}
        self.own = [self.scores(one, self.edges[0]) for one in customers]

    def edges_of(self, sample: Sequence[Values]) -> list[list[int]]:
        return [effective_edges([one[position] for one in sample], self.bins) for position in range(3)]

    def scores(self, one: Values, edges: Sequence[Sequence[int]]) -> list[int]:
        steps = [
            sum(edge < value for edge in of_dimension) for value, of_dimension in zip(one, edges, strict=True)
        ]
        return [self.bins - steps[0], 1 + steps[1], 1 + steps[2]]

    def moved(self) -> dict[str, list[int]]:
        """Return by segment the pairs with another segment, and with another r, f and m."""
        counts: dict[str, list[int]] = {}
        for number, edges in self.edges.items():
            if number == 0:
                continue
            for one, own in zip(self.customers, self.own, strict=True):
                scores = self.scores(one, edges)
                segment = segment_of(own, self.bins)
                row = counts.setdefault(segment, [0, 0, 0, 0])
                row[0] += segment_of(scores, self.bins) != segment
                for position in range(3):
                    row[1 + position] += scores[position] != own[position]
        return {segment: row for segment, row in counts.items() if any(row)}


def staged(
    connection: duckdb.DuckDBPyConnection, brute: Brute, weights: Sequence[Sequence[int]], spec: QuerySpec
) -> None:
    """Create the tables `segments` and `draws`."""
    rows = ", ".join(
        f"('{number}', {days}, {orders}, {money}, {own[0]}, {own[1]}, {own[2]},"
        f" '{segment_of(own, brute.bins)}')"
        for number, ((days, orders, money), own) in enumerate(zip(brute.customers, brute.own, strict=True))
    )
    connection.execute(
        "CREATE TABLE segments (customer_id VARCHAR, recency_days BIGINT, frequency BIGINT,"
        " monetary DECIMAL(38, 9), r_score BIGINT, f_score BIGINT, m_score BIGINT, segment VARCHAR)"
    )
    connection.execute(f"INSERT INTO segments VALUES {rows}")
    connection.execute(f"CREATE TABLE draws AS {queries.draws_sql(weights, spec.dialect)}")


def assert_as_brute_force(customers: Sequence[Values], bins: int, weights: Sequence[Sequence[int]]) -> None:
    spec, brute = spec_of(bins), Brute(customers, bins, weights)
    dimensions = spec.settings.scoring.dimensions
    with closing(duckdb.connect()) as connection:
        staged(connection, brute, weights, spec)
        select = queries.resampled_edges_sql(spec, dimensions, "segments", "draws", len(customers))
        connection.execute(f"CREATE TABLE resampled AS {select}")
        rows = {row["replicate"]: row for row in rows_of(connection.execute("FROM resampled"))}
        assert {number: edges_in(row, dimensions) for number, row in rows.items()} == brute.edges
        moved = rows_of(connection.execute(queries.resampled_moves_sql(spec, "segments", "resampled")))
        found = {row["segment"]: [row[name] for name in ("moved", *MOVED)] for row in moved}
        assert {segment: row for segment, row in found.items() if any(row)} == brute.moved()
        for position, dimension in enumerate(dimensions):
            select = queries.dimension_moves_sql(dimension, "segments", "resampled", spec.dialect)
            (row,) = rows_of(connection.execute(select))
            assert row == {
                "scores": len({own[position] for own in brute.own}),
                "replicates": len(brute.edges) - 1,
                "moved": sum(counts[1 + position] for counts in brute.moved().values()),
            }


MOVED = ("r_moved", "f_moved", "m_moved")


def edges_in(row: Mapping[str, Any], dimensions: Sequence[DimensionScoring]) -> list[list[int]]:
    """Return the edges of days, orders and money from the lowest value up."""
    edges = [[int(row[name]) for name in edge_names(dimension)] for dimension in dimensions]
    return [edges[0][::-1], *edges[1:]]


@max_examples(24)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6), st.integers(1, 300)), min_size=1, max_size=50),
    st.integers(2, 10),
    st.integers(0, 9),
)
def test_edges_and_moves_are_those_of_a_bootstrap_by_hand(
    customers: list[Values], bins: int, seed: int
) -> None:
    assert_as_brute_force(customers, bins, few_draws(4, seed))


def test_values_that_are_counted_as_one_change_nothing() -> None:
    """Of 900 customers and two bins, most values are far from the threshold and from the ends."""
    random = Random(2)
    customers = [
        (random.randrange(400), min(60, int(random.expovariate(0.2)) + 1), random.randrange(100_000))
        for _ in range(900)
    ]
    assert_as_brute_force(customers, 2, few_draws(3, 2))


def test_the_weights_of_an_evaluation_are_single_digits_and_draw_each_group_once_on_average() -> None:
    weights = draw_weights(HASH_GROUPS)[: queries.MAX_REPLICATES]
    assert (len(weights), SEED) == (100, 20_240_101)
    assert {sum(weight) for weight in weights} == {HASH_GROUPS}
    assert max(map(max, weights)) < 10
