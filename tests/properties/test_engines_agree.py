"""The engines and the reference in plain Python agree: DuckDB on made-up tables, GoogleSQL on a real shop.

tests/integration/googlesql has the rest for GoogleSQL.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import event, given

from support import cdnow
from support.engine_agreement import assert_as_expected, assert_equal, roles
from support.engines import Question, ask_duckdb, ask_google
from support.generated import preset, questions
from support.lanes import max_examples


@pytest.mark.guarantee("every-line", "returns")
@max_examples(80)
@given(questions())
def test_duckdb_answers_as_the_design_says(question: Question) -> None:
    answer = ask_duckdb(question)
    event(f"customers: {min(len(answer.segments), 5)}")
    assert_as_expected(answer, question)


@max_examples(25)
@given(questions())
def test_duckdb_answers_the_same_in_steps_and_at_once(question: Question) -> None:
    assert_equal(ask_duckdb(question, steps=True), ask_duckdb(question))


def cdnow_question(customers: int, **settings: Any) -> Question:
    """Ask for the RFM segments of some customers of the CDNOW sample, with all their orders."""
    columns = {"customer_id": "STRING", "order_id": "STRING", "ordered_at": "DATE", "amount": "NUMERIC"}
    rows = [
        {
            "customer_id": one.customer_id,
            "order_id": f"{one.customer_id}-{one.ordered_on}",
            "ordered_at": one.ordered_on,
            "amount": one.amount,
        }
        for one in cdnow.sample()
        if int(one.customer_id) <= customers
    ]
    return Question(columns, rows, {"columns": roles(list(columns)), **settings}, date(1998, 7, 1))


@pytest.mark.parametrize("name", ["classic", "grid"])
def test_a_real_shop_gets_the_answer_of_the_reference(name: str) -> None:
    question = cdnow_question(600, **preset(name))
    answer = ask_duckdb(question)
    assert len({row["segment"] for row in answer.segments}) >= 6
    assert_as_expected(answer, question)


@pytest.mark.xdist_group("googlesql")
def test_googlesql_gives_a_real_shop_the_answer_of_duckdb() -> None:
    question = cdnow_question(60, **preset("classic"), window="12 months", returns="net")
    answer = ask_google(question)
    assert len({row["segment"] for row in answer.segments}) >= 6
    assert_equal(answer, ask_duckdb(question))
    assert_as_expected(answer, question)
