"""Date formats of text columns: ISO 8601, and strptime-like formats from the configuration.

Engines parse the same format string differently (digits of a day, blanks, case). Each format is therefore
also translated into a regular expression, which a value must match before an engine parses it.
"""

from __future__ import annotations

import re
from datetime import date

ISO = "iso"
"""ISO 8601: `2011-12-09`, `2011-12-09 08:26`, `2011-12-09T08:26:00.5Z`."""

AMBIGUOUS_DATE_PATTERN = r"^\s*(0?[1-9]|1[0-2])[/.-](0?[1-9]|1[0-2])[/.-]([0-9]{4}|[0-9]{2})\b"
"""Matches a date whose day and month are ambiguous: `03/04/2011`. RE2 syntax, which both engines use."""

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
"""Supported format codes, each with the regular expression of its values (RE2 syntax)."""

_NUMERIC = {"%Y", "%y", "%m", "%d", "%H", "%I", "%M", "%S"}
_FIXED_WIDTH = {"%Y": "[12][0-9]{3}", "%M": "[0-5][0-9]", "%S": "[0-5][0-9]"}
_CODE = re.compile(r"%.?", re.DOTALL)
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse_iso_date(text: str, alternative: str = "") -> date:
    """Return the date of text such as `2025-12-31`; other ISO forms, such as `20251231`, are rejected.

    Args:
        text: The text of a flag or a setting.
        alternative: Continuation of the message, such as " or 'latest'", if the setting accepts other text.

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
            day.
    """
    if text == ISO:
        return
    codes = _CODE.findall(text)
    unknown = [code for code in codes if code not in FORMAT_CODES]
    if unknown:
        supported = " ".join(FORMAT_CODES)
        raise ValueError(f"the date format '{text}' uses {unknown[0]}, which is none of {supported}")
    if len(set(codes)) < len(codes):
        raise ValueError(f"the date format '{text}' uses a code twice")
    if not ({"%Y", "%y"} & set(codes) and {"%m", "%b", "%B"} & set(codes) and "%d" in codes):
        raise ValueError(f"the date format '{text}' must give the year, the month and the day")


def format_regex(text: str) -> str:
    r"""Return an anchored regular expression that matches the dates written in the format `text`.

    >>> format_regex("%d.%m.%Y")
    '^[0-9]{1,2}\\.[0-9]{1,2}\\.[12][0-9]{3}$'
    """
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
    return f"^{pattern}$"
