"""The column of refunds: found by its name, and subtracted if its values are refunds of the amounts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from rfm_pipeline.common.formatting import format_amount
from rfm_pipeline.common.schema import Column
from rfm_pipeline.config.column_mapping import shell_word
from rfm_pipeline.config.questions import question
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.evidence import Evidence
from rfm_pipeline.source.profile.shapes import are_flags
from rfm_pipeline.source.profile.status_words import name_words

_AFTER_REFUNDS = frozenset({"adjusted", "after", "bereinigt", "net", "neto", "netto"})
_ZERO = Decimal(0)


def choose_refund(
    evidence: Evidence, chosen: Mapping[str, Column | None]
) -> tuple[Column | None, tuple[str, ...]]:
    """Return the column of refunds, which is subtracted from the amount, and notes; None if there is none.

    Args:
        evidence: The columns and their values.
        chosen: The columns of the other roles.

    Raises:
        ColumnError: If the amounts may be without the refunds already.
    """
    amount = chosen.get("amount") or chosen.get("unit_price")
    candidates = [candidate.column for candidate in evidence.candidates("refund")]
    if amount is None or not candidates:
        return None, ()
    converted = _is_converted(amount)
    column = next((column for column in candidates if _is_converted(column) == converted), None)
    if column is None or not evidence.has_values:
        return column, ()
    if not evidence.sample.filled(column):
        # Lines after the sample may have refunds; blank ones count as 0.
        later = f"`{column.name}` is blank{evidence.scope}, and subtracted where it is filled"
        return (None, ()) if evidence.sample.is_whole else (column, (later,))
    if are_flags(evidence.sample.filled(column)):
        return None, ()
    amounts = _amounts(evidence, chosen)
    refunds = [refund or _ZERO for refund in evidence.numbers(column)]
    refunded = [
        (money, refund)
        for money, refund in zip(amounts, refunds, strict=True)
        if refund and money is not None
    ]
    if not evidence.has_numbers(column) or len({refund < 0 for _, refund in refunded}) > 1:
        return None, ()
    refunds, refunded = list(map(abs, refunds)), [(money, abs(refund)) for money, refund in refunded]
    # A refund is no more than was paid, but for shipping and rounding.
    too_much = sum(refund > abs(money) for money, refund in refunded)
    if 4 * too_much > len(refunded) or (not refunded and evidence.sample.is_whole):
        return None, ()
    if refunded and _AFTER_REFUNDS & set(name_words(amount.name)):
        raise _question(evidence, amount, column, amounts, refunds)
    return column, (f"`{column.name}` is subtracted: {format_amount(sum(refunds, _ZERO))}{evidence.scope}",)


def are_negative(evidence: Evidence, column: Column | None) -> bool:
    """Return whether a column has refunds with a minus sign: some, and none without."""
    refunds = [refund for refund in evidence.numbers(column) if refund] if column else []
    return bool(refunds) and all(refund < 0 for refund in refunds)


def _amounts(evidence: Evidence, chosen: Mapping[str, Column | None]) -> list[Decimal | None]:
    amount, quantity, price = (chosen.get(role) for role in ("amount", "quantity", "unit_price"))
    if amount or not (quantity and price):
        column = amount or price
        return evidence.numbers(column) if column else []
    return [
        None if count is None or each is None else count * each
        for count, each in zip(evidence.numbers(quantity), evidence.numbers(price), strict=True)
    ]


def _is_converted(column: Column) -> bool:
    return bool({"converted", "convertido", "umgerechnet"} & set(name_words(column.name)))


def _question(
    evidence: Evidence,
    amount: Column,
    column: Column,
    amounts: list[Decimal | None],
    refunds: list[Decimal],
) -> ColumnError:
    everything = sum((money or _ZERO for money in amounts), _ZERO)
    less = format_amount(everything - sum(refunds, _ZERO))
    return question(
        "amount_less_refunds",
        amount=amount.name,
        refund=column.name,
        scope=evidence.scope,
        word=shell_word(column.name),
        less=less,
        everything=format_amount(everything),
    )
