"""Exact decimal arithmetic on money.

Python's default decimal context rounds to 28 significant digits. Engines return DECIMAL(38, 9), and a sum of
many such values has more digits still.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal, localcontext

WIDE = Context(prec=76)
"""Decimal context of 76 significant digits: the product of two 38-digit decimals fits without rounding."""


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """Return the sum of `amounts` without rounding; 0 if there are none.

    >>> exact_sum([Decimal(10**30), Decimal("0.01")])
    Decimal('1000000000000000000000000000000.01')
    """
    with localcontext(WIDE):
        return sum(amounts, Decimal(0))
