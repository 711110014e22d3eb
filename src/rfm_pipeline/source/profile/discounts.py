"""Discounts that are a share of the price, such as 0.15, or a percentage of it, such as 15 or 15%."""

from __future__ import annotations

from decimal import Decimal

from rfm_pipeline.common.formatting import format_amount
from rfm_pipeline.common.schema import Column
from rfm_pipeline.config.column_mapping import shell_word
from rfm_pipeline.config.questions import question
from rfm_pipeline.source.profile.evidence import Evidence
from rfm_pipeline.source.profile.money_readings import multiply
from rfm_pipeline.source.profile.status_words import name_words

_PERCENT = frozenset({
    "pct", "perc", "percent", "percentage", "porcentaje", "porcentagem", "pourcentage", "procent", "prozent",
})  # fmt: skip
_MONEY = frozenset({
    "amount", "bedrag", "betrag", "gesamt", "importe", "importo", "kwota", "montant", "sum", "total",
    "totals", "valor", "value", "wert",
})  # fmt: skip
_MOST_PERCENTAGES = 15
"""Different whole numbers above which a column without a sign or a name for percent is one of money."""


def check_shares(evidence: Evidence, discount: Column) -> bool:
    """Check that the values of a configured discount are shares of the price; return whether in percent.

    Raises:
        ColumnError: If most of its numbers are not from 0 to 1, and they are no percentages from 0 to 100.
    """
    if _are_percentages(evidence, discount):
        return True
    numbers = [number for number in evidence.numbers(discount) if number is not None]
    others = [number for number in numbers if not 0 <= number <= 1]
    if 2 * len(others) > len(numbers) or _signs(evidence, discount):
        raise question("discount_is_no_share", column=discount.name, value=(others or numbers)[0])
    return False


def check_discount(evidence: Evidence, quantity: Column | None, price: Column | None) -> None:
    """Check that no column has the share of a discount, if the amount is a quantity times a price.

    Raises:
        ColumnError: If a column named as a discount holds shares, such as 0.15, or percentages.
    """
    if quantity is None or price is None:
        return
    for candidate in evidence.candidates("discount"):
        column = candidate.column
        if not evidence.has_numbers(column):
            continue
        shares = evidence.numbers(column)
        filled = [share for share in shares if share is not None]
        is_percent = _are_percentages(evidence, column)
        is_certain = _says_percent(column) or _signs(evidence, column) > 0
        if is_percent and not is_certain and not _may_be_percentages(column, filled):
            continue
        if not is_percent and (
            not any(0 < share < 1 for share in filled) or not all(0 <= share <= 1 for share in filled)
        ):
            continue
        product = multiply(evidence.numbers(quantity), evidence.numbers(price))
        unit = Decimal("0.01") if is_percent else Decimal(1)
        before, after = (
            sum(
                (amount * (1 - share * unit) for amount, share in zip(product, taken, strict=True) if amount),
                Decimal(0),
            )
            for taken in ([Decimal(0)] * len(shares), [share or Decimal(0) for share in shares])
        )
        holds = "holds shares" if not is_percent else "holds percentages"
        raise question(
            "shares_of_discount",
            column=candidate.name,
            holds=holds if is_certain or not is_percent else "may hold percentages",
            largest=max(filled),
            quantity=quantity.name,
            price=price.name,
            with_discount=format_amount(after),
            without=format_amount(before),
            scope=evidence.scope,
            word=shell_word(candidate.name),
        )


def _are_percentages(evidence: Evidence, column: Column) -> bool:
    """Return whether the numbers of a column are from 0 to 100 and no shares, or have a percent sign."""
    numbers = [number for number in evidence.numbers(column) if number]
    if not numbers or not all(0 < number <= 100 for number in numbers):
        return False
    if signs := _signs(evidence, column):
        return signs == len(numbers)
    return max(numbers) > 1 and (_says_percent(column) or min(numbers) >= 1)


def _signs(evidence: Evidence, column: Column) -> int:
    """Return how many numbers other than 0 have a percent sign."""
    pairs = zip(evidence.values(column), evidence.numbers(column), strict=True)
    return sum(bool(number) and value is not None and "%" in value for value, number in pairs)


def _says_percent(column: Column) -> bool:
    return "%" in column.name or bool(_PERCENT & set(name_words(column.name)))


def _may_be_percentages(column: Column, numbers: list[Decimal]) -> bool:
    """Return whether numbers without a percent sign may be percentages: few different whole ones."""
    distinct = set(numbers)
    are_whole = all(number == int(number) for number in distinct)
    return are_whole and len(distinct) <= _MOST_PERCENTAGES and not _says_money(column)


def _says_money(column: Column) -> bool:
    return any(word.endswith(tuple(_MONEY)) for word in name_words(column.name))
