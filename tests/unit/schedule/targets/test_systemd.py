"""systemd: the units, parsed by its rules and checked by its own tools."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from datetime import time
from pathlib import Path
from zoneinfo import available_timezones

import pytest

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import Schedule, render
from rfm_pipeline.schedule.spec import Program, Secret
from support.awkward_commands import ARGUMENTS, VALUES, container_schedule, recording_program, schedule


def units(daily: Schedule) -> dict[str, str]:
    return {file.name: file.text for file in render("systemd", daily).files}


def settings(text: str) -> dict[tuple[str, str], list[str]]:
    """Return the values of a unit's settings by section and name; a name may occur several times."""
    result: dict[tuple[str, str], list[str]] = {}
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line:
            name, _, value = line.partition("=")
            result.setdefault((section, name), []).append(value)
    return result


def words(value: str) -> list[str]:
    """Return the unquoted words of a setting by systemd.syntax(7), with `%%` as a percent sign."""
    result = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', value)
    assert "".join(re.sub(r'"((?:[^"\\]|\\.)*)"|(\S+)', "", value).split()) == ""
    unquoted = [re.sub(r"\\(.)", r"\1", quoted) if quoted or not plain else plain for quoted, plain in result]
    for word in unquoted:
        assert re.fullmatch(r"([^%]|%%)*", word), "a specifier"
    return [word.replace("%%", "%") for word in unquoted]


def command(text: str) -> list[str]:
    """Return the command of ExecStart=, with `$$` as a dollar sign."""
    program, *arguments = words(settings(text)["Service", "ExecStart"][0])
    for argument in arguments:
        assert re.fullmatch(r"([^$]|\$\$)*", argument), "a variable"
    return [program, *(argument.replace("$$", "$") for argument in arguments)]


def find_or_skip(tool: str) -> str:
    result = shutil.which(tool)
    if result is None:
        pytest.skip(f"{tool} is not installed")
    return result


def verified(folder: Path, daily: Schedule) -> str:
    """Return the output of `systemd-analyze verify` for the units of a schedule."""
    tool = find_or_skip("systemd-analyze")
    paths = []
    for name, text in units(daily).items():
        (folder / name).write_text(text, encoding="utf-8")
        paths.append(folder / name)
    scope = "--system" if daily.system else "--user"
    done = subprocess.run(
        [tool, scope, "--man=no", "--recursive-errors=no", "verify", *paths],
        env={"XDG_RUNTIME_DIR": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    return done.stderr + (f"exit code {done.returncode}" if done.returncode else "")


def test_the_units_are_a_service_and_its_timer() -> None:
    result = units(schedule(timezone="Europe/London", timeout=90))
    assert list(result) == ["rfm-daily.service", "rfm-daily.timer"]
    timer = settings(result["rfm-daily.timer"])
    assert timer["Timer", "OnCalendar"] == ["*-*-* 03:30:00 Europe/London"]
    assert timer["Timer", "Persistent"] == ["true"]
    assert timer["Timer", "Unit"] == ["rfm-daily.service"]
    service = settings(result["rfm-daily.service"])
    assert service["Service", "Type"] == ["oneshot"]
    assert service["Service", "TimeoutStartSec"] == ["90min"]
    assert service["Service", "NoNewPrivileges"] == ["yes"]


def test_a_missed_start_can_be_skipped() -> None:
    timer = settings(units(schedule(missed="skip"))["rfm-daily.timer"])
    assert timer["Timer", "Persistent"] == ["false"]


def test_deviations_from_the_schedule_are_noted() -> None:
    assert any("skips" in note for note in render("systemd", schedule(overlap="wait")).notes)
    assert any("enable-linger" in note for note in render("systemd", schedule()).notes)
    assert not render("systemd", schedule(system=True)).notes


@pytest.mark.parametrize("system", [False, True])
def test_values_that_need_escaping_are_read_back_unchanged(system: bool) -> None:
    secrets = (Secret("GOOGLE_APPLICATION_CREDENTIALS", "/srv/my keys/50% & more.json"),)
    folder = '/srv/it\'s a "shop"/50% $HOME Zoë'
    text = units(
        schedule(arguments=ARGUMENTS, environment=VALUES, secrets=secrets, folder=folder, system=system)
    )["rfm-daily.service"]
    assert command(text) == ["/usr/local/bin/rfm", *ARGUMENTS]
    environment = dict(words(value)[0].split("=", 1) for value in settings(text)["Service", "Environment"])
    assert environment == VALUES | {"GOOGLE_APPLICATION_CREDENTIALS": "/srv/my keys/50% & more.json"}
    assert settings(text)["Service", "WorkingDirectory"] == [folder.replace("%", "%%")]
    if system:
        assert words(settings(text)["Service", "ReadWritePaths"][0]) == [folder]


def test_a_container_is_started_with_unchanged_values() -> None:
    daily = container_schedule()
    started = command(units(daily)["rfm-daily.service"])
    assert started[:4] == ["/usr/bin/docker", "run", "--rm", "--init"]
    assert started[-len(ARGUMENTS) :] == list(ARGUMENTS)
    for name, value in VALUES.items():
        assert f"{name}={value}" in started


@pytest.mark.parametrize("system", [False, True])
def test_systemd_accepts_the_units(system: bool, tmp_path: Path) -> None:
    program = recording_program(tmp_path / "50% $HOME & Zoë, a shop")
    daily = schedule(
        runs=program, folder=str(tmp_path / "50% $HOME & Zoë, a shop"), arguments=ARGUMENTS,
        environment=VALUES, timezone="Europe/London", system=system,
    )  # fmt: skip
    assert verified(tmp_path, daily) == ""


def test_systemd_analyze_detects_a_missing_program(tmp_path: Path) -> None:
    daily = schedule(runs=Program(str(tmp_path / "50% a shop" / "rfm")))
    assert "is not executable: No such file" in verified(tmp_path, daily)


@pytest.mark.parametrize(
    "zone", [None, "UTC", "Europe/London", "Asia/Kathmandu", "America/Argentina/Ushuaia"]
)
def test_systemd_computes_the_next_start(zone: str | None) -> None:
    tool = find_or_skip("systemd-analyze")
    (value,) = settings(units(schedule(at=time(4, 5), timezone=zone))["rfm-daily.timer"])[
        "Timer", "OnCalendar"
    ]
    done = subprocess.run(
        [tool, "calendar", value], env={"TZ": zone or "UTC"}, capture_output=True, text=True, check=True
    )
    assert re.search(r"Next elapse: \w+ [0-9-]+ 04:05:00", done.stdout)


def test_no_time_zone_name_contains_a_space() -> None:
    assert all(" " not in zone for zone in available_timezones())


@pytest.mark.parametrize(
    "daily",
    [schedule(runs=Program('/srv/a "b"/rfm')), schedule(folder="/srv/shop\\"), schedule(folder="/srv/shop ")],
)
def test_a_path_that_can_not_be_written_in_a_unit_is_an_error(daily: Schedule) -> None:
    with pytest.raises(UsageError, match="systemd"):
        render("systemd", daily)


def test_units_can_be_read_by_configparser() -> None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(units(schedule())["rfm-daily.timer"])
    assert parser["Install"]["WantedBy"] == "timers.target"
