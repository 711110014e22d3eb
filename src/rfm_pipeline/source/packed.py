"""Many small CSV files packed into one copy, whose lines state the number of their file.

DuckDB 2.0 takes 0.4 ms to open a CSV file, each time that it scans the source. The records of files whose
layout is known from their header row are lines without quotes, all with as many values as the header row:
a copy of these lines, each with the number of its file behind it, is the same table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from rfm_pipeline.common.duckdb_quoting import columns_literal, text_literal
from rfm_pipeline.source.base import FileRead, PlainLines
from rfm_pipeline.source.files import SourceFile
from rfm_pipeline.source.temp_files import temp_path

_FEWEST_FILES = 100
"""Fewest files of one call that are packed."""


def pack_files(
    reads: Sequence[FileRead], numbers: Mapping[SourceFile, int], column: str, temp_dir: Path
) -> tuple[list[FileRead], list[str]]:
    """Pack the files of plain lines, if they are many.

    Args:
        reads: Calls that read the files of a source.
        numbers: Number of each file.
        column: Column with the number of each row's file, which no file has.
        temp_dir: Directory for the copies.

    Returns:
        The calls that read the other files; and the relations of the copies, with the column.
    """
    others, packed = [], []
    for read in reads:
        plain = [file for file in read.files if file in read.plain_lines]
        if len(plain) < _FEWEST_FILES:
            others.append(read)
            continue
        packed.append(_pack(read.plain_lines, plain, numbers, column, temp_dir))
        rest = [
            (path, file)
            for path, file in zip(read.paths, read.files, strict=True)
            if file not in read.plain_lines
        ]
        if rest:
            others.append(
                replace(read, paths=tuple(path for path, _ in rest), files=tuple(file for _, file in rest))
            )
    return others, packed


def _pack(
    lines: Mapping[SourceFile, PlainLines],
    files: Sequence[SourceFile],
    numbers: Mapping[SourceFile, int],
    column: str,
    temp_dir: Path,
) -> str:
    """Write the lines of some files, which have the same columns; return the relation of the copy."""
    first = lines[files[0]]
    path = temp_path(temp_dir, "packed", ".csv")
    with path.open("wb") as copy:
        for file in files:
            line_end = f"{first.delimiter}{numbers[file]}\n".encode()
            copy.write(lines[file].text.replace(b"\n", line_end))
    columns = columns_literal([*((name, "VARCHAR") for name in first.columns), (column, "INTEGER")])
    arguments = (
        "auto_detect = false",
        "header = false",
        f"delim = {text_literal(first.delimiter)}",
        "quote = '\"'",
        "escape = '\"'",
        f"columns = {columns}",
    )
    return FileRead("read_csv", (path,), (files[0],), arguments).relation()
