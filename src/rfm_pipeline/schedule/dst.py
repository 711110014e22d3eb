"""The days on which the clocks of a zone leave a time of day out, or show it twice."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo


def clock_changes(at: time, zone: tzinfo | None, first_day: date) -> dict[str, list[date]]:
    """Such days within a year.

    Args:
        at: The local time of day.
        zone: None is the machine's own.
        first_day: The first day that is looked at.

    Returns:
        The days by what the clocks do to the time, `leave it out` or `show it twice`.
    """
    found: dict[str, list[date]] = {}
    for days in range(366):
        day = first_day + timedelta(days=days)
        # The two readings of a time differ only near a change (PEP 495).
        first, second = (
            datetime.combine(day, at, zone).replace(fold=reading).timestamp() for reading in (0, 1)
        )
        if first != second:
            found.setdefault("leave it out" if first > second else "show it twice", []).append(day)
    return found


def clock_notes(at: time, zone: tzinfo | None, first_day: date) -> tuple[str, ...]:
    """What a person should know of them, before they choose that time."""
    changes = clock_changes(at, zone, first_day)
    if not changes:
        return ()
    told = " and ".join(f"{what} on {days[0]}" for what, days in changes.items())
    whose = f"the clocks of {zone}" if zone else "this machine's clocks"
    return (f"{at:%H:%M} is not a time that every day has once: {whose} {told}; 05:30 is one in every zone.",)
