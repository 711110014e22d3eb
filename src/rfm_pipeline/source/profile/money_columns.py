"""The columns of the amount, chosen by their names and by the money that each reading gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct, field

from rfm_pipeline.common.formatting import format_amount
from rfm_pipeline.common.schema import Column
from rfm_pipeline.config.column_mapping import list_choices
from rfm_pipeline.config.column_names import fold_name
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.vocabulary import load
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.evidence import Candidate, Evidence, Keys
from rfm_pipeline.source.profile.money_proofs import (
    before_discount,
    price_of_unit_or_line,
    total_of_lines,
    totals_of_orders,
)
from rfm_pipeline.source.profile.money_readings import AmountReading, are_equal
from rfm_pipeline.source.profile.status_words import name_words

_MAX_READINGS = 4
_NEGATIVE = ", without negative amounts (--returns net subtracts them)"
_AMOUNTS_OF_ANYTHING = {"amount", "amt", "sales"}
_FEW = 100
_MONEY_ROLES = ("amount", "unit_price", "price", "quantity")


class MoneyChoice(Struct, frozen=True):
    """The columns of the amount.

    Attributes:
        roles: Column of each role.
        notes: Why, where names alone did not decide.
    """

    roles: Mapping[str, Column] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def choose_money(evidence: Evidence, order: Column | None, decided: frozenset[str]) -> MoneyChoice:
    """Choose the columns of the amount.

    Args:
        evidence: Names and values of the columns.
        order: The column of the order; None if there is none.
        decided: Roles that are configured as no column.

    Raises:
        ColumnError: If several readings give different money, and nothing proves one of them.
    """
    readings = _readings(evidence, decided)
    if not evidence.has_values:
        return _by_name(evidence, readings)
    readings, notes = _proven(evidence, readings, order)
    if len(readings) > 1:
        raise _question(evidence, readings, order)
    if not readings:
        return MoneyChoice()
    return MoneyChoice(readings[0].roles, tuple(notes))


def choose_quantity(evidence: Evidence) -> Column | None:
    """Choose the quantity for a configured price: the first column with numbers."""
    candidates = evidence.filled_candidates("quantity")
    with_numbers = [each for each in candidates if evidence.has_numbers(each.column)]
    return next((each.column for each in with_numbers or candidates), None)


def choose_price(evidence: Evidence, quantity: Column) -> Column | None:
    """Choose the price for a configured quantity.

    Raises:
        ColumnError: If several columns could be the price, and differ.
    """
    candidates = evidence.filled_candidates("unit_price") or evidence.filled_candidates("price")
    with_numbers = [each for each in candidates if evidence.has_numbers(each.column)] or candidates
    money = [evidence.numbers(each.column) for each in with_numbers]
    if len(with_numbers) > 1 and not (
        evidence.has_values and all(are_equal(money[0], each) for each in money)
    ):
        names = [each.name for each in with_numbers]
        products = [
            AmountReading(evidence, "unit product", 4, each.column, quantity) for each in with_numbers
        ]
        readings = [_labelled(evidence, each) for each in products]
        raise question(
            "several_prices",
            number=len(names),
            readings=f"{', '.join(readings[:-1])} or {readings[-1]}",
            scope=_scope(evidence, products),
            choices=list_choices("unit_price", names),
        )
    return next((each.column for each in with_numbers), None)


def _readings(evidence: Evidence, decided: frozenset[str]) -> list[AmountReading]:
    """Return the ways to read the amount, the most specific first."""
    named = {role: [] if role in decided else evidence.filled_candidates(role) for role in _MONEY_ROLES}
    if "unit_price" in decided:
        named["price"] = []
    readings = _readings_of(evidence, named)
    if len(readings) < 2 or not evidence.has_values:
        return readings
    with_numbers = {
        role: [each for each in candidates if evidence.has_numbers(each.column)]
        for role, candidates in named.items()
    }
    return _readings_of(evidence, with_numbers) or readings


def _readings_of(evidence: Evidence, candidates: Mapping[str, Sequence[Candidate]]) -> list[AmountReading]:
    """Return the readings of an amount, or of a price with the quantity; of a price alone only if need be."""
    quantity = next(iter(candidates["quantity"]), None)
    if quantity is None and candidates["price"]:
        # `amount` beside `price` may be a number of pieces.
        pieces = (
            each for each in candidates["amount"] if each.kind == "amount" and _are_pieces(evidence, each)
        )
        quantity = next(pieces, None)
    readings = [AmountReading(evidence, each.kind, each.rank, each.column) for each in candidates["amount"]]
    for role, kind in (("unit_price", "unit"), ("price", "price")):
        for each in candidates[role]:
            if quantity:
                readings.append(AmountReading(evidence, f"{kind} product", 4, each.column, quantity.column))
            if not quantity or (kind == "price" and not candidates["amount"]):
                readings.append(AmountReading(evidence, kind, 5, each.column))
    return readings


def _are_pieces(evidence: Evidence, candidate: Candidate) -> bool:
    """Return whether a column named as an amount of anything has small whole numbers."""
    if fold_name(candidate.name) not in _AMOUNTS_OF_ANYTHING or not evidence.has_values:
        return False
    numbers = [number for number in evidence.numbers(candidate.column) if number is not None]
    return bool(numbers) and all(number == int(number) and abs(number) < _FEW for number in numbers)


def _by_name(evidence: Evidence, readings: list[AmountReading]) -> MoneyChoice:
    """Choose by names alone, for a source without a sample."""
    if not readings:
        return MoneyChoice()
    amounts = [each for each in readings if each.kind in {"line", "amount", "order", "subtotal"}]
    main = [each for each in amounts if each.kind != "subtotal"] or amounts
    others = [each for each in readings if each not in amounts]
    # A price beside a quantity is of one unit, as far as its name shows.
    products = [each for each in others if "quantity" in each.roles] or others
    if len(main) + len(products) > 1:
        raise _question(evidence, [*main, *products])
    return MoneyChoice((main or products)[0].roles)


def _proven(
    evidence: Evidence, readings: list[AmountReading], order: Column | None
) -> tuple[list[AmountReading], list[str]]:
    """Return the readings that remain after the values have been compared, and notes on those that do not."""
    notes: list[str] = []
    rules: tuple[Callable[..., AmountReading | None], ...] = (
        _same_money,
        price_of_unit_or_line,
        before_discount,
        total_of_lines,
    )
    for rule in rules:
        while len(readings) > 1 and (refuted := rule(evidence, readings, order, notes)):
            readings = [each for each in readings if each is not refuted]
    return readings, notes


def _same_money(
    evidence: Evidence, readings: list[AmountReading], order: Column | None, notes: list[str]
) -> AmountReading | None:
    """Return a reading that gives the same money on each line as a more specific one."""
    del order
    by_rank = sorted(readings, key=lambda each: each.rank)
    for index, one in enumerate(by_rank):
        for other in by_rank[index + 1 :]:
            if are_equal(one.money, other.money):
                if {one.kind, other.kind} != {"price product", "price"}:
                    notes.append(
                        f"the amount is {one.label}; {other.label} is the same on each line{evidence.scope}"
                    )
                return other
    return None


def _question(
    evidence: Evidence, readings: Sequence[AmountReading], order: Column | None = None
) -> ColumnError:
    shown = readings[:_MAX_READINGS]
    keys = evidence.keys(order) if order else ()
    column, code = _mixed_currency(evidence, shown)
    of_code = f" --currency {code}" if column else ""
    choices = [
        _labelled(evidence, each, keys)
        if column is None or _is_converted(each)
        else f"{each.label} ({_total_of_code(evidence, each, column, code)} in {code}, beside others)"
        for each in shown
    ]
    hidden = [each.label for each in readings[_MAX_READINGS:]]
    others = f", or {len(hidden)} others" if hidden else ""
    return question(
        "ambiguous_amount",
        readings=f"{', '.join(choices[:-1])} or {choices[-1]}{others}",
        scope=_scope(evidence, shown),
        choices=", or ".join(f"{each.flags}{'' if _is_converted(each) else of_code}" for each in shown),
    )


def _mixed_currency(evidence: Evidence, readings: Sequence[AmountReading]) -> tuple[Column | None, str]:
    """Return the column of several currencies and the most frequent one.

    The column is None if the source has no such column, or not just some amounts are in one currency by name.
    """
    if len({_is_converted(each) for each in readings}) == 1:
        return None, ""
    for column in evidence.schema:
        if fold_name(column.name) in load("currency_columns")["names"]:
            counts = Counter(value.upper() for value in evidence.values(column) if value)
            if len(counts) > 1 and set(counts) <= set(load("currencies")["codes"]):
                return column, min(counts, key=lambda code: (-counts[code], code))
    return None, ""


def _total_of_code(evidence: Evidence, reading: AmountReading, column: Column, code: str) -> str:
    """Return what the lines in one currency amount to."""
    pairs = zip(reading.counted, evidence.values(column), strict=True)
    return format_amount(
        sum((amount or Decimal(0) for amount, value in pairs if (value or "").upper() == code), Decimal(0))
    )


def _is_converted(reading: AmountReading) -> bool:
    return bool(set(name_words(reading.column.name)) & set(load("currency_columns")["converted"]))


def _scope(evidence: Evidence, readings: Sequence[AmountReading]) -> str:
    """Return the words that say of which lines the totals of readings are."""
    if not evidence.has_values:
        return ""
    return evidence.scope + (_NEGATIVE if any(each.has_negative for each in readings) else "")


def _labelled(evidence: Evidence, reading: AmountReading, keys: Keys = ()) -> str:
    """Return a reading with the sum of its amounts; a total that an order repeats counts once."""
    if not evidence.has_values:
        return reading.label
    if keys and (totals := totals_of_orders(keys, reading.money)):
        counted = [total for total in totals.values() if evidence.nets_returns or total > 0]
        return f"{reading.label} ({format_amount(sum(counted, Decimal(0)))} in all, once per order)"
    return f"{reading.label} ({format_amount(reading.total)} in all)"
