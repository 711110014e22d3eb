"""Identity of files: whether two paths lead to one file, through links, hard links and the case of names."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress
from pathlib import Path


def file_key(path: Path | str) -> tuple[object, ...]:
    """Return a value that two paths have in common exactly if they lead to the same file.

    It is the file's device and inode; of a file that does not exist, those of its folder, and its name, in
    lower case where the folder does not tell cases apart.

    Args:
        path: Path of a file or a folder, which need not exist.
    """
    with suppress(OSError):
        return _inode(path)
    folder, name = os.path.split(os.path.realpath(path))
    if _folds_case(folder):
        name = unicodedata.normalize("NFC", name).casefold()
    with suppress(OSError):
        return (*_inode(folder), name)
    return (folder, name)


def is_same_file(first: Path | str, second: Path | str) -> bool:
    """Return whether two paths lead to the same file, which need not exist."""
    return file_key(first) == file_key(second)


def _inode(path: Path | str) -> tuple[object, ...]:
    """Return what identifies an existing file; links are followed."""
    about = os.stat(path)  # noqa: PTH116 - called for each file of a source
    # Some file systems of Windows number no files.
    return (about.st_dev, about.st_ino) if about.st_ino else (os.path.normcase(os.path.realpath(path)),)


def _folds_case(folder: str) -> bool:
    """Return whether a folder has one file for names that differ in case only.

    A name in it is looked up in the other case; in a folder without any, the folder above is asked.
    """
    names: set[str] = set()
    with suppress(OSError):
        names.update(os.listdir(folder))  # noqa: PTH208 - names, not paths
    for name in names:
        if name.swapcase() != name:
            return name.swapcase() not in names and os.path.lexists(os.path.join(folder, name.swapcase()))  # noqa: PTH118
    above = os.path.dirname(folder)  # noqa: PTH120
    return above != folder and _folds_case(above)
