"""The format of the order dates: the ones that fit all values of the column, or a question.

A value that no known format reads (`never`, `2024-02-30`) says nothing about the format; the run excludes its
line as `invalid_date`. All other values must agree on one order of day, month and year.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.date_formats import EPOCH_DIGITS, ISO, has_month_name, regexes_of
from rfm_pipeline.common.formatting import format_count, truncate
from rfm_pipeline.common.schema import Kind, Schema
from rfm_pipeline.config.column_mapping import ColumnMapping, normalize_name
from rfm_pipeline.config.month_names import month_keys
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.source.profile.date_orders import (
    DateOrder,
    are_equal,
    are_plain_iso,
    fitting_orders,
    formats_of,
    is_placeholder,
    orders_of,
    read_by,
)
from rfm_pipeline.source.profile.date_questions import (
    ambiguous_dates,
    contradictory_dates,
    counted_values,
    dates_by_file,
    format_flags,
    listed,
    no_dates,
    suggestions,
)
from rfm_pipeline.source.profile.date_values import read_date, readings_of, without_time
from rfm_pipeline.source.profile.date_zones import fits_zones
from rfm_pipeline.source.profile.sample import Sample

PatternCounter = Callable[[Mapping[str, str]], Mapping[str, int]]
"""Counts the lines of the whole source whose date matches each regular expression (RE2 syntax), by name."""

_TIME_OF_DAY = re.compile(r"[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?(?: ?[AaPp]\.?[Mm]\.?)?")
_EXPLANATIONS = {
    "epoch_s": "seconds since 1970",
    "epoch_ms": "milliseconds since 1970",
    "epoch_us": "microseconds since 1970",
    "epoch_ns": "nanoseconds since 1970",
    "excel_serial": "days of a spreadsheet",
}
_ANY = "any"
_MISSING_DATES = {
    "0001": "0001-01-01", "1601": "1601-01-01", "1753": "1753-01-01", "1899": "1899-12-30",
    "1900": "1900-01-01", "1970": "1970-01-01",
}  # fmt: skip
"""Year -> date that programs write for a missing one: day 0 or 1 of their calendars."""
ZONE_NAMES = frozenset(
    {"timezone", "tz", "zeitzone", "fuseauhoraire", "zonahoraria", "fusoorario", "tijdzone"}
)
"""Normalized names of columns with the time zone of each date."""


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
        ColumnError: As for `detect_date_formats`; or if the column is a number, the sample has no value that
            shows what it counts, and no format is configured.
    """
    column, configured = mapping.ordered_at, settings.date_format
    values = sample.of(column)
    notes = _unused_times(schema, mapping, sample, values)
    if column.kind in {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}:
        missing = _missing_date_notes(column.name, values, (ISO,))
        return DateDecision(configured, may_be_ambiguous=False, notes=(*missing, *notes))
    is_unseen = not any(values) and (not values or not sample.is_whole)
    if is_unseen and column.kind is not Kind.TEXT and configured == (ISO,):
        raise question("dates_that_are_numbers", column=column.name, type=column.declared)
    count = sample.count

    def count_column(patterns: Mapping[str, str]) -> Mapping[str, int]:
        assert count is not None
        return count(column, patterns)

    decision = detect_date_formats(
        values,
        configured,
        zones=_zones(schema, sample),
        column=column.name,
        is_whole=sample.is_whole,
        count=count_column if count else None,
        files=sample.files,
    )
    missing = _missing_date_notes(column.name, values, decision.formats)
    return replace(decision, notes=(*decision.notes, *missing, *notes))


def _missing_date_notes(column: str, values: Iterable[str | None], formats: Sequence[str]) -> Iterator[str]:
    """Yield a note for each of `_MISSING_DATES` among the sampled values."""
    dates = Counter[str]()
    for value in values:
        missing = next((date for year, date in _MISSING_DATES.items() if value and year in value), None)
        if value and missing:
            is_written = value.startswith(missing) and ISO in formats
            if is_written or missing in {str(read_date(value, date_format)) for date_format in formats}:
                dates[missing] += 1
    for date, number in dates.items():
        lines = f"{format_count(number, 'line')}, which {'count' if number > 1 else 'counts'}"
        yield f"`{column}` is {date} on {lines}; --exclude leaves it out if it is written for a missing date"


def _zones(schema: Schema, sample: Sample) -> Sequence[str | None]:
    """Return the values of the only column of time zones; none if there is no such column, or several."""
    zones = [sample.of(column) for column in schema if normalize_name(column.name) in ZONE_NAMES]
    return zones[0] if len(zones) == 1 else ()


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
    zones = [column.name for column in others if normalize_name(column.name) in ZONE_NAMES]
    unused = " and ".join(f"`{name}`" for name in (*times, *zones))
    verb = "are" if len(times) + len(zones) > 1 else "is"
    return (f"`{mapping.ordered_at.name}` is taken as the local date; {unused} {verb} not applied",)


def detect_date_formats(
    values: Iterable[str | None],
    configured: Sequence[str] = (ISO,),
    *,
    zones: Sequence[str | None] = (),
    column: str = "ordered_at",
    is_whole: bool = True,
    count: PatternCounter | None = None,
    files: Sequence[str] = (),
) -> DateDecision:
    """Return the formats that fit all values of a column.

    Args:
        values: Values of a sample, without surrounding whitespace; None is NULL or blank.
        configured: The configured formats. Only `iso` is also the default, and lets the values decide.
        zones: Abbreviations of zones beside the values, such as PDT; empty if there is no such column.
        column: Name of the column, for messages.
        is_whole: Whether the sample is the whole source.
        count: Counts values of the whole source, if the sample can't decide; None to ask at once.
        files: Name of the file of each value; empty unless the source has several files.

    Raises:
        ColumnError: If the values can be read in two ways, if no format fits all of them, or if they
            contradict the configured formats.
    """
    rows = tuple(values)
    lines = Counter(value for value in rows if value is not None and not is_placeholder(value))
    is_default = tuple(configured) == (ISO,)
    if is_default and are_plain_iso(lines):
        return DateDecision((ISO,), may_be_ambiguous=True, fits={ISO: lines.total()})
    readings = {value: readings_of(value) for value in lines}
    readable = Counter({value: number for value, number in lines.items() if readings[value]})
    orders = orders_of(readings, lines)
    fitting = fitting_orders(orders, readable)
    if not is_default:
        _check_configured(configured, column, lines, readable, fitting)
        fits, unread = read_by(configured, lines)
        return DateDecision(tuple(configured), may_be_ambiguous=False, fits=fits, unread=unread)
    if lines and 2 * readable.total() < lines.total():
        raise no_dates(column, lines, readable)
    if not readable:
        return DateDecision(tuple(configured), may_be_ambiguous=True)
    if not fitting:
        if by_file := _fitting_by_file(rows, files):
            raise dates_by_file(column, by_file)
        raise contradictory_dates(column, lines, readable, orders)
    if len(fitting) > 1 and zones:
        proved = {name: order for name, order in fitting.items() if fits_zones(order.dates, rows, zones)}
        fitting = proved or fitting
    if len(fitting) > 1 and not (is_whole and are_equal(fitting.values())):
        fitting = _settled(fitting, column, readable, is_whole=is_whole, count=count)
    order = next(iter(fitting.values()))
    formats = tuple(name for name, _ in order.formats.most_common())
    notes = () if formats == (ISO,) else (_note(column, order, orders),)
    unread = {value: number for value, number in lines.items() if value not in order.dates}
    return DateDecision(formats, may_be_ambiguous=True, fits=order.formats, unread=unread, notes=notes)


def _fitting_by_file(
    values: Sequence[str | None], files: Sequence[str]
) -> dict[str, tuple[tuple[str, ...], int]]:
    """Return, where each file has one order of dates, its formats and the number of its values, by file."""
    by_file: dict[str, Counter[str]] = {}
    for value, file in zip(values, files, strict=False):
        if value is not None and not is_placeholder(value):
            by_file.setdefault(file, Counter())[value] += 1
    result = {}
    for file, lines in sorted(by_file.items()):
        readings = {value: readings_of(value) for value in lines}
        readable = Counter({value: number for value, number in lines.items() if readings[value]})
        fitting = fitting_orders(orders_of(readings, lines), readable)
        if not fitting or not are_equal(fitting.values()):
            return {}
        result[file] = formats_of(next(iter(fitting.values()))), readable.total()
    return result


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
    return tuple(format_flags((*formats, name)) for name in others[:2])


def are_times_of_day(values: Iterable[str]) -> bool:
    """Return whether all values are times of a day without a date, such as 23:45:10; False for no values."""
    is_empty = True
    for value in values:
        if _TIME_OF_DAY.fullmatch(value) is None:
            return False
        is_empty = False
    return not is_empty


def _settled(
    fitting: dict[str, DateOrder],
    column: str,
    readable: Counter[str],
    *,
    is_whole: bool,
    count: PatternCounter | None,
) -> dict[str, DateOrder]:
    """Return the one order that fits the whole source.

    Raises:
        ColumnError: If two orders fit, or none.
    """
    if is_whole or count is None:
        counts = {name: order.lines for name, order in fitting.items()}
        raise ambiguous_dates(column, fitting, readable, counts)
    patterns = {name: "|".join(order_patterns(order.formats).values()) for name, order in fitting.items()}
    counts = dict(count({**patterns, _ANY: "|".join(patterns.values())}))
    readable_lines = counts.pop(_ANY)
    complete = [name for name, number in counts.items() if number == readable_lines]
    if len(complete) != 1:
        raise ambiguous_dates(column, fitting, readable, counts)
    return {complete[0]: fitting[complete[0]]}


def _check_configured(
    configured: Sequence[str],
    column: str,
    lines: Counter[str],
    readable: Counter[str],
    fitting: Mapping[str, DateOrder],
) -> None:
    """Raise if most values, or one order that fits all values, contradict the configured formats."""
    _, unread = read_by(configured, readable)
    missed = Counter(unread)
    if not missed or (2 * missed.total() <= readable.total() and not fitting):
        return
    raise question(
        "other_date_format" if fitting else "unfitting_date_format",
        formats=listed(configured),
        verb="reads" if len(configured) == 1 else "read",
        read=readable.total() - missed.total(),
        number=lines.total(),
        column=column,
        values=counted_values(missed),
        choices=" or ".join(map(format_flags, suggestions(fitting))),
    )


def _note(column: str, order: DateOrder, orders: Mapping[str, DateOrder]) -> str:
    formats = formats_of(order)
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
