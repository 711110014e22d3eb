"""Atomic file writes: the content goes to a temporary file, which then replaces the target in one step."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from rfm_pipeline.common.file_lock import LockedTempDir

DRAFT_PREFIX = ".rfm-"
"""First part of the names of the hidden directories."""


class AtomicFile:
    """A file that is written in a hidden directory beside its target, and then moved over the target.

    The directory of a process that died is removed when another `AtomicFile` is created in the same
    directory.

    Attributes:
        path: File to write to; it has the target's name.

    Args:
        target: Path of the finished file.

    Raises:
        OSError: If the temporary directory can't be created.
    """

    def __init__(self, target: Path) -> None:
        # On the target's file system, so that the move is a rename.
        self._directory = LockedTempDir(target.absolute().parent, DRAFT_PREFIX)
        self._target = target
        self.path = self._directory.path / target.name

    def move(self) -> None:
        """Rename the file to its target, replacing an existing one.

        Raises:
            OSError: If the file can't be renamed.
        """
        self.path.replace(self._target)

    def cleanup(self) -> None:
        """Remove the temporary directory, with the file if it was not moved."""
        self._directory.cleanup()


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in one step, and keep the mode of an existing one; a link is replaced, not followed.

    Raises:
        OSError: If the file can't be written.
    """
    draft = AtomicFile(path)
    try:
        draft.path.write_bytes(content)
        with suppress(FileNotFoundError):
            shutil.copymode(path, draft.path)
        draft.move()
    finally:
        draft.cleanup()
