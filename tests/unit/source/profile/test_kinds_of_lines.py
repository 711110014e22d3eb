"""Kinds of lines: events that are no purchases, and totals of orders among the lines that they add up."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Sequence

import pytest

from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.reading import Reading
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.profile import profile_source
from rfm_pipeline.source.profile.sample import build_sample

ORDERS = {"1": ("5.10", "7.20"), "2": ("3.00", "4.00", "9.00"), "3": ("8.40", "2.50"), "4": ("6.30",)}


def read(header: str, lines: Sequence[str], **settings: object) -> Reading:
    names, *rows = csv.reader(io.StringIO("\n".join([header, *lines])))
    schema = tuple(Column((name,), Kind.TEXT, "VARCHAR") for name in names)
    sample = build_sample(schema, [tuple(value or None for value in row) for row in rows], is_whole=True)
    return profile_source(schema, sample, Configuration(flags=settings).settings, "CSV")


def ask(header: str, lines: Sequence[str], **settings: object) -> ColumnError:
    with pytest.raises(ColumnError) as caught:
        read(header, lines, **settings)
    return caught.value


def with_totals(part: str, total: str, orders: Sequence[str] = tuple(ORDERS)) -> list[str]:
    """Return the lines of some orders, each with its total, and a mark beside each kind of line."""
    lines = []
    for order in orders:
        amounts = ORDERS[order]
        lines += [f"{order},c{order},2026-01-0{order},{amount},{part}" for amount in amounts]
        whole = sum(round(100 * float(amount)) for amount in amounts) / 100
        lines.append(f"{order},c{order},2026-01-0{order},{whole:.2f},{total}")
    return lines


TOTALS = "order_id,customer_id,order_date,amount"


@pytest.mark.parametrize(
    ("column", "part", "total", "condition"),
    [
        ("record_type", "L", "H", "record_type = 'H'"),
        ("sku", "P1", "TOTAL", "sku = 'TOTAL'"),
        ("line", "1", "0", "line = '0'"),
        ("Artikel Nr.", "P1", "Summe", "\"Artikel Nr.\" = 'Summe'"),
        ("product", "Mug", "", "COALESCE(product, '') = ''"),
        ("product", "", "Order's total", "product = 'Order''s total'"),
    ],
)
def test_a_column_tells_the_totals_among_the_lines(
    column: str, part: str, total: str, condition: str
) -> None:
    header, lines = f"{TOTALS},{column}", with_totals(part, total)
    error = ask(header, lines)
    assert "3 of 3 orders" in error.message
    assert f"`{column}` is" in error.message
    assert "45.50" in (error.hint or "")
    assert "91.00" in (error.hint or "")
    assert f"order_total={condition}" in shlex.split((error.hint or "").partition(" (45.50")[0])
    read(header, lines, exclude={"order_total": condition})
    read(header, lines, line_types="all")


def test_no_column_tells_the_totals() -> None:
    lines = with_totals("x", "x")
    error = ask(f"{TOTALS},note", lines)
    assert "no column tells them apart" in error.message
    read(f"{TOTALS},note", lines, line_types="all")


def test_few_or_other_orders_have_no_totals() -> None:
    read(f"{TOTALS},kind", with_totals("L", "H", ("1", "2", "4")))
    other = [line.replace("16.00", "15.00") for line in with_totals("L", "H")]
    read(f"{TOTALS},kind", other)


EVENTS = "user_id,timestamp,value,transaction_id"


def events(kinds: Sequence[str], *, ids: bool = True) -> list[str]:
    """Return an event of each kind on each of four days; the last kind has an order id."""
    return [
        f"c{day},2026-01-0{day},10.00,{f't{day}' if ids and kind == kinds[-1] else ''},{kind}"
        for day in range(1, 5)
        for kind in kinds
    ]


@pytest.mark.parametrize(
    ("column", "kinds"),
    [
        ("event_name", ["add_to_cart", "purchase"]), ("event", ["Product Viewed", "Order Completed"]),
        ("eventType", ["view", "cart", "purchase"]), ("Event Name", ["Viewed", "checkout_completed"]),
        ("metric", ["Started Checkout", "Placed Order"]), ("action", ["click", "buy"]),
        ("type", ["wish", "purchase"]), ("Ereignis", ["Warenkorb", "Kauf"]),
        ("evento", ["visita", "compra"]), ("Zdarzenie", ["koszyk", "zakup"]),
    ],
)  # fmt: skip
def test_events_that_are_no_purchases_are_asked_about(column: str, kinds: list[str]) -> None:
    header, lines = f"{EVENTS},{column}", events(kinds)
    error = ask(header, lines)
    assert f"`{column}`" in error.message
    words = shlex.split(error.hint or "")
    assert any(word.endswith(f"NOT IN ('{kinds[-1]}')") for word in words)
    assert words[words.index("--order-id") + 1] == "transaction_id"
    name = f'"{column}"'
    chosen = {"other_event": f"{name} NOT IN ('{kinds[-1]}')"}
    read(header, lines, exclude=chosen, columns={"order_id": "transaction_id"})
    read(header, lines, line_types="all")


@pytest.mark.parametrize(
    ("column", "kinds"),
    [("event_name", ["purchase"]), ("event_name", ["a", "b"]), ("type", ["rental", "purchase"])],
)
def test_other_kinds_are_no_events(column: str, kinds: list[str]) -> None:
    read(f"{EVENTS},{column}", events(kinds, ids=False))
