"""Separators of numbers that are text."""

from __future__ import annotations

from msgspec import Struct


class NumberSeparators(Struct, frozen=True):
    """The separators in numbers that are text.

    Attributes:
        decimal: Decimal separator: a point or a comma.
        thousands: Thousands separator; empty if it is to be inferred from each text.
    """

    decimal: str = "."
    thousands: str = ""
