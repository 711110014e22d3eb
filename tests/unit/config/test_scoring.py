"""Edges of the method `fixed`: exclusive ones are converted to inclusive ones."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.config.scoring import Scoring, inclusive_edges
from support.lanes import max_examples

WHOLE = st.integers(-5, 40).map(Decimal)
MONEY = st.decimals(-2, 3, places=9)


@max_examples(50)
@given(edge=st.one_of(WHOLE, st.decimals(-5, 40, places=2)), value=WHOLE)
def test_a_number_of_days_is_below_an_exclusive_edge_if_it_is_up_to_the_inclusive_one(
    edge: Decimal, value: Decimal
) -> None:
    (inclusive,) = inclusive_edges("recency", [edge])
    assert (value <= inclusive) == (value < edge)
    assert inclusive == inclusive.to_integral_value()


@max_examples(50)
@given(edge=st.one_of(MONEY, st.decimals(-2, 3, places=12)), value=MONEY)
def test_an_amount_is_below_an_exclusive_edge_if_it_is_up_to_the_inclusive_one(
    edge: Decimal, value: Decimal
) -> None:
    (inclusive,) = inclusive_edges("monetary", [edge])
    assert (value <= inclusive) == (value < edge)
    assert (edge <= inclusive) is False


@pytest.mark.parametrize(
    ("bound", "override", "edges"),
    [
        ("inclusive", {}, ["4", "5", "6"]),
        ("exclusive", {}, ["3", "4", "5"]),
        ("inclusive", {"bound": "exclusive"}, ["3", "4", "5"]),
        ("exclusive", {"bound": "inclusive"}, ["4", "5", "6"]),
    ],
)
def test_one_dimension_may_have_another_bound(bound: str, override: dict[str, str], edges: list[str]) -> None:
    frequency = {"method": "fixed", "edges": [4, 5, 6], **override}
    scoring = Scoring.of(
        {"bound": bound, "frequency": frequency, "monetary": {"method": "fixed", "edges": [1, 2, 3]}}
    )
    assert [str(edge) for edge in scoring.dimensions[1].edges] == edges
