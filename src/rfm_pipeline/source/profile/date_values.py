"""Readings of one text as a date: which formats it may be written in, and the date in each.

The formats are matched by the same regular expressions as in SQL, so that a format fits a value here exactly
if the query reads it. Offsets from UTC are ignored: they move a date, but do not change what fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache

from msgspec import Struct

from rfm_pipeline.common.date_formats import (
    BEFORE_TIME,
    DIGITS_OF_TIME,
    EPOCH_DIGITS,
    EXCEL_SERIAL,
    ISO,
    NAMED_FORMATS,
    TIME,
    ZONE,
    date_part,
    date_regex,
    engines_parse,
    format_regex,
    has_month_name,
    is_compact,
    number_regex,
    order_of,
)
from rfm_pipeline.config.month_names import month_key, month_keys

PLAUSIBLE_YEARS = range(1990, 2101)
"""Years of orders: a number is only taken for a date if the date is in one of them."""

YEAR_FIRST, DAY_FIRST, MONTH_FIRST = "ymd", "dmy", "mdy"
DAY_BEFORE_MONTH = "ydm"
SHORT_YEAR_FIRST = "short year first"
ANY_ORDER = (YEAR_FIRST, DAY_FIRST, MONTH_FIRST)
"""The orders with which a date with a month's name agrees: it can be read in one way only."""

_YEAR_FIRST = re.compile(r"[12][0-9]{3}([-/.])[0-9]{1,2}\1[0-9]{1,2}")
_YEAR_LAST = re.compile(r"[0-9]{1,2}([/.-] ?)[0-9]{1,2}([/.-] ?)([0-9]{4}|[0-9]{2})")
_NUMBER = re.compile(r"([0-9]+)(?:\.[0-9]*|[T ][0-9]+)?")
_LETTERS = re.compile(r"[^\W\d_]{3,}")
_NUMBERS = re.compile("[0-9]+")
_CACHED = 8192
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
    head, tail = _split(text)
    if not tail:
        return _head_readings(head)
    return _timed_readings(head) if _is_time(tail) else ()


def read_date(text: str, date_format: str) -> date | None:
    """Return the date of a text in a format, without its offset; None if the format does not fit.

    >>> read_date("05-oct.-26", "%d %b %y")
    datetime.date(2026, 10, 5)
    """
    head, tail = _split(text)
    if not tail or (_is_time(tail) and not _is_number(date_format)):
        day = _head_date(head, date_format)
        if day is not None:
            return day
    return _exact_date(text, date_format)


def without_time(text: str) -> str:
    """Return the date of a text without its time and offset, as written."""
    return _split(text)[0]


def _split(text: str) -> tuple[str, str]:
    """Return the date and the time of a text; the time is empty if it has none."""
    start = _start_of_time().search(text)
    return (text[: start.start()], text[start.start() :]) if start else (text, "")


@lru_cache(maxsize=_CACHED)
def _head_readings(head: str) -> tuple[ValueReading, ...]:
    readings = []
    for orders, date_format in _candidates(head):
        day = _head_date(head, date_format)
        if day is not None and not (head.isdigit() and day.year not in PLAUSIBLE_YEARS):
            readings += [ValueReading(order, date_format, day) for order in orders]
    return tuple(readings)


@lru_cache(maxsize=_CACHED)
def _timed_readings(head: str) -> tuple[ValueReading, ...]:
    return tuple(reading for reading in _head_readings(head) if not _is_number(reading.format))


@lru_cache(maxsize=_CACHED)
def _head_date(head: str, date_format: str) -> date | None:
    """Return the date of a text without a time that begins with the date."""
    part = date_format if date_format in NAMED_FORMATS else date_part(date_format)
    if part is None or not _compiled(part).fullmatch(head):
        return None
    numbers = _NUMBERS.findall(head)
    try:
        if part in EPOCH_DIGITS:
            digits: str = numbers[0]
            seconds = int(digits[: len(digits) - EPOCH_DIGITS[part]])
            return (_EPOCH + timedelta(seconds=seconds)).date()
        if part == EXCEL_SERIAL:
            return _SERIAL_ZERO + timedelta(days=int(numbers[0]))
        order = "Ymd" if part == ISO else order_of(part)
        if is_compact(part):
            numbers = _fixed_width_numbers(numbers[0], order)
        fields = dict(zip(order.replace("b", ""), map(int, numbers), strict=False))
        month = fields["m"] if "m" in fields else _named_month(head)
        return date(fields["Y"] if "Y" in fields else _century(fields["y"]), month, fields["d"])
    except ValueError:
        return None


def _fixed_width_numbers(digits: str, order: str) -> list[str]:
    numbers = []
    for code in order:
        width = 4 if code == "Y" else 2
        numbers.append(digits[:width])
        digits = digits[width:]
    return numbers


def _named_month(text: str) -> int:
    keys = month_keys()
    names = [month_key(name) for name in _LETTERS.findall(text.lower())]
    return next(keys[name] for name in reversed(names) if name in keys)


def _century(year: int) -> int:
    """Return the year of two digits: from 69 on of the last century, as strptime of both engines reads it."""
    return year + (1900 if year >= 69 else 2000)


@lru_cache(maxsize=_CACHED)
def _exact_date(text: str, date_format: str) -> date | None:
    """Return the date of a text that is written exactly in a format, whatever stands before the date."""
    if _is_number(date_format) or date_format == ISO or not engines_parse(date_format):
        return None
    if not _compiled_exact(date_format).match(text):
        return None
    try:
        # The date alone is used.
        return datetime.strptime(" ".join(text.split()), " ".join(date_format.split())).date()  # noqa: DTZ007
    except ValueError:
        return None


def _is_number(date_format: str) -> bool:
    return date_format in NAMED_FORMATS and date_format != ISO


def _candidates(head: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the formats that the shape of a text allows, each with its orders of day, month and year."""
    if match := _YEAR_FIRST.fullmatch(head):
        yield (YEAR_FIRST,), ISO
        yield (DAY_BEFORE_MONTH,), f"%Y{match[1]}%d{match[1]}%m"
    elif match := _YEAR_LAST.fullmatch(head):
        first, second, year = match.groups()
        code = "%Y" if len(year) == 4 else "%y"
        yield (DAY_FIRST,), f"%d{first}%m{second}{code}"
        yield (MONTH_FIRST,), f"%m{first}%d{second}{code}"
        if code == "%y":
            yield (SHORT_YEAR_FIRST,), f"%y{first}%m{second}%d"
    elif match := _NUMBER.fullmatch(head):
        yield from _number_candidates(len(match[1]))
    elif head and _LETTERS.search(head):
        yield from _named_candidates(head)


def _number_candidates(digits: int) -> Iterator[tuple[tuple[str, ...], str]]:
    if digits in {8, 12, 14}:
        yield (YEAR_FIRST,), "%Y%m%d"
        yield (DAY_FIRST,), "%d%m%Y"
        yield (MONTH_FIRST,), "%m%d%Y"
    if digits == 6:
        yield (DAY_FIRST,), "%d%m%y"
        yield (MONTH_FIRST,), "%m%d%y"
        yield (SHORT_YEAR_FIRST,), "%y%m%d"
    if digits == 5:
        yield (EXCEL_SERIAL,), EXCEL_SERIAL
    for name, after_seconds in EPOCH_DIGITS.items():
        if digits - after_seconds in {9, 10}:
            yield (name,), name


def _named_candidates(head: str) -> Iterator[tuple[tuple[str, ...], str]]:
    separator = "-" if "-" in head else " "
    comma = ", " if separator == " " else separator
    code = "%Y" if any(len(number) == 4 for number in _NUMBERS.findall(head)) else "%y"
    yield ANY_ORDER, f"%d{separator}%b{separator}{code}"
    yield ANY_ORDER, f"%b{separator}%d{comma}{code}"
    if code == "%Y":
        yield ANY_ORDER, f"%Y{separator}%b{separator}%d"
    else:
        yield (SHORT_YEAR_FIRST,), f"%y{separator}%b{separator}%d"


@cache
def _compiled(part: str) -> re.Pattern[str]:
    """Return the pattern of dates without a time in a format that begins with the date."""
    if _is_number(part):
        return re.compile(number_regex(part))
    keys = month_keys() if has_month_name(part) else {}
    compact = f"(?:{DIGITS_OF_TIME})?" if is_compact(part) else ""
    return re.compile(_python_regex(date_regex(part, keys)) + compact)


@cache
def _compiled_exact(date_format: str) -> re.Pattern[str]:
    return re.compile(_python_regex(format_regex(date_format)))


@cache
def _start_of_time() -> re.Pattern[str]:
    return re.compile(f"{BEFORE_TIME}[0-9]{{1,2}}:[0-9]")


@cache
def _time_pattern() -> re.Pattern[str]:
    return re.compile(_python_regex(f"{TIME}(?:{ZONE})?"))


@lru_cache(maxsize=_CACHED)
def _is_time(tail: str) -> bool:
    return _time_pattern().fullmatch(tail) is not None


def _python_regex(pattern: str) -> str:
    """Return a regular expression of RE2 as Python writes it."""
    characters = re.sub(r"\\x\{([0-9a-f]+)\}", lambda code: chr(int(code[1], 16)), pattern)
    return characters.replace(r"\pL", r"[^\W\d_]")
