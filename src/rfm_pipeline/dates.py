"""Written forms of dates: ISO, and formats that a person configures.

Engines read the same format string differently (how many digits a day takes, blanks, case), so a format is
also turned into a regular expression that a text must match before an engine reads it.
"""

from __future__ import annotations

import re

ISO = "iso"
"""ISO 8601: `2011-12-09`, `2011-12-09 08:26`, `2011-12-09T08:26:00.5Z`."""

AMBIGUOUS = r"^\s*(0?[1-9]|1[0-2])[/.-](0?[1-9]|1[0-2])[/.-]([0-9]{4}|[0-9]{2})\b"
"""A date whose day and month can't be told apart: `03/04/2011`. RE2, as both engines use."""

FORMAT_CODES = {
    "%Y": r"[0-9]{4}",
    "%y": r"[0-9]{2}",
    "%m": r"(0?[1-9]|1[0-2])",
    "%d": r"(0?[1-9]|[12][0-9]|3[01])",
    "%b": r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
    "%B": r"(?i:january|february|march|april|may|june|july|august|september|october|november|december)",
    "%H": r"([01]?[0-9]|2[0-3])",
    "%I": r"(0?[1-9]|1[0-2])",
    "%M": r"[0-5][0-9]",
    "%S": r"[0-5][0-9]",
    "%p": r"(?i:am|pm)",
}
"""The codes that a date format may use, and what each matches. RE2, as both engines use."""

_CODE = re.compile(r"%.?", re.DOTALL)


def check_format(text: str) -> None:
    """Says what is wrong with a date format.

    Raises:
        ValueError: It uses a code that is not known, or does not give a year, a month and a day.
    """
    if text == ISO:
        return
    codes = _CODE.findall(text)
    unknown = [code for code in codes if code not in FORMAT_CODES]
    if unknown:
        known = " ".join(FORMAT_CODES)
        raise ValueError(f"the date format '{text}' uses {unknown[0]}, which is none of {known}")
    if len(set(codes)) < len(codes):
        raise ValueError(f"the date format '{text}' uses a code twice")
    if not ({"%Y", "%y"} & set(codes) and {"%m", "%b", "%B"} & set(codes) and "%d" in codes):
        raise ValueError(f"the date format '{text}' must give the year, the month and the day")


def format_regex(text: str) -> str:
    r"""A regular expression that matches what is written in a format, and nothing else.

    >>> format_regex("%d.%m.%Y")
    '^(0?[1-9]|[12][0-9]|3[01])\\.(0?[1-9]|1[0-2])\\.[0-9]{4}$'
    """
    literal_parts = _CODE.split(text)
    codes = _CODE.findall(text)
    pattern = re.escape(literal_parts[0])
    for code, literal in zip(codes, literal_parts[1:], strict=True):
        pattern += FORMAT_CODES[code] + re.escape(literal)
    return f"^{pattern}$"
