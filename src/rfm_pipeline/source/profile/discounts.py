"""Discounts that are a share of the price, such as 0.15."""

from __future__ import annotations

from decimal import Decimal

from rfm_pipeline.common.formatting import format_amount
from rfm_pipeline.common.schema import Column
from rfm_pipeline.config.column_mapping import shell_word
from rfm_pipeline.config.questions import question
from rfm_pipeline.source.profile.evidence import Evidence
from rfm_pipeline.source.profile.money_columns import multiply


def check_shares(evidence: Evidence, discount: Column) -> None:
    """Check that the values of a configured discount are shares.

    Raises:
        ColumnError: If most of its numbers are not from 0 to 1.
    """
    numbers = [number for number in evidence.numbers(discount) if number is not None]
    others = [number for number in numbers if not 0 <= number <= 1]
    if 2 * len(others) > len(numbers):
        raise question("discount_is_no_share", column=discount.name, value=others[0])


def check_discount(evidence: Evidence, quantity: Column | None, price: Column | None) -> None:
    """Check that no column has the share of a discount, if the amount is a quantity times a price.

    Raises:
        ColumnError: If a column named as a discount holds shares, such as 0.15.
    """
    if quantity is None or price is None:
        return
    for candidate in evidence.candidates("discount"):
        shares = evidence.numbers(candidate.column)
        filled = [share for share in shares if share is not None]
        if not any(0 < share < 1 for share in filled) or not all(0 <= share <= 1 for share in filled):
            continue
        if not evidence.has_numbers(candidate.column):
            continue
        product = multiply(evidence.numbers(quantity), evidence.numbers(price))
        before, after = (
            sum(
                (amount * (1 - share) for amount, share in zip(product, taken, strict=True) if amount),
                Decimal(0),
            )
            for taken in ([Decimal(0)] * len(shares), [share or Decimal(0) for share in shares])
        )
        raise question(
            "shares_of_discount",
            column=candidate.name,
            largest=max(filled),
            quantity=quantity.name,
            price=price.name,
            with_discount=format_amount(after),
            without=format_amount(before),
            scope=evidence.scope,
            word=shell_word(candidate.name),
        )
