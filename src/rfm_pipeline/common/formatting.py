"""Figures in words: what a person reads where a machine has numbers."""

from __future__ import annotations

import textwrap
from decimal import ROUND_HALF_UP, Context, Decimal

# Python's own 28 digits are fewer than a sum of money may have.
_WIDE = Context(prec=76)


def replace_unprintable(text: str) -> str:
    r"""A text that some file or person may have written, with nothing in it that could end a line.

    >>> one_line("a\nb")
    'a�b'
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def truncate(text: str) -> str:
    r"""A text of several lines as part of a sentence.

    >>> shortened("SELECT 1\n  AS one")
    'SELECT 1 AS one'
    """
    return textwrap.shorten(text, 80, placeholder=" …")


def format_count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun.

    >>> count(1, "customer"), count(4338, "customer")
    ('1 customer', '4,338 customers')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def format_bytes(number: int) -> str:
    """An amount of data, in the thousands that a person says it in.

    >>> size(512), size(1_610_612_736), size(2**40)
    ('512 bytes', '1.5 GiB', '1 TiB')
    """
    if number < 1024:
        return format_count(number, "byte")
    power = min(5, (number.bit_length() - 1) // 10)
    shown = f"{_rounded(Decimal(number) / 1024**power, '0.1'):,}"
    return f"{shown.removesuffix('.0')} {'KMGTP'[power - 1]}iB"


def lower_first(sentence: str) -> str:
    """A sentence as it goes on after a colon.

    >>> lowered("Is a directory"), lowered("CSV is meant")
    ('is a directory', 'CSV is meant')
    """
    return sentence if sentence[1:2].isupper() else f"{sentence[:1].lower()}{sentence[1:]}"


def format_amount(value: Decimal) -> str:
    """Money to two decimals, with thousands apart.

    >>> amount(Decimal("8911407.904"))
    '8,911,407.90'
    """
    return f"{_rounded(value, '0.01'):,}"


def format_percent(part: Decimal | int, whole: Decimal | int) -> str:
    """A share in percent, to one decimal; a dash where the whole is nothing.

    >>> percent(1, 3)
    '33.3 %'
    """
    if not whole:
        return "–"
    return f"{_rounded(Decimal(part) * 100 / Decimal(whole), '0.1')} %"


def _rounded(value: Decimal, to: str) -> Decimal:
    # Adding nothing in the widest money's precision takes the sign off a zero.
    return _WIDE.add(value.quantize(Decimal(to), ROUND_HALF_UP, _WIDE), Decimal(0))
