"""Who a customer is: placeholders that are no customer, ids that a spreadsheet ruined, and customer 0."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

from msgspec import Struct

from rfm_pipeline.common.customer_mask import mask_customer
from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.common.schema import NUMBERS, Column, Kind
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.vocabulary import load
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.sample import Sample

_ZERO, _MINUS_ONE = ("0", "0.0"), ("-1", "-1.0")
_WHOLE_NUMBER = re.compile(r"-?[0-9]+(\.0)?")
_SCIENTIFIC = re.compile(r"[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}")
_SHOWN_PLACEHOLDERS = 6
# Ids that are drawn at random from 0 or 1 up have their smallest within a few average gaps of zero: beyond
# ten gaps with a probability of 1 in 20,000.
_GAPS = 10


class Customers(Struct, frozen=True):
    """How customer ids are read.

    Attributes:
        placeholders: Ids that are no customer: text in any case, and numbers.
        checks_zero: Whether 0 and -1 are kept as customers because the sample shows nothing against it; the
            run then checks that neither has more orders than any other customer.
        notes: What was decided, one phrase each.
    """

    placeholders: tuple[str, ...] = ()
    checks_zero: bool = False
    notes: tuple[str, ...] = ()


def read_customers(mapping: ColumnMapping, sample: Sample, settings: Settings) -> Customers:
    """Return how the ids of customers are read.

    Raises:
        ColumnError: If ids of customers or orders are in scientific notation.
    """
    _refuse_scientific_ids(mapping, sample, settings)
    column = mapping.customer_id
    counts = Counter(value.casefold() for value in sample.filled(column))
    is_text = column.kind is Kind.TEXT
    words = settings.placeholders if settings.placeholders is not None else known_placeholders()
    placeholders = [word for word in words if is_text or _WHOLE_NUMBER.fullmatch(word)]
    missing, checks_zero = _missing_numbers(mapping, sample, settings)
    placeholders += [number for number in missing if number not in placeholders]
    kept = checks_zero and counts["0"] > 0
    notes = _notes(column, counts, placeholders, sample, keeps_zero=kept)
    return Customers(tuple(placeholders), checks_zero, notes)


@cache
def known_placeholders() -> tuple[str, ...]:
    """Return the texts that are no customer in any column, in lower case."""
    words = load("placeholders")
    listed = [*words["missing"], *(word for by_language in words["guest"].values() for word in by_language)]
    return tuple(dict.fromkeys(listed))


def is_scientific(text: str) -> bool:
    """Return whether a text is an id that a spreadsheet wrote in scientific notation.

    >>> is_scientific("6.01235E+12"), is_scientific("5,49E+12"), is_scientific("1234e567")
    (True, True, False)
    """
    return _SCIENTIFIC.fullmatch(text) is not None


def _missing_numbers(
    mapping: ColumnMapping, sample: Sample, settings: Settings
) -> tuple[tuple[str, ...], bool]:
    """Return which of 0 and -1 are no customer, and whether the run checks those that are kept."""
    if sample.rows == 0 and settings.placeholders is None and settings.zero_customer == "auto":
        return (), True
    orders = _orders_by_number(mapping, sample)
    if orders is None or settings.placeholders is not None or settings.zero_customer == "keep":
        return (), False
    if settings.zero_customer == "missing":
        return (*_ZERO, *_MINUS_ONE), False
    minus_one = _MINUS_ONE if all(number >= -1 for number in orders) else ()
    if _begin_at_zero(orders, is_whole=sample.is_whole):
        return minus_one, True
    return (*_ZERO, *minus_one), False


def _orders_by_number(mapping: ColumnMapping, sample: Sample) -> Counter[int] | None:
    """Return the number of orders of each customer; None unless all ids in the sample are whole numbers."""
    column = mapping.customer_id
    customers = sample.of(column)
    lines = tuple(map(str, range(len(customers))))
    orders = (sample.of(mapping.order_id) if mapping.order_id else ()) or lines
    pairs = {
        (customer, order)
        for customer, order in zip(customers, orders, strict=True)
        if customer is not None and customer.casefold() not in known_placeholders()
    }
    ids = {customer for customer, _ in pairs}
    if not all(map(_WHOLE_NUMBER.fullmatch, ids)) or not (ids or column.kind in NUMBERS):
        return None
    return Counter(int(customer.removesuffix(".0")) for customer, _ in pairs)


def _begin_at_zero(orders: Counter[int], *, is_whole: bool) -> bool:
    """Return whether 0 looks like a customer: ids run from 0, and 0 has no more orders than others."""
    positive = [number for number in orders if number > 0]
    if not positive:
        # A source with a single customer, 0.
        return is_whole and set(orders) == {0}
    if is_whole and not orders[0]:
        return False
    gap = max(positive) / len(positive)
    runs_from_zero = min(positive) <= max(2.0, gap * (0.5 if is_whole else _GAPS))
    return runs_from_zero and orders[0] <= max(orders[number] for number in positive)


def _notes(
    column: Column, counts: Counter[str], placeholders: list[str], sample: Sample, *, keeps_zero: bool
) -> tuple[str, ...]:
    seen = Counter({word: counts[word] for word in placeholders if counts[word]})
    notes = []
    if seen:
        shown = [f"{word} ({count:,})" for word, count in seen.most_common(_SHOWN_PLACEHOLDERS)]
        more = [f"{len(seen) - _SHOWN_PLACEHOLDERS} more"] if len(seen) > _SHOWN_PLACEHOLDERS else []
        scope = "" if sample.is_whole else f", in the first {sample.rows:,} lines"
        listed = ", ".join([*shown, *more])
        notes.append(f"placeholders in `{column.name}` are missing_customer: {listed}{scope}")
    if keeps_zero:
        notes.append(
            f"0 in `{column.name}` is read as a customer, because ids run from 0; --zero-customer missing"
            " excludes it"
        )
    return tuple(notes)


def _refuse_scientific_ids(mapping: ColumnMapping, sample: Sample, settings: Settings) -> None:
    for role, column in (("customer_id", mapping.customer_id), ("order_id", mapping.order_id)):
        if column is None or column.kind is not Kind.TEXT or settings.skip or settings.exclude:
            # With conditions of the user's, lines with such ids may be left out: the run checks the others.
            continue
        values = sample.filled(column)
        if distinct := set(filter(is_scientific, set(values))):
            ruined = [value for value in values if value in distinct]
            lines = f"{len(ruined):,} of {format_count(len(values), 'value')}"
            scope = "" if sample.is_whole else " in the first lines"
            raise scientific_ids(role, column, f"{lines}{scope}", ruined[0])


def scientific_ids(role: str, column: Column, lines: str, example: str | None) -> ColumnError:
    """Return the question for ids in scientific notation.

    Args:
        role: `customer_id` or `order_id`.
        column: Its column.
        lines: How many lines have such an id.
        example: One of the ids; the id of a customer is masked.
    """
    shown = mask_customer(example) if example and role == "customer_id" else example
    return question(
        "ids_of_customers_cut_off" if role == "customer_id" else "ids_of_orders_cut_off",
        column=column.name,
        example=f" such as {shown}" if shown else "",
        lines=lines,
    )
