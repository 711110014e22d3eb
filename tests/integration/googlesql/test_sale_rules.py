"""Statuses and currencies mean the same on both engines, to the last digit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from rfm_pipeline.source.profile.profile import profile_source
from rfm_pipeline.source.profile.sample import build_sample
from rfm_pipeline.sql.query_spec import QuerySpec
from support.engine_agreement import assert_equal
from support.engines import Answer, Question, ask_duckdb, ask_google
from support.generated import START, preset

pytestmark = pytest.mark.xdist_group("googlesql")

COLUMNS = {
    "customer_id": "STRING", "order_id": "STRING", "ordered_at": "DATE", "amount": "NUMERIC",
    "status": "STRING", "currency": "STRING",
}  # fmt: skip


@dataclass(frozen=True)
class Sampled(Question):
    """A question whose sales are decided by its rows, of which the first `seen` are the sample."""

    seen: int = 0

    def spec(self, dialect: str, relation: str | None = None) -> QuerySpec:
        spec = super().spec(dialect, relation)
        rows = [
            tuple(None if (value := row.get(name)) is None else str(value) for name in self.columns)
            for row in self.rows[: self.seen]
        ]
        sample = build_sample(spec.schema, rows, is_whole=False)
        sales = profile_source(spec.schema, sample, spec.settings).sales
        return replace(spec, reading=replace(spec.reading, sales=sales))


def ask(
    lines: list[tuple[Any, ...]], seen: int, columns: dict[str, str] | None = None, **settings: Any
) -> Answer:
    """Return the answer of both engines about lines of (status, currency, amount), each an order."""
    types = columns or COLUMNS
    rows = [
        {
            "customer_id": f"c{number % 3}",
            "order_id": str(number),
            "ordered_at": START + timedelta(number),
            "amount": amount,
            "status": status,
            **({"currency": currency} if "currency" in types else {}),
        }
        for number, (status, currency, amount) in enumerate(lines)
    ]
    question = Sampled(types, rows, {**preset("classic"), **settings}, START + timedelta(90), seen=seen)
    answer = ask_duckdb(question)
    assert_equal(answer, ask_google(question))
    return answer


def test_statuses_in_every_spelling() -> None:
    no_sale = [
        "Cancelled", "CANCELED", " cancelled ", "payment_failed", "Payment-Failed", "annulée", "ANNULÉE",
        "\tvoided\n", "refunded\u00a0", "checkout-draft",
    ]  # fmt: skip
    kept = ["paid", "PAID", "", None, "  ", "partially_refunded", "on-hold", "cancelled?", "x", "livrée"]
    lines: list[tuple[Any, ...]] = [
        (text, "EUR", Decimal(10)) for text in ("paid", "Annulée", *no_sale, *kept)
    ]
    answer = ask(lines, seen=2)
    assert answer.excluded == {"not_a_sale": (len(no_sale) + 1, Decimal(10 * len(no_sale) + 10))}
    assert sum(row["frequency"] for row in answer.segments) == len(kept) + 1


def test_marks_of_cancelled_orders() -> None:
    columns = {**COLUMNS, "cancelled_at": "DATE", "is_test": "BOOL"}
    columns = {name: kind for name, kind in columns.items() if name not in {"status", "currency"}}
    rows = [
        {
            "customer_id": "a", "order_id": str(number), "ordered_at": START, "amount": Decimal(1),
            "cancelled_at": START if number == 1 else None, "is_test": number == 2,
        }
        for number in range(4)
    ]  # fmt: skip
    question = Sampled(columns, rows, preset("classic"), START, seen=4)
    answer = ask_duckdb(question)
    assert_equal(answer, ask_google(question))
    assert answer.excluded == {"not_a_sale": (2, Decimal(2))}


def test_other_currencies_are_excluded_each_with_its_money() -> None:
    lines = [
        ("paid", "EUR", Decimal(10)), ("paid", "$", Decimal(20)), ("paid", "usd", Decimal("5.5")),
        ("paid", "", Decimal(1)), ("paid", None, Decimal(2)), ("paid", " eur ", Decimal(4)),
        ("paid", "GBP", Decimal(8)), ("paid", "doubloons", Decimal(16)), ("failed", "GBP", Decimal(32)),
    ]  # fmt: skip
    answer = ask(lines, seen=3, currency={"code": "EUR"})
    assert answer.excluded == {
        "other_currency_usd": (2, Decimal("25.5")),
        "other_currency_gbp": (1, Decimal(8)),
        "other_currency": (1, Decimal(16)),
        "not_a_sale": (1, Decimal(32)),
    }
    assert sum(row["monetary"] for row in answer.segments) == 17


def test_unexpected_currencies_have_a_reason_each_with_which_a_run_fails() -> None:
    lines = [
        (None, "EUR", Decimal(1)),
        (None, "GBP", Decimal(2)),
        (None, "gbp", Decimal(3)),
        (None, "£", Decimal(4)),
    ]
    assert ask(lines, seen=1).excluded == {
        "currency GBP": (2, Decimal(5)),
        "currency £": (1, Decimal(4)),
    }


@pytest.mark.parametrize("rate", ["0.012", "1.123456789", "0.000000001", "83.19", "1000000"])
def test_rates_convert_exactly_and_round_half_away_from_zero(rate: str) -> None:
    amounts = [
        "8319",
        "0.000000001",
        "0.5",
        "-0.5",
        "123456789.123456789",
        "1e12",
        "99.995",
        "-2.675",
        "41.666666666",
    ]
    lines: list[tuple[Any, ...]] = [(None, "INR", Decimal(text)) for text in amounts]
    answer = ask(
        [(None, "USD", Decimal(10**13)), *lines],
        seen=1,
        currency={"rates": {"USD": 1, "INR": rate}},
        returns="net",
    )
    billionth = Decimal("0.000000001")
    wanted = [(Decimal(text) * Decimal(rate)).quantize(billionth, ROUND_HALF_UP) for text in amounts]
    total = sum(row["monetary"] for row in answer.segments) + sum(
        money for _, money in answer.excluded.values()
    )
    assert total == sum(wanted) + 10**13


def test_currencies_beside_amounts() -> None:
    columns = {**COLUMNS, "amount": "STRING"}
    del columns["currency"]
    lines = [
        (None, None, "$10.00"), (None, None, "€ 20.00"), (None, None, "US$ 5"), (None, None, "7.50"),
        (None, None, "1,234.50 EUR"), (None, None, "(EUR 3)"), (None, None, "a lot"),
    ]  # fmt: skip
    answer = ask(lines, seen=5, columns=columns, currency={"code": "USD"})
    assert answer.excluded == {"other_currency_eur": (3, None), "invalid_amount": (1, None)}
    assert sum(row["monetary"] for row in answer.segments) == Decimal("22.5")
