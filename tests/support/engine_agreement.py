"""Comparison of the answers of engines, with each other and with the reference in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from support.engines import Answer, Question
from support.reference import expected


def assert_as_expected(answer: Answer, question: Question) -> None:
    """Assert that an engine excluded the same lines and published the same customers as the reference."""
    wanted = expected(question.columns, question.rows, question.settings, question.today, question.frozen)
    assert answer.excluded == wanted.excluded
    assert answer.unscored == wanted.unscored
    assert _by_id(answer.segments) == _by_id(wanted.segments)
    assert len(answer.segments) == len(wanted.segments)


def assert_equal(one: Answer, other: Answer) -> None:
    """Assert equal rows, with values of equal types, in every table that both answers have."""
    for name in one.tables.keys() & other.tables.keys():
        assert one.tables[name] == other.tables[name]
        assert _types(one.tables[name]) == _types(other.tables[name])
    assert one.unscored == other.unscored


def roles(columns: Sequence[str]) -> dict[str, str]:
    """Return `[columns]` for a source whose columns are named after their roles."""
    optional = ("order_id", "amount", "quantity", "unit_price", "refund")
    named = {"customer_id": "customer_id", "ordered_at": "ordered_at"}
    return {**named, **{role: role if role in columns else "none" for role in optional}}


def _types(rows: Sequence[dict[str, Any]]) -> list[list[type]]:
    return [[type(value) for value in row.values()] for row in rows]


def _by_id(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["customer_id"]: row for row in rows}
