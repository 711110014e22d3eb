"""Streams that can be read once, copied to the scratch folder: standard input, and named pipes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Thread
from typing import IO

from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.errors import SourceError, UsageError
from rfm_pipeline.source.files import SourceFile, reading
from rfm_pipeline.source.temp_files import temp_path

STDIN = "standard input"


def spool_stdin(scratch: Path) -> SourceFile:
    """Copies standard input to the scratch folder.

    Raises:
        UsageError: It is a terminal, or closed.
        SourceError: Nothing comes.
    """
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        raise UsageError(
            "`-` reads a table from standard input, and nothing is piped into it.",
            "for example: rfm run - < orders.csv",
        )
    target = temp_path(scratch, "stdin", "")
    stream = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    with reading(STDIN):
        _copy(lambda: nullcontext(stream), target)
    if not target.stat().st_size:
        raise SourceError("Standard input is empty.", "look at the command before the pipe.")
    return SourceFile(target, STDIN)


def spool_pipe(file: SourceFile, scratch: Path) -> SourceFile:
    """Copies what is no regular file, such as a shell's `<(command)`, to the scratch folder.

    Raises:
        SourceError: It can't be read.
    """
    target = temp_path(scratch, "pipe", "")
    with reading(file.name):
        _copy(lambda: file.path.open("rb", buffering=0), target)
    return SourceFile(target, file.name)


def _copy(opened: Callable[[], AbstractContextManager[IO[bytes]]], target: Path) -> None:
    """Copies a stream, of which nobody knows when it will come, if at all.

    The main thread waits. A signal that comes just before it opened or read the stream itself would be seen
    only after that.
    """
    failures: list[Exception] = []
    with target.open("wb") as written:

        def copy() -> None:
            try:
                with opened() as stream:
                    shutil.copyfileobj(stream, written, 1 << 20)
            except Exception as failure:  # noqa: BLE001 - raised again where it can be told
                failures.append(failure)

        # Nobody waits for it at the end of a run that was stopped.
        copying = Thread(target=copy, daemon=True)
        copying.start()
        while copying.is_alive():
            copying.join(0.1)
            raise_if_cancelled()
    if failures:
        raise failures[0]
