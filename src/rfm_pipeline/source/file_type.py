"""What a file really is: its first bytes, which win over its suffix."""

from __future__ import annotations

import gzip
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from msgspec import Struct

from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.file_suffix import Format, format_by_suffix
from rfm_pipeline.source.files import SourceFile, reading

_HEAD = 64 * 1024
# A zstd frame, or a skippable frame, which pzstd writes first (RFC 8878, section 3.1).
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")

# What is not a table of ours, by its first bytes: what to call it, and what to do.
_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
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
_RECORDS = re.compile(rb"\s*(\[\s*[{\]]|\{\s*[\"}])")


class Identity(Struct, frozen=True):
    """What a file is.

    Attributes:
        format: How the table is written.
        compression: `gzip`, `zstd`, or None.
        empty: Whether there is not one byte in it.
    """

    format: Format
    compression: str | None = None
    empty: bool = False


def identify(file: SourceFile) -> Identity:
    """Looks at the first bytes of a file.

    Raises:
        SourceError: It is something that holds no table, or none that can be read.
    """
    head = read_head(file, _HEAD)
    named = format_by_suffix(file.path.name)
    if not head:
        return Identity(named or Format.CSV, empty=True)
    compression = "gzip" if head.startswith(b"\x1f\x8b") else "zstd" if _ZSTD.match(head) else None
    if compression:
        with unpacked(file, file.path, compression) as stream:
            inside = stream.read(_HEAD)
        return Identity(_text_format(inside, named, file, packed=compression), compression, empty=not inside)
    if head.startswith(b"PAR1"):
        return Identity(Format.PARQUET)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _workbook_in_zip(file)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return Identity(Format.EXCEL)
    return Identity(_text_format(head, named, file))


def identify_all(files: Sequence[SourceFile]) -> tuple[list[tuple[SourceFile, Identity]], list[str]]:
    """Identifies files that are to be read as one table.

    Returns:
        The files that hold something, with what they are; and notes for a person.

    Raises:
        SourceError: They have two formats, or nothing is in them.
    """
    identities = [(file, identify(file)) for file in files]
    filled = [(file, identity) for file, identity in identities if not identity.empty]
    if not filled:
        raise SourceError(
            f"{files[0].name} is empty." if len(files) == 1 else f"All {len(files)} files are empty.",
            "look at how it was exported: not even column names are there.",
        )
    first, identity = filled[0]
    for other, another in filled:
        if another.format is not identity.format:
            raise SourceError(
                f"A source has one format, but {first.name} is {identity.format},"
                f" and {other.name} is {another.format}.",
                f"give the files of one format, such as '{first.path.parent / ('*' + first.path.suffix)}'.",
            )
    notes = []
    if empty := [file.name for file, identity in identities if identity.empty]:
        notes.append(
            f"nothing is in {', '.join(empty[:3])}" + (f" and {len(empty) - 3} more" if empty[3:] else "")
        )
    for file, identity in filled:
        named = format_by_suffix(file.path.name)
        if named is not None and named is not identity.format:
            notes.append(f"{file.path.name} is {identity.format}, whatever its name says")
    return filled, notes


def read_head(file: SourceFile, size: int) -> bytes:
    """The first bytes of a file.

    Raises:
        SourceError: It can't be read.
    """
    with reading(file.name), file.path.open("rb") as stream:
        return stream.read(size)


@contextmanager
def unpacked(file: SourceFile, path: Path, compression: str | None) -> Iterator[BinaryIO]:
    """Opens a text file for reading, unpacking gzip or zstd on the way.

    Args:
        file: The user's file, for errors.
        path: What to open: the file itself, or a copy.
        compression: `gzip`, `zstd`, or None.

    Raises:
        SourceError: It is damaged, or ends too early. DuckDB checks neither the checksum of a gzip file nor
            the end of a zstd file.
    """
    with reading(file.name), path.open("rb") as stream, _decompressed(stream, compression, file.name) as text:
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
            raise damaged(name) from None
    else:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        try:
            with zstd.open(stream) as text:
                yield cast("BinaryIO", text)
        except EOFError:
            raise damaged(name) from None
        except zstd.ZstdError as error:
            if not re.search(r"too much memory|[Dd]ictionary", str(error)):
                raise damaged(name) from None
            raise SourceError(
                f"{name} is compressed with a dictionary, or with a window of more than 128 MiB.",
                "unpack it first.",
            ) from None


def compression_argument(path: Path, compression: str | None) -> list[str]:
    """What DuckDB's text readers must be told about compression: nothing, where the suffix says it."""
    by_suffix = {".gz": "gzip", ".zst": "zstd"}.get(path.suffix.lower())
    return [] if by_suffix == compression else [f"compression = '{compression or 'none'}'"]


def damaged(name: str) -> SourceError:
    """The error for a file that ends too early, or whose bytes make no sense."""
    return SourceError(f"{name} is damaged or incomplete.", "download or export it again.")


def _text_format(head: bytes, named: Format | None, file: SourceFile, packed: str | None = None) -> Format:
    if head[8:12] == b"DUCK":
        raise SourceError(
            f"{file.name} is a DuckDB database.", f"name a table in it: duckdb:{file.name}#table."
        )
    for magic, what, hint in _FOREIGN:
        if head.startswith(magic):
            raise SourceError(f"{file.name} is {what}.", hint)
    if packed and head.startswith((b"PAR1", b"PK\x03\x04", b"\x1f\x8b")):
        raise SourceError(
            f"{file.name} is compressed with {packed} around a format that is compressed itself.",
            "unpack it first.",
        )
    text = _as_ascii(head)
    if _MARKUP.match(text):
        raise SourceError(
            f"{file.name} is a web page or XML, not a table.",
            "a download that needs a login often gives one; or open it in a spreadsheet and save it as CSV.",
        )
    opening = text.lstrip()[:1]
    if _RECORDS.match(text) or (named is Format.JSON and opening in (b"[", b"{")):
        return Format.JSON
    return Format.CSV


def _as_ascii(head: bytes) -> bytes:
    """The head without its byte order mark, and without the other byte of UTF-16."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[2:].replace(b"\0", b"")
    return head.removeprefix(b"\xef\xbb\xbf")


def _workbook_in_zip(file: SourceFile) -> Identity:
    try:
        with reading(file.name), zipfile.ZipFile(file.path) as archive:
            members = set(archive.namelist())
    except zipfile.BadZipFile:
        raise damaged(file.name) from None
    if any(member.startswith("xl/") for member in members) or {"content.xml", "mimetype"} <= members:
        return Identity(Format.EXCEL)
    tables = sorted(member for member in members if format_by_suffix(Path(member).name))
    inside = f" with {', '.join(tables[:3])} in it" if tables else ""
    raise SourceError(f"{file.name} is a ZIP archive{inside}.", "unpack it first.")
