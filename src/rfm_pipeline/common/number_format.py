r"""The forms of numbers that are text: separators, signs, currencies; and their regular expressions.

The expressions have the syntax of RE2, which both engines use; `compiled` translates them for Python. A
number is either plain, which an engine casts as it is, or it has one of the forms of `number_regex`:
`1'234.50`, `($12.00)`, `12,50 EUR-`. Groups between thousands separators must be complete, so that a value is
unreadable rather than read by guess.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache

from msgspec import Struct

MINUS = "−–-"
"""Characters of a minus sign, for a character class: U+2212, the en dash and the ASCII hyphen."""

AMBIGUOUS_POINT = r"(^|[^0-9.,])[1-9][0-9]{0,2}\.[0-9]{3}([^0-9.,]|$)"
"""Matches a number such as 1.234, whose point may separate thousands."""
AMBIGUOUS_COMMA = AMBIGUOUS_POINT.replace(r"\.", ",")
"""Matches a number such as 1,234, whose comma may be a decimal comma."""

_ALONE = r"(^|[^0-9.,])(%s)([^0-9.,]|$)"
ONLY_POINT = _ALONE % (
    r"[0-9]+\.([0-9]{0,2}|[0-9]{4,})|(0[0-9]*|[0-9]{4,})\.[0-9]{3}"
    r"|[0-9]{1,3}(,[0-9]{2,3})*,[0-9]{3}\.[0-9]*|[0-9]{1,3}(,[0-9]{2,3})+,[0-9]{3}"
)
"""Matches a number whose point can only be a decimal point, or whose commas only separate thousands."""
ONLY_COMMA = _ALONE % (
    r"[0-9]+,([0-9]{0,2}|[0-9]{4,})|(0[0-9]*|[0-9]{4,}),[0-9]{3}"
    r"|[0-9]{1,3}(\.[0-9]{3})+,[0-9]*|[0-9]{1,3}(\.[0-9]{3}){2,}"
)
"""Matches a number whose comma can only be a decimal comma, or whose points only separate thousands."""

NEGATIVE = (
    rf"^([^()+{MINUS}]*([^()+.,{MINUS}]|[^()+0-9{MINUS}][.,]))?[{MINUS}][^()+{MINUS}]*$"
    rf"|^[^()+{MINUS}]*[(][^()+{MINUS}]*[)][^()+{MINUS}]*$"
)
"""Matches text with one minus sign, before or after its digits, or with one pair of brackets."""
POSITIVE = rf"^[^()+{MINUS}]*[+]?[^()+{MINUS}]*([.,][–-]+[^()+{MINUS}]*)?$"
"""Matches text without a minus sign and brackets; `12.-` and `12,--` are whole numbers."""

_BLANKS = r"\s\p{Z}"
_BLANKS_IN_PYTHON = r"\u0020\u00a0\u1680\u2000-\u200a\u202f\u2028\u2029\u205f\u3000"
_PLAIN = r"^[ \t-\r]*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?[ \t-\r]*$"


class NumberSeparators(Struct, frozen=True):
    """How the numbers of a column that is text are written.

    Attributes:
        decimal: Decimal separator: a point or a comma.
        thousands: The other of the two if it is known to separate thousands. Empty if the decimal separator
            is only assumed: then 1,234 and 1.234 are unreadable. Blanks and apostrophes between thousands
            are read in any case.
        currencies: Signs, codes and words of one currency that may precede or follow a number.
    """

    decimal: str = "."
    thousands: str = ""
    currencies: tuple[str, ...] = ()


POINT = NumberSeparators(".", ",")
"""Decimal point, and commas between thousands."""
COMMA = NumberSeparators(",", ".")
"""Decimal comma, and points between thousands."""


def number_regex(separators: NumberSeparators) -> str:
    """Return the regular expression of the numbers that are not plain, without regard to the order of signs.

    A number also has to match `NEGATIVE` or `POSITIVE`.
    """
    before, after = f"[{_BLANKS}(+{MINUS}]*", f"[{_BLANKS})−-]*"
    if currency := currency_regex(separators):
        before, after = f"{before}({currency}{before})?", f"{after}({currency}{after})?"
    return f"^[{_BLANKS}]*'?{before}({digits_regex(separators)}){after}$"


def currency_regex(separators: NumberSeparators) -> str:
    """Return the regular expression of the column's currency; empty if it has none."""
    if not separators.currencies:
        return ""
    longest_first = sorted(separators.currencies, key=lambda text: (-len(text), text))
    return f"(?i:{'|'.join(_escaped(text) for text in longest_first)})"


def _escaped(text: str) -> str:
    return re.sub(r"[^\w\s]", lambda match: f"[{match[0]}]", text).replace(" ", r"[\p{Z}]*")


def digits_regex(separators: NumberSeparators) -> str:
    """Return the regular expression, without anchors, of a number's digits with its separators."""
    mark, other = f"[{separators.decimal}]", "," if separators.decimal == "." else "[.]"
    fraction = f"{mark}([0-9]*|[–-]+)"
    group = r"(([\p{Z}][0-9]{3})+|(['’][0-9]{3})+)"  # noqa: RUF001 - both are written
    forms = [f"[0-9]+({fraction})?", f"[1-9][0-9]{{0,2}}{group}({fraction})?", f"{mark}[0-9]+"]
    if separators.thousands:
        forms.append(f"[1-9][0-9]{{0,2}}({other}[0-9]{{3}})+({fraction})?")
    else:
        # Two groups, or a group and a fraction, prove that the separator is between thousands.
        forms.append(f"[1-9][0-9]{{0,2}}{other}[0-9]{{3}}(({other}[0-9]{{3}})+({fraction})?|{mark}[0-9]+)")
    if other == ",":
        # The Indian system: 12,34,567.00.
        forms.append(f"[1-9][0-9]?(,[0-9]{{2}})+,[0-9]{{3}}({fraction})?")
    return "|".join(forms)


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a regular expression of this module compiled for Python.

    >>> bool(compiled(number_regex(POINT)).search("1\u202f234.50"))
    True
    """
    return re.compile(pattern.replace(_BLANKS, r"\t\n\f\r\p{Z}").replace(r"\p{Z}", _BLANKS_IN_PYTHON))


def parse_number(text: str, separators: NumberSeparators) -> Decimal | None:
    """Return the number that the engines read from text; None if it is unreadable.

    >>> parse_number("(1,234.50)", POINT)
    Decimal('-1234.50')
    >>> parse_number("1,234", NumberSeparators()) is None
    True
    """
    if not separators.thousands and compiled(AMBIGUOUS_POINT).search(text):
        return None
    plain = text if separators.decimal == "." else text.replace(",", ".") if "." not in text else ""
    if compiled(_PLAIN).search(plain):
        return Decimal(plain.strip())
    if not compiled(number_regex(separators)).search(text):
        return None
    digits = compiled(currency_regex(separators)).sub("", text) if separators.currencies else text
    digits = re.sub(f"[^0-9{separators.decimal}]", "", digits).replace(",", ".")
    if compiled(NEGATIVE).search(text):
        return -Decimal(digits)
    return Decimal(digits) if compiled(POSITIVE).search(text) else None
