"""SQL of ids that are text: without whitespace around them, addresses in lower case, placeholders as NULL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfm_pipeline.sql.dialects.base import Dialect

Branch = tuple[str, str]
"""A branch of a CASE expression: condition and value."""

SPACE = r"[\t-\r\x{85}\p{Z}]"
"""A whitespace character, as TRIM of GoogleSQL removes it."""
SCIENTIFIC = r"^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$"
"""An id in scientific notation, such as 6.01235E+12: a spreadsheet has cut off its last digits."""

# The domain of an address ends in a letter, so that text that ends in a digit, as most ids do, is none. All
# visible characters outside ASCII count as letters: compiling the letters of Unicode takes 7 ms per thread.
_ADDRESS = rf"(?s)@.*[^\x{{0}}-@\[-`\x{{7b}}-\x{{a0}}\p{{Z}}]{SPACE}*$"
FLOAT = (r"^([0-9]+)\.0$", r"\1")
_SPECIAL = re.compile(r"([\\.^$*+?()\[\]{}|])")


def customer_branches(
    dialect: Dialect, text: str, placeholders: Sequence[str], reversed_text: str | None = None
) -> list[Branch]:
    """Return the branches that read customer ids that are text; a text that fits no branch is trimmed.

    Text such as 17850.0, which some exports make of the id 17850, becomes 17850.

    Args:
        dialect: The engine's dialect.
        text: SQL of the text.
        placeholders: Texts that are no customer, in any case.
        reversed_text: Column with the value of `Dialect.reversed_text` for the text; None if there is none.
    """
    trimmed = dialect.trimmed(text)
    quick = dialect.quick_customer_branches(text, reversed_text, placeholders) if reversed_text else []
    return [
        *quick,
        (dialect.is_placeholder(text, placeholders), "NULL"),
        (f"{dialect.contains(text, '@')} AND {dialect.matches(text, _ADDRESS)}", dialect.lower(trimmed)),
        (dialect.contains(text, ".0"), dialect.regexp_replace(trimmed, *FLOAT)),
    ]


def is_scientific(dialect: Dialect, text: str) -> str:
    """Return the condition that an id is in scientific notation.

    The first comparison costs a fourth of the second, and is enough for ids that begin with a letter; the
    regular expression runs only for ids with a plus.
    """
    begins_with_digit = f"{text} < {dialect.literal(':')}"
    return f"{begins_with_digit} AND {dialect.contains(text, '+')} AND {dialect.matches(text, SCIENTIFIC)}"


def placeholder_regex(placeholders: Sequence[str]) -> str:
    r"""Return a regular expression of RE2 for blank text and for placeholders in any case.

    >>> print(placeholder_regex(["n/a", "(none)"]).replace(SPACE, " "))
    ^ *(?i:|n/a|\(none\)) *$
    """
    words = "|".join(["", *(_SPECIAL.sub(r"\\\1", word) for word in placeholders)])
    return f"^{SPACE}*(?i:{words}){SPACE}*$"
