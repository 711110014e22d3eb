"""File format and compression by the first bytes of a file, which take precedence over its suffix.

Weighed: puremagic and filetype. Neither identifies CSV, Parquet or DuckDB files; puremagic takes UTF-16 text
for `.ini` and a ZIP archive of CSV files for `.docx`.
"""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.file_suffix import FileFormat, format_by_suffix
from rfm_pipeline.source.files import SourceFile, translate_os_errors

_HEAD_SIZE = 64 * 1024
# A source of many small files opens each of them once in place of five times.
_MAX_KEPT_CONTENT = 64 * 1024 * 1024
# A zstd frame, or a skippable frame, which pzstd writes first (RFC 8878, section 3.1).
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")

# First bytes of formats that are not read, their description, and a hint.
_UNSUPPORTED: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "a PDF", "export the table as CSV or Excel."),
    (b"BZh", "compressed with bzip2", "unpack it first."),
    (b"\xfd7zXZ", "compressed with xz", "unpack it first."),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first."),
    (b"Rar!", "a RAR archive", "unpack it first."),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV."),
    (b"ARROW1", "an Arrow file", "save the table as Parquet."),
    (b"ORC", "an ORC file", "save the table as Parquet."),
    (b"Obj\x01", "an Avro file", "save the table as Parquet."),
)
_MARKUP = re.compile(rb"\s*<(!doctype html|html|head|body|table|\?xml)", re.IGNORECASE)
_JSON_OBJECTS = re.compile(rb"\s*(\[\s*[{\]]|\{\s*[\"}])")


class FileType(Struct, frozen=True):
    """Format and compression of a file.

    Attributes:
        format: Format of the table, after decompression.
        compression: `gzip`, `zstd`, or None.
        is_empty: Whether the file, or its decompressed content, has no bytes.
        content: All bytes of a small file of text that is not compressed; None if they were not kept.
    """

    format: FileFormat
    compression: str | None = None
    is_empty: bool = False
    content: bytes | None = None


def detect_file_type(file: SourceFile) -> FileType:
    """Return the type of a file by its first bytes.

    Raises:
        SourceError: If the file is damaged or has a format that can't be read.
    """
    head = read_head(file, _HEAD_SIZE)
    suffix_format = format_by_suffix(file.path.name)
    if not head:
        return FileType(suffix_format or FileFormat.CSV, is_empty=True)
    compression = "gzip" if head.startswith(b"\x1f\x8b") else "zstd" if _ZSTD.match(head) else None
    if compression:
        with open_decompressed(file, file.path, compression) as stream:
            text = stream.read(_HEAD_SIZE)
        format_ = _text_format(text, suffix_format, file, compression)
        return FileType(format_, compression, is_empty=not text)
    if head.startswith(b"PAR1"):
        return FileType(FileFormat.PARQUET)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _workbook_in_zip(file)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return FileType(FileFormat.EXCEL)
    content = head if len(head) < _HEAD_SIZE else None
    return FileType(_text_format(head, suffix_format, file), content=content)


def detect_file_types(
    files: Sequence[SourceFile],
) -> tuple[list[tuple[SourceFile, FileType]], list[str]]:
    """Return the types of files that are to be read as one table.

    Returns:
        The files that are not empty, with their types; and notes for the user.

    Raises:
        SourceError: If the files have different formats, or all of them are empty.
    """
    detected, kept_bytes = list[tuple[SourceFile, FileType]](), 0
    for file in files:
        file_type = detect_file_type(file)
        kept_bytes += len(file_type.content or b"")
        detected.append(
            (file, file_type if kept_bytes <= _MAX_KEPT_CONTENT else replace(file_type, content=None))
        )
    non_empty = [(file, file_type) for file, file_type in detected if not file_type.is_empty]
    if not non_empty:
        raise SourceError(
            f"{files[0].name} is empty." if len(files) == 1 else f"All {len(files)} files are empty.",
            "look at how it was exported: even column names are missing.",
        )
    first, first_type = non_empty[0]
    for other, other_type in non_empty:
        if other_type.format is not first_type.format:
            raise SourceError(
                f"All files of a source must have the same format, but {first.name} is {first_type.format},"
                f" and {other.name} is {other_type.format}.",
                f"give the files of one format, such as '{first.path.parent / ('*' + first.path.suffix)}'.",
            )
    notes = []
    if empty := [file.name for file, file_type in detected if file_type.is_empty]:
        notes.append(f"empty: {', '.join(empty[:3])}" + (f" and {len(empty) - 3} more" if empty[3:] else ""))
    for file, file_type in non_empty:
        suffix_format = format_by_suffix(file.path.name)
        if suffix_format is not None and suffix_format is not file_type.format:
            notes.append(f"{file.path.name} is {file_type.format}, despite its suffix")
    return non_empty, notes


def read_head(file: SourceFile, size: int) -> bytes:
    """Return the first `size` bytes of a file, or all if it is shorter.

    Raises:
        SourceError: If the file can't be read.
    """
    with translate_os_errors(file.name), file.path.open("rb") as stream:
        return stream.read(size)


@contextmanager
def open_decompressed(file: SourceFile, path: Path, compression: str | None) -> Iterator[BinaryIO]:
    """Open a text file for reading, and decompress it while it is read.

    Args:
        file: The user's file, named in errors.
        path: Path to open: the file itself, or a copy.
        compression: `gzip`, `zstd`, or None.

    Raises:
        SourceError: If the file can't be read, is damaged or truncated. Reading to the end validates the
            file: DuckDB itself ignores the checksum of gzip files and the truncation of zstd files.
    """
    with (
        translate_os_errors(file.name),
        path.open("rb") as stream,
        _decompressed(stream, compression, file.name) as text,
    ):
        yield text


@contextmanager
def _decompressed(stream: BinaryIO, compression: str | None, name: str) -> Iterator[BinaryIO]:
    if compression is None:
        yield stream
    elif compression == "gzip":
        try:
            with gzip.open(stream) as text:
                yield cast("BinaryIO", text)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise damaged_file_error(name) from None
    else:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        try:
            with zstd.open(stream) as text:
                yield cast("BinaryIO", text)
        except EOFError:
            raise damaged_file_error(name) from None
        except zstd.ZstdError as error:
            if not re.search(r"too much memory|[Dd]ictionary", str(error)):
                raise damaged_file_error(name) from None
            raise SourceError(
                f"{name} is compressed with a dictionary, or with a window of more than 128 MiB.",
                "unpack it first.",
            ) from None


def compression_argument(path: Path, compression: str | None) -> list[str]:
    """Return the compression argument of DuckDB's text readers; empty if the suffix implies it."""
    by_suffix = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix.lower())
    return [] if by_suffix == compression else [f"compression = '{compression or 'none'}'"]


def damaged_file_error(name: str) -> SourceError:
    """Return the error for a truncated or corrupt file."""
    return SourceError(f"{name} is damaged or incomplete.", "download or export it again.")


def _text_format(
    head: bytes, suffix_format: FileFormat | None, file: SourceFile, compression: str | None = None
) -> FileFormat:
    """Return CSV or JSON for the first bytes of a text; raise SourceError for anything else."""
    if head[8:12] == b"DUCK":
        raise SourceError(
            f"{file.name} is a DuckDB database.", f"name a table in it: duckdb:{file.name}#table."
        )
    for magic, what, hint in _UNSUPPORTED:
        if head.startswith(magic):
            raise SourceError(f"{file.name} is {what}.", hint)
    if compression and head.startswith((b"PAR1", b"PK\x03\x04", b"\x1f\x8b")):
        raise SourceError(
            f"{file.name} is compressed with {compression}, and its content is compressed itself.",
            "unpack it first.",
        )
    text = _as_ascii(head)
    if _MARKUP.match(text):
        raise SourceError(
            f"{file.name} is a web page or XML, not a table.",
            "a download that needs a login often gives one; or open it in a spreadsheet and save it as CSV.",
        )
    first_character = text.lstrip()[:1]
    if _JSON_OBJECTS.match(text) or (suffix_format is FileFormat.JSON and first_character in (b"[", b"{")):
        return FileFormat.JSON
    return FileFormat.CSV


def _as_ascii(head: bytes) -> bytes:
    """Return the head without its byte order mark; of UTF-16, only one byte of each character."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[2:].replace(b"\0", b"")
    return head.removeprefix(b"\xef\xbb\xbf")


def _workbook_in_zip(file: SourceFile) -> FileType:
    import zipfile

    try:
        with translate_os_errors(file.name), zipfile.ZipFile(file.path) as archive:
            members = set(archive.namelist())
    except zipfile.BadZipFile:
        raise damaged_file_error(file.name) from None
    if any(member.startswith("xl/") for member in members) or {"content.xml", "mimetype"} <= members:
        return FileType(FileFormat.EXCEL)
    tables = sorted(member for member in members if format_by_suffix(Path(member).name))
    content = f" with {', '.join(tables[:3])} in it" if tables else ""
    raise SourceError(f"{file.name} is a ZIP archive{content}.", "unpack it first.")
