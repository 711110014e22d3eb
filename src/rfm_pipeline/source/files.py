"""Which files a path, a folder or a glob stands for."""

from __future__ import annotations

import difflib
import errno
import glob
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from rfm_pipeline.errors import SourceError, WarehouseError
from rfm_pipeline.source.file_suffix import format_by_suffix


class SourceFile(Struct, frozen=True):
    """A file to read.

    Attributes:
        path: Where it is.
        name: What to call it: the path as the user would type it.
    """

    path: Path
    name: str


class FoundFiles(Struct, frozen=True):
    """What a path, a folder or a glob stands for.

    Attributes:
        files: At least one file, sorted by path.
        label: What to call them together.
        notes: What was left aside.
        folder: The folder that was searched for them; None where they were named.
    """

    files: tuple[SourceFile, ...]
    label: str
    notes: tuple[str, ...] = ()
    folder: str | None = None

    def without(self, aside: Collection[SourceFile]) -> FoundFiles:
        """The same without some of the files of a folder, in which there is no table of the source."""
        if not aside or self.folder is None:
            return self
        kept = tuple(file for file in self.files if file not in aside)
        names = _some([file.path.name for file in aside])
        note = f"left aside in {self.folder}: {names} (no column in common with the other files)"
        return FoundFiles(kept, _label(kept, self.folder), (*self.notes, note), self.folder)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turns what the operating system says about a file into one sentence.

    Raises:
        SourceError: The file is gone, may not be read, or can't be.
        WarehouseError: The disk is full, which copies in the scratch folder can cause.
    """
    try:
        yield
    except PermissionError:
        raise SourceError(
            f"There is no permission to read {name}.", "look at the owner and the mode of it."
        ) from None
    except FileNotFoundError:
        raise SourceError(f"{name} does not exist.") from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise WarehouseError(
                f"The disk is full: no room for a copy of {name}.", "give duckdb.temp_directory more room."
            ) from None
        raise SourceError(f"{name} can't be read: {error.strerror or error}.") from None


def find_files(text: str) -> FoundFiles:
    """Finds the files that a path, a folder or a glob stands for.

    A path that exists is taken as it is, whatever characters are in it. A folder is searched with all its
    subfolders for files whose suffix names a format; hidden files and folders are passed over.

    Raises:
        SourceError: There is none.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SourceError(f"The name of {text!r} is not valid UTF-8.", "rename the file.") from None
    path = Path(text)
    with reading(text):
        if path.is_dir():
            return _folder(path, text)
        if path.exists():
            return FoundFiles((SourceFile(path, text),), path.name)
        if glob.has_magic(text):
            return _glob(text)
    raise missing(path)


def missing(path: Path) -> SourceError:
    """The error for a file that is not there, with the closest name that is."""
    folder = path.parent
    if not folder.is_dir():
        return SourceError(f"{path} does not exist, nor does the folder {folder}.", "look at the path.")
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    # Suffixes are left out: any two names that end in `.csv` are a little alike.
    stems = {Path(name).stem.lower(): name for name in names}
    close = difflib.get_close_matches(path.stem.lower(), stems, n=1, cutoff=0.6)
    hint = f"did you mean {folder / stems[close[0]]}?" if close else "look at the path."
    return SourceError(f"{path} does not exist.", hint)


def _glob(pattern: str) -> FoundFiles:
    # `Path.glob` takes no absolute pattern.
    matches = [Path(match) for match in sorted(set(glob.glob(pattern, recursive=True)))]  # noqa: PTH207
    # What a pattern matches is meant, except for the lock files of open workbooks.
    files = tuple(
        SourceFile(path, str(path)) for path in matches if not path.is_dir() and path.name[:2] != "~$"
    )
    if not files:
        what = "only folders" if matches else "no file"
        hint = f"for all files inside, give {pattern.rstrip('/')}/**" if matches else "look at the pattern."
        raise SourceError(f"{pattern} matches {what}.", hint)
    return FoundFiles(files, files[0].path.name if len(files) == 1 else f"{len(files)} files, {pattern}")


def _folder(folder: Path, name: str) -> FoundFiles:
    every = sorted(path for path in _walk(folder) if not path.name.startswith((".", "~$")))
    files = tuple(SourceFile(path, str(path)) for path in every if _is_data(path.name))
    # `_SUCCESS` and its like are no news; an `_orders.csv` is.
    aside = [
        path.name
        for path in every
        if not _is_data(path.name) and (format_by_suffix(path.name) or path.name[0] != "_")
    ]
    if not files:
        found = f"only {', '.join(aside[:3])}" if aside else "no files"
        raise SourceError(
            f"The folder {name} holds {found}.",
            "a source is CSV, Parquet, JSON or Excel; name a file of another suffix itself.",
        )
    notes = (f"left aside in {name}: {_some(aside)}",) if aside else ()
    return FoundFiles(files, _label(files, name), notes, name)


def _label(files: Sequence[SourceFile], folder: str) -> str:
    return files[0].path.name if len(files) == 1 else f"{len(files)} files in {folder}"


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    seen: set[str] = set()
    for here, subfolders, names in os.walk(folder, onerror=refuse, followlinks=True):
        if "_delta_log" in subfolders:
            # Its files hold removed rows too; only the log says which of them count.
            raise SourceError(
                f"{here} is a Delta table, and its files alone don't tell which rows it has.",
                "export it to Parquet first.",
            )
        fresh = [name for name in subfolders if not _hidden(name)]
        subfolders[:] = [name for name in fresh if os.path.realpath(Path(here, name)) not in seen]
        seen.update(os.path.realpath(Path(here, name)) for name in subfolders)
        yield from (Path(here, name) for name in names)


def _is_data(name: str) -> bool:
    return format_by_suffix(name) is not None and name[0] != "_"


def _hidden(folder: str) -> bool:
    """Dot folders, and what Spark and Hive write beside the data."""
    return folder.startswith((".", "_"))


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
