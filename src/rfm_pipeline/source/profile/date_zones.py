"""Proof by the zone: a column of abbreviations such as PDT says when daylight saving time was in force.

06/01/2026 beside PDT is the first of June: on the sixth of January, the zone has its other name, PST.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from functools import cache
from zoneinfo import ZoneInfo

# Only names of daylight saving time: the other names also stand for zones without it, as MST does in Arizona,
# and GMT for UTC.
_ZONES = {
    "PDT": "America/Los_Angeles",
    "MDT": "America/Denver",
    "CDT": "America/Chicago",
    "EDT": "America/New_York",
    "BST": "Europe/London",
    "CEST": "Europe/Berlin",
    "EEST": "Europe/Athens",
    "AEDT": "Australia/Sydney",
}


def fits_zones(dates: Mapping[str, date], values: Sequence[str | None], zones: Sequence[str | None]) -> bool:
    """Return whether each date can be a day on which its zone had the name beside it.

    Args:
        dates: Date of each value, in one way to read the column.
        values: Values of the column of dates, in the order of the rows.
        zones: Abbreviations of zones beside them; those that are not known prove nothing.
    """
    pairs = {(dates.get(value or ""), zone) for value, zone in zip(values, zones, strict=False)}
    return all(zone in _names(day, zone) for day, zone in pairs if day and zone in _ZONES)


@cache
def _names(day: date, zone: str) -> frozenset[str | None]:
    place = ZoneInfo(_ZONES[zone])
    return frozenset(datetime.combine(day, clock, tzinfo=place).tzname() for clock in (time(0), time(23, 59)))
