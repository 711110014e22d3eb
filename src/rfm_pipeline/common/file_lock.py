"""Files and folders that one process holds. Who dies holds nothing: the operating system sees to it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    # Beyond what is written into it, so that others can read who holds it.
    _FAR = 1 << 30

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """A lock on a file, which is made where there is none, and removed with the lock.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, about: str = "") -> bool:
        """Takes the lock; False where another process holds it.

        Args:
            about: What is written into the file, for others to read.

        Raises:
            OSError: The file can't be made or written.
        """
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                _lock(descriptor)
            except (BlockingIOError, PermissionError):
                os.close(descriptor)
                return False
            except BaseException:
                os.close(descriptor)
                raise
            # The one that held it may have removed it between the two: then this is a file without a name.
            if self._is_there(descriptor):
                break
            os.close(descriptor)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, about.encode())
        self._descriptor = descriptor
        return True

    def about(self) -> str:
        """What its holder wrote into it; empty where that can't be read."""
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def release(self) -> None:
        """Removes the file, and with it the lock."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = None
        if sys.platform == "win32":
            # There, an open file can't be removed.
            with suppress(OSError):
                self._path.unlink()

    def _is_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except OSError:
            return False


class LockedTempDir:
    """A folder for what is written on the way, gone at the end; where that never came, with the next one.

    A lock in it says that somebody is at work. Whoever makes one removes those beside it that nobody holds.

    Args:
        root: Where it is made; None is the system's folder for temporary files.
        prefix: What its name begins with, as the names of those beside it do.

    Raises:
        OSError: No folder can be made there.
    """

    def __init__(self, root: Path | None, prefix: str) -> None:
        self.path, self._lock = _held_folder(root, prefix)
        _sweep(self.path.parent, prefix)

    def cleanup(self) -> None:
        """Removes it, with what is in it."""
        _remove(self.path, self._lock)


_LOCK = "lock"
# As long as what `tempfile` puts behind a prefix.
_ANY = "?" * 8


def _held_folder(root: Path | None, prefix: str) -> tuple[Path, FileLock]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
        lock = FileLock(path / _LOCK)
        # Another one that sweeps may come between the two.
        with suppress(FileNotFoundError):
            if lock.acquire():
                return path, lock


def _remove(folder: Path, lock: FileLock) -> None:
    """Removes a folder whose lock is ours: whoever is killed on the way leaves it with its lock, or empty."""
    with suppress(OSError):
        for inside in folder.iterdir():
            if inside.is_dir() and not inside.is_symlink():
                shutil.rmtree(inside, ignore_errors=True)
            elif inside.name != _LOCK:
                with suppress(OSError):
                    inside.unlink()
    lock.release()
    with suppress(OSError):
        folder.rmdir()


def _sweep(root: Path, prefix: str) -> None:
    with suppress(OSError):
        for folder in root.glob(f"{prefix}{_ANY}/"):
            lock = FileLock(folder / _LOCK)
            if not (folder / _LOCK).exists():
                # Not ours to empty; of ours, it has nothing in it.
                with suppress(OSError):
                    folder.rmdir()
            elif lock.acquire():
                _remove(folder, lock)
