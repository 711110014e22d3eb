"""Installation and removal of a schedule on this machine, as steps that are shown before execution."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from rfm_pipeline.common.atomic_file import replace_file
from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.spec import Rendered, check_name
from rfm_pipeline.schedule.targets import cron

INSTALLABLE_TARGETS = ("cron", "systemd", "windows")


class WriteFile(Struct, frozen=True):
    """A step that writes a file, replacing an existing one.

    Attributes:
        path: Path of the file.
        content: Bytes to write.
        text: The content as shown to the user.
    """

    path: Path
    content: bytes
    text: str

    def __str__(self) -> str:
        return f"write {self.path}:\n{self.text}"

    def execute(self) -> None:
        """Write the file and missing parent folders."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, self.content)
        except OSError as error:
            raise UsageError(f"{self.path} can't be written: {error.strerror}.") from None


class DeleteFile(Struct, frozen=True):
    """A step that deletes a file, if it exists."""

    path: Path

    def __str__(self) -> str:
        return f"delete {self.path}\n"

    def execute(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)


class RunCommand(Struct, frozen=True):
    """A step that runs a command.

    Attributes:
        command: Program and arguments.
        stdin: Standard input; bytes that are not UTF-8 are surrogates (PEP 383).
        shown_input: The part of the standard input that is shown to the user.
        undo: Command that reverts this one; empty if there is nothing to revert.
        required: Whether a failure stops the steps that follow.
    """

    command: tuple[str, ...]
    stdin: str = ""
    shown_input: str = ""
    undo: tuple[str, ...] = ()
    required: bool = True

    def __str__(self) -> str:
        return f"run {shlex.join(self.command)}{':' if self.shown_input else ''}\n{self.shown_input}"

    def execute(self) -> None:
        """Run the command."""
        _run(self.command, self.stdin)


InstallStep = WriteFile | DeleteFile | RunCommand


def execute_steps(steps: Sequence[InstallStep]) -> list[str]:
    """Execute steps in order. If a required one fails, revert it and the ones before it.

    Returns:
        Messages of the failures of steps that are not required.

    Raises:
        UsageError: If a required step failed.
    """
    notes: list[str] = []
    started: list[tuple[InstallStep, bytes | None]] = []
    for step in steps:
        started.append((step, _content(step.path) if isinstance(step, WriteFile) else None))
        try:
            step.execute()
        except UsageError as error:
            if isinstance(step, RunCommand) and not step.required:
                notes.append(str(error))
                continue
            _revert(started)
            raise
    return notes


def _revert(started: Sequence[tuple[InstallStep, bytes | None]]) -> None:
    for step, previous_content in reversed(started):
        with contextlib.suppress(UsageError, OSError):
            if isinstance(step, RunCommand) and step.undo:
                _run(step.undo, "")
            elif isinstance(step, WriteFile) and previous_content is None:
                step.path.unlink(missing_ok=True)
            elif isinstance(step, WriteFile) and previous_content is not None:
                replace_file(step.path, previous_content)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def install_steps(target: str, name: str, rendered: Rendered) -> list[InstallStep]:
    """Return the steps that install a schedule in this machine's scheduler, replacing one of the same name.

    Raises:
        UsageError: If the scheduler can't be used on this machine.
    """
    _require(target)
    match target:
        case "cron":
            block = rendered.files[0].text
            others = _without_block(_crontab(), name)
            return [RunCommand(("crontab", "-"), others + block, block)]
        case "systemd":
            folder = _unit_folder()
            writes = [WriteFile(folder / file.name, file.encoded(), file.text) for file in rendered.files]
            reload, enable = (tuple(shlex.split(line)) for line in rendered.next_commands[-2:])
            # A timer that existed before stays enabled.
            undo = () if (folder / f"{name}.timer").exists() else _disable(name)
            return [*writes, RunCommand(reload), RunCommand(enable, undo=undo)]
        case _:
            file = rendered.files[0]
            path = Path(tempfile.gettempdir()) / file.name
            create = RunCommand(("schtasks", "/Create", "/TN", name, "/XML", str(path), "/F"))
            return [WriteFile(path, file.encoded(), file.text), create, DeleteFile(path)]


def removal_steps(target: str, name: str) -> list[InstallStep]:
    """Return the steps that remove a schedule from this machine's scheduler.

    Raises:
        UsageError: If no schedule of that name is installed, or the scheduler can't be used on this machine.
    """
    check_name(name)
    _require(target)
    missing = UsageError(
        f"{target} has no schedule {name} installed by `rfm schedule`.", "give its name with --name."
    )
    match target:
        case "cron":
            before = _crontab()
            after = _without_block(before, name)
            if after == before:
                raise missing
            return [RunCommand(("crontab", "-"), after, f"without the lines of {name}\n")]
        case "systemd":
            paths = [_unit_folder() / f"{name}.{suffix}" for suffix in ("timer", "service")]
            if not any(path.exists() for path in paths):
                raise missing
            # `systemctl disable` deletes the link; without a running user manager the command fails.
            link = _unit_folder() / "timers.target.wants" / f"{name}.timer"
            return [
                RunCommand(_disable(name), required=False),
                *map(DeleteFile, [*paths, *([link] if link.is_symlink() else [])]),
                RunCommand(("systemctl", "--user", "daemon-reload"), required=False),
            ]
        case _:
            return [RunCommand(("schtasks", "/Delete", "/TN", name, "/F"))]


def _require(target: str) -> None:
    if target not in INSTALLABLE_TARGETS:
        raise UsageError(
            f"rfm can't install a schedule for {target}.",
            "print it without --install or --remove, and pass it to the scheduler.",
        )
    tool = {"cron": "crontab", "systemd": "systemctl", "windows": "schtasks"}[target]
    if shutil.which(tool) is None:
        raise UsageError(
            f"There is no `{tool}` on this machine.", "without --install the schedule is only printed."
        )


def _disable(name: str) -> tuple[str, ...]:
    return ("systemctl", "--user", "disable", "--now", f"{name}.timer")


def _crontab() -> str:
    done = subprocess.run(["crontab", "-l"], capture_output=True, check=False)  # noqa: S607
    if done.returncode == 0:
        # Bytes that are not UTF-8 stay unchanged in the lines of other programs.
        return done.stdout.decode("utf-8", "surrogateescape")
    output = done.stderr.decode("utf-8", "replace").strip()
    if "no crontab" in output:
        return ""
    raise UsageError(f"`crontab -l` failed: {output or done.returncode}.")


def _without_block(crontab: str, name: str) -> str:
    begin, end = re.escape(cron.begin_marker(name)), re.escape(cron.end_marker(name))
    # No other marker may be inside: a marker that lost its partner must not remove the lines of other
    # schedules.
    others = re.sub(
        rf"^{begin}\r?\n(?:(?!# (?:begin|end) rfm schedule ).*\n)*{end}\r?(?:\n|\Z)",
        "",
        crontab,
        flags=re.MULTILINE,
    )
    if re.search(rf"^(?:{begin}|{end})\r?$", others, flags=re.MULTILINE):
        raise UsageError(
            f"The crontab has only one of the two markers of the schedule {name}.",
            "delete it and the schedule's lines with `crontab -e`; rfm can't tell which ones these are.",
        )
    return others if not others or others.endswith("\n") else f"{others}\n"


def _unit_folder() -> Path:
    configured = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "systemd" / "user"


def _run(command: Sequence[str], stdin: str) -> None:
    done = subprocess.run(  # noqa: S603
        command, input=stdin.encode("utf-8", "surrogateescape"), capture_output=True, check=False
    )
    if done.returncode:
        output = (done.stderr or done.stdout).decode("utf-8", "replace")
        reason = " ".join(output.split()) or f"exit code {done.returncode}"
        raise UsageError(f"`{shlex.join(command)}` failed: {reason}.")
