"""Windows' Task Scheduler: the XML that `schtasks /Create /XML` reads."""

from __future__ import annotations

import re
import subprocess
from datetime import datetime
from xml.sax.saxutils import escape

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.container_command import docker_run_command
from rfm_pipeline.schedule.spec import File, Program, Rendered, Schedule
from rfm_pipeline.schedule.targets.template import fill_text

NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
_MAX_PATH_LENGTH = 260


def render(schedule: Schedule) -> Rendered:
    """Return the task.

    Raises:
        UsageError: If the Task Scheduler does not support the time zone, environment variables or a value.
    """
    file = f"{schedule.name}.xml"
    notes = ["the Task Scheduler saves no output; the task's history shows the exit code."]
    if isinstance(schedule.runs, Program):
        notes.append(
            "the task runs whether or not you are logged in, for which schtasks needs an elevated prompt;"
            " without a password it reads no network drives."
        )
    else:
        notes.append(
            "Docker Desktop runs only while somebody is logged in, so the task starts only then; `rfm"
            " schedule windows` without --image, with rfm installed on the machine, starts at any time."
        )
    return Rendered(
        # The Task Scheduler reads UTF-16 only.
        (File(file, _task(schedule), "utf-16"),),
        (f"schtasks /Create /TN {schedule.name} /XML {file}",),
        tuple(notes),
    )


def _task(schedule: Schedule) -> str:
    start = _start(schedule)
    program, *arguments = _command(schedule)
    values = {
        "START": start,
        "MULTIPLE_INSTANCES": "Queue" if schedule.overlap == "wait" else "IgnoreNew",
        "START_WHEN_AVAILABLE": "true" if schedule.missed == "catch-up" else "false",
        "TIMEOUT": str(schedule.timeout),
        # Docker Desktop belongs to the session of a user.
        "LOGON_TYPE": "S4U" if isinstance(schedule.runs, Program) else "InteractiveToken",
        "PROGRAM": _checked_path(program),
        # The inverse of how Windows programs split their command line.
        "ARGUMENTS": subprocess.list2cmdline(arguments),
        "FOLDER": _checked_path(schedule.folder),
    }
    return fill_text("task.xml", {name: escape(value) for name, value in values.items()})


def _command(schedule: Schedule) -> list[str]:
    if isinstance(schedule.runs, Program):
        if schedule.variables:
            raise UsageError(
                f"A Windows task can't set environment variables, and {schedule.variables[0]} is one.",
                "put settings into an rfm.toml and name it with --config, set a secret's path for your"
                " account with setx, or run a container with --image.",
            )
        words = schedule.program_command()
    else:
        words = docker_run_command(schedule)
    for word in (*words, schedule.folder):
        # Variable names may contain almost any character: %ProgramFiles(x86)%.
        if variable := re.search(r"%\w[^%=]*%|\$\(\w+\)", word):
            raise UsageError(
                f"The Task Scheduler would replace {variable[0]} in {word!r} by the value of a variable.",
                "choose another name, or put the setting into an rfm.toml.",
            )
    return words


def _start(schedule: Schedule) -> str:
    """Return the first start in ISO format: in the machine's time zone, or with a Z in UTC."""
    first = datetime.combine(schedule.first_day, schedule.at)
    if schedule.timezone is None:
        return first.isoformat()
    if schedule.timezone not in {"UTC", "Etc/UTC", "Etc/GMT", "GMT", "Etc/Universal", "Etc/Zulu"}:
        raise UsageError(
            f"The Task Scheduler supports the machine's time zone and UTC, not {schedule.timezone}.",
            "leave out --timezone for the machine's own, or give the time in UTC with --timezone UTC.",
        )
    return f"{first.isoformat()}Z"


def _checked_path(path: str) -> str:
    if len(path) > _MAX_PATH_LENGTH:
        raise UsageError(
            f"A path in a Windows task has at most {_MAX_PATH_LENGTH} characters; {path} has {len(path)}.",
            "choose a shorter path.",
        )
    return path
