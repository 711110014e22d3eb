"""What an order is: no column of order ids, and totals that are repeated on each line of an order."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from rfm_pipeline.common.formatting import format_amount, format_count
from rfm_pipeline.common.schema import Column, Schema
from rfm_pipeline.config.column_mapping import ColumnMapping, list_columns
from rfm_pipeline.config.column_names import meaning_of
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.source.profile.sample import Sample
from rfm_pipeline.source.profile.shapes import loose_numbers

_NEARLY_ALL = 0.95
_FEWEST_ORDERS = 3
# Repeats count as evidence if they would be this unlikely among lines whose amounts are drawn independently.
_CHANCE = 0.001
_TOTAL_WORD = re.compile(r"(^|_)(total|grand|gesamt|gesamtsumme|totale|totaal|suma|razem|summe)(_|$)")
_ORDER_WORD = re.compile(
    r"(^|_)(order|invoice|basket|cart|receipt|transaction|checkout|bestell\w*|auftrags?\w*|rechnungs?\w*|commande"
    r"|facture|pedido|compra|factura|fatura|ordine|fattura|zamowieni\w*|grand)(_|$)"
)
_LINE_WORD = re.compile(
    r"(^|_)(line|item|product|unit|lineitem|zeilen?\w*|position\w*|ligne|article|linea|riga|regel|pozycj\w*)(_|$)"
)


class Orders(Struct, frozen=True):
    """How orders are read.

    Attributes:
        amount_of: `order` if the amount is an order's total, repeated on each line of the order.
        notes: What was decided, one phrase each.
    """

    amount_of: Literal["line", "order"] = "line"
    notes: tuple[str, ...] = ()


class Repeats(Struct, frozen=True):
    """The amounts of orders with several lines in a sample.

    Attributes:
        orders: Number of orders with several lines and an amount.
        repeating: How many of them have one amount on all lines.
        once: Money of the sample if repeats count once.
        each: Money of the sample if each line counts.
        chance: Probability of the repeats if lines had their amounts independently.
    """

    orders: int
    repeating: int
    once: Decimal
    each: Decimal
    chance: float


def read_orders(schema: Schema, mapping: ColumnMapping, sample: Sample, settings: Settings) -> Orders:
    """Return how orders are read.

    Raises:
        ColumnError: If the amount repeats on the lines of an order, and its name does not say whether it is
            the order's total; or if `amount_of` does not fit the columns.
    """
    if mapping.frequency:
        return Orders()
    if mapping.order_id is None:
        _check_amount_of(mapping, settings)
        return Orders(notes=_no_order_note(schema, mapping))
    shared = _shared_ids_note(mapping.order_id, mapping.customer_id, sample)
    if settings.amount_of is not None:
        _check_amount_of(mapping, settings)
        return Orders(settings.amount_of, shared)
    if mapping.amount is None:
        return Orders(notes=shared)
    decided = _amount_of(mapping.order_id, mapping.amount, mapping, sample)
    return Orders(decided.amount_of, (*decided.notes, *shared))


def _shared_ids_note(order: Column, customer: Column, sample: Sample) -> tuple[str, ...]:
    """Return the note about order ids of several customers; none unless the sample is the whole source."""
    customers: dict[str, set[str]] = {}
    for order_id, customer_id in zip(sample.of(order), sample.of(customer), strict=False):
        if sample.is_whole and order_id is not None and customer_id is not None:
            customers.setdefault(order_id, set()).add(customer_id.casefold())
    shared = sum(len(owners) > 1 for owners in customers.values())
    if not shared:
        return ()
    ids = format_count(shared, "id")
    return (f"{ids} of `{order.name}` under several customers: they count as different orders",)


def _check_amount_of(mapping: ColumnMapping, settings: Settings) -> None:
    if settings.amount_of != "order":
        return
    if mapping.order_id is None:
        column = mapping.amount or mapping.unit_price
        raise question("total_without_orders", amount=column.name if column else "")
    if mapping.amount is None:
        assert mapping.quantity  # the amount is a product
        assert mapping.unit_price
        raise question("total_of_factors", quantity=mapping.quantity.name, price=mapping.unit_price.name)


def _no_order_note(schema: Schema, mapping: ColumnMapping) -> tuple[str, ...]:
    used = {column.path for column in mapping.roles().values()}
    candidates = [
        column.name
        for column in schema
        if column.path not in used and (meaning := meaning_of(column.name)) and meaning.role == "order_id"
    ]
    could_be = f" ({list_columns(candidates)} could be one: --order-id)" if candidates else ""
    return (f"no order column: each line counts as an order{could_be}",)


def _amount_of(order: Column, amount: Column, mapping: ColumnMapping, sample: Sample) -> Orders:
    repeats = count_repeats(
        zip(sample.of(mapping.customer_id), sample.of(order), loose_numbers(sample.of(amount)), strict=True)
    )
    if repeats.orders == 0 or repeats.repeating < _NEARLY_ALL * repeats.orders:
        return Orders()
    words = _words(amount.name)
    says_total = _TOTAL_WORD.search(words) is not None and not _LINE_WORD.search(words)
    says_order_total = says_total and _ORDER_WORD.search(words) is not None
    is_evident = repeats.orders >= _FEWEST_ORDERS and repeats.chance <= _CHANCE
    if says_order_total or (says_total and is_evident):
        several = f"{format_count(repeats.orders, 'order')} with several lines{_scope(sample)}"
        note = (
            f"`{amount.name}` repeats on the lines of an order ({repeats.repeating:,} of {several}): it"
            " counts once per order; --amount-of line counts each line"
        )
        return Orders("order", (note,))
    if not is_evident:
        return Orders()
    raise question(
        "repeated_amount",
        amount=amount.name,
        repeating=f"{repeats.repeating:,}",
        orders=f"{repeats.orders:,}",
        order=order.name,
        once=format_amount(repeats.once),
        each=format_amount(repeats.each),
        scope=_scope(sample),
    )


def _scope(sample: Sample) -> str:
    """Return the words that say of which lines a figure is; empty for all lines."""
    return "" if sample.is_whole else f" in the first {sample.rows:,} lines"


def count_repeats(lines: Iterable[tuple[str | None, str | None, Decimal | None]]) -> Repeats:
    """Count the orders of a sample that repeat one amount on each of their lines.

    Args:
        lines: Customer, order and amount of each line; lines without an order or an amount are left out.
    """
    orders: dict[tuple[str | None, str], list[Decimal]] = {}
    for customer, order, amount in lines:
        if order is not None and amount is not None:
            orders.setdefault((customer, order), []).append(amount)
    several = [amounts for amounts in orders.values() if len(amounts) > 1 and any(amounts)]
    repeating = [amounts for amounts in several if len(set(amounts)) == 1]
    repeated_lines = sum(len(amounts) - 1 for amounts in repeating)
    return Repeats(
        orders=len(several),
        repeating=len(repeating),
        once=sum((amount for amounts in orders.values() for amount in set(amounts)), Decimal(0)),
        each=sum((amount for amounts in orders.values() for amount in amounts), Decimal(0)),
        chance=_chance(_one_per_order(orders), repeated_lines),
    )


def _one_per_order(orders: Mapping[tuple[str | None, str], list[Decimal]]) -> Counter[Decimal]:
    """Return the amounts of the orders, each distinct amount of an order once.

    A total that repeats on many lines of one order must not look like an amount that is frequent anyway.
    """
    return Counter(amount for amounts in orders.values() for amount in set(amounts))


def _chance(amounts: Counter[Decimal], repeats: int) -> float:
    """Return the probability that so many lines have the amount of another line by chance."""
    total = amounts.total()
    if total == 0:
        return 1.0
    same = sum((count / total) ** 2 for count in amounts.values())
    return math.exp(repeats * math.log(same)) if same < 1 else 1.0


def _words(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.sub(r"[\W_]+", "_", spaced).casefold()
