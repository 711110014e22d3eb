"""SQL of dates that are text or numbers: branches of a CASE expression, per format.

The first branch of a format is the cheapest, and has nearly all values; the others read values with a time, a
zone or a month's name in another language.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfm_pipeline.common.date_formats import (
    EXCEL_SERIAL,
    ISO,
    NAMED_FORMATS,
    OFFSET,
    date_part,
    date_regex,
    engines_parse,
    format_regex,
    has_month_name,
    local_regex,
    number_regex,
    order_of,
    zoned_regex,
)

if TYPE_CHECKING:
    from rfm_pipeline.sql.dialects.base import Dialect

Branch = tuple[str, str]
"""A branch of a CASE expression: condition and value."""

# Only the years 1000 to 2999: no order is outside them, and engines can't convert all others to every zone.
_DAY = "[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
_TIME = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
_ISO_LOCAL = f"^{_DAY}({_TIME})?$"
_ISO_ZONED = f"^{_DAY}{_TIME}(Z| UTC| ?{OFFSET})$"
# Seconds are dropped: they do not change the date in a zone whose offset is a whole number of minutes.
_TO_THE_MINUTE = ("^(.{10}).(.{5})[:.0-9]*", r"\1 \2:00")
_COLON_IN_OFFSET = (" ?([+-][0-9]{2}):?([0-9]{2})$", r"\1:\2")
_ISO_NUMBERS = ("(?s)^([0-9]+).([0-9]+).([0-9]+).*$", r"\1-\2-\3")
_UTC_AS_OFFSET = (r"(Z|UTC|GMT)( ?[\[(].*)?$", "+00:00")
_CLOCK_AND_OFFSET = (r"(?s)^.*?([0-9]{1,2}:[0-9]{1,2})[^+-]*([+-][0-9]{2}):?([0-9]{2})?.*$", r" \1:00\2\3")
_HOURS_OF_PM = r"[^0-9](0?[1-9]|1[01]):[0-9:.,]+[^0-9+-]?[Pp]\.?[Mm]"
_TWELVE_AM = r"[^0-9]12:[0-9:.,]+[^0-9+-]?[Aa]\.?[Mm]"
_AFTER_DAY = r"[0-9](?:(?:st|nd|rd|th|er)\b|º|ª)?[ ./,-]*(?:del? |of )?(\pL{3})"
_BEFORE_DAY = r"(\pL{3})\pL*[ ./,-]*(?:del? |of )?[0-9]"


def date_branches(dialect: Dialect, text: str, date_format: str, timezone: str) -> list[Branch]:
    """Return the branches that read dates in one format: condition, and local date or NULL.

    Args:
        dialect: The engine's dialect.
        text: SQL of the text, without whitespace around it.
        date_format: A format, as `check_format` accepts it.
        timezone: IANA name of the zone to which values with an offset are converted.
    """
    if date_format == ISO:
        return _iso_branches(dialect, text, timezone)
    if date_format in NAMED_FORMATS:
        value = _number_date(dialect, text, date_format, timezone)
        return [(dialect.matches(text, number_regex(date_format)), value)]
    branches = []
    if engines_parse(date_format):
        exact = dialect.parsed_date(text, date_format)
        branches.append((dialect.matches(text, format_regex(date_format)), exact))
    if part := date_part(date_format):
        keys = _month_keys() if has_month_name(part) else {}
        day = _named_date(dialect, text, part) if keys else _leading_date(dialect, text, part)
        branches.append((dialect.matches(text, local_regex(part, keys)), day))
        branches.append(
            (dialect.matches(text, zoned_regex(part, keys)), _zoned_date(dialect, text, day, timezone))
        )
    return branches


def _iso_branches(dialect: Dialect, text: str, timezone: str) -> list[Branch]:
    canonical = dialect.regexp_replace(dialect.regexp_replace(text, *_TO_THE_MINUTE), *_COLON_IN_OFFSET)
    day = dialect.try_date(dialect.regexp_replace(text, *_ISO_NUMBERS))
    return [
        (dialect.matches(text, _ISO_LOCAL), dialect.iso_date(text)),
        (
            dialect.matches(text, _ISO_ZONED),
            dialect.date_in_zone(dialect.instant(canonical), timezone),
        ),
        (dialect.matches(text, local_regex(ISO)), day),
        (dialect.matches(text, zoned_regex(ISO)), _zoned_date(dialect, text, day, timezone)),
    ]


def _leading_date(dialect: Dialect, text: str, part: str) -> str:
    """Return the date at the beginning of text, of numbers only."""
    return dialect.parsed_date(dialect.regexp_extract(text, f"({date_regex(part)})"), part)


def _named_date(dialect: Dialect, text: str, part: str) -> str:
    """Return the date at the beginning of text with a month's name in any of the known languages."""
    from rfm_pipeline.config.month_names import FRENCH_PREFIX, SHORTENED_PREFIX

    order = order_of(part)
    numbers = order.replace("b", "")
    widths = {"d": "([0-9]{1,2})", "Y": "([0-9]{4})", "y": "([0-9]{2})"}
    pattern = f"(?s)^[^0-9]*{'[^0-9]+'.join(widths[code] for code in numbers)}.*$"
    day, year = numbers.index("d") + 1, 2 - numbers.index("d")
    lower = f"REPLACE(LOWER({text}), '{FRENCH_PREFIX}', '{SHORTENED_PREFIX}')"
    key = dialect.regexp_extract(lower, _BEFORE_DAY if order[0] == "b" else _AFTER_DAY)
    # The text in which each key is followed by its month: 'apr04 avr04 ...'. A key that is not in it gives
    # letters, which are no month.
    known = dialect.literal(" ".join(f"{name}{number:02}" for name, number in _month_keys().items()))
    month = f"SUBSTR({known}, STRPOS({known}, {key}) + 3, 2)"
    rest = dialect.regexp_replace(text, pattern, rf"-\{day}-\{year}")
    return dialect.parsed_date(f"CONCAT({month}, {rest})", f"%m-%d-%{'Y' if 'Y' in order else 'y'}")


def _zoned_date(dialect: Dialect, text: str, day: str, timezone: str) -> str:
    """Return the date in the time zone of text with a date, a time and an offset."""
    with_offset = dialect.regexp_replace(text, *_UTC_AS_OFFSET)
    clock = dialect.regexp_replace(with_offset, *_CLOCK_AND_OFFSET)
    instant = dialect.instant(f"CONCAT({dialect.cast(day, 'text')}, {clock})")
    hours = (
        f"CASE WHEN {dialect.matches(text, _HOURS_OF_PM)} THEN 12"
        f" WHEN {dialect.matches(text, _TWELVE_AM)} THEN -12 ELSE 0 END"
    )
    return dialect.date_in_zone(dialect.add_hours(instant, hours), timezone)


def _number_date(dialect: Dialect, text: str, date_format: str, timezone: str) -> str:
    if date_format == EXCEL_SERIAL:
        return dialect.date_of_serial(dialect.regexp_extract(text, "^([0-9]{5})"))
    # The whole seconds are the first nine or ten digits, before those of the smaller unit.
    pattern = number_regex(date_format).replace("[1-9][0-9]{8,9}", "([1-9][0-9]{8,9})")
    return dialect.date_in_zone(dialect.instant_of_seconds(dialect.regexp_extract(text, pattern)), timezone)


def _month_keys() -> dict[str, int]:
    # Read where a format has month names only.
    from rfm_pipeline.config.month_names import month_keys

    return dict(month_keys())
