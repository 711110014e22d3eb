"""Text encodings: found on a file's head, and turned into UTF-8, which is what DuckDB reads."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.file_type import unpacked
from rfm_pipeline.source.files import SourceFile

HEAD = 1 << 20
WINDOWS = "cp1252"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x19\x1c-\x1f]")
_SPOKEN = {WINDOWS: "Windows-1252", "iso8859-1": "Latin-1"}


def find_encoding(head: bytes, name: str, *, whole: bool) -> str:
    """The encoding of a text file, by its head.

    Args:
        head: The first bytes, unpacked.
        name: What to call the file in an error.
        whole: Whether the head is the whole file.

    Returns:
        A codec's name. What has no mark, and is plain ASCII up to the first byte that is not UTF-8, is taken
        for Windows-1252, which is what spreadsheets on Windows write.

    Raises:
        SourceError: The file holds no text, or text with a fault in it.
    """
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return codec
    if b"\0" in head:
        return _without_mark(head, name)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError as error:
        if _CONTROLS.search(head):
            raise SourceError(f"{name} is not text.", "a source is CSV, Parquet, JSON or Excel.") from None
        if not head[: error.start].isascii():
            line = head.count(b"\n", 0, error.start) + 1
            raise not_utf8(f"{name}, line {line:,}", head[error.start]) from None
        return WINDOWS
    return "utf-8"


def spoken(codec: str) -> str:
    """A codec's name as people say it.

    >>> spoken("cp1252"), spoken("utf-16")
    ('Windows-1252', 'UTF-16')
    """
    return _SPOKEN.get(codec, codec.upper())


def is_utf8(codec: str) -> bool:
    """Whether DuckDB reads text in this encoding by itself; it knows the mark, too."""
    return codec in {"utf-8", "utf-8-sig", "ascii"}


def not_utf8(where: str, byte: int | None = None) -> SourceError:
    """The error for a byte that can't be.

    Args:
        where: The file and the line.
        byte: The byte, where it is known.
    """
    what = "" if byte is None else f", for it has the byte 0x{byte:02X}"
    return SourceError(
        f"{where}: it is not UTF-8{what}.",
        "mend that line, or say what the file is written in, such as --encoding windows-1252.",
    )


def nul_byte(name: str, line: int | None = None) -> SourceError:
    """The error for a NUL byte, which no text holds."""
    where = "" if line is None else f" in line {line:,}"
    return SourceError(
        f"{name} holds a NUL byte{where}: it is damaged, or not text.",
        "export it again; if it is UTF-16 without a mark, give --encoding utf-16-le.",
    )


def recode(
    file: SourceFile,
    path: Path,
    codec: str,
    target: Path,
    *,
    compression: str | None = None,
    line_ends: bool = False,
) -> None:
    r"""Writes a copy in UTF-8, without a byte order mark, in pieces.

    Args:
        file: The user's file, for errors.
        path: What to read: the file itself, or an earlier copy.
        codec: What it is written in.
        target: Where the copy goes.
        compression: `gzip`, or None.
        line_ends: Whether to end each line with `\n`, wherever it ended with `\r\n` or `\r\r\n`.

    Raises:
        SourceError: The file can't be read, or holds what the encoding does not have.
    """
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        with unpacked(file, path, compression) as source, target.open("wb") as copy:
            held = ""
            for chunk, last in _chunks(source):
                text = held + decoder.decode(chunk, final=last)
                held = ""
                if line_ends:
                    # A carriage return at the end waits for what follows it.
                    kept = text if last else text.rstrip("\r")
                    held = text[len(kept) :]
                    text = re.sub(r"\r+\n", "\n", kept)
                copy.write(text.encode())
    except UnicodeError as error:
        fault = (
            f"the byte 0x{error.object[error.start]:02X} is"
            if isinstance(error, UnicodeDecodeError)
            else "some are"
        )
        raise SourceError(
            f"{file.name} can't be read as {spoken(codec)}: {fault} not in it.",
            "say what the file is written in, such as --encoding windows-1251.",
        ) from None


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    while chunk := stream.read(HEAD):
        yield chunk, False
    yield b"", True


def _without_mark(head: bytes, name: str) -> str:
    """UTF-16 that lacks its mark has a NUL in every other byte, as long as the letters are Latin."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    for codec, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros > 0.5 * half and others < 0.05 * half:
            return codec
    raise nul_byte(name, head.count(b"\n", 0, head.index(0)) + 1)
