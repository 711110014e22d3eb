"""A file that is written beside its place, and moved there once it is whole and wanted."""

from __future__ import annotations

from pathlib import Path

from rfm_pipeline.common.file_lock import LockedTempDir


class AtomicFile:
    """A draft of a file, in a hidden folder of its own beside the place; a dead run's goes with the next one.

    Attributes:
        path: Where it is written, with the name that the file is to have.

    Args:
        place: Where the file is to be.

    Raises:
        OSError: Nothing can be written there.
    """

    def __init__(self, place: Path) -> None:
        # On the same disk, for moving it to be one step.
        self._folder = LockedTempDir(place.absolute().parent, ".rfm-")
        self._place = place
        self.path = self._folder.path / place.name

    def move(self) -> None:
        """Moves it to its place, in the place of what was there.

        Raises:
            OSError: It can't be moved.
        """
        self.path.replace(self._place)

    def cleanup(self) -> None:
        """Removes what was not moved."""
        self._folder.cleanup()
