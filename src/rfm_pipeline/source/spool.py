"""Streams that can be read once, copied to the scratch folder: standard input, and named pipes."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from rfm_pipeline.errors import SourceError, UsageError
from rfm_pipeline.source.files import SourceFile, reading
from rfm_pipeline.source.scratch import scratch_path

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
    target = scratch_path(scratch, "stdin", "")
    with reading(STDIN), target.open("wb") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy, 1 << 20)
    if not target.stat().st_size:
        raise SourceError("Standard input is empty.", "look at the command before the pipe.")
    return SourceFile(target, STDIN)


def spool_pipe(file: SourceFile, scratch: Path) -> SourceFile:
    """Copies what is no regular file, such as a shell's `<(command)`, to the scratch folder.

    Raises:
        SourceError: It can't be read.
    """
    target = scratch_path(scratch, "pipe", "")
    with reading(file.name), file.path.open("rb") as stream, target.open("wb") as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
    return SourceFile(target, file.name)
