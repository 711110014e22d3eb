"""Several files of a source: which of them have equal content, and which file each row comes from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from rfm_pipeline.common.schema import Schema
from rfm_pipeline.common.source_files import SourceFiles
from rfm_pipeline.source.base import FileRead
from rfm_pipeline.source.file_suffix import FileFormat
from rfm_pipeline.source.file_type import FileType, open_decompressed
from rfm_pipeline.source.files import SourceFile, translate_os_errors
from rfm_pipeline.source.packed import pack_files

_TypedFile = tuple[SourceFile, FileType]
_HEAD_SIZE = 1 << 16
_BLOCK_SIZE = 1 << 20
# The last four bytes of a gzip file are the size of its content, modulo 4 GiB (RFC 1952).
_GZIP_MIN_SIZE, _GZIP_SIZE_BYTES = 18, 4


def number_files(
    files: Sequence[_TypedFile], reads: Sequence[FileRead], schema: Schema, temp_dir: Path
) -> tuple[str, str | None, SourceFiles]:
    """Number the files of a source, and find those of equal content.

    Args:
        files: The files with their types, in the order of their names.
        reads: The calls that read them.
        schema: Columns of the files.
        temp_dir: Directory for copies.

    Returns:
        The relation: SQL text that can follow FROM, of all rows, each with the number of its file; the same
        rows from copies that are faster to scan, or None; and the files.

    Raises:
        SourceError: If a file can't be read.
    """
    numbers = {file: number for number, (file, _) in enumerate(files, start=1)}
    equal_to = {numbers[copy]: numbers[first] for copy, first in find_duplicate_files(files).items()}
    names = {name.path[0].casefold() for name in schema}
    column = next(name for name in ("rfm_file" + "_" * n for n in count()) if name not in names)
    relation = numbered_relation(reads, numbers, names, column)
    others, packed = pack_files(reads, numbers, column, temp_dir)
    packed_relation = numbered_relation(others, numbers, names, column, packed) if packed else None
    return relation, packed_relation, SourceFiles(column, tuple(file.name for file, _ in files), equal_to)


def find_duplicate_files(files: Sequence[_TypedFile]) -> Mapping[SourceFile, SourceFile]:
    """Return the files whose content is that of an earlier file, each with the first file of that content.

    Files of equal size are compared by their first bytes, and only files that are equal so far by a hash of
    their whole content. The content of a gzip file is its text, so a file equals its compressed copy.
    CSV files that are a header row alone are no duplicates: they have no line that could count twice.

    Args:
        files: Files with their types, in the order of their names.

    Raises:
        SourceError: If a file can't be read.
    """
    groups: Iterable[Sequence[_TypedFile]] = [files]
    for key in (_content_size, _head, _content_hash):
        groups = [equal for group in groups for equal in _equal_files(group, key)]
    return {file: group[0][0] for group in groups if not _is_header_row(group[0]) for file, _ in group[1:]}


def numbered_relation(
    reads: Sequence[FileRead],
    numbers: Mapping[SourceFile, int],
    names: Collection[str],
    column: str,
    numbered: Iterable[str] = (),
) -> str:
    """Return the relation of the rows of some reads, with the number of each row's file.

    Args:
        reads: Calls that read files.
        numbers: Number of each file.
        names: Names of the files' columns in lower case.
        column: Name of the column with the number.
        numbered: Further relations, which have the column.
    """
    if "file_index" in names:
        # A column of that name hides DuckDB's virtual column, the position of a row's file in the call.
        reads = [
            replace(read, paths=(path,), files=(file,))
            for read in reads
            for path, file in zip(read.paths, read.files, strict=True)
        ]
    selects = [
        f"SELECT *, {_number([numbers[file] for file in read.files])} AS {column} FROM {read.relation()}"
        for read in reads
    ]
    selects += [f"SELECT * FROM {relation}" for relation in numbered]
    return f"({' UNION ALL BY NAME '.join(selects)})"


def _number(numbers: Sequence[int]) -> str:
    """Return the number of a row's file as SQL, given the numbers of the files of a call."""
    first = numbers[0]
    if len(numbers) == 1:
        return str(first)
    if list(numbers) == list(range(first, first + len(numbers))):
        return f"CAST(file_index + {first} AS INTEGER)"
    return f"{list(numbers)}[CAST(file_index AS BIGINT) + 1]"


def _equal_files(files: Sequence[_TypedFile], key: Callable[[_TypedFile], Any]) -> list[list[_TypedFile]]:
    """Return the groups of two files and more that have the same key, in the order of their first files."""
    groups: dict[Any, list[_TypedFile]] = {}
    for file in files:
        groups.setdefault(key(file), []).append(file)
    return [group for group in groups.values() if group[1:]]


def _content_size(typed: _TypedFile) -> tuple[int, str | None, tuple[str, ...]]:
    """Return the size of the content in bytes, modulo 4 GiB, and what else equal files have in common."""
    file, file_type = typed
    # Spark's directories such as `day=1` and `day=2` are a column: equal files in them have other rows.
    is_parquet = file_type.format is FileFormat.PARQUET
    partition = tuple(part for part in file.path.parent.parts if is_parquet and "=" in part)
    if file_type.content is not None:
        return len(file_type.content), None, partition
    with translate_os_errors(file.name), file.path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if file_type.compression == "gzip" and size >= _GZIP_MIN_SIZE:
            stream.seek(-_GZIP_SIZE_BYTES, os.SEEK_END)
            return int.from_bytes(stream.read(_GZIP_SIZE_BYTES), "little"), None, partition
    # Zstd files are compared as they are: few of them state the size of their content.
    return size % (1 << 32), file_type.compression, partition


def _head(typed: _TypedFile) -> bytes:
    file, file_type = typed
    if file_type.content is not None:
        return file_type.content[:_HEAD_SIZE]
    with open_decompressed(file, file.path, file_type.compression) as stream:
        return stream.read(_HEAD_SIZE)


def _content_hash(typed: _TypedFile) -> bytes:
    file, file_type = typed
    if file_type.content is not None:
        return hashlib.blake2b(file_type.content).digest()
    content = hashlib.blake2b()
    with open_decompressed(file, file.path, file_type.compression) as stream:
        while block := stream.read(_BLOCK_SIZE):
            content.update(block)
    return content.digest()


def _is_header_row(typed: _TypedFile) -> bool:
    """Return whether a file is CSV of at most one line."""
    head = _head(typed)
    return typed[1].format is FileFormat.CSV and len(head) < _HEAD_SIZE and b"\n" not in head.strip()
