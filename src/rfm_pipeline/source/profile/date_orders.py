"""The orders of day, month and year in which the dates of a column can be read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from msgspec import Struct

from rfm_pipeline.common.date_formats import has_month_name
from rfm_pipeline.source.profile.date_values import (
    DAY_BEFORE_MONTH,
    SHORT_YEAR_FIRST,
    YEAR_FIRST,
    ValueReading,
    read_date,
)

_NO_VALUES = frozenset({"-", "--", "null", "none", "nan", "nat", "na", "n/a", "#n/a", "nil", "undefined"})
_ZERO_DATE = re.compile(r"[0/.: -]+")
_PLAIN_ISO = re.compile(
    r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?)?"
)


class DateOrder(Struct):
    """An order of day, month and year, and the values of the sample that have it."""

    formats: Counter[str]
    dates: dict[str, date]
    lines: int = 0


def orders_of(readings: Mapping[str, tuple[ValueReading, ...]], lines: Counter[str]) -> dict[str, DateOrder]:
    """Return the orders in which some values can be read, by name.

    Args:
        readings: All ways to read each value.
        lines: Number of lines with each value.
    """
    orders: dict[str, DateOrder] = {}
    for value, found in readings.items():
        for reading in found:
            order = orders.setdefault(reading.order, DateOrder(Counter(), {}))
            order.formats[reading.format] += lines[value]
            if value not in order.dates:
                order.dates[value] = reading.date
                order.lines += lines[value]
    return orders


def fitting_orders(orders: Mapping[str, DateOrder], readable: Counter[str]) -> dict[str, DateOrder]:
    """Return the orders that fit all readable values, without the ones that are not worth a question."""
    fitting = {name: order for name, order in orders.items() if len(order.dates) == len(readable)}
    if YEAR_FIRST in fitting:
        fitting.pop(DAY_BEFORE_MONTH, None)
    if len(fitting) > 1 and SHORT_YEAR_FIRST in fitting and not _year_seems_first(readable):
        # A year of two digits stands last, unless it would change more often than the first number.
        del fitting[SHORT_YEAR_FIRST]
    named = [name for name, order in fitting.items() if all(map(has_month_name, order.formats))]
    for name in named[1:]:
        if fitting[name].dates == fitting[named[0]].dates:
            del fitting[name]
    return fitting


def _year_seems_first(values: Iterable[str]) -> bool:
    """Return whether the first numbers of dates differ less often than the last ones."""
    numbers = [re.findall("[0-9]+", value) for value in values]
    if any(len(found) == 1 for found in numbers):
        numbers = [[found[0][:2], found[0][4:6]] for found in numbers]
    names = [found[1] if len(found) == 2 else found[2] for found in numbers]
    return len({found[0] for found in numbers}) < len(set(names))


def are_equal(orders: Iterable[DateOrder]) -> bool:
    """Return whether each value is the same date in all orders."""
    first, *others = orders
    return all(order.dates == first.dates for order in others)


def formats_of(order: DateOrder) -> tuple[str, ...]:
    """Return an order's formats, most frequent first."""
    return tuple(name for name, _ in order.formats.most_common())


def read_by(formats: Sequence[str], lines: Counter[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of lines that each format reads first, and the values that none reads."""
    fits, unread = dict.fromkeys(formats, 0), {}
    for value, number in lines.items():
        name = next((name for name in formats if read_date(value, name) is not None), None)
        if name is None:
            unread[value] = number
        else:
            fits[name] += number
    return fits, unread


def are_plain_iso(values: Iterable[str]) -> bool:
    """Return whether all values are ISO dates of the most frequent form: a quick test for most columns."""
    days = set()
    for value in values:
        if _PLAIN_ISO.fullmatch(value) is None:
            return False
        days.add(value[:10])
    try:
        for day in days:
            date.fromisoformat(day)
    except ValueError:
        return False
    return True


def is_placeholder(value: str) -> bool:
    """Return whether a value stands for no date: `NULL`, `n/a`, `0000-00-00`."""
    return value.lower() in _NO_VALUES or _ZERO_DATE.fullmatch(value) is not None
