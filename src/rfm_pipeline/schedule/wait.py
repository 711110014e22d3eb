"""Waiting for the time of day, for a container that its engine starts again after each run."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from datetime import datetime, time, timedelta, tzinfo

_LONGEST_NAP = 30.0


def next_start(now: datetime, at: time, zone: tzinfo | None) -> datetime:
    """The first moment after `now` at which the clocks of a zone show a time of day.

    A time that the clocks leave out in spring is taken as long after midnight as on other days: half past two
    is half past three then. Of a time that they show twice in autumn the first counts.

    Args:
        now: An aware moment.
        at: The local time of day.
        zone: None is the machine's own.
    """
    local = now.astimezone(zone)
    for days in range(3):
        naive = datetime.combine(local.date() + timedelta(days=days), at)
        # Of a naive time, `astimezone` takes the machine's zone for granted.
        moment = naive.replace(tzinfo=zone) if zone else naive.astimezone()
        if moment.timestamp() > now.timestamp():
            return moment
    raise AssertionError("a day has one such moment at least")


def wait_until(
    moment: datetime,
    now: Callable[[], float] = clock.time,
    sleep: Callable[[float], None] = clock.sleep,
) -> None:
    """Returns at that moment, however the machine's clock was set or stood still meanwhile."""
    while (left := moment.timestamp() - now()) > 0:
        sleep(min(left, _LONGEST_NAP))
