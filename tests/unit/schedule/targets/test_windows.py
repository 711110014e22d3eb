"""Windows: the task against the Task Scheduler's schema, and its command line by Windows' rules."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import Schedule, render
from rfm_pipeline.schedule.spec import Program, Secret
from rfm_pipeline.schedule.targets.windows import NAMESPACE
from support.awkward_commands import VALUES, container_schedule, schedule
from support.paths import TEST_DATA

if TYPE_CHECKING:
    from xmlschema import XMLSchema

RFM = Program("C:\\Program Files\\R&D's tools (50%)\\Zoë\\rfm.exe")
FOLDER = "C:\\Shops & more\\Ж 100%\\"


@cache
def schema() -> XMLSchema:
    """Return the Task Scheduler's schema; parsing it takes a second."""
    from xmlschema import XMLSchema

    return XMLSchema(str(TEST_DATA / "task_scheduler.xsd"))


def task(daily: Schedule) -> dict[str, str]:
    """Return the texts of a task by element name, parsed from the encoded file."""
    (file,) = render("windows", daily).files
    assert file.encoded()[:2] in (b"\xff\xfe", b"\xfe\xff"), "no byte order mark of UTF-16"
    root = ET.fromstring(file.encoded())  # noqa: S314 - our own
    schema().validate(root)
    return {element.tag.removeprefix(f"{{{NAMESPACE}}}"): element.text or "" for element in root.iter()}


def arguments(line: str) -> list[str]:
    """Split a command line by the rules of Windows: backslashes are special only before a quote."""
    result: list[str] = []
    word, quoted, begun, backslashes = "", False, False, 0
    for character in line + " ":
        if character == "\\":
            backslashes += 1
            begun = True
            continue
        if character == '"':
            word += "\\" * (backslashes // 2)
            if backslashes % 2:
                word += '"'
            else:
                quoted = not quoted
            begun = True
        elif character in " \t" and not quoted:
            word += "\\" * backslashes
            if begun:
                result.append(word)
            word, begun = "", False
        else:
            word += "\\" * backslashes + character
            begun = True
        backslashes = 0
    assert not quoted
    return result


# All values except those in which Windows would replace variables.
AWKWARD = [value for value in VALUES.values() if "$(" not in value and "%M" not in value]


def test_the_command_line_parser_of_this_test_follows_the_rules_of_windows() -> None:
    assert arguments(r'a "b c" "" d\"e "f\\" g\h') == ["a", "b c", "", 'd"e', "f\\", "g\\h"]


@pytest.mark.slow
def test_the_task_starts_daily_and_catches_up_on_a_missed_start() -> None:
    result = task(schedule(runs=RFM, folder=FOLDER, timeout=90))
    assert result["StartBoundary"] == "2026-01-02T03:30:00"
    assert result["DaysInterval"] == "1"
    assert result["StartWhenAvailable"] == "true"
    assert result["MultipleInstancesPolicy"] == "IgnoreNew"
    assert result["ExecutionTimeLimit"] == "PT90M"
    assert result["LogonType"] == "S4U"
    assert result["RunLevel"] == "LeastPrivilege"


def test_a_task_can_queue_a_start_and_skip_a_missed_one() -> None:
    result = task(schedule(runs=RFM, folder=FOLDER, overlap="wait", missed="skip"))
    assert (result["MultipleInstancesPolicy"], result["StartWhenAvailable"]) == ("Queue", "false")


def test_values_that_need_escaping_are_read_back_unchanged() -> None:
    result = task(
        schedule(runs=RFM, folder=FOLDER, arguments=("run", *AWKWARD, ""), config="C:\\a b\\rfm.toml")
    )
    assert result["Command"] == RFM.path
    assert result["WorkingDirectory"] == FOLDER
    assert arguments(result["Arguments"]) == ["run", *AWKWARD, "", "--config", "C:\\a b\\rfm.toml"]


def test_a_container_is_started_with_unchanged_values() -> None:
    values = {f"RFM_{number}": value for number, value in enumerate(AWKWARD)}
    daily = container_schedule(arguments=("run",), environment=values, timezone="UTC", folder=FOLDER,
    secrets=(
        Secret("GOOGLE_APPLICATION_CREDENTIALS", 'C:\\keys, "mine"\\key.json'),
    ))  # fmt: skip
    result = task(daily)
    # Docker Desktop runs in the session of a user.
    assert result["LogonType"] == "InteractiveToken"
    assert any("only while somebody is logged in" in note for note in render("windows", daily).notes)
    started = arguments(result["Arguments"])
    assert result["StartBoundary"] == "2026-01-02T03:30:00Z"
    assert started[-2:] == ["registry.example/rfm-pipeline:0.1.0", "run"]
    for name, value in values.items():
        assert f"{name}={value}" in started
    assert (
        'type=bind,"source=C:\\keys, ""mine""\\key.json",'
        "target=/run/secrets/google_application_credentials/secret.json,readonly"
    ) in started


@pytest.mark.parametrize(
    ("daily", "sentence"),
    [
        (schedule(timezone="Europe/London"), "the machine's time zone and UTC, not Europe/London"),
        (schedule(environment={"RFM_TO": "x.duckdb"}), "can't set environment variables, and RFM_TO is one"),
        (schedule(arguments=("run", "%TEMP%\\x.csv")), "would replace %TEMP%"),
        (schedule(arguments=("run", "%ProgramFiles(x86)%\\x")), r"would replace %ProgramFiles\(x86\)%"),
        (schedule(folder="C:\\%my shop%"), "would replace %my shop%"),
        (schedule(arguments=("run", "$(Arg0)")), r"would replace \$\(Arg0\)"),
        (schedule(folder="C:\\" + "x" * 260), "at most 260 characters"),
    ],
)
def test_what_a_task_does_not_support_is_an_error(daily: Schedule, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        render("windows", daily)


def test_the_schema_rejects_an_invalid_task() -> None:
    (file,) = render("windows", schedule()).files
    spoiled = ET.fromstring(file.encoded())  # noqa: S314
    limit = spoiled.find(f".//{{{NAMESPACE}}}ExecutionTimeLimit")
    assert limit is not None
    limit.text = "90 minutes"
    assert not schema().is_valid(spoiled)
