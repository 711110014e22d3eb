"""Incremental runs on BigQuery publish what full runs do: both are executed by Google's evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from support.engines import Answer, Row, in_order
from support.google_parts import PartsOnGoogle

pytestmark = pytest.mark.xdist_group("googlesql")

COLUMNS = {"customer": "STRING", "order_no": "STRING", "day": "DATE", "amount": "NUMERIC"}
SETTINGS = {
    "columns": {"customer_id": "customer", "order_id": "order_no", "ordered_at": "day", "amount": "amount"},
    "check_every": 100,
}
TODAY = date(2024, 3, 1)


def day(number: int) -> date:
    return date(2024, 1, 1) + timedelta(days=number)


def line(customer: str | None, order: str, when: date | None, amount: str) -> Row:
    return {"customer": customer, "order_no": order, "day": when, "amount": Decimal(amount)}


def lines_of(number: int) -> list[Row]:
    when = day(number)
    return [
        line(f"c{number % 3}", f"{number}-a", when, "10.50"),
        line(f"c{number % 3}", f"{number}-a", when, "2.25"),
        line("new" if number == 3 else "c0", f"{number}-b", when, "4.00"),
        line("never", f"{number}-c", when, "-7.00"),
        line(None, f"{number}-d", when, "5.00"),
    ]


def assert_is_full(parts: PartsOnGoogle, answer: Answer, today: date = TODAY) -> None:
    """Hold an answer equal to that of a run which reads all lines, which has the same customers."""
    full = parts.full(today)
    kept, expected = (
        in_order([row for row in each.tables["customers"] if row["reason"] is None])
        for each in (answer, full)
    )
    assert kept == expected
    assert answer.excluded == full.excluded
    assert answer.unscored == full.unscored


def test_orders_of_a_new_partition_are_added_to_kept_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = PartsOnGoogle(COLUMNS, SETTINGS, monkeypatch)
    parts.change({day(number): lines_of(number) for number in range(3)})
    parts.run(TODAY)
    parts.change({day(3): lines_of(3)})
    read, is_taken_over, answer = parts.run(TODAY)
    assert (read.read, read.kept, is_taken_over) == (1, 3, True)
    assert len(answer.tables["customers"]) > 4
    assert_is_full(parts, answer)


@pytest.mark.long
def test_customers_are_taken_over_unless_an_order_of_theirs_may_have_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = PartsOnGoogle(COLUMNS, SETTINGS, monkeypatch, is_analysed=True)
    parts.change({day(number): lines_of(number) for number in range(3)})
    assert_is_full(parts, parts.run(TODAY)[2])
    history: list[tuple[str, Mapping[date | None, Sequence[Row]], bool]] = [
        ("a new day", {day(3): lines_of(3), None: [line("c0", "x", None, "1.00")]}, True),
        ("a late line of the new day", {day(3): [*lines_of(3), line("c0", "3-b", day(3), "1")]}, True),
        ("an order with lines on two days", {day(4): [line("c0", "0-b", day(4), "1")]}, False),
        ("a line of that order was a mistake", {day(4): lines_of(4)}, True),
        ("a day that was complete is gone", {day(1): []}, False),
    ]
    for what, change, is_taken_over in history:
        parts.change(change)
        read, takes_over, answer = parts.run(TODAY)
        assert (read.why_all, takes_over) == (None, is_taken_over), what
        assert_is_full(parts, answer)
    # The days that were written to since the run before may be written to again.
    parts.change({day(number): lines_of(number) for number in (1, 2, 4)})
    parts.run(TODAY)
    parts.change({day(number): lines_of(number) for number in (2, 4)})
    assert parts.run(TODAY, full="--full asks for it")[1]
    assert '"last_part":"2024-01-02"' in parts.statements[-1]
    parts.change({day(2): lines_of(2)[1:], day(3): lines_of(3)[1:]})
    _, takes_over, answer = parts.run(TODAY)
    assert takes_over
    assert_is_full(parts, answer)
    parts.change({day(1): lines_of(1)[1:]})
    _, takes_over, answer = parts.run(TODAY)
    assert not takes_over
    assert_is_full(parts, answer)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
def test_random_histories(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    settings: dict[str, Any] = {**SETTINGS, "check_every": random.choice([3, 100])}
    settings |= random.choice([{}, {"returns": "net"}, {"since": "2024-01-03"}, {"preset": ["lifecycle"]}])
    if random.random() < 0.2:
        settings["columns"] = {**SETTINGS["columns"], "order_id": "none"}  # type: ignore[dict-item]
    parts = PartsOnGoogle(COLUMNS, settings, monkeypatch)
    parts.change({day(number): lines_of(number) for number in range(3)})
    taken_over = 0
    for today in (day(number) for number in range(6, 13)):
        for _ in range(random.randrange(1, 3)):
            when = today - timedelta(days=random.choice([-2, 0, 0, 0, 0, 1, 1, 2, 5, 12]))
            numbers = (random.randrange(40) for _ in range(random.randrange(4)))
            is_shared = random.random() < 0.1
            lines = [
                line(
                    random.choice([None, *(f"c{customer}" for customer in range(6))]),
                    f"o{number}" if is_shared else f"{when}-{number}",
                    when,
                    random.choice(["10.00", "2.50", "0.00", "-4.00", "99.99"]),
                )
                for number in numbers
            ]
            parts.change({when: [*random.choice([[], parts.parts.get(when, [])]), *lines]})
        _, is_taken_over, answer = parts.run(today)
        taken_over += is_taken_over
        assert_is_full(parts, answer, today)
    assert taken_over or settings.get("preset")
