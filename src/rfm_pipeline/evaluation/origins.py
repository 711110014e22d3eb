"""Origins: the dates in the past on which customers are scored, and the horizon in which outcomes count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from msgspec import Struct

from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.config.window import Window
from rfm_pipeline.errors import UsageError

MAX_ORIGINS = 4
"""Number of origins if none is chosen."""


class OrderSpan(Struct, frozen=True):
    """The days that the kept orders cover: the first and the newest."""

    first: date
    newest: date


def parse_horizon(text: str) -> int:
    """Return a horizon in days.

    >>> parse_horizon("90d"), parse_horizon("12 weeks")
    (90, 84)

    Raises:
        UsageError: If the text is no number of days or weeks.
    """
    try:
        window = Window.parse(text)
    except ValueError:
        raise UsageError(
            f"'{text}' is not a horizon, which is a number of days or weeks.", "for example --horizon 90d."
        ) from None
    if window.unit not in {"day", "week"}:
        raise UsageError(
            f"The horizon is '{text}', and {window.unit}s differ in length.",
            "give days or weeks, as in --horizon 90d.",
        )
    return window.count * (7 if window.unit == "week" else 1)


def choose_origins(chosen: Sequence[date], horizon_days: int, span: OrderSpan) -> tuple[date, ...]:
    """Return the origins, the oldest first.

    By default they are up to four, whose horizons follow each other without a gap and end on the newest
    order; before each there are orders of at least the length of the horizon.

    Args:
        chosen: Dates that the user chose; empty for the default.
        horizon_days: Length of the horizon.
        span: The days that the orders cover.

    Raises:
        UsageError: If the orders do not cover the horizon, or begin after an origin.
    """
    horizon = timedelta(days=horizon_days)
    days = (span.newest - span.first).days
    if days < horizon_days:
        raise UsageError(
            f"The orders are of {span.first} to {span.newest}, {format_count(days, 'day')} apart, and the"
            f" horizon is {format_count(horizon_days, 'day')}: none is left to score customers by.",
            f"give a shorter horizon, as in --horizon {max(1, days // 3)}d."
            if days
            else "evaluate orders of more than one day.",
        )
    newest = span.newest - horizon
    if not chosen:
        origins = [newest - number * horizon for number in range(MAX_ORIGINS)]
        return tuple(sorted(origin for origin in origins if origin - horizon >= span.first) or [newest])
    for origin in sorted(set(chosen)):
        if origin < span.first:
            raise UsageError(
                f"No order is as old as {origin}: the first one is of {span.first}.",
                f"choose a date from {span.first} to {newest}.",
            )
        if origin > newest:
            left = max(0, (span.newest - origin).days)
            raise UsageError(
                f"After {origin} there are orders of {format_count(left, 'day')}, up to {span.newest}, and"
                f" the horizon is {format_count(horizon_days, 'day')}.",
                f"choose a date up to {newest}"
                + (f", or a shorter horizon, as in --horizon {left}d." if left else "."),
            )
    return tuple(sorted(set(chosen)))
