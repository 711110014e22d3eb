"""Readings of one text as a date: which formats it may be written in, and the date in each.

The formats are matched by the same regular expressions as in SQL, so that a format fits a value here exactly
if the query reads it. Offsets from UTC are ignored: they move a date, but do not change what fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache

from msgspec import Struct

from rfm_pipeline.common.date_formats import (
    EPOCH_DIGITS,
    EXCEL_SERIAL,
    ISO,
    date_part,
    date_regex,
    engines_parse,
    has_month_name,
    order_of,
    regexes_of,
)
from rfm_pipeline.config.month_names import month_key, month_keys

PLAUSIBLE_YEARS = range(1990, 2101)
"""Years of orders: a number is only taken for a date if the date is in one of them."""

YEAR_FIRST, DAY_FIRST, MONTH_FIRST = "ymd", "dmy", "mdy"
DAY_BEFORE_MONTH = "ydm"
SHORT_YEAR_FIRST = "short year first"
ANY_ORDER = (YEAR_FIRST, DAY_FIRST, MONTH_FIRST)
"""The orders with which a date with a month's name agrees: it can be read in one way only."""

_YEAR_FIRST = re.compile(r"[12][0-9]{3}([-/.])[0-9]{1,2}\1[0-9]{1,2}(?![0-9])")
_YEAR_LAST = re.compile(r"[0-9]{1,2}([/.-] ?)[0-9]{1,2}([/.-] ?)([0-9]{4}|[0-9]{2})(?![0-9:])")
_NUMBER = re.compile(r"([0-9]+)(?:\.[0-9]*|T[0-9]+)?")
_COMPACT_TIME = re.compile(r"(?:[0-9]{8})[ ,T]")
_LETTERS = re.compile(r"[^\W\d_]{3,}")
_NUMBERS = re.compile("[0-9]+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SERIAL_ZERO = date(1899, 12, 30)


class ValueReading(Struct, frozen=True):
    """One way to read a text as a date.

    Attributes:
        order: Order of day, month and year, or the name of a format that is a number.
        format: The format.
        date: The date.
    """

    order: str
    format: str
    date: date


def readings_of(text: str) -> tuple[ValueReading, ...]:
    """Return all ways to read a text as a date; empty if it is none in any known format.

    >>> [(reading.format, str(reading.date)) for reading in readings_of("3.4.2024")]
    [('%d.%m.%Y', '2024-04-03'), ('%m.%d.%Y', '2024-03-04')]
    """
    readings = []
    for order, date_format, is_number in _candidates(text):
        day = read_date(text, date_format)
        if day is not None and not (is_number and day.year not in PLAUSIBLE_YEARS):
            readings.append(ValueReading(order, date_format, day))
    return tuple(readings)


def read_date(text: str, date_format: str) -> date | None:
    """Return the date of a text in a format, without its offset; None if the format does not fit.

    >>> read_date("05-oct.-26", "%d %b %y")
    datetime.date(2026, 10, 5)
    """
    try:
        return _date(text, date_format)
    except (ValueError, OverflowError):
        return None


def _date(text: str, date_format: str) -> date | None:
    exact, *patterns = _compiled(date_format)
    if exact is not None and exact.match(text):
        # The date alone is used.
        return datetime.strptime(" ".join(text.split()), date_format).date()  # noqa: DTZ007
    if not any(pattern is not None and pattern.match(text) for pattern in patterns):
        return None
    if date_format in EPOCH_DIGITS:
        digits = text.partition(".")[0]
        seconds = int(digits[: len(digits) - EPOCH_DIGITS[date_format]])
        return (_EPOCH + timedelta(seconds=seconds)).date()
    if date_format == EXCEL_SERIAL:
        return _SERIAL_ZERO + timedelta(days=int(text[:5]))
    part = ISO if date_format == ISO else date_part(date_format)
    assert part is not None  # a format that matches beyond `exact` begins with the date
    return _named_date(text, part) if has_month_name(part) else _numeric_date(text, part)


def _numeric_date(text: str, part: str) -> date:
    start = _compiled_date(part).match(text)
    assert start is not None
    written = start[0]
    if part == ISO:
        year, month, day = map(int, _NUMBERS.findall(written))
        return date(year, month, day)
    return datetime.strptime(" ".join(written.split()), " ".join(part.split())).date()  # noqa: DTZ007


def _named_date(text: str, part: str) -> date:
    order = order_of(part)
    numbers = _NUMBERS.findall(text)
    keys = month_keys()
    names = [month_key(name) for name in _LETTERS.findall(text.lower())]
    month = next(keys[name] for name in names if name in keys)
    fields = dict(zip(order.replace("b", ""), numbers, strict=False))
    if "Y" in fields:
        return date(int(fields["Y"]), month, int(fields["d"]))
    # As strptime and both engines do: 69 to 99 are years of the last century.
    year = int(fields["y"])
    return date(year + (1900 if year >= 69 else 2000), month, int(fields["d"]))


def _candidates(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield the orders and formats that the shape of a text allows, and whether it is a number."""
    if match := _YEAR_FIRST.match(text):
        yield YEAR_FIRST, ISO, False
        yield DAY_BEFORE_MONTH, f"%Y{match[1]}%d{match[1]}%m", False
    elif match := _YEAR_LAST.match(text):
        first, second, year = match.groups()
        code = "%Y" if len(year) == 4 else "%y"
        yield DAY_FIRST, f"%d{first}%m{second}{code}", False
        yield MONTH_FIRST, f"%m{first}%d{second}{code}", False
        if code == "%y":
            yield SHORT_YEAR_FIRST, f"%y{first}%m{second}%d", False
    elif _NUMBER.fullmatch(text) or _COMPACT_TIME.match(text):
        yield from ((order, name, True) for order, name in _number_candidates(text))
    elif _LETTERS.search(text):
        yield from ((order, name, False) for order, name in _named_candidates(text))


def _number_candidates(text: str) -> Iterator[tuple[str, str]]:
    digits = len(_NUMBERS.findall(text)[0])
    if digits in {8, 12, 14}:
        yield YEAR_FIRST, "%Y%m%d"
        yield DAY_FIRST, "%d%m%Y"
        yield MONTH_FIRST, "%m%d%Y"
    if digits == 6:
        yield DAY_FIRST, "%d%m%y"
        yield MONTH_FIRST, "%m%d%y"
        yield SHORT_YEAR_FIRST, "%y%m%d"
    if digits == 5:
        yield EXCEL_SERIAL, EXCEL_SERIAL
    for name, after_seconds in EPOCH_DIGITS.items():
        if digits - after_seconds in {9, 10}:
            yield name, name


def _named_candidates(text: str) -> Iterator[tuple[str, str]]:
    separator = "-" if "-" in text.split(" ", maxsplit=1)[0] else " "
    comma = ", " if separator == " " else separator
    for code in ("%Y", "%y"):
        for date_format in (f"%d{separator}%b{separator}{code}", f"%b{separator}%d{comma}{code}"):
            for order in ANY_ORDER:
                yield order, date_format
    for order in ANY_ORDER:
        yield order, f"%Y{separator}%b{separator}%d"
    yield SHORT_YEAR_FIRST, f"%y{separator}%b{separator}%d"


@cache
def _compiled(date_format: str) -> tuple[re.Pattern[str] | None, ...]:
    """Return the exact pattern of a format, None if it has none, and its other patterns."""
    keys = month_keys() if has_month_name(date_format) else {}
    patterns = [re.compile(python_regex(pattern)) for pattern in regexes_of(date_format, keys)]
    has_exact = "%" in date_format and engines_parse(date_format)
    return tuple(patterns) if has_exact else (None, *patterns)


@cache
def _compiled_date(part: str) -> re.Pattern[str]:
    return re.compile(python_regex(date_regex(part)))


def python_regex(pattern: str) -> str:
    """Return a regular expression of RE2 as Python writes it."""
    return re.sub(r"\\x\{([0-9a-f]+)\}", lambda code: chr(int(code[1], 16)), pattern).replace(
        r"\pL", r"[^\W\d_]"
    )
