"""systemd: the units, read back as it reads them, and checked by systemd's own tools."""

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
from support.awkward_commands import ARGUMENTS, VALUES, contained, noting_program, schedule


def units(of: Schedule) -> dict[str, str]:
    return {file.name: file.text for file in render("systemd", of).files}


def settings(text: str) -> dict[tuple[str, str], list[str]]:
    """The settings of a unit by section and name; one may stand several times."""
    found: dict[tuple[str, str], list[str]] = {}
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line:
            name, _, value = line.partition("=")
            found.setdefault((section, name), []).append(value)
    return found


def words(value: str) -> list[str]:
    """The words of a setting, unquoted, as systemd.syntax(7) has it; a `%%` is a percent sign."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', value)
    assert "".join(re.sub(r'"((?:[^"\\]|\\.)*)"|(\S+)', "", value).split()) == ""
    unquoted = [re.sub(r"\\(.)", r"\1", quoted) if quoted or not plain else plain for quoted, plain in found]
    for word in unquoted:
        assert re.fullmatch(r"([^%]|%%)*", word), "a specifier"
    return [word.replace("%%", "%") for word in unquoted]


def command(text: str) -> list[str]:
    """What ExecStart starts, word by word; a `$$` is a dollar sign."""
    program, *arguments = words(settings(text)["Service", "ExecStart"][0])
    for argument in arguments:
        assert re.fullmatch(r"([^$]|\$\$)*", argument), "a variable"
    return [program, *(argument.replace("$$", "$") for argument in arguments)]


def needs(tool: str) -> str:
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed")
    return found


def verified(folder: Path, of: Schedule) -> str:
    """What `systemd-analyze verify` says of the units of a schedule."""
    tool = needs("systemd-analyze")
    paths = []
    for name, text in units(of).items():
        (folder / name).write_text(text, encoding="utf-8")
        paths.append(folder / name)
    scope = "--system" if of.system else "--user"
    done = subprocess.run(
        [tool, scope, "--man=no", "--recursive-errors=no", "verify", *paths],
        env={"XDG_RUNTIME_DIR": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    return done.stderr + (f"exit code {done.returncode}" if done.returncode else "")


def test_the_units_are_a_service_and_the_timer_that_starts_it() -> None:
    found = units(schedule(timezone="Europe/London", timeout=90))
    assert list(found) == ["rfm-daily.service", "rfm-daily.timer"]
    timer = settings(found["rfm-daily.timer"])
    assert timer["Timer", "OnCalendar"] == ["*-*-* 03:30:00 Europe/London"]
    assert timer["Timer", "Persistent"] == ["true"]
    assert timer["Timer", "Unit"] == ["rfm-daily.service"]
    service = settings(found["rfm-daily.service"])
    assert service["Service", "Type"] == ["oneshot"]
    assert service["Service", "TimeoutStartSec"] == ["90min"]
    assert service["Service", "NoNewPrivileges"] == ["yes"]


def test_a_missed_start_may_stay_missed() -> None:
    timer = settings(units(schedule(missed="skip"))["rfm-daily.timer"])
    assert timer["Timer", "Persistent"] == ["false"]


def test_what_it_does_otherwise_is_noted() -> None:
    assert any("skips" in note for note in render("systemd", schedule(overlap="wait")).notes)
    assert any("enable-linger" in note for note in render("systemd", schedule()).notes)
    assert not render("systemd", schedule(system=True)).notes


@pytest.mark.parametrize("system", [False, True])
def test_awkward_values_read_back_as_they_were(system: bool) -> None:
    secrets = (Secret("GOOGLE_APPLICATION_CREDENTIALS", "/srv/my keys/50% & more.json"),)
    folder = '/srv/it\'s a "shop"/50% $HOME Zoë'
    text = units(
        schedule(arguments=ARGUMENTS, environment=VALUES, secrets=secrets, folder=folder, system=system)
    )["rfm-daily.service"]
    assert command(text) == ["/usr/local/bin/rfm", *ARGUMENTS]
    given = dict(words(value)[0].split("=", 1) for value in settings(text)["Service", "Environment"])
    assert given == VALUES | {"GOOGLE_APPLICATION_CREDENTIALS": "/srv/my keys/50% & more.json"}
    assert settings(text)["Service", "WorkingDirectory"] == [folder.replace("%", "%%")]
    if system:
        assert words(settings(text)["Service", "ReadWritePaths"][0]) == [folder]


def test_a_container_is_started_with_every_value_as_it_was() -> None:
    of = contained()
    started = command(units(of)["rfm-daily.service"])
    assert started[:4] == ["/usr/bin/docker", "run", "--rm", "--init"]
    assert started[-len(ARGUMENTS) :] == list(ARGUMENTS)
    for name, value in VALUES.items():
        assert f"{name}={value}" in started


@pytest.mark.parametrize("system", [False, True])
def test_systemd_accepts_the_units(system: bool, tmp_path: Path) -> None:
    program = noting_program(tmp_path / "50% $HOME & Zoë, a shop")
    of = schedule(
        runs=program, folder=str(tmp_path / "50% $HOME & Zoë, a shop"), arguments=ARGUMENTS,
        environment=VALUES, timezone="Europe/London", system=system,
    )  # fmt: skip
    assert verified(tmp_path, of) == ""


def test_the_check_above_sees_a_program_that_is_not_there(tmp_path: Path) -> None:
    of = schedule(runs=Program(str(tmp_path / "50% a shop" / "rfm")))
    assert "is not executable: No such file" in verified(tmp_path, of)


@pytest.mark.parametrize(
    "zone", [None, "UTC", "Europe/London", "Asia/Kathmandu", "America/Argentina/Ushuaia"]
)
def test_systemd_knows_the_time(zone: str | None) -> None:
    tool = needs("systemd-analyze")
    (value,) = settings(units(schedule(at=time(4, 5), timezone=zone))["rfm-daily.timer"])[
        "Timer", "OnCalendar"
    ]
    done = subprocess.run(
        [tool, "calendar", value], env={"TZ": zone or "UTC"}, capture_output=True, text=True, check=True
    )
    assert re.search(r"Next elapse: \w+ [0-9-]+ 04:05:00", done.stdout)


def test_zones_are_written_as_systemd_reads_them() -> None:
    assert all(" " not in zone for zone in available_timezones())


@pytest.mark.parametrize(
    "of",
    [schedule(runs=Program('/srv/a "b"/rfm')), schedule(folder="/srv/shop\\"), schedule(folder="/srv/shop ")],
)
def test_a_path_that_no_unit_can_name_is_an_error(of: Schedule) -> None:
    with pytest.raises(UsageError, match="systemd"):
        render("systemd", of)


def test_units_are_what_other_readers_of_such_files_take_too() -> None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(units(schedule())["rfm-daily.timer"])
    assert parser["Install"]["WantedBy"] == "timers.target"
