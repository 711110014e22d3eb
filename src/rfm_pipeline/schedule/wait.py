"""Waiting for a time of day, for containers that their engine restarts after each run."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from datetime import datetime, time, timedelta, tzinfo

_MAX_SLEEP_SECONDS = 30.0


def next_start(now: datetime, at: time, zone: tzinfo | None) -> datetime:
    """Return the first moment after `now` at which the local time in `zone` is `at`.

    If daylight saving time skips the local time, the moment is as long after midnight as on other days: 02:30
    is 03:30 by the clocks. If the local time is repeated, the first occurrence counts.

    Args:
        now: Aware moment.
        at: Local time of day.
        zone: Time zone; None is the machine's own.
    """
    local = now.astimezone(zone)
    for days in range(3):
        naive = datetime.combine(local.date() + timedelta(days=days), at)
        # `astimezone` reads a naive time in the machine's time zone.
        moment = naive.replace(tzinfo=zone) if zone else naive.astimezone()
        if moment.timestamp() > now.timestamp():
            return moment
    raise AssertionError("no start within three days")


def wait_until(
    moment: datetime,
    now: Callable[[], float] = clock.time,
    sleep: Callable[[float], None] = clock.sleep,
) -> None:
    """Sleep until `moment`, in short steps as the clock may be set or the machine suspended meanwhile."""
    while (left := moment.timestamp() - now()) > 0:
        sleep(min(left, _MAX_SLEEP_SECONDS))
