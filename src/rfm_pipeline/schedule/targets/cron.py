"""cron: one line of a crontab, between two comments by which it is found again.

The cron of Debian and of others knows one time zone only, the machine's, and takes CRON_TZ for a variable
like any other. So where a zone is given the line wakes four times an hour, at the minute of the start and at
the quarters from it (no zone is off by less), and starts when that zone's clock shows the time.
"""

from __future__ import annotations

import re
import shlex

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.container_command import container_words
from rfm_pipeline.schedule.spec import File, Program, Rendered, Schedule

# Beyond this the cron of Debian takes a line for an error.
_LONGEST = 990
_KILL_AFTER = 60


def begin(name: str) -> str:
    """The comment above the line of a schedule."""
    return f"# begin rfm schedule {name}"


def end(name: str) -> str:
    """The comment below it."""
    return f"# end rfm schedule {name}"


def render(schedule: Schedule) -> Rendered:
    """The lines for `crontab`.

    Raises:
        UsageError: The line would be longer than cron reads.
    """
    minutes = str(schedule.at.minute)
    hours = str(schedule.at.hour)
    if schedule.timezone is not None:
        quarters = sorted((schedule.at.minute + quarter) % 60 for quarter in (0, 15, 30, 45))
        minutes, hours = ",".join(map(str, quarters)), "*"
    line = f"{minutes} {hours} * * * {escaped(shell_line(schedule))}"
    if len(line.encode()) > _LONGEST:
        raise UsageError(
            f"The line for cron would have {len(line.encode())} bytes, and cron reads {_LONGEST}.",
            "put settings into an rfm.toml and name it with --config, or take systemd.",
        )
    text = f"{begin(schedule.name)}\n{line}\n{end(schedule.name)}\n"
    notes = (
        ["cron makes up for no start that was missed; systemd does."] if schedule.missed == "catch-up" else []
    )
    return Rendered((File(f"{schedule.name}.cron", text),), ("crontab -e",), tuple(notes))


def shell_line(schedule: Schedule) -> str:
    """The command of the line, as `sh` is to read it.

    A second start finds the lock taken. All output goes to the log; where a run failed, its end also goes to
    cron, which mails it.
    """
    folder = schedule.folder.rstrip("/") or "/"
    log = shlex.quote(f"{folder}/{schedule.name}.log")
    lock = shlex.quote(f"{folder}/{schedule.name}.lock")
    waits = "" if schedule.overlap == "wait" else "--nonblock --conflict-exit-code 0 "
    words = [f"timeout --kill-after {_KILL_AFTER} {schedule.timeout * 60}"]
    if isinstance(schedule.runs, Program):
        values = {
            **schedule.environment,
            **{secret.variable: secret.reference for secret in schedule.secrets},
        }
        assigned = [f"{name}={shlex.quote(value)}" for name, value in values.items()]
        words += [shlex.join(schedule.program_words())]
    else:
        assigned = []
        words += [shlex.join(container_words(schedule))]
    command = " ".join([*assigned, f"flock {waits}{lock}", *words])
    line = f"cd {shlex.quote(folder)} && {{ {command} >>{log} 2>&1 || tail -n 20 {log}; }}"
    if schedule.timezone is None:
        return line
    clock = f'test "$(TZ={shlex.quote(schedule.timezone)} date +%H:%M)" = {schedule.at:%H:%M}'
    return f"if {clock}; then {line}; fi"


def escaped(line: str) -> str:
    """A shell line as a crontab has it: a `%` would end it there, and a backslash before it prevents that.

    What becomes of two backslashes differs from cron to cron, so none follows another, or stands before a
    `%`: the quotes that hold them (shlex puts every backslash between single quotes) end and begin again.
    """
    return re.sub(r"\\(?=[\\%])", r"\\''", line).replace("%", r"\%")
