"""Days on which daylight saving time skips or repeats a time of day, and the note about them."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
import time as clock
from collections.abc import Iterator
from datetime import date, time
from zoneinfo import ZoneInfo, available_timezones

import pytest
import yaml

from rfm_pipeline.cli.commands.schedule import schedule as command
from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import render
from rfm_pipeline.schedule.dst import dst_changes
from rfm_pipeline.schedule.spec import check_timezone, parse_time
from support.awkward_commands import container_schedule, schedule
from support.paths import ROOT

FIRST = date(2026, 1, 1)


@pytest.mark.parametrize(
    ("zone", "at", "left_out", "twice"),
    [
        ("Europe/London", "01:30", date(2026, 3, 29), date(2026, 10, 25)),
        ("Europe/Athens", "03:30", date(2026, 3, 29), date(2026, 10, 25)),
        ("Europe/Kyiv", "03:00", date(2026, 3, 29), date(2026, 10, 25)),
        ("America/New_York", "02:00", date(2026, 3, 8), None),
        ("America/New_York", "01:00", None, date(2026, 11, 1)),
        ("America/Havana", "00:00", date(2026, 3, 8), date(2026, 11, 1)),
        ("Europe/London", "00:59", None, None),
        ("Asia/Kathmandu", "02:30", None, None),
    ],
)
def test_days_on_which_dst_skips_or_repeats_a_time(
    zone: str, at: str, left_out: date | None, twice: date | None
) -> None:
    changes = dst_changes(parse_time(at), ZoneInfo(zone), FIRST)
    assert changes.get("skip", [None]) == [left_out]
    assert changes.get("repeat", [None]) == [twice]


@pytest.mark.slow
def test_the_default_time_occurs_once_a_day_in_every_time_zone() -> None:
    at = inspect.signature(command).parameters["at"].default
    for zone in available_timezones():
        for year in (2026, 2027):
            assert dst_changes(parse_time(at), ZoneInfo(zone), date(year, 1, 1)) == {}, zone
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert f"${{AT:-{at}}}" in services["daily"]["command"]


@pytest.mark.parametrize(
    ("target", "skipped", "repeated"),
    [
        ("cron", "the line does not start", "the line starts twice"),
        ("systemd", "systemd does not start", "systemd starts once"),
        ("kubernetes", "Kubernetes does not start", "Kubernetes starts twice"),
        (
            "cloud-run",
            "Google does not say whether the job starts",
            "Google does not say how often the job starts",
        ),
        (
            "github-actions",
            "GitHub starts when the skipped hour ends",
            "GitHub does not say how often it starts",
        ),
        ("airflow", "Airflow starts an hour later", "Airflow starts once"),
    ],
)
def test_a_time_skipped_or_repeated_by_dst_is_noted(target: str, skipped: str, repeated: str) -> None:
    plain = container_schedule(arguments=("run",), environment={}, secrets=())
    daily = schedule(at=time(1, 30), timezone="Europe/London", runs=plain.runs, cloud=plain.cloud)
    note = render(target, daily).notes[-1]
    assert note == (
        "01:30 does not occur exactly once every day: the clocks of Europe/London skip it on 2026-03-29"
        f" ({skipped}) and repeat it on 2026-10-25 ({repeated}); 05:30 does in every time zone."
    )
    assert not any("exactly once" in note for note in render(target, plain).notes)


@pytest.fixture
def in_athens(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Athens")
    clock.tzset()
    yield
    monkeypatch.undo()
    clock.tzset()


@pytest.mark.skipif(sys.platform == "win32", reason="a Unix takes its zone from TZ")
@pytest.mark.usefixtures("in_athens")
def test_without_a_time_zone_the_machines_own_is_checked() -> None:
    for target in ("cron", "systemd", "windows"):
        note = render(target, schedule()).notes[-1]
        assert "this machine's clocks skip it on 2026-03-29" in note
        assert ("(cron starts right after the change)" in note) == (target == "cron")
        assert ("(Microsoft does not say whether the task starts)" in note) == (target == "windows")
    plain = schedule(runs=container_schedule().runs)
    assert not any("clocks" in note for note in render("kubernetes", plain).notes)


def test_systemd_skips_the_day_as_the_guide_says() -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run(
        [tool, "calendar", "--base-time=2026-03-28 12:00 UTC", "*-*-* 01:30:00 Europe/London"],
        env={"TZ": "UTC"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Next elapse: Mon 2026-03-30 00:30:00 UTC" in done.stdout


def test_systemd_starts_once_on_the_day_that_repeats_a_time() -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run(
        [
            tool, "calendar", "--base-time=2026-10-24 12:00 UTC", "--iterations=2",
            "*-*-* 01:30:00 Europe/London",
        ],
        env={"TZ": "UTC"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Next elapse: Sun 2026-10-25 00:30:00 UTC" in done.stdout
    assert "Mon 2026-10-26 01:30:00 UTC" in done.stdout


@pytest.mark.parametrize(
    "name", ["posix/Europe/London", "right/Europe/London", "localtime", "posixrules", "Factory"]
)
def test_zoneinfo_files_without_an_iana_name_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not a time zone"):
        check_timezone(name)
