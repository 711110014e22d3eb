"""Advisory file locks (flock, msvcrt), and temporary directories that are locked while they are in use.

The operating system releases a lock when its process ends. The library `filelock` was considered: on Unix it
leaves the lock file behind and keeps no note in it, while this lock removes its file and stores a note that
names the holder.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    # Windows denies others to read a locked byte; this one lies behind the note.
    _LOCKED_BYTE = 1 << 30

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


# Windows has no such flag; creating a link there takes a privilege.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


class FileLock:
    """Exclusive lock on a file, which is created to acquire the lock and removed to release it.

    Args:
        path: The lock file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, note: str = "") -> bool:
        """Acquire the lock without waiting.

        Args:
            note: Text that is written into the file, for `read_note` of other processes.

        Returns:
            True if the lock was acquired; False if another process holds it.

        Raises:
            OSError: If the file can't be created or written; with `errno.ELOOP` if a link is in its place.
        """
        while True:
            descriptor = self._open()
            try:
                _lock(descriptor)
            except (BlockingIOError, PermissionError):
                os.close(descriptor)
                return False
            except BaseException:
                os.close(descriptor)
                raise
            # The previous holder may have removed the file between the open and the lock. The lock would then
            # be on a file without a name, which no other process can find.
            if self._is_at_path(descriptor):
                break
            os.close(descriptor)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, note.encode())
        self._descriptor = descriptor
        return True

    def read_note(self) -> str:
        """Return the note of the lock's holder; an empty string if it can't be read."""
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def release(self) -> None:
        """Remove the file and release the lock; do nothing if the lock is not held."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            self._path.unlink()
        os.close(self._descriptor)
        self._descriptor = None
        if sys.platform == "win32":
            # Windows does not remove an open file, so the attempt above failed.
            with suppress(OSError):
                self._path.unlink()

    def _open(self) -> int:
        """Open the file, and create it if it is missing; follow no link that somebody put in its place."""
        not_a_lock_file = OSError(errno.ELOOP, f"{self._path} is a link to another file")
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o644)
        except OSError as error:
            raise not_a_lock_file if error.errno == errno.ELOOP else error from None
        about = os.fstat(descriptor)
        # Zero names: the holder removed the file after it was opened, which `_is_at_path` finds.
        if not stat.S_ISREG(about.st_mode) or about.st_nlink > 1:
            os.close(descriptor)
            raise not_a_lock_file
        return descriptor

    def _is_at_path(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.lstat())
        except OSError:
            return False


class LockedTempDir:
    """Temporary directory with a lock file that marks it as in use.

    Creating one also removes orphans: directories of the same prefix beside it that no process has locked.

    Attributes:
        path: The directory.

    Args:
        root: Parent directory; None for the system's directory of temporary files.
        prefix: First part of the directory's name.

    Raises:
        OSError: If the directory can't be created.
    """

    def __init__(self, root: Path | None, prefix: str) -> None:
        self.path, self._lock = _create_locked(root, prefix)
        remove_orphaned_directories(self.path.parent, prefix)

    def cleanup(self) -> None:
        """Remove the directory with its contents."""
        _remove(self.path, self._lock)


_LOCK_NAME = "lock"
# `tempfile.mkdtemp` appends eight characters to the prefix.
_RANDOM_SUFFIX_PATTERN = "?" * 8


def _create_locked(root: Path | None, prefix: str) -> tuple[Path, FileLock]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
        lock = FileLock(path / _LOCK_NAME)
        # Another process may remove the new directory as an orphan before it is locked.
        with suppress(FileNotFoundError):
            if lock.acquire():
                return path, lock


def _remove(directory: Path, lock: FileLock) -> None:
    """Remove a directory whose `lock` this process holds.

    The lock file is removed last, so that a directory left by a killed process has a lock file or is empty.
    """
    with suppress(OSError):
        for entry in directory.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != _LOCK_NAME:
                with suppress(OSError):
                    entry.unlink()
    lock.release()
    with suppress(OSError):
        directory.rmdir()


def remove_orphaned_directories(root: Path, prefix: str) -> None:
    """Remove what killed processes of this user left: each `LockedTempDir` of a prefix that is not locked."""
    with suppress(OSError):
        for directory in root.glob(f"{prefix}{_RANDOM_SUFFIX_PATTERN}/"):
            with suppress(OSError):
                _remove_orphan(directory)


def _remove_orphan(directory: Path) -> None:
    """Remove a directory that no process has locked; leave links and directories of other users alone."""
    about = directory.lstat()
    if not stat.S_ISDIR(about.st_mode) or (sys.platform != "win32" and about.st_uid != os.geteuid()):
        return
    lock = FileLock(directory / _LOCK_NAME)
    if not (directory / _LOCK_NAME).exists():
        # Either an orphan whose lock file is already gone, which is empty, or a directory of another
        # program, which `rmdir` leaves alone unless it is empty.
        directory.rmdir()
    elif lock.acquire():
        _remove(directory, lock)
