"""Lease of a destination in a DuckDB file: a locked file beside it, found from every name of the destination.

The lease belongs to the file that symbolic links lead to, and to the table's name without regard to case. If
the file has several names (hard links), the file itself is locked as well.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rfm_pipeline.common.file_lock import FileLock
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import LockedError, WarehouseError
from rfm_pipeline.warehouse.duckdb.errors import UNCHANGED
from rfm_pipeline.warehouse.duckdb.siblings import lease_path


@contextmanager
def hold_lease(file: Path, table: str, label: str, run_id: str) -> Iterator[None]:
    """Hold the lease of a destination, which only one run at a time can hold.

    Args:
        file: The database file, which is no link; it need not exist.
        table: The destination's table.
        label: Label of the destination, for messages.
        run_id: Id of the run.

    Raises:
        LockedError: If another run holds it.
        WarehouseError: If the lease file can't be created, or a link is in its place.
    """
    lock = FileLock(lease_path(file, table))
    holder = {
        "run_id": run_id,
        "process": os.getpid(),
        "host": platform.node(),
        "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
    }
    try:
        is_acquired = lock.acquire(json.dumps(holder))
    except OSError as error:
        hint = f"check the disk's free space and the permissions; {UNCHANGED}"
        if error.errno == errno.ELOOP:
            hint = f"find out who made it, and delete it; {UNCHANGED}"
        raise WarehouseError(
            f"The lease of {label} can't be taken: {lower_first(error.strerror or str(error))}.", hint
        ) from None
    if not is_acquired:
        raise lease_held_error(label, lock.read_note())
    try:
        with _locked_under_other_names(file, label):
            yield
    finally:
        lock.release()


@contextmanager
def _locked_under_other_names(file: Path, label: str) -> Iterator[None]:
    """Lock a file that has several names, so that a run that was given another of them finds it locked.

    Raises:
        LockedError: If such a run has locked it.
    """
    try:
        descriptor = _lock_linked_file(file)
    except BlockingIOError:
        raise LockedError(
            f"{label} is held by another run, which was given another name of the same file.",
            f"wait for it to end, or stop it; {UNCHANGED}",
        ) from None
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


if sys.platform == "linux":
    import fcntl

    def _lock_linked_file(file: Path) -> int | None:
        """Lock a file that has several names; return its descriptor, or None if it has one name or none.

        Raises:
            BlockingIOError: If another process has locked it.
        """
        descriptor = None
        try:
            if file.stat().st_nlink > 1:
                descriptor = os.open(file, os.O_RDONLY)
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if descriptor is not None:
                os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise
            # The file does not exist yet, or its file system has no such locks.
            return None
        return descriptor

else:

    def _lock_linked_file(file: Path) -> int | None:  # noqa: ARG001 - this lock would exclude DuckDB's own
        """Lock nothing: the check in the publish's transaction keeps such runs apart."""
        return None


def lease_held_error(label: str, note: str) -> LockedError:
    """Return the error for a destination whose lease another run holds.

    Args:
        label: Label of the destination.
        note: JSON note of the lock's holder, or any other text.
    """
    try:
        holder = json.loads(note)
        run = (
            f"the run {holder['run_id']} (process {holder['process']} on {holder['host']},"
            f" since {holder['since']})"
        )
    except (ValueError, KeyError, TypeError):
        run = "another run"
    return LockedError(f"{label} is held by {run}.", f"wait for it to end, or stop it; {UNCHANGED}")
