"""Facts about this machine that a schedule contains: paths of programs and the owner of the folder."""

from __future__ import annotations

import os
import shutil
import sys
import zoneinfo
from pathlib import Path, PureWindowsPath

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.spec import Image, Program, Schedule

MACHINE_TARGETS = ("cron", "systemd", "windows", "airflow")
"""Schedulers that start the run on a machine, so that paths are paths of that machine."""


_LOCAL_TIME = Path("/etc/localtime")
"""File with the rules of the machine's time zone; cron reads it, and not the variable TZ of the user."""


def is_own_timezone(name: str) -> bool:
    """Return whether the clocks of this machine follow the time zone, by this name or by another one."""
    try:
        rules = _LOCAL_TIME.read_bytes()
    except OSError:
        return False
    for folder in zoneinfo.TZPATH:
        file = Path(folder, name)
        if file.is_file():
            return file.read_bytes() == rules
    return False


def program(path: str | None, folder: str, target: str) -> Program:
    """Return the installed command, to be run by the owner of `folder`.

    Args:
        path: Path of the command, or a name to look up on PATH; None is the running command.
        folder: Working directory of the run.
        target: The scheduler. It has no working directory, so that relative paths are made absolute here.

    Raises:
        UsageError: If `path` is None and the running command has no path, or a path is not valid (see
            `absolute`).
    """
    if path is None:
        return Program(_this_command(), _user_name(_owner(folder)))
    if Path(path).name == path and (resolved := shutil.which(path)):
        path = resolved
    return Program(absolute(path, target, folder), _user_name(_owner(folder)))


def image(name: str, folder: str, target: str) -> Image:
    """Return the image `name`, to be run by the owner of `folder`, with this machine's container engine."""
    if target == "windows" and sys.platform != "win32":
        return Image(name, "docker.exe")
    engine = shutil.which("docker") or shutil.which("podman") or "docker"
    owner = _owner(folder)
    return Image(name, engine, f"{owner[0]}:{owner[1]}" if owner else None, _has_init(engine))


def absolute(path: str, target: str, folder: str = "") -> str:
    """Return a path as an absolute path of this machine; unchanged if the scheduler has no machine.

    Args:
        path: The path.
        target: The scheduler.
        folder: Working directory of the run.

    Raises:
        UsageError: If the folder is a Windows path, `path` is not an absolute Windows path, and this machine
            does not run Windows.
    """
    if target not in MACHINE_TARGETS or PureWindowsPath(path).is_absolute():
        return path
    if sys.platform != "win32" and PureWindowsPath(folder).is_absolute():
        raise UsageError(
            # The message does not repeat the path: a user may have passed a secret in place of its path.
            f"The folder {folder} is a Windows path, but another path is not an absolute Windows path.",
            f"give all paths as Windows paths, such as {PureWindowsPath(folder) / 'rfm.toml'}.",
        )
    return os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - keeps links, resolves `..`


def missing_source_note(schedule: Schedule) -> str | None:
    """Return a note if the scheduled `rfm run` has no source: no argument, no setting, and no rfm.toml.

    A folder that is not on this machine is not looked into.
    """
    folder = Path(schedule.folder)
    names_source = schedule.arguments != ("run",) or schedule.config or "RFM_SOURCE" in schedule.environment
    if names_source or not folder.is_dir() or (folder / "rfm.toml").exists():
        return None
    return (
        f"{schedule.folder} has no rfm.toml, so `rfm run` has no source: write one there with"
        " `rfm init SOURCE`, or name the source, as in -- run orders.csv."
    )


def _has_init(engine: str) -> bool:
    """Return whether the engine supports --init: docker always does, podman needs catatonit."""
    if Path(engine).name != "podman":
        return True
    folders = os.pathsep.join((os.environ.get("PATH", ""), "/usr/libexec/podman", "/usr/lib/podman"))
    return shutil.which("catatonit", path=folders) is not None


def _this_command() -> str:
    command = shutil.which("rfm", path=str(Path(sys.executable).parent)) or shutil.which("rfm")
    if command is None:
        raise UsageError(
            "The command rfm is not installed on this machine.",
            "give its path with --program, or use --image.",
        )
    return os.path.abspath(command)  # noqa: PTH100


def _owner(folder: str) -> tuple[int, int] | None:
    """Return the user and group id of a folder's owner; None for root or if unknown."""
    if sys.platform == "win32":
        return None
    try:
        status = Path(folder).stat()
    except OSError:
        return None
    return (status.st_uid, status.st_gid) if status.st_uid else None


def _user_name(owner: tuple[int, int] | None) -> str | None:
    if sys.platform == "win32" or owner is None:
        return None
    import pwd

    try:
        return pwd.getpwuid(owner[0]).pw_name
    except KeyError:
        return str(owner[0])
