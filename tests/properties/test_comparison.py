"""Comparisons of generated sides: as in pandas, swapped, with themselves, and in any order of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.common.duckdb_engine import fetch_dicts, fetch_pages
from rfm_pipeline.comparison.compare import OpenComparison, compare_sides
from rfm_pipeline.comparison.sides import ComparedSides
from support.lanes import max_examples

Rows = dict[str, tuple[str, int, int | None]]
"""By customer: segment, money in cents, and another value."""

NAMES = st.sampled_from(["Best", "Good", "Lost", ""])
CUSTOMERS = st.dictionaries(
    st.sampled_from([f"c{number}" for number in range(12)]),
    st.tuples(NAMES, st.integers(-500, 5_000), st.one_of(st.none(), st.integers(1, 3))),
    min_size=1,
)


class Engine:
    """DuckDB, as a comparison uses it."""

    engine = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        return fetch_dicts(self._connection.execute(select))

    def pages(self, select: str) -> Iterator[Sequence[dict[str, Any]]]:
        yield from fetch_pages(self._connection.execute(select), size=3)


@cache
def engine() -> Engine:
    return Engine(duckdb.connect())


def compared(a: Rows, b: Rows) -> OpenComparison:
    sides = ComparedSides(
        engine(),
        (_select(a), _select(b)),
        ("a", "b"),
        (None, None),
        ("segment", "monetary", "r_score"),
        ((), ()),
        (),
    )
    return compare_sides(sides, {})


def _select(rows: Rows) -> str:
    values = ", ".join(
        f"('{customer}', '{segment}', {cents}, {'NULL' if score is None else score})"
        for customer, (segment, cents, score) in rows.items()
    )
    return (
        "SELECT customer_id, segment, CAST(cents / 100 AS DECIMAL(38, 9)) AS monetary, CAST(score AS INTEGER)"
        f" AS r_score FROM (VALUES {values}) AS generated (customer_id, segment, cents, score)"
    )


@max_examples(12)
@given(CUSTOMERS, CUSTOMERS)
def test_figures_are_those_of_pandas(a: Rows, b: Rows) -> None:
    columns = ["segment", "cents", "score"]
    frames = [pd.DataFrame.from_dict(rows, orient="index", columns=columns) for rows in (a, b)]
    joined = frames[0].add_suffix("_a").join(frames[1].add_suffix("_b"), how="outer").astype(object)
    both = joined[joined.index.isin(list(a)) & joined.index.isin(list(b))]
    result = compared(a, b).result

    assert (result.both, result.only_a, result.only_b) == (len(both), len(a) - len(both), len(b) - len(both))
    assert result.same == sum(both.segment_a == both.segment_b)
    different = both.score_a.ne(both.score_b) & ~(both.score_a.isna() & both.score_b.isna())
    assert result.columns == {
        "segment": sum(both.segment_a != both.segment_b),
        "monetary": sum(both.cents_a != both.cents_b),
        "r_score": sum(different),
    }
    shown = joined.replace({"segment_a": {"": "(no segment)"}, "segment_b": {"": "(no segment)"}})
    for flow in result.flows:
        on_a = shown.segment_a == flow.a if flow.a else ~shown.index.isin(list(a))
        on_b = shown.segment_b == flow.b if flow.b else ~shown.index.isin(list(b))
        members = shown[on_a & on_b]
        assert flow.customers == len(members) > 0
        if flow.a:
            assert flow.revenue_a == Decimal(int(members.cents_a.sum())) / 100
        if flow.b:
            assert flow.revenue_b == Decimal(int(members.cents_b.sum())) / 100
    assert sum(flow.customers for flow in result.flows) == len(joined)


@max_examples(12)
@given(CUSTOMERS, CUSTOMERS)
def test_swapped_sides_have_the_same_agreement_and_transposed_flows(a: Rows, b: Rows) -> None:
    one, other = compared(a, b).result, compared(b, a).result
    assert (one.kappa, one.share, one.columns) == (other.kappa, other.share, other.columns)
    assert (one.only_a, one.only_b) == (other.only_b, other.only_a)
    assert {(flow.a, flow.b, flow.customers, flow.revenue_a, flow.revenue_b) for flow in one.flows} == {
        (flow.b, flow.a, flow.customers, flow.revenue_b, flow.revenue_a) for flow in other.flows
    }


@max_examples(12)
@given(CUSTOMERS)
def test_a_side_equals_itself_in_any_order_of_rows(rows: Rows) -> None:
    result = compared(rows, dict(reversed(rows.items()))).result
    assert result.is_equal
    assert result.share == 1
    assert result.kappa == (1 if len({segment for segment, _, _ in rows.values()}) > 1 else None)
    assert result.to_json() == compared(rows, rows).result.to_json()


@max_examples(12)
@given(CUSTOMERS, CUSTOMERS, st.sampled_from(["segment", "monetary", "r_score"]))
def test_the_customers_of_a_column_are_those_who_differ_in_it(a: Rows, b: Rows, column: str) -> None:
    comparison = compared(a, b)
    listed = [row for page in comparison.customers(column) for row in page]
    position = {"segment": 0, "monetary": 1, "r_score": 2}[column]
    expected = {name for name in a.keys() & b.keys() if a[name][position] != b[name][position]}
    if column == "segment":
        expected |= a.keys() ^ b.keys()
    assert {row["customer_id"] for row in listed} == expected
    assert len(listed) == len(expected)
    money = [row["revenue_b"] if row["revenue_a"] is None else row["revenue_a"] for row in listed]
    assert money == sorted(money, reverse=True)
    first = [row for page in comparison.customers(column, 2) for row in page]
    assert first == listed[:2]


def test_the_comparison_notices_one_cent_and_one_customer() -> None:
    rows: Rows = {"c1": ("Best", 100, 1), "c2": ("Lost", 5, 1)}
    assert not compared(rows, {**rows, "c2": ("Lost", 6, 1)}).result.is_equal
    assert not compared(rows, {**rows, "c3": ("Lost", 5, 1)}).result.is_equal
    assert not compared({**rows, "c3": ("Lost", 5, 1)}, rows).result.is_equal
    with pytest.raises(Exception, match="not among the columns"):
        list(compared(rows, rows).customers("frequency"))
