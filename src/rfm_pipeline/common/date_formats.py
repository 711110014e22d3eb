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
    "%Y": "[12][0-9]{3}",
    "%y": "[0-9]{2}",
    "%m": "[0-9]{1,2}",
    "%d": "[0-9]{1,2}",
    "%b": "[A-Za-z]{3}",
    "%B": "(?i:January|February|March|April|May|June|July|August|September|October|November|December)",
    "%H": "[0-9]{1,2}",
    "%I": "[0-9]{1,2}",
    "%M": "[0-5]?[0-9]",
    "%S": "[0-5]?[0-9]",
    "%p": "(?i:[AP]M)",
}
"""The codes that a date format may use, and what each matches. RE2, as both engines use."""

_NUMERIC = {"%Y", "%y", "%m", "%d", "%H", "%I", "%M", "%S"}
_TWO_DIGITS = {"%Y": "[12][0-9]{3}", "%M": "[0-5][0-9]", "%S": "[0-5][0-9]"}
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
    '^[0-9]{1,2}\\.[0-9]{1,2}\\.[12][0-9]{3}$'
    """
    parts = [part for part in re.split(r"(%.)", text) if part]
    pattern = ""
    for position, part in enumerate(parts):
        if part not in FORMAT_CODES:
            pattern += re.sub(r"(\\ )+", " +", re.escape(part))
            continue
        before = parts[position - 1] if position else ""
        after = parts[position + 1] if position + 1 < len(parts) else ""
        # Where digits follow digits, only their number tells where one value ends.
        tight = {before, after} & _NUMERIC or before[-1:].isdigit() or after[:1].isdigit()
        loose = FORMAT_CODES[part]
        pattern += _TWO_DIGITS.get(part, "[0-9]{2}") if tight and part in _NUMERIC else loose
    return f"^{pattern}$"
