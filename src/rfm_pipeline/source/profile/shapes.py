"""What the values of a column look like: numbers, dates, addresses, names of people, placeholders.

These are estimates for the choice of columns, from values as text; how the values are read is decided by the
other modules of the profile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from rfm_pipeline.common.number_format import (
    COMMA,
    ONLY_COMMA,
    ONLY_POINT,
    POINT,
    compiled,
    parse_number,
)

_FLAGS = frozenset({
    "yes", "no", "y", "n", "true", "false", "ja", "nein", "oui", "non", "si", "tak", "nie", "nee",
    "new", "returning", "existing", "member", "normal", "guest", "registered", "regular", "vip",
    "retail", "wholesale", "b2b", "b2c", "business", "private", "consumer", "corporate",
})  # fmt: skip
"""Values that say of what kind a customer is, in lower case."""

_LEAST_VALUES = 10
_PLAIN = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_NO_NUMBER = re.compile(r"[^0-9.,()'’\s+−–-]+")  # noqa: RUF001 - the signs that people write
_LETTERS = re.compile(r"[^\W\d_]")
_DATE = re.compile(
    r"\d{1,4}\s?[-/. ]\s?(\d{1,2}|[^\W\d_]{3,12})\.?\s?[-/., ]+\s?\d{1,4}\b.*"
    r"|[^\W\d_]{3,12}\.?[-/, ]+\d{1,2}\W+\d{2,4}.*"
    r"|[^\W\d_]{2,9}\.?,?\s+\d{1,2}\W.*\d{2,4}.*"
    r"|\d{5}(\.\d+)?|\d{8}|\d{8}T?\d{4,6}Z?|1\d{9}(\d{3})?(\d{3})?(\.\d+)?"
)
_EMAIL = re.compile(r"'?[^@\s]+@[^@\s]+\.[^@\s]+")
_NAME = re.compile(r"[^\W\d_][^\d@_/]*(?:[\s.,]\s*)[^\W\d_][^\d@_/]*")


def loose_numbers(values: Sequence[str | None]) -> list[Decimal | None]:
    """Return the numbers of a column, whatever signs and currencies are beside them; None if a value is none.

    >>> loose_numbers(["€1.234,50", "(2,00)", "abc", None])
    [Decimal('1234.50'), Decimal('-2.00'), None, None]
    """
    filled = [value for value in values if value is not None]
    commas = [_without_currency(value) or "" for value in filled if "," in value]
    separators = POINT
    if commas:
        only_point, only_comma = compiled(ONLY_POINT), compiled(ONLY_COMMA)
        points = sum(bool(only_point.search(_without_currency(value) or "")) for value in filled)
        if sum(bool(only_comma.search(value)) for value in commas) > points:
            separators = COMMA
    numbers: list[Decimal | None] = []
    for value in values:
        if value is None:
            numbers.append(None)
        elif not commas and _PLAIN.fullmatch(value):
            numbers.append(Decimal(value))
        else:
            text = _without_currency(value)
            numbers.append(None if text is None else parse_number(text, separators))
    return numbers


def _without_currency(value: str) -> str | None:
    """Return a value without currencies; None if it has more letters than a currency."""
    # As many as `Euros` has.
    if len(_LETTERS.findall(value)) > 5:
        return None
    return _NO_NUMBER.sub("", value).strip(" \t\u00a0\u202f")


def are_flags(values: Iterable[str]) -> bool:
    """Return whether all values say yes or no, or of what kind a customer is; False without values."""
    distinct = {value.casefold() for value in values}
    return bool(distinct) and (distinct <= _FLAGS or distinct == {"0", "1"})


def are_words(values: Sequence[str]) -> bool:
    """Return whether values are a few words that occur again and again, such as `Sale` and `Refund`."""
    distinct = set(values)
    without_digits = sum(not any(map(str.isdigit, value)) for value in distinct)
    are_few = len(values) >= _LEAST_VALUES and 5 * len(distinct) <= len(values)
    return are_few and 10 * without_digits >= 9 * len(distinct)


def share_of_dates(values: Iterable[str]) -> float:
    """Return the share of values that look like dates, in any of the usual forms."""
    return _share(values, _looks_like_date)


def share_of_emails(values: Iterable[str]) -> float:
    """Return the share of values that are e-mail addresses."""
    return _share(values, lambda value: _EMAIL.fullmatch(value) is not None)


def share_of_names(values: Iterable[str]) -> float:
    """Return the share of values that look like names of people or companies: words without digits."""
    return _share(values, lambda value: _NAME.fullmatch(value) is not None)


def _looks_like_date(value: str) -> bool:
    return _DATE.fullmatch(value) is not None


def _share(values: Iterable[str], matches: Callable[[str], bool]) -> float:
    distinct = set(values)
    return sum(map(matches, distinct)) / len(distinct) if distinct else 0.0
