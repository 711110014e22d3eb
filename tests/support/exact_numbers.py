"""Numbers that are hard to read exactly, and their values in Python's decimal arithmetic."""

from __future__ import annotations

import random
import struct
from decimal import ROUND_HALF_UP, Decimal, localcontext
from math import inf, isfinite, nextafter
from typing import Final

SIZES: Final = ((30, 9), (18, 6), (12, 3), (10, 6))
"""Precision and scale of amounts, prices, quantities and discounts."""
_LIMITS: Final = (999_999_999.9995, 1e12, 1e21, 9_999.9999995)
"""Doubles around which numbers are too large for one of the sizes."""


def read_double(value: float, size: tuple[int, int]) -> Decimal | None:
    """Return a double's shortest decimal, rounded half away from zero; None if it is too large."""
    return _fitted(Decimal(repr(value)), size)


def read_exponent(text: str, size: tuple[int, int]) -> Decimal | None:
    """Return text with an exponent as a decimal, rounded half away from zero; None if it is too large."""
    return _fitted(Decimal(text.strip()), size)


def _fitted(number: Decimal, size: tuple[int, int]) -> Decimal | None:
    precision, scale = size
    with localcontext(prec=1_100):
        rounded = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    return rounded if abs(rounded) < Decimal(10) ** (precision - scale) else None


def awkward_doubles(count: int) -> list[float]:
    """Return finite doubles: any bits, money, ties at each scale, and the neighbours of all of them."""
    drawn = random.Random(5)
    values = {0.0, 0.1 + 0.2, 2.675, 5e-10, 1e18, 1_704_067_200_000_000.0, *_LIMITS}
    while len(values) < count:
        whole = drawn.randrange(10 ** drawn.randint(1, 16))
        digits = drawn.choice((0, 2, 3, 6, 9, 12))
        value = drawn.choice(
            (
                struct.unpack("d", drawn.randbytes(8))[0],
                whole / 100,
                float(f"{whole}.{drawn.randrange(10**digits):0{digits}d}"),
                float(f"{whole % 10**7}.{drawn.randrange(10**digits):0{digits}d}5"),
                drawn.gauss(0, 10.0 ** drawn.randint(-3, 10)),
            )
        )
        values |= {value, -value, nextafter(value, inf), nextafter(value, -inf)}
    return sorted(filter(isfinite, values | {nextafter(limit, 0) for limit in _LIMITS}))


def awkward_exponents(count: int) -> list[str]:
    """Return numbers of up to 25 digits with exponents: many zeros, ties, and too large ones."""
    drawn = random.Random(6)
    texts = {"1e18", "1E18", "5e-10", "4.9e-10", "-5e-10", "0e0", "123456789012345678e-9"}
    while len(texts) < count:
        digits = "".join(drawn.choices("0000123456789", k=drawn.randint(0, 24))) + drawn.choice("05123")
        point = drawn.randint(0, len(digits))
        number = f"{digits[:point]}.{digits[point:]}" if drawn.random() < 0.8 else digits
        exponent = drawn.choice(("", "+", "-")) + str(drawn.choice((0, 2, 5, 9, 12, 18, 30, "007")))
        texts.add(f"{drawn.choice(('', '-', '+', ' '))}{number}{drawn.choice('eE')}{exponent}")
    return sorted(texts)
