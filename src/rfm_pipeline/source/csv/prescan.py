r"""One pass over a whole text file, before DuckDB reads it.

DuckDB splits a CSV file into chunks and parses them in parallel. If a quoted value contains a line break, a
chunk can start inside the value, and DuckDB 2.0 then fails; with line ends such as `\r\r\n` it repeats rows
without an error. Without this pass, invalid UTF-8 and changing line ends are noticed only during the scan.
Measured per gigabyte: 0.3 s without quotes and carriage returns, 1 s with `\r\n`, 2 s with every value in
quotes, 2 to 3 s for gzip; DuckDB's scan takes 2 to 5 s.
"""

from __future__ import annotations

import codecs
import os
from functools import cache
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

# Half of a CPU's second-level cache: measured twice as fast as chunks of 4 MB.
_CHUNK_SIZE = 1 << 18
TAIL_SIZE = 1 << 16
"""Number of last bytes that the prescan returns."""
LONGEST_LINE = 2_000_000
"""Longest line in bytes that DuckDB reads; a last line of 32 MB or more is lost without an error."""


class PrescanResult(Struct):
    """Properties of a text file that decide how DuckDB reads it.

    Attributes:
        invalid_at: Offset of the first byte that is not UTF-8, or None; the scan stops there.
        nul_at: Offset of the first NUL byte, or None; the scan stops there.
        long_line_at: Offset of the first line over `LONGEST_LINE` bytes, or None; the scan stops there.
        ascii_before: Whether everything before `invalid_at` is ASCII.
        quoted_line_breaks: Whether a quoted value may contain a line break. An odd number of quotes inside an
            unquoted value can make it True without need, but never False where it must be True.
        line_ends: Kinds of line end outside of quoted values.
        size: Number of bytes.
        last_line_end: Offset behind the last line break, also of one inside a quoted value; 0 without any.
        tail: Last bytes of the text.
    """

    invalid_at: int | None = None
    nul_at: int | None = None
    long_line_at: int | None = None
    ascii_before: bool = True
    quoted_line_breaks: bool = False
    line_ends: frozenset[bytes] = frozenset()
    size: int = 0
    last_line_end: int = 0
    tail: bytes = b""

    @property
    def mixed_line_ends(self) -> bool:
        """Whether the file has more than one kind of line end, which DuckDB does not read."""
        return len(self.line_ends) > 1


def prescan(stream: BinaryIO, quote: str) -> PrescanResult:
    """Read a file to its end, or to the first invalid byte.

    Args:
        stream: Decompressed content, expected to be UTF-8.
        quote: Quote character; empty if values are never quoted.
    """
    result = PrescanResult()
    decoder = codecs.getincrementaldecoder("utf-8")()
    line_breaks = _LineBreaks(quote.encode())
    offset = 0
    previous = b""
    while chunk := stream.read(_CHUNK_SIZE):
        if b"\0" in chunk:
            result.nul_at = offset + chunk.index(b"\0")
            return result
        if not _is_utf8(decoder, chunk, result, offset):
            return result
        if _has_long_line(chunk, offset - result.last_line_end):
            result.long_line_at = result.last_line_end
            return result
        line_breaks.feed(chunk)
        if line_end := max(chunk.rfind(b"\n"), chunk.rfind(b"\r")) + 1:
            result.last_line_end = offset + line_end
        offset += len(chunk)
        result.tail, previous = previous, chunk
    if not _is_utf8(decoder, b"", result, offset, final=True):
        return result
    result.size, result.tail = offset, (result.tail + previous)[-TAIL_SIZE:]
    result.quoted_line_breaks, result.line_ends = line_breaks.quoted, line_breaks.finish()
    return result


def _has_long_line(chunk: bytes, line_size: int) -> bool:
    """Return whether the line that continues in a chunk is too long, given its size before the chunk."""
    if line_size + len(chunk) <= LONGEST_LINE:
        return False
    line_ends = [position for position in (chunk.find(b"\n"), chunk.find(b"\r")) if position >= 0]
    return line_size + min(line_ends, default=len(chunk)) > LONGEST_LINE


def find_long_last_line(path: Path) -> int | None:
    """Return the number of the last line of a file, from 1, if it is over `LONGEST_LINE` bytes; else None."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - LONGEST_LINE - 2))
        last = stream.read().rstrip(b"\r\n")
        if len(last) <= LONGEST_LINE or b"\n" in last or b"\r" in last:
            return None
        stream.seek(0)
        return locate_byte(stream, size - 3)[0]


def locate_byte(stream: BinaryIO, offset: int) -> tuple[int, int]:
    """Return the number of the line (from 1) that contains the byte at `offset`, and the byte's value."""
    line = 1
    while offset > 0 and (chunk := stream.read(min(_CHUNK_SIZE, offset))):
        line += chunk.count(b"\n")
        offset -= len(chunk)
    return line, stream.read(1)[0]


def _is_utf8(
    decoder: codecs.IncrementalDecoder,
    chunk: bytes,
    result: PrescanResult,
    offset: int,
    *,
    final: bool = False,
) -> bool:
    """Return whether the chunk at `offset` is UTF-8; set `invalid_at` and `ascii_before` of `result`."""
    pending = len(decoder.getstate()[0])
    if not final and not pending and chunk.isascii():
        return True
    try:
        is_ascii = decoder.decode(chunk, final).isascii()
    except UnicodeDecodeError as error:
        result.invalid_at = offset - pending + error.start
        result.ascii_before = result.ascii_before and error.object[: error.start].isascii()
        return False
    result.ascii_before = result.ascii_before and is_ascii
    return True


@cache
def _other_bytes(quote: bytes) -> bytes:
    """Return all bytes that are neither a quote nor part of a line end."""
    return bytes(byte for byte in range(256) if byte not in quote + b"\r\n")


class _LineBreaks:
    """Incremental detection of line breaks inside and outside of quoted values.

    Only the quotes and line breaks of a chunk are kept. Two adjacent quotes then cancel out: they open and
    close (or close and open) a value with no line break between them. The remaining quotes open and close
    values in turn.
    """

    def __init__(self, quote: bytes) -> None:
        self.quoted = False
        self._quote = quote
        self._is_inside = False
        self._pending_return = False
        self._has_lf = self._has_cr = self._has_crlf = False
        self._other_bytes = _other_bytes(quote)

    def feed(self, chunk: bytes) -> None:
        has_quotes = self._is_inside or bool(self._quote and self._quote in chunk)
        if not has_quotes and b"\r" not in chunk and not self._pending_return:
            self._has_lf = self._has_lf or b"\n" in chunk
            return
        marks = chunk.translate(None, self._other_bytes)
        if has_quotes:
            marks = self._outside_quotes(marks)
        self._count(marks)

    def finish(self) -> frozenset[bytes]:
        """Return the kinds of line end outside of quotes."""
        self._count(b"", last=True)
        seen = {b"\n": self._has_lf, b"\r": self._has_cr, b"\r\n": self._has_crlf}
        return frozenset(kind for kind, is_seen in seen.items() if is_seen)

    def _outside_quotes(self, marks: bytes) -> bytes:
        parts = marks.replace(self._quote * 2, b"").split(self._quote)
        first = int(self._is_inside)
        inside = parts[1 - first :: 2]
        self.quoted = self.quoted or any(inside)
        self._is_inside = bool((len(parts) - 1 + first) % 2)
        return b"".join(parts[first::2])

    def _count(self, line_breaks: bytes, *, last: bool = False) -> None:
        if self._pending_return:
            line_breaks = b"\r" + line_breaks
        self._pending_return = not last and line_breaks.endswith(b"\r")
        if self._pending_return:
            line_breaks = line_breaks[:-1]
        crlf = line_breaks.count(b"\r\n")
        self._has_crlf = self._has_crlf or crlf > 0
        self._has_lf = self._has_lf or line_breaks.count(b"\n") > crlf
        self._has_cr = self._has_cr or line_breaks.count(b"\r") > crlf
