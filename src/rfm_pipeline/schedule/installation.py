"""Giving a schedule to this machine's scheduler, and taking it back: a list of steps, then their doing."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import cron
from rfm_pipeline.schedule.spec import Rendered

TARGETS = ("cron", "systemd", "windows")


@dataclass(frozen=True, slots=True)
class Write:
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


@dataclass(frozen=True, slots=True)
class Delete:
    """A file that is deleted."""

    path: Path

    def __str__(self) -> str:
        return f"delete {self.path}\n"

    def do(self) -> None:
        """Deletes it."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Call:
    """A command that is called.

    Attributes:
        words: Its name and what it is given.
        given: What it reads.
        shown: What of that is new, for a person.
    """

    words: tuple[str, ...]
    given: str = ""
    shown: str = ""

    def __str__(self) -> str:
        return f"run {shlex.join(self.words)}{':' if self.shown else ''}\n{self.shown}"

    def do(self) -> None:
        """Calls it."""
        _called(self.words, self.given)


Step = Write | Delete | Call


def installing(target: str, name: str, rendered: Rendered) -> list[Step]:
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
            calls = [Call(tuple(shlex.split(line))) for line in rendered.next_step]
            return [*writes, *calls]
        case _:
            file = rendered.files[0]
            path = Path(tempfile.gettempdir()) / file.name
            create = Call(("schtasks", "/Create", "/TN", name, "/XML", str(path), "/F"))
            return [Write(path, file.written(), file.text), create, Delete(path)]


def removing(target: str, name: str) -> list[Step]:
    """What takes a schedule back from this machine's scheduler.

    Raises:
        UsageError: There is none of that name.
    """
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
            return [
                Call(("systemctl", "--user", "disable", "--now", f"{name}.timer")),
                *map(Delete, paths),
                Call(("systemctl", "--user", "daemon-reload")),
            ]
        case _:
            return [Call(("schtasks", "/Delete", "/TN", name, "/F"))]


def _require(target: str) -> None:
    if target not in TARGETS:
        raise UsageError(
            f"Nothing can be installed for {target} from here.", "print it, and give it to the scheduler."
        )
    tool = {"cron": "crontab", "systemd": "systemctl", "windows": "schtasks"}[target]
    if shutil.which(tool) is None:
        raise UsageError(
            f"There is no `{tool}` on this machine.", "without --install the schedule is only printed."
        )


def _crontab() -> str:
    done = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)  # noqa: S607
    if done.returncode == 0:
        return done.stdout
    if "no crontab" in done.stderr:
        return ""
    raise UsageError(f"`crontab -l` failed: {done.stderr.strip() or done.returncode}.")


def _without_block(crontab: str, name: str) -> str:
    begin, end = re.escape(cron.begin(name)), re.escape(cron.end(name))
    kept = re.sub(rf"^{begin}\n.*?^{end}\n", "", crontab, flags=re.MULTILINE | re.DOTALL)
    return kept if not kept or kept.endswith("\n") else f"{kept}\n"


def _units() -> Path:
    configured = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "systemd" / "user"


def _called(words: Sequence[str], given: str) -> None:
    done = subprocess.run(words, input=given, capture_output=True, encoding="utf-8", check=False)  # noqa: S603
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise UsageError(f"`{shlex.join(words)}` failed: {said}.")
