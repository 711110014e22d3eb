"""Reading of numbers that are text, in plain Python and without code of the package."""

from __future__ import annotations

import re
from decimal import Decimal

MINUS = "\u2212\u2013-"
BLANK = r"[ \u00a0\u2000-\u200a\u202f\u205f\u3000]"
EXPONENT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d{1,3}", re.ASCII)
PARTS = re.compile(
    rf"(?P<before>[\s(+{MINUS}]*)(?P<digits>[0-9.,](?:.*[0-9])?(?:[.,][\u2013-]*)?)(?P<after>[\s)\u2212-]*)"
)
LONE_GROUP = {
    mark: re.compile(rf"(?<![0-9.,])[1-9][0-9]{{0,2}}\{mark}[0-9]{{3}}(?![0-9.,])") for mark in ".,"
}


def written_number(text: str, decimal: str = ".", *, is_certain: bool) -> Decimal | None:
    """Return the number that a text is; None if it is none.

    Args:
        text: The text.
        decimal: Decimal separator.
        is_certain: Whether the other one of point and comma is known to separate thousands.

    >>> written_number("(1,234.50)", is_certain=True), written_number("1,234", is_certain=False)
    (Decimal('-1234.50'), None)
    """
    other = "," if decimal == "." else "."
    if not is_certain and any(pattern.search(text) for pattern in LONE_GROUP.values()):
        return None
    if EXPONENT.fullmatch(text.strip().replace(decimal, ".")) and other not in text:
        return Decimal(text.strip().replace(decimal, "."))
    parts = PARTS.fullmatch(text.strip().removeprefix("'"))
    if parts is None:
        return None
    size = _size(parts["digits"], decimal, other)
    sign = _sign(parts["before"], parts["after"])
    # The dash of `12.-` is there for the cents; a price has no minus sign besides.
    if size is None or sign is None or (sign < 0 and parts["digits"][-1] in MINUS):
        return None
    return sign * size


def _sign(before: str, after: str) -> int | None:
    signs = re.sub(rf"[{MINUS}]", "-", re.sub(r"\s", "", f"{before}|{after}"))
    return {"|": 1, "+|": 1, "-|": -1, "|-": -1, "(|)": -1}.get(signs)


def _size(digits: str, decimal: str, other: str) -> Decimal | None:
    whole, mark, fraction = digits.partition(decimal)
    if fraction and not fraction.isdigit():
        if not re.fullmatch("[\u2013-]+", fraction) or not whole:
            return None
        fraction = ""
    if not whole:
        return Decimal(f"0.{fraction}") if fraction else None
    if re.fullmatch("[0-9]+", whole):
        return Decimal(f"{whole}.{fraction}" if mark else whole)
    separators = [re.escape(other), BLANK, "['\u2019]"]
    forms = [f"[1-9][0-9]{{0,2}}({separator}[0-9]{{3}})+" for separator in separators]
    if other == ",":
        forms.append("[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}")
    if not any(re.fullmatch(form, whole) for form in forms):
        return None
    return Decimal(re.sub("[^0-9]", "", whole) + (f".{fraction}" if fraction else ""))
