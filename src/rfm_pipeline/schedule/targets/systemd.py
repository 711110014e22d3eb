"""systemd: a service, which systemd never starts twice at the same time, and the timer that starts it."""

from __future__ import annotations

import re

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.container_command import docker_run_command
from rfm_pipeline.schedule.spec import File, Program, Rendered, Schedule
from rfm_pipeline.schedule.targets.template import fill_text


def render(schedule: Schedule) -> Rendered:
    """Return the service and the timer.

    Raises:
        UsageError: If a path can't be written in a unit.
    """
    service = f"{schedule.name}.service"
    timer = f"{schedule.name}.timer"
    zone = f" {schedule.timezone}" if schedule.timezone else ""
    timer_text = fill_text(
        "rfm.timer",
        {
            "SERVICE": service,
            "CALENDAR_TIME": f"{schedule.at:%H:%M}:00{zone}",
            "PERSISTENT": "true" if schedule.missed == "catch-up" else "false",
        },
    )
    notes = []
    if schedule.overlap == "wait":
        notes.append("systemd skips a start while the previous run is active; it can't wait.")
    if not schedule.system:
        notes.append(
            "without `loginctl enable-linger` a user's timers run only while that user is logged in."
        )
    manager = "systemctl" if schedule.system else "systemctl --user"
    units = "/etc/systemd/system" if schedule.system else "~/.config/systemd/user"
    return Rendered(
        (File(service, _service(schedule)), File(timer, timer_text)),
        (
            f"install -D -m 644 -t {units} {service} {timer}",
            f"{manager} daemon-reload",
            f"{manager} enable --now {timer}",
        ),
        tuple(notes),
    )


def _service(schedule: Schedule) -> str:
    values = {"FOLDER": _whole_value(schedule.folder), "TIMEOUT": schedule.timeout}
    if not isinstance(schedule.runs, Program):
        command = _exec_start(docker_run_command(schedule))
        return fill_text(
            "rfm-container.service", {**values, "COMMAND": command, "IF_SYSTEM": schedule.system}
        )
    values["COMMAND"] = _exec_start(schedule.program_command())
    values["ASSIGNMENT"] = [
        _quoted(f"{name}={value}") for name, value in schedule.program_environment().items()
    ]
    if not schedule.system:
        return fill_text("rfm.service", values)
    values["USER"] = [schedule.program.user] if schedule.program.user else []
    values["WRITABLE_PATH"] = _quoted(schedule.folder)
    return fill_text("rfm-system.service", values)


def _quoted(text: str) -> str:
    """Return one word of a setting, quoted if necessary (systemd.syntax(7)); `%` would begin a specifier."""
    safe = re.fullmatch(r"[A-Za-z0-9_@+=:,./-]+", text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if safe else f'"{escaped}"'


def _exec_start(command: list[str]) -> str:
    """Return a command as the value of ExecStart=; `$` would begin a variable in arguments.

    Raises:
        UsageError: If systemd can't start a program of such a path.
    """
    program, *arguments = command
    if re.search(r"[\"'\\]", program):
        raise UsageError(
            f"systemd can't start a program with a quote or a backslash in its path: {program}.",
            "install rfm elsewhere, or take cron.",
        )
    return " ".join([_quoted(program), *(_quoted(argument.replace("$", "$$")) for argument in arguments)])


def _whole_value(path: str) -> str:
    """Return a path as the value of a setting in which systemd reads no quotes, such as WorkingDirectory=."""
    if path.endswith("\\") or path != path.strip():
        raise UsageError(
            f"systemd can't read a path with a space at an end, or a backslash at the end: {path!r}.",
            "choose another --folder.",
        )
    return path.replace("%", "%%")
