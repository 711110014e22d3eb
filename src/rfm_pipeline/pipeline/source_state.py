"""The state of a source's files at the start of a run, and what has changed since.

Files are read more than once: a CSV file by the prescan, for the profile and by the scan. A result is
published only if no file changed meanwhile. It is the result of the files at the start: a file that is added
to a folder or a glob is named in a note, and the next run reads it.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.config.destination_location import DuckDBDestinationLocation
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.source_location import DuckDBTable, FileLocation
from rfm_pipeline.errors import RfmError, WarehouseError

if TYPE_CHECKING:
    from rfm_pipeline.source.sql_query import SqlQuery

_TAIL_SIZE = 4096
_NAMED_FILES = 3
_DIFFERENCES = ("it is another file", "its size is another one", "it was written", "its end is another one")


class FileState(Struct, frozen=True):
    """Properties of a file; if none has changed, the content has not.

    Attributes:
        identity: Numbers of the device and of the inode.
        size: Size in bytes.
        modified_ns: Time of the last change in nanoseconds since 1970.
        tail: Checksum of the last bytes: a file can change twice within a tick of the file system's clock.
    """

    identity: tuple[int, int]
    size: int
    modified_ns: int
    tail: int

    @classmethod
    def of(cls, path: Path) -> FileState | None:
        """Return the state of a file; None if it does not exist, or is no regular file."""
        try:
            # Not by `Path`: four states of each file of a source are compared. Opening a pipe would block.
            if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116
                return None
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            try:
                status = os.fstat(descriptor)
                os.lseek(descriptor, max(0, status.st_size - _TAIL_SIZE), os.SEEK_SET)
                tail = zlib.crc32(os.read(descriptor, _TAIL_SIZE))
            finally:
                os.close(descriptor)
        except (OSError, ValueError):
            return None
        return cls((status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns, tail)

    def difference(self, now: FileState | None) -> str | None:
        """Return what is different now, as a clause; None if the states are equal."""
        if now is None:
            return "it was removed"
        pairs = zip(_fields(self), _fields(now), strict=True)
        return next((text for text, (old, new) in zip(_DIFFERENCES, pairs, strict=True) if old != new), None)


def _fields(state: FileState) -> tuple[object, ...]:
    return state.identity, state.size, state.modified_ns, state.tail


class SourceState(Struct, frozen=True):
    """The files of a source with their states.

    Attributes:
        files: State of each file when the run began, by path.
        location: The source, if it is a folder or a glob, which may get more files.
    """

    files: Mapping[Path, FileState] = field(default_factory=dict)
    location: FileLocation | None = None

    @classmethod
    def observe(cls, settings: Settings, query: SqlQuery | None) -> SourceState:
        """Return the present state of the source.

        Args:
            settings: Settings of the run.
            query: The query of the source, if that is a .sql file.

        Raises:
            SourceError: If there is no such file.
        """
        location = settings.source
        if query is not None:
            return cls(_states(query.files))
        if isinstance(location, DuckDBTable):
            # The run itself changes a source that is its destination; DuckDB locks it against others.
            to = settings.to
            is_own = isinstance(to, DuckDBDestinationLocation) and _is_same_file(to.file, location.file)
            return cls() if is_own else cls(_states([location.file, Path(f"{location.file}.wal")]))
        if not isinstance(location, FileLocation):
            return cls()
        paths = _listed(location)
        return cls(_states(paths), None if paths == [Path(location.text)] else location)

    def check(self) -> None:
        """Raise if a file has changed or was removed.

        Raises:
            WarehouseError: If so; a run then publishes nothing.
        """
        found = [
            (path, difference)
            for path, state in self.files.items()
            if (difference := state.difference(FileState.of(path)))
        ]
        if not found:
            return
        path, difference = found[0]
        more = f", and {format_count(len(found) - 1, 'other file')} too" if found[1:] else ""
        raise WarehouseError(
            f"{path} changed while it was read ({difference}){more}, so its lines may be of two states.",
            "run again when no program writes to it; a program that writes another file, and renames it when"
            " it is complete, never leaves half a file.",
        )

    @contextmanager
    def checked(self) -> Iterator[None]:
        """Check the state after the body; an error of a file that changed is the change.

        Raises:
            WarehouseError: If a file has changed or was removed.
        """
        try:
            yield
        except RfmError as error:
            try:
                self.check()
            except WarehouseError as changed:
                raise changed from error
            raise
        self.check()

    def notes(self) -> tuple[str, ...]:
        """Return the note on files that were added since; no note if there are none."""
        if self.location is None:
            return ()
        added = [str(path) for path in _listed(self.location) if path not in self.files]
        if not added:
            return ()
        more = f" and {len(added) - _NAMED_FILES} more" if added[_NAMED_FILES:] else ""
        names = f"{', '.join(added[:_NAMED_FILES])}{more}"
        return (
            f"{format_count(len(added), 'file')} added during the run, for the next one to read: {names}",
        )


def _listed(location: FileLocation) -> list[Path]:
    from rfm_pipeline.source.files import find_files  # not for other sources

    return [file.path for file in find_files(location.text).files]


def _states(paths: list[Path] | tuple[Path, ...]) -> dict[Path, FileState]:
    """Return the states of regular files; pipes are copied, and what does not exist is an error elsewhere."""
    return {path: state for path in paths if (state := FileState.of(path))}


def _is_same_file(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and first.samefile(second)
