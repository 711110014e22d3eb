"""Date formats of columns: ISO 8601, strptime-like formats, and numbers that count seconds or days.

Engines parse the same format string differently (digits of a day, blanks, case). Each format is therefore
also translated into a regular expression, which a value must match before an engine parses it. A format is
the order of day, month and year: a time, its seconds and its zone may be absent from a value, or be present
where the format has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache

ISO = "iso"
"""ISO 8601: `2011-12-09`, `2011-12-09 08:26`, `2011-12-09T08:26:00.5Z`; and `2011/12/9 8:26 AM`."""

EPOCH_DIGITS = {"epoch_s": 0, "epoch_ms": 3, "epoch_us": 6, "epoch_ns": 9}
"""Formats of time since 1970, each with the number of digits after those of the whole seconds."""

EXCEL_SERIAL = "excel_serial"
"""Days since 1899-12-30, as spreadsheets count; a fraction is the time of the day."""

NAMED_FORMATS = (ISO, *EPOCH_DIGITS, EXCEL_SERIAL)
"""The formats that are not written with codes."""

AMBIGUOUS_DATE_PATTERN = r"^\s*(0?[1-9]|1[0-2])[/.-](0?[1-9]|1[0-2])[/.-]([0-9]{4}|[0-9]{2})\b"
"""Matches a date whose day and month are ambiguous: `03/04/2011`. RE2 syntax, which both engines use."""

OFFSET = "[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?)"
"""Matches an offset from UTC: `+05:30`, `-0800`, `+01`. RE2 syntax."""

FORMAT_CODES = {
    # Alternatives of two digits come first: an extracted match must not end within a number.
    "%Y": "[12][0-9]{3}",
    "%y": "[0-9]{2}",
    "%m": "(?:1[0-2]|0?[1-9])",
    "%d": "(?:[12][0-9]|3[01]|0?[1-9])",
    "%b": "(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
    "%B": "(?i:January|February|March|April|May|June|July|August|September|October|November|December)",
    "%H": "(?:1[0-9]|2[0-3]|0?[0-9])",
    "%I": "(?:1[0-2]|0?[1-9])",
    "%M": "[0-5]?[0-9]",
    "%S": "[0-5]?[0-9]",
    "%p": "(?i:[AP]M)",
    "%f": "[0-9]{1,9}",
    "%z": f" ?(?:Z|{OFFSET})",
}
"""Supported format codes, each with the regular expression of its values (RE2 syntax)."""

_DATE_CODES = ("%Y", "%y", "%m", "%b", "%B", "%d")
_NUMERIC = {"%Y", "%y", "%m", "%d", "%H", "%I", "%M", "%S"}
_FIXED_WIDTH = {
    "%Y": "[12][0-9]{3}",
    "%m": "(?:0[1-9]|1[0-2])",
    "%d": "(?:0[1-9]|[12][0-9]|3[01])",
    "%H": "(?:[01][0-9]|2[0-3])",
    "%I": "(?:0[1-9]|1[0-2])",
    "%M": "[0-5][0-9]",
    "%S": "[0-5][0-9]",
}
_CODE = re.compile(r"%.?", re.DOTALL)
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

# What may follow a date: a time of 24 or 12 hours, or of 24 hours followed by AM or PM, as some shops write.
# Blanks and single digits as STRPTIME of DuckDB accepts them, so that it alone reads most values.
BEFORE_TIME = r"(?:T|,?[\t-\r ]+(?:(?:-|at|um|à) +)?)"
_CLOCK = r"(?:1[0-9]|2[0-3]|0?[0-9]):[0-5]?[0-9](?::[0-5]?[0-9](?:[.,][0-9]{1,9})?)?"
_HALF_DAY = r"(?:[ \x{a0}\x{202f}]?[AaPp]\.?[Mm]\.?| Uhr)?"
TIME = f"{BEFORE_TIME}{_CLOCK}{_HALF_DAY}"
ZONE = rf" ?(?:Z|UTC|GMT|(?:UTC|GMT)?{OFFSET})(?:\[[^\]]*\]| \([^)]*\))?"
DIGITS_OF_TIME = r"(?:[T ]?(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9])?|\.0+)"
_ISO_LOOSE = (
    "^[12][0-9]{3}(?:-(?:1[0-2]|0?[1-9])-|/(?:1[0-2]|0?[1-9])/|[.](?:1[0-2]|0?[1-9])[.])"
    "(?:[12][0-9]|3[01]|0?[1-9])"
)
_BETWEEN_NAMED_PARTS = "[ ./,-]*(?:del? |of )?"
_NAMED_PARTS = {
    "d": "(?:[12][0-9]|3[01]|0?[1-9])(?:(?:st|nd|rd|th|er)\\b|º|ª)?",
    "Y": "[12][0-9]{3}",
    "y": "[0-9]{2}",
}
_WEEKDAY = r"(?:\pL{2,13}[.,]* +)?"


def parse_iso_date(text: str, alternative: str = "") -> date:
    """Return the date of text such as `2025-12-31`; other ISO forms, such as `20251231`, are rejected.

    Args:
        text: The text of a flag or a setting.
        alternative: Continuation of the message, such as ", 'latest' or 'today'", for other text.

    Raises:
        ValueError: If the text has another form, or there is no such day.

    >>> parse_iso_date("2025-12-31")
    datetime.date(2025, 12, 31)
    """
    if not _ISO_DATE.fullmatch(text):
        raise ValueError(f"'{text}' is not a date such as 2025-12-31{alternative}")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is no day of the calendar") from None


def check_format(text: str) -> None:
    """Validate a date format.

    Raises:
        ValueError: If the format has an unknown code, repeats a code, or lacks the year, the month or the
            day; or if a zone or a fraction stands before the end of the date.
    """
    if text in NAMED_FORMATS:
        return
    codes = _CODE.findall(text)
    unknown = [code for code in codes if code not in FORMAT_CODES]
    if unknown:
        supported = " ".join(FORMAT_CODES)
        raise ValueError(f"the date format '{text}' uses {unknown[0]}, which is none of {supported}")
    if len(set(codes)) < len(codes):
        raise ValueError(f"the date format '{text}' uses a code twice")
    if not ({"%Y", "%y"} & set(codes) and {"%m", "%b", "%B"} & set(codes) and "%d" in codes):
        if not codes:
            known = ", ".join(NAMED_FORMATS)
            raise ValueError(f"'{text}' is no date format: use codes such as %d/%m/%Y, or one of {known}")
        raise ValueError(f"the date format '{text}' must give the year, the month and the day")
    if {"%z", "%f"} & set(codes) and date_part(text) is None:
        raise ValueError(f"the date format '{text}' must give the date before the time and its zone")


def format_regex(text: str) -> str:
    r"""Return an anchored regular expression that matches the dates written exactly in the format `text`.

    >>> format_regex("%d.%m.%y")
    '^(?:[12][0-9]|3[01]|0?[1-9])\\.(?:1[0-2]|0?[1-9])\\.[0-9]{2}$'
    """
    return f"^{_codes_regex(text)}$"


def engines_parse(text: str) -> bool:
    """Return whether engines parse the format in the same way, so that it can be parsed as a whole."""
    return not {"%z", "%f"} & set(_CODE.findall(text))


@lru_cache(maxsize=64)
def date_part(text: str) -> str | None:
    """Return the part of a format up to its last code of a date; None if a code of a time is in it.

    >>> date_part("%d/%m/%Y %H:%M")
    '%d/%m/%Y'
    """
    end = max(text.find(code) for code in _DATE_CODES) + 2
    part = text[:end]
    return part if set(_CODE.findall(part)) <= set(_DATE_CODES) else None


def has_month_name(text: str) -> bool:
    """Return whether a format has the name of the month: `%b` and `%B` both read names and abbreviations."""
    return "%b" in text or "%B" in text


def date_regex(part: str, month_keys: Iterable[str] = ()) -> str:
    """Return a regular expression that matches the date at the beginning of a value.

    Args:
        part: `iso`, or a format without codes of a time, as `date_part` returns it.
        month_keys: The keys of month names, for a format that has one. Points, commas, hyphens and blanks
            around a name are optional, and so is a weekday before the date.
    """
    if part == ISO:
        return _ISO_LOOSE
    if not has_month_name(part):
        return f"^{_codes_regex(part)}"
    alternatives = "|".join({"jun": "jui?n", "jul": "jui?l"}.get(key, key) for key in month_keys)
    parts = {**_NAMED_PARTS, "b": rf"(?i:{alternatives})\pL*"}
    return f"^{_WEEKDAY}" + _BETWEEN_NAMED_PARTS.join(parts[code] for code in order_of(part))


def order_of(part: str) -> str:
    """Return the order of a format's codes of a date, a month's name as `b`.

    >>> order_of("%B %d, %Y")
    'bdY'
    """
    return "".join(code[1].replace("B", "b") for code in _CODE.findall(part))


def local_regex(part: str, month_keys: Iterable[str] = ()) -> str:
    """Return a regular expression of values whose date, with or without a time, is a local one."""
    compact = f"|{DIGITS_OF_TIME}" if is_compact(part) else ""
    return f"{date_regex(part, month_keys)}(?:{TIME}{compact})?$"


def zoned_regex(part: str, month_keys: Iterable[str] = ()) -> str:
    """Return a regular expression of values with a date, a time and an offset from UTC."""
    return f"{date_regex(part, month_keys)}{TIME}{ZONE}$"


def number_regex(text: str) -> str:
    """Return a regular expression of the numbers in a format of `EPOCH_DIGITS` or in `EXCEL_SERIAL`.

    The number of digits bounds the years: 1973 to 2286, and for serials 1927 to 2173.
    """
    if text == EXCEL_SERIAL:
        return r"^[1-9][0-9]{4}(?:\.[0-9]*)?$"
    return rf"^[1-9][0-9]{{8,9}}[0-9]{{{EPOCH_DIGITS[text]}}}(?:\.[0-9]*)?$"


def regexes_of(text: str, month_keys: Iterable[str] = ()) -> tuple[str, ...]:
    """Return regular expressions of which the values in a format match one, whichever its kind."""
    if text in NAMED_FORMATS and text != ISO:
        return (number_regex(text),)
    part = text if text == ISO else date_part(text)
    exact = (format_regex(text),) if text != ISO and engines_parse(text) else ()
    return (
        *exact,
        *((local_regex(part, month_keys), zoned_regex(part, month_keys)) if part else ()),
    )


def _codes_regex(text: str) -> str:
    parts = [part for part in re.split(r"(%.)", text) if part]
    pattern = ""
    for index, part in enumerate(parts):
        if part not in FORMAT_CODES:
            pattern += re.sub(r"(\\ )+", " +", re.escape(part))
            continue
        before = parts[index - 1] if index else ""
        after = parts[index + 1] if index + 1 < len(parts) else ""
        # Without a separator between two numbers, only a fixed width tells where the first one ends.
        touches_digits = {before, after} & _NUMERIC or before[-1:].isdigit() or after[:1].isdigit()
        is_fixed_width = touches_digits and part in _NUMERIC
        pattern += _FIXED_WIDTH.get(part, "[0-9]{2}") if is_fixed_width else FORMAT_CODES[part]
    return pattern


def is_compact(part: str) -> bool:
    """Return whether a format is digits alone, as in 20240131."""
    return part != ISO and not has_month_name(part) and not re.sub("%.", "", part)
