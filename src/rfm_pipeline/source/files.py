"""File selection: which files a path, a directory or a glob pattern stands for."""

from __future__ import annotations

import difflib
import errno
import glob
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path

from msgspec import Struct

from rfm_pipeline.common.file_identity import file_key
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import SourceError, WarehouseError
from rfm_pipeline.source.file_suffix import format_by_suffix

_CHECK_PATH = "check its spelling and the current folder."


class SourceFile(Struct, frozen=True):
    """A file to read.

    Attributes:
        path: Path to open.
        name: Name in messages: the path as the user would type it.
    """

    path: Path
    name: str


class MatchedFiles(Struct, frozen=True):
    """Files that a path, a directory or a glob pattern stands for.

    Attributes:
        files: At least one file, sorted by path.
        label: Name of all files together.
        notes: Notes on files that are skipped.
        folder: Directory that was searched for the files; None if the user named them or gave a pattern.
    """

    files: tuple[SourceFile, ...]
    label: str
    notes: tuple[str, ...] = ()
    folder: str | None = None

    def excluding(self, skipped: Collection[SourceFile]) -> MatchedFiles:
        """Return a copy without files of a searched directory that are no table of the source."""
        if not skipped or self.folder is None:
            return self
        kept = tuple(file for file in self.files if file not in skipped)
        names = _abbreviated([file.path.name for file in skipped])
        note = f"skipped in {self.folder}: {names} (no column in common with the other files)"
        return MatchedFiles(kept, _label(kept, self.folder), (*self.notes, note), self.folder)


@contextmanager
def translate_os_errors(name: str) -> Iterator[None]:
    """Translate operating system errors about the file `name` into one sentence.

    Raises:
        SourceError: If the file does not exist, or reading it is forbidden or fails.
        WarehouseError: If the disk is full, which copies in the temporary directory can cause.
    """
    try:
        yield
    except PermissionError:
        raise SourceError(
            f"There is no permission to read {name}.", "look at the owner and the permissions of the file."
        ) from None
    except FileNotFoundError:
        raise SourceError(f"{name} does not exist.") from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise WarehouseError(
                f"The disk is full: {name} can't be copied to the temporary directory.",
                "free some space, or set duckdb.temp_directory to a directory on a larger disk.",
            ) from None
        reason = lower_first(error.strerror or str(error))
        raise SourceError(f"{name} can't be read: {reason}.", "look at the path.") from None


def find_files(text: str) -> MatchedFiles:
    """Return the files that a path, a directory or a glob pattern stands for.

    An existing path is taken literally, even if it contains wildcard characters. A directory is searched with
    all its subdirectories for files whose suffix names a format; hidden files and directories are skipped.

    Raises:
        SourceError: If there is no such file.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SourceError(f"The name of {text!r} is not valid UTF-8.", "rename the file.") from None
    path = Path(text)
    with translate_os_errors(text):
        if path.is_dir():
            return _search_folder(path, text)
        if path.exists():
            return MatchedFiles((SourceFile(path, text),), path.name)
        if glob.has_magic(text):
            return _expand_glob(text)
    raise file_not_found_error(path)


def reads_file(text: str, path: Path) -> bool:
    """Return whether a source reads a file, or would read it if it existed.

    Args:
        text: Path, directory or glob pattern, as for `find_files`.
        path: Path of the file; below a directory it counts whatever its suffix.

    Raises:
        SourceError: If a directory can't be searched.
    """
    source, key = Path(text), file_key(path)
    with translate_os_errors(text):
        if source.is_dir():
            parent = file_key(path.absolute().parent)
            if any(file_key(folder) == parent for folder, _ in _walk_folders(source)):
                return True
            return path.exists() and any(file_key(file) == key for file in _walk(source))
        if source.exists() or not glob.has_magic(text):
            return file_key(source) == key
        if _would_match(text, path):
            return True
        matches = glob.iglob(text, recursive=True)  # noqa: PTH207 - as in `_expand_glob`
        return path.exists() and any(file_key(match) == key for match in matches)


def _would_match(pattern: str, path: Path) -> bool:
    """Return whether a glob pattern would match a file at `path`, by whatever path its directory is given."""
    folder, last = os.path.split(pattern)
    is_hidden = path.name.startswith(".")
    if last == "**":
        folders, is_matched = f"{pattern}/", not is_hidden
    else:
        folders, is_matched = f"{folder or '.'}/", fnmatchcase(path.name, last)
        is_matched = is_matched and (last.startswith(".") or not is_hidden)
    parent = file_key(path.absolute().parent)
    # A pattern that ends in a slash matches directories; `**/` leaves out the current one.
    matches = [*glob.iglob(folders, recursive=True), *(["."] if folders == "**/" else [])]  # noqa: PTH207
    return is_matched and any(file_key(match) == parent for match in matches)


def file_not_found_error(path: Path) -> SourceError:
    """Return the error for a missing file; its hint names the most similar file name of the directory."""
    folder = path.parent
    if not folder.is_dir():
        return SourceError(f"{path} does not exist, nor does the folder {folder}.", _CHECK_PATH)
    names: list[str] = []
    with suppress(PermissionError):
        names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    # Compared without suffixes: any two names that end in `.csv` are somewhat similar.
    stems = {Path(name).stem.lower(): name for name in names}
    close = difflib.get_close_matches(path.stem.lower(), stems, n=1, cutoff=0.6)
    hint = f"did you mean {folder / stems[close[0]]}?" if close else _CHECK_PATH
    return SourceError(f"{path} does not exist.", hint)


def _expand_glob(pattern: str) -> MatchedFiles:
    # `Path.glob` does not accept absolute patterns.
    matches = [Path(match) for match in sorted(set(glob.glob(pattern, recursive=True)))]  # noqa: PTH207
    # All matches are meant, except the lock files (`~$`) that Excel writes beside open workbooks.
    files = tuple(
        SourceFile(path, str(path)) for path in matches if not path.is_dir() and path.name[:2] != "~$"
    )
    if not files:
        what = "only folders" if matches else "no file"
        hint = f"for all files inside, give {pattern.rstrip('/')}/**" if matches else "look at the pattern."
        raise SourceError(f"{pattern} matches {what}.", hint)
    return MatchedFiles(files, files[0].path.name if len(files) == 1 else f"{len(files)} files, {pattern}")


def _search_folder(folder: Path, name: str) -> MatchedFiles:
    paths = sorted(
        (
            Path(parent, name)
            for parent, names in _walk_folders(folder)
            for name in names
            if not name.startswith((".", "~$"))
        ),
        key=_sort_key,
    )
    files = tuple(SourceFile(path, str(path)) for path in paths if _is_data(path.name))
    # Marker files such as `_SUCCESS` are not worth a note; a skipped `_orders.csv` is.
    skipped = [
        path.name
        for path in paths
        if not _is_data(path.name) and (format_by_suffix(path.name) or path.name[0] != "_")
    ]
    if not files:
        content = f"only {', '.join(skipped[:3])}" if skipped else "no files"
        raise SourceError(
            f"The folder {name} holds {content}.",
            "a source is CSV, Parquet, JSON or Excel; to read a file with another suffix, name the file.",
        )
    notes = (f"skipped in {name}: {_abbreviated(skipped)}",) if skipped else ()
    return MatchedFiles(files, _label(files, name), notes, name)


def _sort_key(path: Path) -> list[str]:
    """Return what paths are sorted by: as they compare themselves, which takes several times as long."""
    return [os.path.normcase(part) for part in path.parts]


def _label(files: Sequence[SourceFile], folder: str) -> str:
    return files[0].path.name if len(files) == 1 else f"{len(files)} files in {folder}"


def _walk(folder: Path) -> Iterator[Path]:
    """Yield all files below a directory; follow each linked directory once."""
    for parent, names in _walk_folders(folder):
        yield from (Path(parent, name) for name in names)


def _walk_folders(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield a directory and those below it that are searched, each with the names of its files."""

    def reraise(error: OSError) -> None:
        raise error

    visited: set[str] = set()
    for parent, subfolders, names in os.walk(folder, onerror=reraise, followlinks=True):
        if "_delta_log" in subfolders:
            # The files of a Delta table contain deleted rows too; only its log says which rows are current.
            raise SourceError(
                f"{parent} is a Delta table; its Parquet files also contain rows that were deleted.",
                "export the current rows to Parquet first.",
            )
        visible = [name for name in subfolders if not _is_hidden(name)]
        subfolders[:] = [name for name in visible if os.path.realpath(Path(parent, name)) not in visited]
        visited.update(os.path.realpath(Path(parent, name)) for name in subfolders)
        yield parent, names


def _is_data(name: str) -> bool:
    return format_by_suffix(name) is not None and name[0] != "_"


def _is_hidden(folder: str) -> bool:
    """Return whether a directory starts with a dot, or with the underscore of Spark's and Hive's metadata."""
    return folder.startswith((".", "_"))


def _abbreviated(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
