"""Standard input and named pipes, spooled to the temporary directory because they can be read only once."""

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
from rfm_pipeline.source.files import SourceFile, translate_os_errors
from rfm_pipeline.source.temp_files import temp_path

STDIN_LABEL = "standard input"


def spool_stdin(temp_dir: Path) -> SourceFile:
    """Copy standard input to the temporary directory.

    Raises:
        UsageError: If standard input is a terminal or closed.
        SourceError: If standard input is empty.
    """
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        raise UsageError(
            "`-` reads a table from standard input, and nothing is piped into it.",
            "for example: rfm run - < orders.csv",
        )
    target = temp_path(temp_dir, "stdin", "")
    stream = getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
    with translate_os_errors(STDIN_LABEL):
        _copy(lambda: nullcontext(stream), target)
    if not target.stat().st_size:
        raise SourceError("Standard input is empty.", "look at the command before the pipe.")
    return SourceFile(target, STDIN_LABEL)


def spool_pipe(file: SourceFile, temp_dir: Path) -> SourceFile:
    """Copy a file that is not a regular file, such as a shell's `<(command)`, to the temporary directory.

    Raises:
        SourceError: If the file can't be read, or is a device, which may never end.
    """
    target = temp_path(temp_dir, "pipe", "")
    with translate_os_errors(file.name):
        if file.path.is_char_device() or file.path.is_block_device():
            raise SourceError(
                f"{file.name} is a device, not a file.", "name a file, or pipe one into `rfm run -`."
            )
        _copy(lambda: file.path.open("rb", buffering=0), target)
    return SourceFile(target, file.name)


def _copy(open_stream: Callable[[], AbstractContextManager[IO[bytes]]], target: Path) -> None:
    """Copy a stream that may block indefinitely, in a daemon thread so that signals are handled promptly.

    If the main thread opened or read the stream, a signal that arrives just before the blocking call would be
    handled only after that call returns.
    """
    errors: list[Exception] = []
    with target.open("wb") as output:

        def copy() -> None:
            try:
                with open_stream() as stream:
                    shutil.copyfileobj(stream, output, 1 << 20)
            except Exception as error:  # noqa: BLE001 - raised again in the main thread
                errors.append(error)

        # As a daemon, a blocked thread does not delay the exit of a cancelled run.
        thread = Thread(target=copy, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.1)
            raise_if_cancelled()
    if errors:
        raise errors[0]
