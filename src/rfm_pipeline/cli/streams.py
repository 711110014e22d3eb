"""The standard streams: text on stderr, which is safe to show, and streams that are closed or full."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from rfm_pipeline.common.customer_mask import mask_addresses
from rfm_pipeline.common.untrusted_text import replace_unprintable

_LABEL_STYLES = {"error": "1;31", "warning": "1;33", "hint": "36", "note": "36", "next": "32"}
_DEFAULT_WIDTH = 80
# Words, and commands in backticks, which are copied and so never broken over lines.
_WORD = re.compile(r"[^\s`]*(?:`[^`]*`[^\s`]*)+|\S+")


def open_missing_streams() -> None:
    """Open the null device for each standard stream that is closed.

    A file that is opened later, such as the destination, would otherwise get the number of the stream, and
    whatever is written to the stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The file gets the lowest free number, which is that of the stream.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def use_utf8() -> None:
    """Write UTF-8 whatever the locale is; undecodable bytes in a file name are escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


class StdoutError(Exception):
    """Standard output can't be written, for example because the disk is full."""


class Stdout:
    """Standard output whose failures are told from those of other files.

    A closed pipe stays a BrokenPipeError: its reader has what it wanted.

    Args:
        stream: The stream that is written to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text; raise StdoutError if it can't be written."""
        with _stdout_errors():
            return self._stream.write(text)

    def flush(self) -> None:
        """Write what is buffered; raise StdoutError if it can't be written."""
        with _stdout_errors():
            self._stream.flush()


@contextmanager
def _stdout_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        from rfm_pipeline.common.formatting import lower_first

        raise StdoutError(lower_first(error.strerror or str(error))) from error


def discard_stdout() -> None:
    """Redirect stdout to the null device, so that flushing it at exit does not fail again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_message(text: str, end: str = "\n") -> None:
    """Print text on stderr: without control characters but line breaks, and addresses only on a terminal.

    A stderr that is closed or full must not change the outcome of the command.
    """
    with suppress(OSError, ValueError):
        _write(text, end)


def print_labelled(label: str, text: str) -> None:
    """Print a sentence on stderr behind a label: wrapped on a terminal, and coloured if it shows colours.

    Args:
        label: `error`, `hint`, `warning`, `note` or `next`.
        text: The sentence.
    """
    with suppress(OSError, ValueError):
        if not sys.stderr.isatty():
            _write(f"{label}: {text}", "\n")
            return
        indent = " " * (len(label) + 2)
        lines = _wrap(replace_unprintable(text, keep="\n"), _stderr_width() - len(indent))
        shows_colours = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        shown = f"\x1b[{_LABEL_STYLES[label]}m{label}:\x1b[0m" if shows_colours else f"{label}:"
        sys.stderr.write(f"{shown} " + f"\n{indent}".join(lines) + "\n")
        sys.stderr.flush()


def _write(text: str, end: str) -> None:
    shown = text if sys.stderr.isatty() else mask_addresses(text)
    sys.stderr.write(f"{replace_unprintable(shown, keep=chr(10))}{end}")
    sys.stderr.flush()


def _stderr_width() -> int:
    """Return the columns of the terminal on stderr; `COLUMNS` takes precedence, as for all output."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    with suppress(OSError, ValueError):
        return os.get_terminal_size(sys.stderr.fileno()).columns or _DEFAULT_WIDTH
    return _DEFAULT_WIDTH


def _wrap(text: str, width: int) -> list[str]:
    """Return the lines of a text, each at most `width` columns wide unless it is a single word."""
    from rich.cells import cell_len

    lines = [""]
    for word in _WORD.findall(text):
        line = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and cell_len(line) > width:
            lines.append(word)
        else:
            lines[-1] = line
    return lines


def shows_customers() -> bool:
    """Return whether values of customers may be printed: stdout is a terminal."""
    return sys.stdout.isatty()


def printable(text: str) -> str:
    """Return text for stdout: exact for another program, and without control characters on a terminal."""
    return replace_unprintable(text, keep="\n\t") if sys.stdout.isatty() else text
