"""The form of single numbers that are text: decimal separator, and the currency beside the digits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Literal

from msgspec import Struct

from rfm_pipeline.common.number_format import (
    COMMA,
    MINUS,
    POINT,
    NumberSeparators,
    compiled,
    digits_regex,
    parse_number,
)
from rfm_pipeline.common.schema import NUMBERS, Column, Kind
from rfm_pipeline.config.vocabulary import load

Form = Literal["point", "comma", "two_readings", "whole"]
"""What a number shows: a decimal point, a decimal comma, either (`1,234`), or neither."""

Currency = tuple[str, ...]
"""What is written beside the digits of a number: `("$",)`, `("$", "USD")` for `$5 USD`; empty for nothing."""

_OTHER_DIGITS, _LATER_ZERO = str.maketrans("23456789", "11111111"), re.compile("(?<=[01])0")
_BLANKS = " \t\n\r\f\u00a0\u2007\u2009\u202f\u3000"
_BEFORE, _AFTER = f"{_BLANKS}'(+{MINUS}", f"{_BLANKS}){MINUS}"
_PARTS = re.compile(r"([^0-9]*?)([.,]?[0-9](?:.*[0-9])?(?:[.,](?:[–-]+|(?=\W*$)))?)([^0-9]*)", re.DOTALL)
_EXPONENT = re.compile(r"(?:[0-9]+|[0-9]*([.,])[0-9]+)[eE][+-]?[0-9]+")
_USUAL = ("USD", "EUR", "GBP", "JPY")
_SPELLINGS: dict[str, frozenset[str]] = {}


class TextColumn(Struct, frozen=True):
    """A column of numbers that are text: what its values in the sample look like.

    Attributes:
        role: Role of the column.
        column: The column.
        forms: Number of values of each form; values that are no numbers are absent.
        examples: First value of each form, of those with a comma that is no decimal comma (`,`), and of those
            in brackets (`(`).
        currencies: Number of values by what is written beside the digits.
        shapes: First value of each shape (`shape`), in the order of the values.
    """

    role: str
    column: Column
    forms: Mapping[str, int]
    examples: Mapping[str, str]
    currencies: Mapping[Currency, int]
    shapes: Mapping[str, str]

    @classmethod
    def of(cls, role: str, column: Column, values: Sequence[str]) -> TextColumn:
        """Return what the values of a column look like."""
        forms: Counter[str] = Counter()
        currencies: Counter[Currency] = Counter()
        examples: dict[str, str] = {}
        shapes: dict[str, str] = {}
        counts: Counter[str] = Counter()
        for value in values:
            known = shape(value)
            counts[known] += 1
            shapes.setdefault(known, value)
        for known, value in shapes.items():
            parts = number_parts(value)
            if parts is None:
                continue
            form, currency = parts
            forms[form] += counts[known]
            examples.setdefault(form, value)
            if currency:
                currencies[currency] += counts[known]
            if "," in value and form != "comma":
                examples.setdefault(",", value)
            if "(" in value:
                examples.setdefault("(", value)
        return cls(role, column, forms, examples, currencies, shapes)

    def count(self, *forms: str) -> int:
        """Return the number of values of some forms."""
        return sum(self.forms.get(form, 0) for form in forms)


def shape(value: str) -> str:
    """Return a text that has the form of a number, and few others of a column have: `$1,111.11`.

    >>> shape("$2,345.60"), shape("0.05")
    ('$1,111.11', '0.01')
    """
    return _LATER_ZERO.sub("1", value.translate(_OTHER_DIGITS))


def number_parts(value: str) -> tuple[Form, Currency] | None:
    """Return the form of a number and its currency; None if the text is no number.

    >>> number_parts("($1,234.50)"), number_parts("1.234 kr."), number_parts("12 pcs")
    (('point', ('$',)), ('two_readings', ('kr.',)), None)
    """
    match = _PARTS.fullmatch(value)
    if match is None:
        return None
    before, digits, after = match[1].strip(_BEFORE), match[2], match[3].strip(_AFTER)
    # The point of `Rs.500` belongs to the currency.
    if digits[0] in ".," and before and candidates(before + digits[0]):
        before, digits = before + digits[0], digits[1:]
    currency = tuple(" ".join(text.split()) for text in (before, after) if text)
    form = _form(digits)
    return (form, currency) if form and all(map(candidates, currency)) else None


def _form(digits: str) -> Form | None:
    if exponent := _EXPONENT.fullmatch(digits):
        return "comma" if exponent[1] == "," else "point" if exponent[1] else "whole"
    point, comma = (bool(compiled(f"^({digits_regex(form)})$").search(digits)) for form in (POINT, COMMA))
    if point and comma:
        return "two_readings" if set(digits) & set(".,") else "whole"
    return "point" if point else "comma" if comma else None


def candidates(text: str) -> frozenset[str]:
    """Return the currencies, as ISO codes, that a sign, a code or a word may mean; empty if it means none.

    >>> sorted(candidates("kr"))
    ['DKK', 'ISK', 'NOK', 'SEK']
    """
    meanings = spellings()
    if text.casefold() in meanings:
        return meanings[text.casefold()]
    words = [meanings.get(word, frozenset()) for word in text.casefold().split()]
    return frozenset.intersection(*words) if words else frozenset()


def chosen_code(text: str) -> str:
    """Return a code that `--currency` takes, for a sign, a code or a word that may mean several currencies.

    >>> chosen_code("$"), chosen_code("£"), chosen_code("zł"), chosen_code("points")
    ('USD', 'GBP', 'PLN', 'points')
    """
    meanings = candidates(text)
    return next((code for code in _USUAL if code in meanings), min(meanings, default=text))


def spellings() -> Mapping[str, frozenset[str]]:
    """Return the currencies that each sign, code or word may mean; the texts are case-folded."""
    if not _SPELLINGS:
        vocabulary = load("currencies")
        _SPELLINGS.update((code.casefold(), frozenset([code])) for code in vocabulary["codes"])
        _SPELLINGS.update(
            (text.casefold(), frozenset(codes)) for text, codes in vocabulary["spellings"].items()
        )
    return _SPELLINGS


def value_of(text: str | None, column: Column, separators: NumberSeparators) -> Decimal | None:
    """Return the number of a value of the sample; None if it is blank or unreadable."""
    if text is None:
        return None
    if column.kind is Kind.TEXT:
        return parse_number(text, separators)
    try:
        number = Decimal(text) if column.kind in NUMBERS else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None
