"""Windows: the task, against the Task Scheduler's schema, and taken apart as Windows does it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import Schedule, render
from rfm_pipeline.schedule.spec import Program, Secret
from rfm_pipeline.schedule.targets.windows import NAMESPACE
from support.awkward_commands import VALUES, contained, schedule
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


def task(of: Schedule) -> dict[str, str]:
    """The texts of a task by the names of their elements, from the bytes of its file."""
    (file,) = render("windows", of).files
    assert file.encoded()[:2] in (b"\xff\xfe", b"\xfe\xff"), "no mark of UTF-16"
    root = ET.fromstring(file.encoded())  # noqa: S314 - our own
    schema().validate(root)
    return {element.tag.removeprefix(f"{{{NAMESPACE}}}"): element.text or "" for element in root.iter()}


def arguments(line: str) -> list[str]:
    """A command line as a program on Windows takes it apart: backslashes count only before a quote."""
    found: list[str] = []
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
                found.append(word)
            word, begun = "", False
        else:
            word += "\\" * backslashes + character
            begun = True
        backslashes = 0
    assert not quoted
    return found


# All but what Windows would put a value in the place of.
AWKWARD = [value for value in VALUES.values() if "$(" not in value and "%M" not in value]


def test_the_way_that_windows_takes_a_line_apart_is_known() -> None:
    assert arguments(r'a "b c" "" d\"e "f\\" g\h') == ["a", "b c", "", 'd"e', "f\\", "g\\h"]


def test_the_task_starts_every_day_and_makes_up_for_a_missed_start() -> None:
    found = task(schedule(runs=RFM, folder=FOLDER, timeout=90))
    assert found["StartBoundary"] == "2026-01-02T03:30:00"
    assert found["DaysInterval"] == "1"
    assert found["StartWhenAvailable"] == "true"
    assert found["MultipleInstancesPolicy"] == "IgnoreNew"
    assert found["ExecutionTimeLimit"] == "PT90M"
    assert found["LogonType"] == "S4U"
    assert found["RunLevel"] == "LeastPrivilege"


def test_a_task_may_wait_and_leave_a_missed_start_out() -> None:
    found = task(schedule(runs=RFM, folder=FOLDER, overlap="wait", missed="skip"))
    assert (found["MultipleInstancesPolicy"], found["StartWhenAvailable"]) == ("Queue", "false")


def test_awkward_values_read_back_as_they_were() -> None:
    found = task(
        schedule(runs=RFM, folder=FOLDER, arguments=("run", *AWKWARD, ""), config="C:\\a b\\rfm.toml")
    )
    assert found["Command"] == RFM.path
    assert found["WorkingDirectory"] == FOLDER
    assert arguments(found["Arguments"]) == ["run", *AWKWARD, "", "--config", "C:\\a b\\rfm.toml"]


def test_a_container_is_started_with_every_value_as_it_was() -> None:
    values = {f"RFM_{number}": value for number, value in enumerate(AWKWARD)}
    of = contained(arguments=("run",), environment=values, timezone="UTC", folder=FOLDER, secrets=(
        Secret("GOOGLE_APPLICATION_CREDENTIALS", 'C:\\keys, "mine"\\key.json'),
    ))  # fmt: skip
    found = task(of)
    started = arguments(found["Arguments"])
    assert found["StartBoundary"] == "2026-01-02T03:30:00Z"
    assert started[-2:] == ["registry.example/rfm-pipeline:0.1.0", "run"]
    for name, value in values.items():
        assert f"{name}={value}" in started
    assert (
        'type=bind,"source=C:\\keys, ""mine""\\key.json",'
        "target=/run/secrets/google_application_credentials/secret.json,readonly"
    ) in started


@pytest.mark.parametrize(
    ("of", "sentence"),
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
def test_what_a_task_can_not_say_is_an_error(of: Schedule, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        render("windows", of)


def test_the_schema_would_see_what_is_no_task() -> None:
    (file,) = render("windows", schedule()).files
    spoiled = ET.fromstring(file.encoded())  # noqa: S314
    limit = spoiled.find(f".//{{{NAMESPACE}}}ExecutionTimeLimit")
    assert limit is not None
    limit.text = "90 minutes"
    assert not schema().is_valid(spoiled)
