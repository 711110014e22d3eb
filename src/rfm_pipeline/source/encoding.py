"""Detection of text encodings, and conversion to UTF-8, which DuckDB reads.

Weighed: charset-normalizer and chardet. Both name a wrong code page if few letters are not ASCII: in trials,
`€ 5` in Windows-1252 became cp1125 with charset-normalizer 3.5 and cp862 with chardet 7.7.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.file_type import open_decompressed
from rfm_pipeline.source.files import SourceFile

HEAD_SIZE = 1 << 20
WINDOWS_1252 = "cp1252"
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x19\x1c-\x1f]")
_LABELS = {WINDOWS_1252: "Windows-1252", "iso8859-1": "Latin-1"}


def detect_encoding(head: bytes, name: str, *, whole: bool) -> str:
    """Return the encoding of a text file by its first bytes.

    Args:
        head: First bytes, decompressed.
        name: Name of the file in error messages.
        whole: Whether `head` is the whole file.

    Returns:
        Name of a Python codec. Text without a byte order mark that is ASCII up to its first byte that is not
        UTF-8 is taken for Windows-1252, which spreadsheets on Windows write.

    Raises:
        SourceError: If the file is not text, or is UTF-8 with an invalid byte.
    """
    for mark, codec in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return codec
    if b"\0" in head:
        return _utf16_without_mark(head, name)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=whole)
    except UnicodeDecodeError as error:
        if _CONTROLS.search(head):
            raise SourceError(f"{name} is not text.", "a source is CSV, Parquet, JSON or Excel.") from None
        if not head[: error.start].isascii():
            line = head.count(b"\n", 0, error.start) + 1
            raise not_utf8_error(f"{name}, line {line:,}", head[error.start]) from None
        return WINDOWS_1252
    return "utf-8"


def encoding_label(codec: str) -> str:
    """Return the usual name of an encoding.

    >>> encoding_label("cp1252"), encoding_label("utf-16")
    ('Windows-1252', 'UTF-16')
    """
    return _LABELS.get(codec, codec.upper())


def is_utf8(codec: str) -> bool:
    """Return whether DuckDB's CSV reader reads this encoding, with or without a byte order mark."""
    return codec in {"utf-8", "utf-8-sig", "ascii"}


def not_utf8_error(where: str, byte: int | None = None) -> SourceError:
    """Return the error for a byte that is not UTF-8.

    Args:
        where: File and line.
        byte: Value of the byte; None if unknown.
    """
    what = "" if byte is None else f" (byte 0x{byte:02X})"
    return SourceError(
        f"{where}: it is not UTF-8{what}.",
        "correct that line, or name the file's encoding, such as --encoding windows-1252.",
    )


def nul_byte_error(name: str, line: int | None = None) -> SourceError:
    """Return the error for a NUL byte, which does not occur in text."""
    where = "" if line is None else f" in line {line:,}"
    return SourceError(
        f"{name} holds a NUL byte{where}: it is damaged, or not text.",
        "export it again; if it is UTF-16 without a byte order mark, give --encoding utf-16-le.",
    )


def convert_to_utf8(
    file: SourceFile,
    path: Path,
    codec: str,
    target: Path,
    *,
    compression: str | None = None,
    normalize_line_ends: bool = False,
) -> None:
    r"""Write a decompressed copy in UTF-8 without a byte order mark, in constant memory.

    Args:
        file: The user's file, named in errors.
        path: Path to read: the file itself, or an earlier copy.
        codec: Encoding of `path`.
        target: Path of the copy.
        compression: Compression of `path`: `gzip`, `zstd`, or None.
        normalize_line_ends: Whether to replace the line ends `\r\n` and `\r\r\n` by `\n`.

    Raises:
        SourceError: If the file can't be read, or its content is not valid in the encoding.
    """
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        with open_decompressed(file, path, compression) as source, target.open("wb") as copy:
            pending = ""
            for chunk, is_last in _chunks(source):
                text = pending + decoder.decode(chunk, final=is_last)
                pending = ""
                if normalize_line_ends:
                    # Trailing carriage returns are kept for the next chunk, which may start with a line feed.
                    complete = text if is_last else text.rstrip("\r")
                    pending = text[len(complete) :]
                    text = re.sub(r"\r+\n", "\n", complete)
                copy.write(text.encode())
    except UnicodeError as error:
        fault = (
            f"the byte 0x{error.object[error.start]:02X} is not valid"
            if isinstance(error, UnicodeDecodeError)
            else "some bytes are not valid"
        )
        raise SourceError(
            f"{file.name} can't be read as {encoding_label(codec)}: {fault} in this encoding.",
            "name the file's encoding, such as --encoding windows-1251.",
        ) from None


def _chunks(stream: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Yield the stream in chunks, and last an empty chunk with True."""
    while chunk := stream.read(HEAD_SIZE):
        yield chunk, False
    yield b"", True


def _utf16_without_mark(head: bytes, name: str) -> str:
    """Return the byte order of UTF-16 that has no mark: in Latin text, every other byte is NUL."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    for codec, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros > 0.5 * half and others < 0.05 * half:
            return codec
    raise nul_byte_error(name, head.count(b"\n", 0, head.index(0)) + 1)
