"""Proofs that one reading of the amount is right: prices of products, discounts, totals of orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from rfm_pipeline.common.schema import Column
from rfm_pipeline.source.profile.evidence import Evidence, Keys
from rfm_pipeline.source.profile.money_readings import TOLERANCE, AmountReading, Money, are_equal

_LEAST_LINES = 5
"""Lines of products in several quantities that prove what a price is of."""
MOST = 0.9
"""Share of the lines that must show the same for a proof."""


def price_of_unit_or_line(
    evidence: Evidence, readings: list[AmountReading], order: Column | None, notes: list[str]
) -> AmountReading | None:
    """Return the reading of a price that the prices of products refute.

    The price of one unit is the same for any quantity. The price of a line grows with the quantity, and its
    quotient with the quantity is the same.
    """
    del order
    for product in readings:
        line = next(
            (each for each in readings if each.kind == "price" and each.column is product.column),
            None,
        )
        if product.kind != "price product":
            continue
        price, quantity = product.column, product.roles["quantity"]
        share_of_units, share_of_lines = constant_prices(evidence, price, quantity)
        if share_of_units >= MOST > share_of_lines:
            if line is not None:
                notes.append(
                    f"`{price.name}` is the price of one unit: the same for any quantity{evidence.scope}"
                )
                return line
        elif share_of_lines >= MOST > share_of_units:
            notes.append(
                f"`{price.name}` is the price of the line: it grows with the quantity{evidence.scope}"
            )
            return product
    return None


def constant_prices(evidence: Evidence, price: Column, quantity: Column) -> tuple[float, float]:
    """Return how many lines show a price of one unit, and how many a price of the line, as shares.

    Compared are the lines of products that were sold in several quantities: their price, or their price
    divided by the quantity, is constant. Without a column of products, the one of the two that has at most
    half as many values as the other shows. A price without a minus sign beside a negative quantity is of one
    unit.
    """
    prices, quantities = evidence.numbers(price), evidence.numbers(quantity)
    returned = [
        amount for amount, count in zip(prices, quantities, strict=True) if amount and count and count < 0
    ]
    if returned and min(returned) > 0:
        return 1.0, 0.0
    best = (0.0, 0.0)
    for candidate in evidence.filled_candidates("product"):
        lines: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
        for key, amount, count in zip(evidence.values(candidate.column), prices, quantities, strict=True):
            if key is not None and amount and count:
                lines[key].append((amount, count))
        several = [pairs for pairs in lines.values() if len({count for _, count in pairs}) > 1]
        compared = sum(map(len, several))
        if compared < _LEAST_LINES:
            continue
        constant = sum(len(pairs) for pairs in several if len({amount for amount, _ in pairs}) == 1)
        growing = sum(len(pairs) for pairs in several if len({_quotient(*pair) for pair in pairs}) == 1)
        best = max(best, (constant / compared, growing / compared), key=max)
    if max(best) >= MOST:
        return best
    pairs = [
        pair for pair in zip(prices, quantities, strict=True) if pair[0] and pair[1] and abs(pair[1]) > 1
    ]
    quotients = {_quotient(amount, abs(count)) for amount, count in pairs if amount and count}
    distinct = {amount for amount, _ in pairs}
    if len(pairs) >= 2 * _LEAST_LINES and 2 * len(quotients) <= len(distinct):
        return 0.0, 1.0
    if len(pairs) >= 2 * _LEAST_LINES and 2 * len(distinct) <= len(quotients):
        return 1.0, 0.0
    return best


def _quotient(amount: Decimal, count: Decimal) -> Decimal:
    return round(amount / count, 4)


def before_discount(
    evidence: Evidence, readings: list[AmountReading], order: Column | None, notes: list[str]
) -> AmountReading | None:
    """Return a reading that is another one before its discount."""
    del order
    for before in readings:
        for candidate in evidence.filled_candidates("discount"):
            if not evidence.has_numbers(candidate.column):
                continue
            discounts = [number or Decimal(0) for number in evidence.numbers(candidate.column)]
            if not any(discounts):
                continue
            for after in readings:
                if after is before or after.kind == "price":
                    continue
                if any(are_equal(after.money, money) for money in _less(before.money, discounts)):
                    notes.append(
                        f"the amount is {after.label}: {before.label} less `{candidate.name}`{evidence.scope}"
                    )
                    return before
    return None


def _less(money: Money, discounts: Sequence[Decimal]) -> list[Money]:
    """Return money less a discount: that is an amount, positive or negative, or a share."""
    pairs = list(zip(money, discounts, strict=True))
    return [
        [None if amount is None else amount - abs(discount) for amount, discount in pairs],
        [None if amount is None else amount * (1 - discount) for amount, discount in pairs],
        [None if amount is None else amount * (1 - discount / 100) for amount, discount in pairs],
    ]


def total_of_lines(
    evidence: Evidence, readings: list[AmountReading], order: Column | None, notes: list[str]
) -> AmountReading | None:
    """Return a reading that repeats, on each line of an order, the sum of the order's lines."""
    if order is None:
        return None
    keys = _continued(evidence.keys(order))
    # The lines of the last order may continue after the sample.
    last = None if evidence.sample.is_whole else keys[-1]
    for repeated in readings:
        totals = totals_of_orders(keys, repeated.money)
        for lines in readings:
            if lines is repeated or not totals:
                continue
            sums: dict[str, Decimal] = defaultdict(Decimal)
            for key, amount in zip(keys, lines.money, strict=True):
                if key is not None and amount is not None:
                    sums[key] += amount
            if set(sums) == set(totals) and all(
                abs(sums[key] - total) <= TOLERANCE for key, total in totals.items() if key != last
            ):
                notes.append(
                    f"the amount is {lines.label}; {repeated.label} is the order's total{evidence.scope}"
                )
                return repeated
    return None


def _continued(keys: Keys) -> Keys:
    """Return the order of each line; a line without one continues the order above."""
    orders: list[str | None] = []
    for key in keys:
        orders.append(key if key is not None or not orders else orders[-1])
    return orders


def totals_of_orders(keys: Keys, money: Money) -> dict[str, Decimal]:
    """Return the amount of each order if all lines of an order have one amount or none; otherwise nothing.

    At least one order must have several lines.
    """
    totals: dict[str, Decimal] = {}
    for key, amount in zip(keys, money, strict=True):
        if key is not None and amount is not None and totals.setdefault(key, amount) != amount:
            return {}
    return totals if len(totals) < sum(key is not None for key in keys) else {}
