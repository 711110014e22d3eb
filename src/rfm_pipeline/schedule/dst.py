"""Days on which a daylight saving time change skips or repeats a local time of day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, tzinfo

# What a scheduler does with a time that the clocks skip, and with one that they repeat. Sources: cron(8) of
# Debian; `systemd-analyze calendar`; "Task Scheduler Behavior at Daylight Saving Time Transitions and Other
# Events" (Microsoft, KB 325413); the documentation of the Go package robfig/cron, which Kubernetes uses, and
# kubernetes/kubernetes issue 121594; "Configuring cron job schedules" (Cloud Scheduler); "Workflow syntax"
# (GitHub Actions); `_cron.py` and `make_aware` of Airflow 3.3.2.
_EFFECTS: Mapping[str, Mapping[str, str]] = {
    "cron": {"skip": "cron starts right after the change", "repeat": "cron starts once"},
    "cron in another zone": {"skip": "the line does not start", "repeat": "the line starts twice"},
    "systemd": {"skip": "systemd does not start", "repeat": "systemd starts once"},
    "windows": {
        "skip": "Microsoft does not say whether the task starts",
        "repeat": "Microsoft does not say how often the task starts",
    },
    "kubernetes": {"skip": "Kubernetes does not start", "repeat": "Kubernetes starts twice"},
    "cloud-run": {
        "skip": "Google does not say whether the job starts",
        "repeat": "Google does not say how often the job starts",
    },
    "github-actions": {
        "skip": "GitHub starts when the skipped hour ends",
        "repeat": "GitHub does not say how often it starts",
    },
    "airflow": {"skip": "Airflow starts an hour later", "repeat": "Airflow starts once"},
}


def dst_changes(at: time, zone: tzinfo | None, first_day: date) -> dict[str, list[date]]:
    """Return the days within a year on which a local time does not occur exactly once.

    Args:
        at: Local time of day.
        zone: Time zone; None is the machine's own.
        first_day: First of the 366 days checked.

    Returns:
        The days in ascending order, by what the clocks do to the time: 'skip' or 'repeat'. No key without
        days.

    >>> from zoneinfo import ZoneInfo
    >>> dst_changes(time(1, 30), ZoneInfo("Europe/London"), date(2026, 1, 1))
    {'skip': [datetime.date(2026, 3, 29)], 'repeat': [datetime.date(2026, 10, 25)]}
    """
    changes: dict[str, list[date]] = {}
    for days in range(366):
        day = first_day + timedelta(days=days)
        # The timestamps of the two folds of a local time differ only near a change (PEP 495).
        first, second = (datetime.combine(day, at, zone).replace(fold=fold).timestamp() for fold in (0, 1))
        if first != second:
            changes.setdefault("skip" if first > second else "repeat", []).append(day)
    return changes


def dst_notes(target: str, at: time, zone: tzinfo | None, first_day: date) -> tuple[str, ...]:
    """Return a message with the first skipped and the first repeated day; empty if there are none.

    Args:
        target: The scheduler, whose start on these days is stated.
        at: Local time of day.
        zone: Time zone; None is the machine's own.
        first_day: First of the 366 days checked.
    """
    effects = _EFFECTS["cron in another zone" if target == "cron" and zone else target]
    changes = dst_changes(at, zone, first_day)
    if not changes:
        return ()
    text = " and ".join(f"{verb} it on {days[0]} ({effects[verb]})" for verb, days in changes.items())
    clocks = f"the clocks of {zone}" if zone else "this machine's clocks"
    return (
        f"{at:%H:%M} does not occur exactly once every day: {clocks} {text}; 05:30 does in every time zone.",
    )
