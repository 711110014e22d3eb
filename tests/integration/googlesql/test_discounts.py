"""A discount that is a share of the amount is rounded alike by both engines and by plain Python."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from support.engine_agreement import assert_as_expected, assert_equal
from support.engines import Question, ask_duckdb, ask_google
from support.generated import preset

pytestmark = pytest.mark.xdist_group("googlesql")

SHARES = (
    *("0", "0.15", "0.333333", "0.000001", "0.999999", "1", "0.5", None),
    *("15", "-0.1", "1.000001", "0.1234567", "much"),
)
AMOUNTS = ("10.01", "0.000000001", "0.000000003", "-7.77", "12345678901.123456789")


def lines(share_type: str) -> list[dict[str, Any]]:
    """Return a line for each pair of an amount and a share; a share that the type can't hold is left out."""
    rows = []
    for number, (amount, share) in enumerate((amount, share) for amount in AMOUNTS for share in SHARES):
        if share_type == "NUMERIC" and share == "much":
            continue
        value: Any = share if share is None or share_type == "STRING" else Decimal(share)
        rows.append(
            {
                "customer_id": f"c{number}",
                "ordered_at": date(2024, 5, 1),
                "amount": Decimal(amount),
                "quantity": Decimal(3),
                "unit_price": Decimal("9.999999"),
                "discount": value,
            }
        )
    return rows


@pytest.mark.parametrize("share_type", ["STRING", "NUMERIC"])
@pytest.mark.parametrize("money", [("amount",), ("quantity", "unit_price")])
def test_the_engines_and_python_round_a_discounted_amount_alike(
    share_type: str, money: tuple[str, ...]
) -> None:
    rows = lines(share_type)
    types = {
        "customer_id": "STRING",
        "ordered_at": "DATE",
        **dict.fromkeys(money, "NUMERIC"),
        "discount": share_type,
    }
    rows = [{name: row[name] for name in types} for row in rows]
    settings = {
        **preset("classic"),
        "columns": {**{role: role for role in types}, "order_id": "none"},
        "returns": "net",
    }
    question = Question(types, rows, settings, date(2025, 1, 1))
    answer = ask_google(question)
    assert_equal(answer, ask_duckdb(question))
    assert_as_expected(answer, question)
