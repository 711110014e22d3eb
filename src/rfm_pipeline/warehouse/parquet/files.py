"""Files of a Parquet destination, and how several of them are replaced in one step.

    segments.parquet                        the current result
    segments_history/2025-12-31.parquet     the rows as of a date; of the current date the same file (a link)
    segments_runs/runs.parquet              the runs

A publish writes its files into a hidden folder beside them, the draft. Renaming the draft to the folder
`.segments.parquet.publish` commits it. Its files are then renamed to their places: the history, the current
result, and the runs last. If the process dies in between, the next run renames those that are left; until
then, `find` finds them where they are.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

from rfm_pipeline.config.destination_location import PARQUET_SUFFIX
from rfm_pipeline.results.tables import SUFFIXES

_CURRENT = "current.parquet"
_RUNS = "runs.parquet"
_REMOVED = ".removed"
"""Suffix of the marker in a draft that a file of the history is to be removed."""
_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})\.parquet")


class Draft:
    """The folder with the files of a publish, before the commit.

    Attributes:
        path: The folder.
        current: Path of the new current result.
        runs: Path of the new file of runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.current = path / _CURRENT
        self.runs = path / _RUNS
        path.mkdir()

    def dated(self, day: date) -> Path:
        """Return the path of the new rows as of a date."""
        return self.path / f"{day}.parquet"

    def remove(self, day: date) -> None:
        """Let the publish remove the rows as of a date.

        Raises:
            OSError: If the disk is full.
        """
        (self.path / f"{day}.parquet{_REMOVED}").touch()

    def link_current(self, rows: Path) -> None:
        """Let the file of rows be the current result, too.

        Raises:
            OSError: If the file can't be copied where the file system has no links.
        """
        try:
            os.link(rows, self.current)
        except OSError:
            # A file system without hard links, or one that refuses links to the files of others.
            shutil.copyfile(rows, self.current)

    def discard(self) -> None:
        """Remove the folder; do nothing if it was published."""
        shutil.rmtree(self.path, ignore_errors=True)


class PublishedFiles:
    """The files of a destination.

    Attributes:
        current: The file of the current result, which is no link.
        history: The folder with the rows of each as-of date.
        runs: The file of runs.
        committed: The folder of a committed publish; it exists until all of its files are in their places.

    Args:
        current: As above; a link is followed, so that the files beside it are found by one name.
    """

    def __init__(self, current: Path) -> None:
        self.current = current = Path(os.path.realpath(current))
        self.history = current.with_name(f"{current.stem}{SUFFIXES['history']}")
        self.runs = current.with_name(f"{current.stem}{SUFFIXES['runs']}") / _RUNS
        self.committed = current.with_name(f".{current.name}.publish")

    # Reading

    def find(self, file: Path) -> Path | None:
        """Return where `current` or `runs` is at present; None if there is no such file."""
        committed = self.committed / (_CURRENT if file == self.current else _RUNS)
        return next((path for path in (committed, file) if os.path.lexists(path)), None)

    def dated(self) -> dict[date, Path]:
        """Return the file of each as-of date, in ascending order, where it is at present."""
        found = dict(_dated_files(self.history))
        found |= dict(_dated_files(self.committed))
        for marker in _names(self.committed):
            if day := _date_of(marker.removesuffix(_REMOVED) if marker.endswith(_REMOVED) else ""):
                found.pop(day, None)
        return dict(sorted(found.items()))

    def last_publish(self) -> tuple[object, ...]:
        """Return a value that is another one as soon as a publish is committed, and when it is complete."""
        return _identity(self.committed), _identity(self.runs)

    def state(self) -> tuple[object, ...]:
        """Return a value that is another one after a publish, and after a file was added or removed."""
        return (*self.last_publish(), _identity(self.current), _identity(self.history))

    def owner_of_folder(self) -> Path | None:
        """Return the destination whose history or runs are in the folder of `current`; None if it is free."""
        folder = self.current.parent
        for suffix in (SUFFIXES["history"], SUFFIXES["runs"]):
            owner = folder.with_name(f"{folder.name.removesuffix(suffix)}{PARQUET_SUFFIX}")
            if folder.name.endswith(suffix) and (owner.exists() or PublishedFiles(owner).runs.exists()):
                return owner
        return None

    # Publishing. The caller holds the lease.

    def new_draft(self) -> Draft:
        """Create a draft.

        Raises:
            OSError: If the folder can't be created.
        """
        return Draft(self.current.with_name(f".{self.current.name}.{secrets.token_hex(4)}.new"))

    def publish(self, draft: Draft) -> None:
        """Commit a draft, and rename its files to their places.

        Raises:
            OSError: If the draft can't be committed, or if it is committed, and a file can't be renamed.
            KeyboardInterrupt: If it was raised before the commit. After the commit it is dropped; callers
                find the signal in `received_signals`.
        """
        for file in draft.path.iterdir():
            _sync(file)
        _sync_names(draft.path)
        try:
            # Not `replace`: if another run has committed, its folder is there, and has files.
            draft.path.rename(self.committed)
            self.complete()
        except KeyboardInterrupt:
            if draft.path.exists():
                raise
            self.complete()

    def complete(self) -> None:
        """Rename the files of a committed draft to their places; do nothing if there is none.

        Raises:
            OSError: If a file can't be renamed.
        """
        if not self.committed.exists():
            return
        _sync_names(self.committed.parent)
        # In the order of the names: files of dates, the current result, the runs. Others are none of a draft.
        for name in _names(self.committed):
            source = self.committed / name
            target = self._place_of(name.removesuffix(_REMOVED))
            if target is None:
                continue
            if name.endswith(_REMOVED):
                target.unlink(missing_ok=True)
            else:
                target.parent.mkdir(exist_ok=True)
                source.replace(target)
            # Of two links to one file, POSIX lets a rename remove neither.
            source.unlink(missing_ok=True)
        for folder in (self.history, self.runs.parent, self.current.parent):
            _sync_names(folder)
        self.committed.rmdir()

    def remove_orphans(self) -> None:
        """Remove the drafts of processes that died."""
        for draft in _drafts(self.current):
            shutil.rmtree(draft, ignore_errors=True)

    def _place_of(self, name: str) -> Path | None:
        places = {_CURRENT: self.current, _RUNS: self.runs}
        return places.get(name, self.history / name if _date_of(name) else None)


def _drafts(current: Path) -> Iterator[Path]:
    pattern = re.compile(rf"\.{re.escape(current.name)}\.[0-9a-f]{{8}}\.new")
    yield from (current.with_name(name) for name in _names(current.parent) if pattern.fullmatch(name))


def _dated_files(folder: Path) -> Iterator[tuple[date, Path]]:
    for name in _names(folder):
        if day := _date_of(name):
            yield day, folder / name


def _date_of(name: str) -> date | None:
    match = _DATED.fullmatch(name)
    with suppress(ValueError):
        return date.fromisoformat(match[1]) if match else None
    return None


def _names(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none if it does not exist."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, not paths
    except (FileNotFoundError, NotADirectoryError):
        return []


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        about = path.lstat()
    except OSError:
        return None
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def _sync(file: Path) -> None:
    """Write a file through to the disk."""
    # Windows syncs only what is open for writing.
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if sys.platform == "win32":

    def _sync_names(folder: Path) -> None:
        """Do nothing: a folder can't be opened."""

else:

    def _sync_names(folder: Path) -> None:
        """Write the names in a folder through to the disk, where the file system can."""
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
