"""What this machine adds to a schedule: where its programs are, absolute paths, and whose a folder is."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path, PureWindowsPath

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.spec import Image, Program

MACHINES = ("cron", "systemd", "windows", "airflow")
"""Targets whose paths are those of a machine."""


def program(path: str | None, folder: str, target: str) -> Program:
    """The installed command, run by the owner of the folder that it works in.

    Args:
        path: Where it is; None is this very command. A mere name is looked up as a shell does.
        folder: The folder.
        target: Whose machine starts it: a scheduler has no folder of its own that a path could start from.
    """
    if path is None:
        return Program(_this_command(), _name_of(_owner(folder)))
    if Path(path).name == path and (found := shutil.which(path)):
        path = found
    return Program(absolute(path, target, folder), _name_of(_owner(folder)))


def image(name: str, folder: str, target: str) -> Image:
    """A container, run by the owner of the folder that it writes to."""
    if target == "windows" and sys.platform != "win32":
        return Image(name, "docker.exe")
    engine = shutil.which("docker") or shutil.which("podman") or "docker"
    owner = _owner(folder)
    return Image(name, engine, f"{owner[0]}:{owner[1]}" if owner else None, _has_init(engine))


def absolute(path: str, target: str, folder: str = "") -> str:
    """A path as the scheduler's machine knows it; elsewhere as it is given.

    Args:
        path: The path.
        target: Whose machine it is.
        folder: The folder that a run works in.

    Raises:
        UsageError: The folder is one of a Windows, which this machine is not, and the path is none.
    """
    if target not in MACHINES or PureWindowsPath(path).is_absolute():
        return path
    if sys.platform != "win32" and PureWindowsPath(folder).is_absolute():
        raise UsageError(
            # Which one is not repeated: what is given for a secret's path may be the secret.
            f"The folder {folder} is one of Windows, and another path that is given is not absolute there.",
            f"give it as Windows knows it, such as {PureWindowsPath(folder) / 'rfm.toml'}.",
        )
    return os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - a link stays one, `..` does not


def _has_init(engine: str) -> bool:
    """Docker brings the first process of `--init` along; podman fails where it is not installed beside it."""
    if Path(engine).name != "podman":
        return True
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/libexec/podman", "/usr/lib/podman"))
    return shutil.which("catatonit", path=places) is not None


def _this_command() -> str:
    beside = shutil.which("rfm", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("rfm")
    if found is None:
        raise UsageError(
            "The command rfm is not installed on this machine.",
            "say where it is with --program, or use --image.",
        )
    return os.path.abspath(found)  # noqa: PTH100


def _owner(folder: str) -> tuple[int, int] | None:
    """The user and group of a folder; None for root, and where that is unknown."""
    if sys.platform == "win32":
        return None
    try:
        status = Path(folder).stat()
    except OSError:
        return None
    return (status.st_uid, status.st_gid) if status.st_uid else None


def _name_of(owner: tuple[int, int] | None) -> str | None:
    if sys.platform == "win32" or owner is None:
        return None
    import pwd

    try:
        return pwd.getpwuid(owner[0]).pw_name
    except KeyError:
        return str(owner[0])
