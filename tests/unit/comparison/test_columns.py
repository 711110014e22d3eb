"""Columns of tables of segmented customers: by their own names, by known names, and by the user's choice."""

from __future__ import annotations

import pytest

from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.comparison.columns import find_columns
from rfm_pipeline.errors import ColumnError


def schema(*names: str, kind: Kind = Kind.TEXT) -> Schema:
    return tuple(Column((name,), kind, kind.upper()) for name in names)


def found(names: Schema, **chosen: str) -> dict[str, str]:
    return {name: column.name for name, column in find_columns(names, chosen, "the table").items()}


def test_known_names_of_other_programs_are_recognised() -> None:
    assert found(schema("Client ID", "RFM Segment", "LTV", "note")) == {
        "customer_id": "Client ID",
        "segment": "RFM Segment",
        "monetary": "LTV",
    }


def test_the_names_of_a_result_come_first() -> None:
    own = ("customer_id", "monetary", "segment", "previous_segment", "as_of_date")
    named = found(schema("user_id", "customer_segment", "ltv", *own))
    assert named == {name: name for name in own}


def test_a_chosen_column_that_the_table_lacks_is_detected() -> None:
    names = schema("customer_id", "segment", "grp")
    assert found(names, segment="grp", customer_id="cust")["segment"] == "grp"
    assert found(names, segment="cluster_2", customer_id="cust")["segment"] == "segment"


def test_several_candidates_are_a_question_and_money_is_not_needed() -> None:
    with pytest.raises(ColumnError, match="2 columns of the table could be the segment") as raised:
        found(schema("customer_id", "rfm_segment", "cluster"))
    assert raised.value.hint == "choose one: --segment rfm_segment or --segment cluster."
    assert "monetary" not in found(schema("customer_id", "segment", "ltv", "total spent"))


def test_without_a_segment_the_error_lists_columns_on_a_terminal_only() -> None:
    with pytest.raises(ColumnError, match="No column of the table was recognised as the segment") as raised:
        found(schema("customer_id", "jane@example.com"))
    assert raised.value.hint is not None
    assert "jane" not in raised.value.hint
    assert raised.value.terminal_hint is not None
    assert "`jane@example.com`" in raised.value.terminal_hint


def test_a_column_of_another_kind_is_no_money() -> None:
    names = (*schema("customer_id", "segment"), *schema("monetary", "ltv", kind=Kind.DATE))
    assert "monetary" not in found(names)
    with pytest.raises(ColumnError, match="The money of the table is the column `ltv`, which is DATE"):
        found(names, monetary="ltv")
