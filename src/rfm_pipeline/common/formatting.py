"""Formatting of counts, sizes, money and sentences for people (machine-readable output uses plain values)."""

from __future__ import annotations

import textwrap
from decimal import ROUND_HALF_UP, Decimal

from rfm_pipeline.common.decimals import WIDE


def truncate(text: str) -> str:
    r"""Return text of several lines as one line of at most 80 characters.

    >>> truncate("SELECT 1\n  AS one")
    'SELECT 1 AS one'
    """
    return textwrap.shorten(text, 80, placeholder=" …")


def format_count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun, in the singular or the plural (`many`; by default `one` + "s").

    >>> format_count(1, "customer"), format_count(4338, "customer")
    ('1 customer', '4,338 customers')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def format_bytes(number: int) -> str:
    """Return a number of bytes in binary units, to one decimal.

    >>> format_bytes(512), format_bytes(1_610_612_736), format_bytes(2**40)
    ('512 bytes', '1.5 GiB', '1 TiB')
    """
    if number < 1024:
        return format_count(number, "byte")
    power = min(5, (number.bit_length() - 1) // 10)
    shown = f"{_rounded(Decimal(number) / 1024**power, '0.1'):,}"
    return f"{shown.removesuffix('.0')} {'KMGTP'[power - 1]}iB"


def lower_first(sentence: str) -> str:
    """Return a sentence with its first letter in lower case, unless it begins with an abbreviation.

    >>> lower_first("Is a directory"), lower_first("CSV is meant")
    ('is a directory', 'CSV is meant')
    """
    return sentence if sentence[1:2].isupper() else f"{sentence[:1].lower()}{sentence[1:]}"


def capitalize_first(sentence: str) -> str:
    """Return a sentence with its first letter in upper case; unlike `str.capitalize`, the rest is unchanged.

    >>> capitalize_first("the destination holds no result of April")
    'The destination holds no result of April'
    """
    return f"{sentence[:1].upper()}{sentence[1:]}"


def format_amount(value: Decimal) -> str:
    """Return an amount of money with two decimals and a thousands separator.

    >>> format_amount(Decimal("8911407.904"))
    '8,911,407.90'
    """
    return f"{_rounded(value, '0.01'):,}"


def format_percent(part: Decimal | int, whole: Decimal | int) -> str:
    """Return `part / whole` in percent, to one decimal; a dash if `whole` is 0.

    >>> format_percent(1, 3)
    '33.3 %'
    """
    if not whole:
        return "–"
    return f"{_rounded(Decimal(part) * 100 / Decimal(whole), '0.1')} %"


def _rounded(value: Decimal, to: str) -> Decimal:
    # Adding zero turns -0.00 into 0.00.
    return WIDE.add(value.quantize(Decimal(to), ROUND_HALF_UP, WIDE), Decimal(0))
