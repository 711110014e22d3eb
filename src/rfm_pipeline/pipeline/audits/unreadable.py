"""Dates and numbers that could not be read: examples of them, and advice that fits how they are written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime

from rfm_pipeline.common.date_formats import ISO, format_regex
from rfm_pipeline.common.formatting import truncate
from rfm_pipeline.common.untrusted_text import replace_unprintable

TWO_READINGS = re.compile(r"\s*[+-]?[0-9]{1,3}[.,][0-9]{3}\s*")
"""Matches a number like 1,234 or 1.234, which is one thousand or one with a fraction."""

_WITH_POINT = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)\.[0-9]+|[+-]?[0-9]{1,3}(,[0-9]{3}){2,}")
_WITH_COMMA = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+),[0-9]*|[+-]?[0-9]{1,3}(\.[0-9]{3}){2,}")
_ISO_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\b.*")
_DAYS = tuple(
    f"{day}{clock}"
    for day in (
        "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d",
        "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
    )
    for clock in ("", " %H:%M", " %H:%M:%S")
)  # fmt: skip
"""Formats that are tried on a date that could not be read."""

CORRECT_VALUES = "correct such values in the source, or name the lines in [skip] if they are no sales"


def quoted_list(values: Sequence[str]) -> str:
    """Return values in quotes, each at most 80 characters long.

    >>> quoted_list(["n/a", "2024-02-30", "?"])
    "'n/a', '2024-02-30' and '?'"
    """
    quoted = [f"'{truncate(replace_unprintable(value))}'" for value in values]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)


def advice_on_some_dates(examples: Sequence[str], formats: Sequence[str]) -> str:
    """Return advice on a few dates that could not be read, where the other dates could.

    Args:
        examples: Some of them.
        formats: Formats in which dates are read: `iso`, or strptime formats.
    """
    for example in examples:
        fitting = [format_ for format_ in _DAYS if _fits(example.strip(), format_)]
        if len(fitting) == 1 and fitting[0] not in formats:
            flags = " ".join(f"--date-format '{format_}'" for format_ in (*formats, fitting[0]))
            return f"{flags} reads '{example.strip()}' too"
    if any(_ISO_SHAPE.fullmatch(example.strip()) for example in examples) and ISO in formats:
        return f"no calendar has such a day; {CORRECT_VALUES}"
    return CORRECT_VALUES


def advice_on_dates(written: str) -> str | None:
    """Return advice if no date could be read, given one of the dates; None if its form is not known."""
    fitting = [format_ for format_ in _DAYS if _fits(written, format_)]
    if not fitting:
        return None
    flags = " or ".join(f"--date-format '{format_}'" for format_ in fitting[:2])
    return f"'{written}' is read with {flags} (several formats may be given)."


def advice_on_some_numbers(examples: Sequence[str]) -> str:
    """Return advice on a few numbers that could not be read, where all others are whole numbers."""
    for example in examples:
        if _WITH_COMMA.fullmatch(example.strip()):
            return f"--decimal ',' reads '{example.strip()}' too"
    return CORRECT_VALUES


def _fits(written: str, format_: str) -> bool:
    if not re.match(format_regex(format_), written):
        return False
    try:
        return bool(datetime.strptime(written, format_))  # noqa: DTZ007 - only the form matters
    except ValueError:
        return False


def is_iso_date(written: str) -> bool:
    """Return whether a text is a date in ISO form, such as 2024-12-31."""
    try:
        return bool(datetime.fromisoformat(written)) and written[4:5] == "-"
    except ValueError:
        return False


def advice_on_number(written: str) -> str | None:
    """Return advice if no amount could be read, given one of the amounts; None if its form is not known."""
    if TWO_READINGS.fullmatch(written):
        return f"{two_readings(written)}."
    # Numbers of the default form are unreadable only if another form is configured.
    if _WITH_POINT.fullmatch(written):
        return f"'{written}' is not written with a decimal comma: leave --decimal out."
    if _WITH_COMMA.fullmatch(written):
        return f"'{written}' is written with a decimal comma: give --decimal ','."
    signs = "".join(dict.fromkeys(sign for sign in written if unicodedata.category(sign) == "Sc"))
    if signs and any(character.isdigit() for character in written):
        return (
            f"the column has '{signs[0]}' in it, and a number is read without: take it out, or name a column"
            " without it with --amount."
        )
    return None


def two_readings(written: str | None) -> str:
    """Return a clause with both readings of a number like 1,234 or 1.234, each with its option."""
    number = (written or "").strip()
    whole, fraction = re.sub("[.,]", "", number), number.replace(",", ".")
    if "," in number:
        options = f"--thousands ',' reads {whole}, and --decimal ',' reads {fraction}"
    else:
        options = f"--decimal '.' reads {fraction}, and --decimal ',' reads {whole}"
    return f"'{number}' can be read in two ways: {options}"
