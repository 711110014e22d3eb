"""Quantile scores under ties: brute force over small multisets, and the crowds that shops have.

DuckDB scores tables of customers here; that GoogleSQL scores alike is tested in `test_engines_agree.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement, pairwise
from random import Random
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.common.staging_tables import StagingTable
from support.engines import Question
from support.lanes import max_examples, sample_size
from support.reference import effective_edges

TODAY = date(2025, 12, 31)
COLUMNS = {"customer": "STRING", "day": "DATE", "amount": "NUMERIC"}
BINS = range(2, 11)

Scores = list[tuple[int, int, int]]


def question(bins: int) -> Question:
    return Question(
        COLUMNS,
        settings={
            "columns": {
                "customer_id": "customer",
                "ordered_at": "day",
                "amount": "amount",
                "order_id": "none",
            },
            "as_of": TODAY,
            "scoring": {"bins": bins},
            "segments": {"rules": [{"segment": "Best", "r": bins}], "fallback": "Others"},
        },
        today=TODAY,
    )


class Scorer:
    """Scores customers, given as (days, orders, money), with the SQL of a number of bins."""

    def __init__(self, bins: int) -> None:
        self.bins = bins
        steps = {step.name: step.select for step in question(bins).pipeline("duckdb").steps(str)}
        self._edges, self._segments = steps[StagingTable.EDGES], steps[StagingTable.SEGMENTS]
        self._connection = duckdb.connect()
        self._connection.execute(
            "CREATE TABLE customers (customer_id VARCHAR, reason VARCHAR, first_order_date DATE,"
            " last_order_date DATE, frequency BIGINT, monetary DECIMAL(38, 9), lines BIGINT)"
        )

    def __call__(self, customers: Iterable[tuple[int, int, Any]]) -> tuple[Scores, dict[str, Any]]:
        """Return the scores of each customer, and the edges."""
        # One statement is ten times as fast as one per row.
        rows = ", ".join(
            f"('{number}', NULL, DATE '{TODAY}', DATE '{TODAY - timedelta(days)}', {orders}, {money}, 1)"
            for number, (days, orders, money) in enumerate(customers)
        )
        execute = self._connection.execute
        execute("TRUNCATE customers")
        execute(f"INSERT INTO customers VALUES {rows}")
        cursor = execute(f"CREATE OR REPLACE TABLE edges AS {self._edges}").execute("FROM edges")
        (row,) = cursor.fetchall()
        edges = dict(zip([column[0] for column in cursor.description or ()], row, strict=True))
        scored = execute(
            f"SELECT r_score, f_score, m_score FROM ({self._segments}) ORDER BY CAST(customer_id AS INTEGER)"
        )
        return scored.fetchall(), edges


@cache
def scorer(bins: int) -> Scorer:
    """Return the scorer of a number of bins."""
    return Scorer(bins)


def best_first(bins: int, values: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """Return the scores of values as days, as orders and as money."""
    scores, _ = scorer(bins)([(value, value, value) for value in values])
    r, f, m = zip(*scores, strict=True)
    return list(r), list(f), list(m)


MULTISETS = [values for size in range(1, 6) for values in combinations_with_replacement(range(1, 5), size)]


@pytest.mark.parametrize("bins", BINS)
@pytest.mark.matrix
def test_small_multisets_are_scored_as_defined(bins: int) -> None:
    for values in Random(bins).sample(MULTISETS, sample_size(40)):
        r, f, m = best_first(bins, values)
        assert f == m, values
        edges = effective_edges(values, bins)
        assert f == [1 + sum(edge < value for edge in edges) for value in values], values
        # Days are scored in the other direction, by the same steps.
        assert r == [bins + 1 - score for score in f], values
        by_value = dict(zip(values, f, strict=True))
        assert [by_value[value] for value in values] == f, "equal values have equal scores"
        assert all(by_value[a] <= by_value[b] for a, b in pairwise(sorted(by_value)))
        if len(by_value) > 1:
            assert (by_value[min(values)], by_value[max(values)]) == (1, bins), "the ends"
        else:
            assert (set(r), set(f)) == ({bins}, {1}), "a dimension with one value"


@max_examples(60)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.sampled_from(BINS), st.randoms())
def test_scores_do_not_depend_on_scale_or_order(values: list[int], bins: int, random: Random) -> None:
    """Orders and money are scaled and shifted; days, which have no unit of their own, are shifted."""
    r, f, m = best_first(bins, values)
    shuffled = list(zip(values, r, f, m, strict=True))
    random.shuffle(shuffled)
    mixed, *expected = map(list, zip(*shuffled, strict=True))
    assert list(best_first(bins, mixed)) == expected
    scaled, _ = scorer(bins)([(value + 7, 3 * value + 1, 1000 * value + 7) for value in values])
    assert scaled == list(zip(r, f, m, strict=True))


@max_examples(60)
@given(st.lists(st.integers(0, 2000), min_size=1, max_size=80), st.sampled_from(BINS))
def test_edges_reproduce_every_score(values: list[int], bins: int) -> None:
    # Cents: several values have one coarse value.
    scores, edges = scorer(bins)([(value, value, Decimal(value) / 100) for value in values])
    for value, (r, f, m) in zip(values, scores, strict=True):
        assert r == 1 + sum(value <= edges[f"r_edge_{k}"] for k in range(1, bins))
        assert f == 1 + sum(value > edges[f"f_edge_{k}"] for k in range(1, bins))
        assert m == 1 + sum(Decimal(value) / 100 > edges[f"m_edge_{k}"] for k in range(1, bins)) == f
    occurring = {*values, *(Decimal(value) / 100 for value in values)}
    assert set(edges.values()) <= occurring, "an edge is a value that occurs"


@pytest.mark.parametrize("bins", [3, 4, 5, 10])
def test_one_customer_beyond_a_crowd_moves_it_by_less_than_the_whole_range(bins: int) -> None:
    """20 customers have one order and 80 have twelve; then one of the 80 orders a thirteenth."""
    before = best_first(bins, [1] * 20 + [12] * 80)[1]
    after = best_first(bins, [1] * 20 + [12] * 79 + [13])[1]
    assert (set(before[:20]), set(before[20:])) == ({1}, {bins})
    assert (set(after[:20]), after[-1]) == ({1}, bins)
    (crowd,) = set(after[20:-1])
    # The middle of its share: 20 below and half of 79.
    assert crowd == math.ceil(bins * Fraction(595, 1000))
    assert 1 < crowd < bins


@pytest.mark.parametrize("bins", [3, 4, 5, 10])
def test_one_older_customer_beyond_a_migration_moves_it_by_less_than_the_whole_range(bins: int) -> None:
    """20 customers are recent, and a migration gave 80 one old date; then an older customer comes."""
    before = best_first(bins, [3] * 20 + [400] * 80)[0]
    after = best_first(bins, [3] * 20 + [400] * 80 + [500])[0]
    assert (set(before[:20]), set(before[20:])) == ({bins}, {1})
    assert (set(after[:20]), after[-1]) == ({bins}, 1)
    (crowd,) = set(after[20:-1])
    assert crowd == bins + 1 - math.ceil(bins * Fraction(60, 101))
    assert 1 < crowd < bins


def test_subscribers_who_bought_on_the_newest_day_score_best() -> None:
    for bins in BINS:
        scores = best_first(bins, [0] * 80 + [30, 31, 59, 61, 90] * 4)[0]
        assert set(scores[:80]) == {bins}
        assert 1 in scores[80:]
        assert bins not in scores[80:]


def test_without_ties_at_the_thresholds_each_score_has_its_share() -> None:
    for bins in BINS:
        r, f, _ = best_first(bins, range(bins * 7))
        assert [f.count(score) for score in range(1, bins + 1)] == [7] * bins
        assert [r.count(score) for score in range(1, bins + 1)] == [7] * bins
