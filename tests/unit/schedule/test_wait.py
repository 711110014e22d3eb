"""Waiting for a time of day: the moment of the next start, and the end of the wait."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.schedule.wait import next_start, wait_until

LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("now", "start"),
    [
        ("2026-01-10 03:29", "2026-01-10 03:30"),
        ("2026-01-10 03:30", "2026-01-11 03:30"),
        ("2026-12-31 23:00", "2027-01-01 03:30"),
    ],
)
def test_next_start_is_strictly_after_now(now: str, start: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=LONDON)
    assert next_start(moment, time(3, 30), LONDON) == datetime.fromisoformat(start).replace(tzinfo=LONDON)


def test_a_time_skipped_by_dst_keeps_its_distance_from_midnight() -> None:
    midnight = datetime(2026, 3, 29, 0, 0, tzinfo=LONDON)
    start = next_start(midnight, time(1, 30), LONDON)
    assert start.timestamp() - midnight.timestamp() == 90 * 60
    # The clocks show 02:30.
    assert start.astimezone(UTC) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_only_the_first_occurrence_of_a_repeated_time_counts() -> None:
    first = next_start(datetime(2026, 10, 25, 0, 0, tzinfo=LONDON), time(1, 30), LONDON)
    assert first.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    second = next_start(first, time(1, 30), LONDON)
    assert second.astimezone(UTC) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - hypothesis needs naive bounds
    st.times(),
    st.sampled_from(sorted(available_timezones())),
)
def test_next_start_is_within_26_hours_in_every_time_zone(moment: datetime, at: time, zone: str) -> None:
    now, at = moment.replace(tzinfo=UTC), at.replace(second=0, microsecond=0)
    start = next_start(now, at, ZoneInfo(zone))
    assert timedelta() < start.astimezone(UTC) - now <= timedelta(hours=26)
    assert start.time().replace(tzinfo=None) == at


def test_without_a_time_zone_the_machines_own_is_used() -> None:
    now = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
    start = next_start(now, time(3, 30), None)
    assert start.astimezone().strftime("%H:%M") == "03:30"
    assert timedelta() < start - now <= timedelta(days=1)


def test_the_wait_ends_on_time_after_clock_changes_and_suspension() -> None:
    shown, naps = [100.0], []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        # The machine was suspended for an hour, or its clock was set.
        shown[0] += 3600 if len(naps) == 2 else seconds

    wait_until(datetime.fromtimestamp(10_000, UTC), now=lambda: shown[0], sleep=sleep)
    assert shown[0] == pytest.approx(10_000)
    assert max(naps) <= 30
    wait_until(datetime.fromtimestamp(5, UTC), now=lambda: shown[0], sleep=sleep)
    assert shown[0] == pytest.approx(10_000)
