"""cron: one line of a crontab, between two comments that mark it for replacement and removal.

A time zone works with every cron, including Debian's, which supports the machine's time zone only and passes
CRON_TZ on as an ordinary variable: the line starts four times an hour, at the minute of the start and every
15 minutes from it (all UTC offsets are multiples of 15 minutes), and continues only if the clock of the time
zone shows the time of day.
"""

from __future__ import annotations

import re
import shlex

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.container_command import docker_run_command
from rfm_pipeline.schedule.spec import File, Program, Rendered, Schedule
from rfm_pipeline.schedule.targets.template import fill_text

# Debian's cron rejects longer lines.
_MAX_LINE_BYTES = 990


def begin_marker(name: str) -> str:
    """Return the comment above the line of the schedule `name`."""
    return f"# begin rfm schedule {name}"


def end_marker(name: str) -> str:
    """Return the comment below the line of the schedule `name`."""
    return f"# end rfm schedule {name}"


def render(schedule: Schedule) -> Rendered:
    """Return the lines for `crontab`.

    Raises:
        UsageError: If the line is longer than cron reads.
    """
    minutes = str(schedule.at.minute)
    hours = str(schedule.at.hour)
    if schedule.timezone is not None:
        quarters = sorted((schedule.at.minute + quarter) % 60 for quarter in (0, 15, 30, 45))
        minutes, hours = ",".join(map(str, quarters)), "*"
    text = fill_text(
        "rfm.crontab",
        {
            "BEGIN_MARKER": begin_marker(schedule.name),
            "MINUTES": minutes,
            "HOURS": hours,
            "COMMAND": escape_for_cron(shell_command(schedule)),
            "END_MARKER": end_marker(schedule.name),
        },
    )
    size = max(len(line.encode()) for line in text.splitlines())
    if size > _MAX_LINE_BYTES:
        raise UsageError(
            f"The crontab line has {size} bytes; cron reads at most {_MAX_LINE_BYTES}.",
            "put settings into an rfm.toml and name it with --config, or take systemd.",
        )
    notes = (
        ["cron does not catch up on missed starts; systemd does."] if schedule.missed == "catch-up" else []
    )
    return Rendered((File(f"{schedule.name}.cron", text),), ("crontab -e",), tuple(notes))


def shell_command(schedule: Schedule) -> str:
    """Return the command of the crontab line as `sh` reads it, before `escape_for_cron`."""
    folder = schedule.folder.rstrip("/") or "/"
    if isinstance(schedule.runs, Program):
        command, variables = schedule.program_command(), schedule.program_environment()
    else:
        command, variables = docker_run_command(schedule), {}
    assignments = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    text = fill_text(
        "cron_command.sh",
        {
            "IF_ZONE": schedule.timezone is not None,
            "IF_MACHINE_ZONE": schedule.timezone is None,
            "ZONE": shlex.quote(schedule.timezone or ""),
            "TIME": f"{schedule.at:%H:%M}",
            "FOLDER": shlex.quote(folder),
            "ASSIGNMENTS": [assignments] if assignments else [],
            "IF_SKIP": schedule.overlap == "skip",
            "IF_WAIT": schedule.overlap == "wait",
            "LOCK": shlex.quote(f"{folder}/{schedule.name}.lock"),
            "TIMEOUT_SECONDS": schedule.timeout * 60,
            "COMMAND": shlex.join(command),
            "LOG": shlex.quote(f"{folder}/{schedule.name}.log"),
        },
    )
    return " ".join(line.strip().removesuffix(" \\") for line in text.splitlines())


def escape_for_cron(command: str) -> str:
    r"""Return a shell command as it is written in a crontab, where an unescaped `%` ends the command.

    Crons differ in how they read two backslashes in a row, or one before `%`. shlex puts every backslash
    between single quotes, so such a backslash is followed by the end of the quotes and the beginning of new
    ones.

    >>> print(escape_for_cron("date +%H"))
    date +\%H
    """
    return re.sub(r"\\(?=[\\%])", r"\\''", command).replace("%", r"\%")
