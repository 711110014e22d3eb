"""Values as JSON has them: money as decimal strings, dates in ISO form, the rest as msgspec converts it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Any

import msgspec


def to_plain(value: object) -> Any:
    """Convert Structs, and containers of them, to dicts, lists and plain values.

    >>> to_plain({"revenue": Decimal("4310.500000000"), "as_of": date(2025, 12, 31)})
    {'revenue': '4310.50', 'as_of': '2025-12-31'}
    """
    # msgspec would write a decimal with all of its zeros, and 0.0000001 as 1E-7.
    return _plain_leaves(msgspec.to_builtins(value, builtin_types=(Decimal, date, datetime), enc_hook=str))


def _plain_leaves(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain_leaves(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_leaves(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else plain(value)


def money(value: Decimal) -> str:
    """Return a decimal string with all significant decimals, at least two.

    >>> money(Decimal("4310")), money(Decimal("8911407.904000"))
    ('4310.00', '8911407.904')
    """
    whole, _, decimals = f"{value or Decimal(0):f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def plain(value: object) -> str | int | float | bool | None:
    """Return one value of an engine as JSON has it; types without a JSON form become text.

    >>> plain(Decimal("4310.500000000")), plain(date(2025, 12, 31)), plain(float("nan"))
    ('4310.50', '2025-12-31', 'nan')
    """
    if isinstance(value, Decimal):
        return money(value) if value.is_finite() else str(value)
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def plain_edges(dimension: str, edges: tuple[Decimal, ...] | None) -> list[int] | list[str] | None:
    """Return the edges of a dimension: decimal strings for `monetary`, integers for the other two."""
    if edges is None:
        return None
    return [money(edge) for edge in edges] if dimension == "monetary" else [int(edge) for edge in edges]


def share(part: Decimal | int, whole: Decimal | int) -> float | None:
    """Return `part / whole` rounded to four decimals; None if `whole` is 0."""
    return round(float(Decimal(part) / Decimal(whole)), 4) if whole else None
