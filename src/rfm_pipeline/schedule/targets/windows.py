"""The Task Scheduler of Windows: the XML that `schtasks /Create /XML` reads."""

from __future__ import annotations

import re
import subprocess
from datetime import datetime
from xml.etree import ElementTree as ET

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.container_command import container_words
from rfm_pipeline.schedule.spec import File, Program, Rendered, Schedule

NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
_LONGEST_PATH = 260
# A task is read as UTF-16 whatever it says; its declaration may only agree.
_DECLARATION = '<?xml version="1.0" encoding="UTF-16"?>\n'


def render(schedule: Schedule) -> Rendered:
    """The task.

    Raises:
        UsageError: A time zone, an environment or a value that a task can't have.
    """
    file = f"{schedule.name}.xml"
    notes = [
        "a task keeps no output: its history has the exit code.",
        "the task runs whether or not you are logged in, for which schtasks needs an elevated prompt.",
    ]
    return Rendered(
        (File(file, _DECLARATION + _task(schedule) + "\n", "utf-16"),),
        (f"schtasks /Create /TN {schedule.name} /XML {file}",),
        tuple(notes),
    )


def _task(schedule: Schedule) -> str:
    task = ET.Element("Task", {"version": "1.3", "xmlns": NAMESPACE})
    about = ET.SubElement(task, "RegistrationInfo")
    _add(about, "Description", "Recency, frequency and monetary value for every customer, every day.")
    trigger = ET.SubElement(ET.SubElement(task, "Triggers"), "CalendarTrigger")
    _add(trigger, "StartBoundary", _start(schedule))
    _add(ET.SubElement(trigger, "ScheduleByDay"), "DaysInterval", "1")
    principal = ET.SubElement(ET.SubElement(task, "Principals"), "Principal", {"id": "Author"})
    _add(principal, "LogonType", "S4U")
    _add(principal, "RunLevel", "LeastPrivilege")
    settings = ET.SubElement(task, "Settings")
    _add(settings, "MultipleInstancesPolicy", "Queue" if schedule.overlap == "wait" else "IgnoreNew")
    _add(settings, "DisallowStartIfOnBatteries", "false")
    _add(settings, "StopIfGoingOnBatteries", "false")
    _add(settings, "StartWhenAvailable", "true" if schedule.missed == "catch-up" else "false")
    _add(settings, "ExecutionTimeLimit", f"PT{schedule.timeout}M")
    action = ET.SubElement(ET.SubElement(task, "Actions", {"Context": "Author"}), "Exec")
    program, *arguments = _words(schedule)
    _add(action, "Command", _short_enough(program))
    # The inverse of how a program on Windows takes its command line apart.
    _add(action, "Arguments", subprocess.list2cmdline(arguments))
    _add(action, "WorkingDirectory", _short_enough(schedule.folder))
    ET.indent(task)
    return ET.tostring(task, encoding="unicode")


def _words(schedule: Schedule) -> list[str]:
    if isinstance(schedule.runs, Program):
        if schedule.variables:
            raise UsageError(
                f"A task of Windows gives its command no environment, as {schedule.variables[0]} needs.",
                "put settings into an rfm.toml and name it with --config, set a secret's path for your"
                " account with setx, or run a container with --image.",
            )
        words = schedule.program_words()
    else:
        words = container_words(schedule)
    for word in (*words, schedule.folder):
        # The name of a variable may have almost anything in it, as that of %ProgramFiles(x86)% has.
        if found := re.search(r"%\w[^%=]*%|\$\(\w+\)", word):
            raise UsageError(
                f"The Task Scheduler would put another value in the place of {found[0]} in {word!r}.",
                "choose another name, or put the setting into an rfm.toml.",
            )
    return words


def _start(schedule: Schedule) -> str:
    """The first start: without a zone it is the machine's local time, with a Z the same instant all year."""
    first = datetime.combine(schedule.first_day, schedule.at)
    if schedule.timezone is None:
        return first.isoformat()
    if schedule.timezone not in {"UTC", "Etc/UTC", "Etc/GMT", "GMT", "Etc/Universal", "Etc/Zulu"}:
        raise UsageError(
            f"The Task Scheduler knows its machine's time zone and UTC, and not {schedule.timezone}.",
            "leave --timezone away for the machine's own, or give the time in UTC with --timezone UTC.",
        )
    return f"{first.isoformat()}Z"


def _short_enough(path: str) -> str:
    if len(path) > _LONGEST_PATH:
        raise UsageError(
            f"A path in a task has at most {_LONGEST_PATH} characters, and {path} has {len(path)}.",
            "choose a shorter one.",
        )
    return path


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text
