"""The merged order of two lists of names."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from rfm_pipeline.common.merged_order import merge_orders

orders = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(orders, orders)
def test_both_orders_are_kept_where_they_agree(first: list[str], second: list[str]) -> None:
    merged = merge_orders(first, second)
    assert sorted(merged) == sorted({*first, *second})
    assert [name for name in merged if name in first] == first
    common = [name for name in second if name in first]
    if common == [name for name in first if name in second]:
        assert [name for name in merged if name in second] == second


def test_names_without_a_neighbour_are_placed_in_proportion() -> None:
    assert merge_orders(["A", "B", "C"], ["x", "y", "z"]) == ("A", "x", "B", "y", "C", "z")
    assert merge_orders([], ["x"]) == ("x",)
