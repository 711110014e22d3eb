"""Giving a schedule to this machine's scheduler, and taking it back: a list of steps, then their doing."""

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

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.spec import Rendered, check_name
from rfm_pipeline.schedule.targets import cron

INSTALLABLE_TARGETS = ("cron", "systemd", "windows")


class Write(Struct, frozen=True):
    """A file that is written, in place of what is there."""

    path: Path
    content: bytes
    text: str

    def __str__(self) -> str:
        return f"write {self.path}:\n{self.text}"

    def do(self) -> None:
        """Writes it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(self.content)
        except OSError as error:
            raise UsageError(f"{self.path} can't be written: {error.strerror}.") from None


class Delete(Struct, frozen=True):
    """A file that is deleted."""

    path: Path

    def __str__(self) -> str:
        return f"delete {self.path}\n"

    def do(self) -> None:
        """Deletes it."""
        self.path.unlink(missing_ok=True)


class Call(Struct, frozen=True):
    """A command that is called.

    Attributes:
        words: Its name and what it is given.
        given: What it reads; bytes that are no UTF-8 stand in it as surrogates.
        shown: What of that is new, for a person.
        undo: What takes it back, word by word; nothing where nothing has to be.
        needed: Whether what follows makes no sense without it.
    """

    words: tuple[str, ...]
    given: str = ""
    shown: str = ""
    undo: tuple[str, ...] = ()
    needed: bool = True

    def __str__(self) -> str:
        return f"run {shlex.join(self.words)}{':' if self.shown else ''}\n{self.shown}"

    def do(self) -> None:
        """Calls it."""
        _called(self.words, self.given)


InstallStep = Write | Delete | Call


def perform(steps: Sequence[InstallStep]) -> list[str]:
    """Does one after the other; where one fails, what was done before it is taken back.

    Returns:
        What went wrong where it did not matter.

    Raises:
        UsageError: A step failed.
    """
    notes: list[str] = []
    done: list[tuple[InstallStep, bytes | None]] = []
    for step in steps:
        done.append((step, _content(step.path) if isinstance(step, Write) else None))
        try:
            step.do()
        except UsageError as error:
            if isinstance(step, Call) and not step.needed:
                notes.append(str(error))
                continue
            _take_back(done)
            raise
    return notes


def _take_back(done: Sequence[tuple[InstallStep, bytes | None]]) -> None:
    for step, before in reversed(done):
        with contextlib.suppress(UsageError, OSError):
            if isinstance(step, Call) and step.undo:
                _called(step.undo, "")
            elif isinstance(step, Write) and before is None:
                step.path.unlink(missing_ok=True)
            elif isinstance(step, Write) and before is not None:
                step.path.write_bytes(before)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def install_steps(target: str, name: str, rendered: Rendered) -> list[InstallStep]:
    """What gives a schedule to this machine's scheduler, in place of one of the same name.

    Raises:
        UsageError: The scheduler is not on this machine, or can't be given anything from here.
    """
    _require(target)
    match target:
        case "cron":
            block = rendered.files[0].text
            kept = _without_block(_crontab(), name)
            return [Call(("crontab", "-"), kept + block, block)]
        case "systemd":
            folder = _units()
            writes = [Write(folder / file.name, file.written(), file.text) for file in rendered.files]
            reload, enable = (tuple(shlex.split(line)) for line in rendered.next_step)
            # One of the same name that was there before goes on.
            undo = () if (folder / f"{name}.timer").exists() else _disable(name)
            return [*writes, Call(reload), Call(enable, undo=undo)]
        case _:
            file = rendered.files[0]
            path = Path(tempfile.gettempdir()) / file.name
            create = Call(("schtasks", "/Create", "/TN", name, "/XML", str(path), "/F"))
            return [Write(path, file.written(), file.text), create, Delete(path)]


def removal_steps(target: str, name: str) -> list[InstallStep]:
    """What takes a schedule back from this machine's scheduler.

    Raises:
        UsageError: There is none of that name, or none can have it.
    """
    check_name(name)
    _require(target)
    missing = UsageError(
        f"{target} has no schedule {name} that `rfm schedule` gave it.", "name the one you mean with --name."
    )
    match target:
        case "cron":
            before = _crontab()
            after = _without_block(before, name)
            if after == before:
                raise missing
            return [Call(("crontab", "-"), after, f"without the lines of {name}\n")]
        case "systemd":
            paths = [_units() / f"{name}.{kind}" for kind in ("timer", "service")]
            if not any(path.exists() for path in paths):
                raise missing
            # What `disable` would have deleted, where nobody is there to be called.
            link = _units() / "timers.target.wants" / f"{name}.timer"
            return [
                Call(_disable(name), needed=False),
                *map(Delete, [*paths, *([link] if link.is_symlink() else [])]),
                Call(("systemctl", "--user", "daemon-reload"), needed=False),
            ]
        case _:
            return [Call(("schtasks", "/Delete", "/TN", name, "/F"))]


def _require(target: str) -> None:
    if target not in INSTALLABLE_TARGETS:
        raise UsageError(
            f"Nothing can be installed for {target} from here.", "print it, and give it to the scheduler."
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
        # To the byte: what is not ours goes back as it came.
        return done.stdout.decode("utf-8", "surrogateescape")
    said = done.stderr.decode("utf-8", "replace").strip()
    if "no crontab" in said:
        return ""
    raise UsageError(f"`crontab -l` failed: {said or done.returncode}.")


def _without_block(crontab: str, name: str) -> str:
    begin, end = re.escape(cron.begin(name)), re.escape(cron.end(name))
    # From a mark to the next: one that was left alone does not reach over the lines of others.
    kept = re.sub(
        rf"^{begin}\r?\n(?:(?!# (?:begin|end) rfm schedule ).*\n)*{end}\r?(?:\n|\Z)",
        "",
        crontab,
        flags=re.MULTILINE,
    )
    if re.search(rf"^(?:{begin}|{end})\r?$", kept, flags=re.MULTILINE):
        raise UsageError(
            f"In the crontab one of the two marks of the schedule {name} stands without the other.",
            "delete what is left of it with `crontab -e`: which lines were its own can't be told.",
        )
    return kept if not kept or kept.endswith("\n") else f"{kept}\n"


def _units() -> Path:
    configured = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "systemd" / "user"


def _called(words: Sequence[str], given: str) -> None:
    done = subprocess.run(  # noqa: S603
        words, input=given.encode("utf-8", "surrogateescape"), capture_output=True, check=False
    )
    if done.returncode:
        output = (done.stderr or done.stdout).decode("utf-8", "replace")
        said = " ".join(output.split()) or f"exit code {done.returncode}"
        raise UsageError(f"`{shlex.join(words)}` failed: {said}.")
