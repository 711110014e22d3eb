"""The format of the order dates: the ones that fit all values of the column, or a question.

A value that no known format reads (`never`, `2024-02-30`) says nothing about the format; the run excludes its
line as `invalid_date`. All other values must agree on one order of day, month and year.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.date_formats import EPOCH_DIGITS, ISO, has_month_name, regexes_of
from rfm_pipeline.common.formatting import format_count, truncate
from rfm_pipeline.common.schema import Kind, Schema
from rfm_pipeline.config.column_mapping import ColumnMapping, normalize_name
from rfm_pipeline.config.month_names import month_keys
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.date_values import (
    DAY_BEFORE_MONTH,
    SHORT_YEAR_FIRST,
    YEAR_FIRST,
    ValueReading,
    read_date,
    readings_of,
    without_time,
)
from rfm_pipeline.source.profile.sample import Sample

PatternCounter = Callable[[Mapping[str, str]], Mapping[str, int]]
"""Counts the lines of the whole source whose date matches each regular expression (RE2 syntax), by name."""

_NO_VALUES = frozenset(
    {"0", "-", "--", "null", "none", "nan", "nat", "na", "n/a", "#n/a", "nil", "undefined"}
)
_ZERO_DATE = re.compile(r"[0/.: -]+")
_PLAIN_ISO = re.compile(
    r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?)?"
)
_TIME_OF_DAY = re.compile(
    r"(?:[01]?[0-9]|2[0-4]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?(?: ?[AaPp]\.?[Mm]\.?)?"
)
_EXPLANATIONS = {
    "epoch_s": "seconds since 1970",
    "epoch_ms": "milliseconds since 1970",
    "epoch_us": "microseconds since 1970",
    "epoch_ns": "nanoseconds since 1970",
    "excel_serial": "days of a spreadsheet",
}
_SHOWN = 3
_ANY = "any"


class DateDecision(Struct, frozen=True):
    """The formats of a column with dates that are text or numbers.

    Attributes:
        formats: The formats, most frequent first.
        may_be_ambiguous: Whether a date such as 03/04/2024 fails the run if none of the formats reads it.
        fits: Number of values in the sample that each format reads.
        unread: Values of the sample that none of the formats reads, each with its number of lines.
        notes: What was decided, for the user.
    """

    formats: tuple[str, ...]
    may_be_ambiguous: bool
    fits: Mapping[str, int] = {}
    unread: Mapping[str, int] = {}
    notes: tuple[str, ...] = ()


def read_dates(schema: Schema, mapping: ColumnMapping, sample: Sample, settings: Settings) -> DateDecision:
    """Return the formats of the order dates of a source.

    Args:
        schema: The columns of the source.
        mapping: Column of each role.
        sample: The first rows of the source.
        settings: The merged settings.

    Raises:
        ColumnError: As for `detect_date_formats`; or if the column is a number, the source has no sample to
            say what it counts, and no format is configured.
    """
    column, configured = mapping.ordered_at, settings.date_format
    values = sample.of(column)
    notes = _unused_times(schema, mapping, sample, values)
    if column.kind in {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}:
        return DateDecision(configured, may_be_ambiguous=False, notes=notes)
    if not values and column.kind is not Kind.TEXT and configured == (ISO,):
        raise ColumnError(
            f"The column `{column.name}` is {column.declared}, and a number is no date by itself.",
            "if it is written like 20251231, set --date-format '%Y%m%d'; if it counts seconds since 1970, set"
            " --date-format epoch_s.",
        )
    count = sample.count

    def count_column(patterns: Mapping[str, str]) -> Mapping[str, int]:
        assert count is not None
        return count(column, patterns)

    decision = detect_date_formats(
        values,
        configured,
        column=column.name,
        is_whole=sample.is_whole,
        count=count_column if count else None,
    )
    return replace(decision, notes=(*decision.notes, *notes))


def _unused_times(
    schema: Schema, mapping: ColumnMapping, sample: Sample, dates: Sequence[str | None]
) -> tuple[str, ...]:
    """Return the note that columns of times and zones beside a column of dates are not used."""
    if any(":" in value for value in dates if value):
        return ()
    others = [column for column in schema if column not in mapping.roles().values()]
    times = [column.name for column in others if are_times_of_day(sample.filled(column))]
    if not times:
        return ()
    zones = [column.name for column in others if normalize_name(column.name) in {"timezone", "tz"}]
    unused = " and ".join(f"`{name}`" for name in (*times, *zones))
    verb = "are" if len(times) + len(zones) > 1 else "is"
    return (f"`{mapping.ordered_at.name}` is taken as the local date; {unused} {verb} not applied",)


class _Order(Struct):
    """An order of day, month and year, and the values of the sample that have it."""

    formats: Counter[str]
    dates: dict[str, date]
    lines: int = 0


def detect_date_formats(
    values: Iterable[str | None],
    configured: Sequence[str] = (ISO,),
    *,
    column: str = "ordered_at",
    is_whole: bool = True,
    count: PatternCounter | None = None,
) -> DateDecision:
    """Return the formats that fit all values of a column.

    Args:
        values: Values of a sample, without surrounding whitespace; None is NULL or blank.
        configured: The configured formats. Only `iso` is also the default, and lets the values decide.
        column: Name of the column, for messages.
        is_whole: Whether the sample is the whole source.
        count: Counts values of the whole source, if the sample can't decide; None to ask at once.

    Raises:
        ColumnError: If the values can be read in two ways, if no format fits all of them, or if they
            contradict the configured formats.
    """
    lines = Counter(value for value in values if value is not None and not _is_placeholder(value))
    is_default = tuple(configured) == (ISO,)
    if is_default and _are_plain_iso(lines):
        return DateDecision((ISO,), may_be_ambiguous=True, fits={ISO: lines.total()})
    readings = {value: readings_of(value) for value in lines}
    readable = Counter({value: number for value, number in lines.items() if readings[value]})
    orders = _orders(readings, lines)
    fitting = _fitting(orders, readable)
    if not is_default:
        _check_configured(configured, column, lines, readable, fitting)
        fits, unread = _read_by(configured, lines)
        return DateDecision(tuple(configured), may_be_ambiguous=False, fits=fits, unread=unread)
    if lines and 2 * readable.total() < lines.total():
        raise _no_dates(column, lines, readable)
    if not readable:
        return DateDecision(tuple(configured), may_be_ambiguous=True)
    if not fitting:
        raise _contradictory(column, lines, readable, orders)
    if len(fitting) > 1 and not (is_whole and _are_equal(fitting.values())):
        fitting = _settled(fitting, column, readable, is_whole=is_whole, count=count)
    order = next(iter(fitting.values()))
    formats = tuple(name for name, _ in order.formats.most_common())
    notes = () if formats == (ISO,) else (_note(column, order, orders),)
    unread = {value: number for value, number in lines.items() if value not in order.dates}
    return DateDecision(formats, may_be_ambiguous=True, fits=order.formats, unread=unread, notes=notes)


def order_patterns(formats: Iterable[str]) -> dict[str, str]:
    """Return, for each format, one regular expression (RE2 syntax) of the values that it reads."""
    patterns = {}
    for name in formats:
        keys = month_keys() if has_month_name(name) else {}
        patterns[name] = "|".join(f"(?:{pattern})" for pattern in regexes_of(name, keys))
    return patterns


def late_date_choices(value: str, formats: Sequence[str]) -> tuple[str, ...]:
    """Return the flags that read an ambiguous date beside the formats of the other dates, one per reading.

    >>> late_date_choices("03/04/2024", ["iso"])
    ("--date-format iso --date-format '%d/%m/%Y'", "--date-format iso --date-format '%m/%d/%Y'")
    """
    others = [name for name in (reading.format for reading in readings_of(value)) if name not in formats]
    return tuple(_flags((*formats, name)) for name in others[:2])


def are_times_of_day(values: Iterable[str]) -> bool:
    """Return whether all values are times of a day without a date, such as 23:45:10; False for no values."""
    is_empty = True
    for value in values:
        if _TIME_OF_DAY.fullmatch(value) is None:
            return False
        is_empty = False
    return not is_empty


def _are_plain_iso(values: Iterable[str]) -> bool:
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


def _is_placeholder(value: str) -> bool:
    return value.lower() in _NO_VALUES or _ZERO_DATE.fullmatch(value) is not None


def _orders(readings: Mapping[str, tuple[ValueReading, ...]], lines: Counter[str]) -> dict[str, _Order]:
    orders: dict[str, _Order] = {}
    for value, found in readings.items():
        for reading in found:
            order = orders.setdefault(reading.order, _Order(Counter(), {}))
            order.formats[reading.format] += lines[value]
            if value not in order.dates:
                order.dates[value] = reading.date
                order.lines += lines[value]
    return orders


def _fitting(orders: Mapping[str, _Order], readable: Counter[str]) -> dict[str, _Order]:
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


def _are_equal(orders: Iterable[_Order]) -> bool:
    first, *others = orders
    return all(order.dates == first.dates for order in others)


def _settled(
    fitting: dict[str, _Order],
    column: str,
    readable: Counter[str],
    *,
    is_whole: bool,
    count: PatternCounter | None,
) -> dict[str, _Order]:
    """Return the one order that fits the whole source.

    Raises:
        ColumnError: If two orders fit, or none.
    """
    if is_whole or count is None:
        raise _ambiguous(column, fitting, readable, {name: order.lines for name, order in fitting.items()})
    patterns = {name: "|".join(order_patterns(order.formats).values()) for name, order in fitting.items()}
    counts = dict(count({**patterns, _ANY: "|".join(patterns.values())}))
    readable_lines = counts.pop(_ANY)
    complete = [name for name, number in counts.items() if number == readable_lines]
    if len(complete) != 1:
        raise _ambiguous(column, fitting, readable, counts)
    return {complete[0]: fitting[complete[0]]}


def _read_by(formats: Sequence[str], lines: Counter[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of lines that each format reads first, and the values that none reads."""
    fits, unread = dict.fromkeys(formats, 0), {}
    for value, number in lines.items():
        name = next((name for name in formats if read_date(value, name) is not None), None)
        if name is None:
            unread[value] = number
        else:
            fits[name] += number
    return fits, unread


def _check_configured(
    configured: Sequence[str],
    column: str,
    lines: Counter[str],
    readable: Counter[str],
    fitting: Mapping[str, _Order],
) -> None:
    """Raise if most values, or one order that fits all values, contradict the configured formats."""
    _, unread = _read_by(configured, readable)
    missed = Counter(unread)
    if not missed or (2 * missed.total() <= readable.total() and not fitting):
        return
    named = _listed(configured)
    verb = "reads" if len(configured) == 1 else "read"
    message = (
        f"The date format {named} {verb} {readable.total() - missed.total()} of the {lines.total()} values of"
        f" `{column}`, but not {_values(missed)}."
    )
    if fitting:
        hint = f"the values fit {' or '.join(map(_flags, _suggestions(fitting)))}."
    else:
        hint = "leave --date-format out to see which formats the values fit."
    raise ColumnError(message, hint)


def _suggestions(orders: Mapping[str, _Order]) -> list[tuple[str, ...]]:
    return list(
        dict.fromkeys(tuple(name for name, _ in order.formats.most_common()) for order in orders.values())
    )


def _no_dates(column: str, lines: Counter[str], readable: Counter[str]) -> ColumnError:
    unread = Counter({value: number for value, number in lines.items() if value not in readable})
    if not readable:
        message = (
            f"The column `{column}` is taken for the date of the order, but its values are no dates:"
            f" {_values(unread)}."
        )
    else:
        message = (
            f"Of {lines.total()} values of `{column}`, {unread.total()} are no date in a known format:"
            f" {_values(unread)}."
        )
    return ColumnError(
        message,
        "choose the column with the dates with --ordered-at, or give the format with --date-format, such as"
        " --date-format '%d/%m/%Y'.",
    )


def _contradictory(
    column: str, lines: Counter[str], readable: Counter[str], orders: Mapping[str, _Order]
) -> ColumnError:
    """Return the question for values of which no format reads all: the best formats, and the outliers."""
    shown = [(name, order) for name, order in orders.items() if name != DAY_BEFORE_MONTH]
    shown.sort(key=lambda item: -item[1].lines)
    best = shown[0][1]
    outliers = Counter({value: number for value, number in readable.items() if value not in best.dates})
    counted = ", ".join(f"{_listed(_top(order))} reads {order.lines}" for _, order in shown[:_SHOWN])
    # Formats are added as long as they read values that the ones before do not read.
    formats = list(_top(best))
    for _, order in shown[1:]:
        _, unread = _read_by(formats, readable)
        if unread.keys() & order.dates.keys():
            formats += [name for name in _top(order) if name not in formats and _adds(name, unread)]
    formats = _without_swapped(formats)
    fits, _ = _read_by(formats, lines)
    total = sum(fits.values())
    return ColumnError(
        f"No date format fits all {readable.total()} dates of `{column}`: {counted};"
        f" {_listed(_top(best))} does not read {_values(outliers)}.",
        f"set {_flags(formats)} to read {total} of {lines.total()} values and to exclude lines with others as"
        " invalid_date, or correct the values.",
    )


def _adds(name: str, unread: Mapping[str, int]) -> bool:
    return any(read_date(value, name) is not None for value in unread)


def _without_swapped(formats: Sequence[str]) -> list[str]:
    """Return formats without those that read day and month the other way round as an earlier one."""
    kept: list[str] = []
    for name in formats:
        swapped = name.translate({ord("d"): "m", ord("m"): "d"})
        if swapped not in kept:
            kept.append(name)
    return kept


def _ambiguous(
    column: str, fitting: Mapping[str, _Order], readable: Counter[str], counts: Mapping[str, int]
) -> ColumnError:
    orders = list(fitting.values())
    value = next(
        (text for text in readable if len({order.dates[text] for order in orders}) > 1), next(iter(readable))
    )
    ways = ", and ".join(f"{order.dates[value]} as {_listed(_top(order))}" for order in orders)
    if len(set(counts.values())) == 1:
        number = next(iter(counts.values()))
        which = "both fit" if len(orders) == 2 else "all fit"
        fits = f"{which} {format_count(number, 'value')}"
    else:
        fits = ", ".join(
            f"{_listed(_top(fitting[name]))} fits {format_count(number, 'value')}"
            for name, number in counts.items()
        )
    choices = list(dict.fromkeys(_flags(_top(order)) for order in orders))
    number_of_ways = {2: "two", 3: "three"}.get(len(orders), str(len(orders)))
    return ColumnError(
        f"The dates of `{column}` can be read in {number_of_ways} ways: {value} is {ways}; {fits}.",
        f"set {' or '.join(choices)}.",
    )


def _note(column: str, order: _Order, orders: Mapping[str, _Order]) -> str:
    formats = _top(order)
    name = formats[0]
    # A value that shows why no other order was taken is the best example.
    rivals = [other for other in orders.values() if other is not order and other.dates != order.dates]
    proofs = (value for value in order.dates if all(value not in rival.dates for rival in rivals))
    value = next(proofs, next(iter(order.dates)))
    explanation = f" ({_EXPLANATIONS[name]})" if name in _EXPLANATIONS else ""
    zone = " in UTC" if name in EPOCH_DIGITS else ""
    return (
        f"dates in `{column}` read as {' and '.join(formats)}{explanation}:"
        f" {truncate(without_time(value))} is {order.dates[value]}{zone}"
    )


def _top(order: _Order) -> tuple[str, ...]:
    """Return an order's formats, most frequent first."""
    return tuple(name for name, _ in order.formats.most_common())


def _flags(formats: Sequence[str]) -> str:
    return " ".join(f"--date-format {name if name.isidentifier() else repr(name)}" for name in formats)


def _listed(formats: Sequence[str]) -> str:
    return " and ".join(formats)


def _values(lines: Mapping[str, int]) -> str:
    """Return up to three values with their numbers of lines, most frequent first."""
    most = sorted(lines.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{truncate(value)} ({number})" for value, number in most[:_SHOWN])
    return shown + (f" and {len(most) - _SHOWN} others" if len(most) > _SHOWN else "")
