"""Lines of a CSV file that are no records, and copies of the file in which records are whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.source.continuation import FillCounts, RowFill, detect_fill, fill_rows
from rfm_pipeline.source.csv.dialect import CsvDialect, csv_arguments, read_records
from rfm_pipeline.source.csv.prescan import PrescanResult
from rfm_pipeline.source.errors import width_error
from rfm_pipeline.source.file_type import open_decompressed
from rfm_pipeline.source.files import SourceFile
from rfm_pipeline.source.table_layout import (
    MIN_COLUMNS,
    ColumnShapes,
    KeyColumns,
    count_footers,
    filled_columns,
    find_key_columns,
    footer_note,
    is_footer,
)
from rfm_pipeline.source.total_rows import TotalRow, find_total_rows, total_row_notes

_MAX_RECORDS = 1_000
_CHUNK_SIZE = 1 << 20
_LONGEST_VALUE = 1 << 24


class CsvLayout(Struct, frozen=True):
    """What is between and below the records of a CSV file.

    Attributes:
        total_rows: Total rows of the header's width, which stay in the table.
        end: Offset in bytes of the first line below the records, which are cut off; None without such lines.
        fill: How blank cells are filled.
        notes: Notes for the user.
    """

    total_rows: tuple[TotalRow, ...] = ()
    end: int | None = None
    fill: RowFill = RowFill()
    notes: tuple[str, ...] = ()


def detect_layout(
    head: str, dialect: CsvDialect, properties: PrescanResult, configured: Mapping[str, str | None]
) -> CsvLayout:
    """Return the layout of a CSV file, by its first and its last lines.

    Args:
        head: First characters, as for `detect_dialect`.
        dialect: Dialect of the file.
        properties: Result of the prescan.
        configured: Column name by role, as in `[columns]`.
    """
    if len(dialect.column_names) < MIN_COLUMNS:
        return CsvLayout()
    keys = find_key_columns(dialect.column_names, configured)
    first = _head_records(head, dialect)
    is_whole = properties.size <= len(properties.tail) and len(first) < _MAX_RECORDS
    last = _tail_records(properties, dialect)
    ends_with_line_end = properties.last_line_end == properties.size
    rows = [row for _, row in last]
    end = len(rows) - _footer_count(rows, first, dialect, ends_with_line_end=ends_with_line_end)
    below = rows[end:]
    inner = [row for row in rows[:end] if row]
    first = inner if is_whole else first
    total_rows = _total_rows(first, inner, dialect, keys, is_whole=is_whole)
    notes = [footer_note(below)] if any(map(filled_columns, below)) else []
    notes += total_row_notes(total_rows)
    fill = detect_fill(first[:_MAX_RECORDS], keys, is_whole=is_whole)
    return CsvLayout(total_rows, last[end][0] if below else None, fill, tuple(notes))


def _head_records(head: str, dialect: CsvDialect) -> list[list[str]]:
    lines = io.StringIO(head, newline="").readlines()[dialect.skip_lines :]
    records: list[list[str]] = []
    try:
        for _, record in read_records("".join(lines), dialect):
            if record:
                records.append(record)
            if len(records) > _MAX_RECORDS:
                break
    except csv.Error:
        pass
    return records[int(dialect.has_header) :]


def _tail_records(properties: PrescanResult, dialect: CsvDialect) -> list[tuple[int, list[str]]]:
    """Return the last records with the offset of each in the file; empty if their limits are uncertain."""
    is_whole = properties.size <= len(properties.tail)
    if not is_whole and properties.quoted_line_breaks:
        return []
    start = properties.size - len(properties.tail)
    lines = properties.tail.splitlines(keepends=True)
    if not is_whole:
        start += len(lines[0])
        lines = lines[1:]
    offsets = [start]
    for content in lines:
        offsets.append(offsets[-1] + len(content))
    text = b"".join(lines).decode("utf-8", errors="replace").removeprefix("\ufeff")
    records, line = [], 0
    try:
        for line_end, record in read_records(text, dialect):
            if line_end >= len(offsets):
                return []
            records.append((offsets[line], record))
            line = line_end
    except csv.Error:
        return []
    if not is_whole:
        return records
    above = sum(offset < _offset_of_line(offsets, dialect.skip_lines) for offset, _ in records)
    return records[above + int(dialect.has_header) :]


def _offset_of_line(offsets: list[int], number: int) -> int:
    return offsets[min(number, len(offsets) - 1)]


def _footer_count(
    rows: list[list[str]], first: list[list[str]], dialect: CsvDialect, *, ends_with_line_end: bool
) -> int:
    """Return the number of lines below the last record: short lines, and what is between them."""
    width = len(dialect.column_names)
    shapes: ColumnShapes | None = None

    def is_footer_row(number: int) -> bool | None:
        nonlocal shapes
        row = rows[number]
        if len(row) >= width:
            return None if _is_total(row, dialect) else False
        shapes = shapes or ColumnShapes(record for record in first if len(record) == width)
        may_be_cut = number == len(rows) - 1 and not ends_with_line_end
        return is_footer(row, shapes, may_be_cut=may_be_cut)

    return count_footers(rows, is_footer_row)


def _is_total(row: list[str], dialect: CsvDialect) -> bool:
    keys = find_key_columns(dialect.column_names, {})
    return bool(find_total_rows(dialect.column_names, [row], keys, ends_table=False, is_whole=False))


def _total_rows(
    first: list[list[str]], last: list[list[str]], dialect: CsvDialect, keys: KeyColumns, *, is_whole: bool
) -> tuple[TotalRow, ...]:
    width = len(dialect.column_names)
    found: dict[TotalRow, None] = {}
    for rows, is_end in ((first, is_whole), ([] if is_whole else last, True)):
        records = [row for row in rows if len(row) == width]
        found |= dict.fromkeys(
            find_total_rows(dialect.column_names, records, keys, ends_table=is_end, is_whole=is_whole)
        )
    return tuple(found)


def cut_file(file: SourceFile, path: Path, compression: str | None, end: int, target: Path) -> None:
    """Write a decompressed copy of the first `end` bytes of a file.

    Args:
        file: The user's file, named in errors.
        path: Path to read: the file itself, or an earlier copy.
        compression: Compression of `path`.
        end: Number of bytes.
        target: Path of the copy.

    Raises:
        SourceError: If the file can't be read.
    """
    with open_decompressed(file, path, compression) as stream, target.open("wb") as copy:
        while end and (chunk := stream.read(min(end, _CHUNK_SIZE))):
            copy.write(chunk)
            end -= len(chunk)


def write_filled(
    file: SourceFile, path: Path, compression: str | None, target: Path, *, dialect: CsvDialect, fill: RowFill
) -> FillCounts:
    """Write a copy with a header row, without group headings and with blank cells filled.

    Args:
        file: The user's file, named in errors.
        path: Path to read: the file itself, or an earlier copy.
        compression: Compression of `path`.
        target: Path of the copy.
        dialect: Dialect of `path`. The copy has its delimiter, and doubled quotes.
        fill: What to fill.

    Raises:
        SourceError: If the file can't be read, or a line has another number of values than the header.
    """
    counts = FillCounts()
    limit = csv.field_size_limit(_LONGEST_VALUE)
    try:
        with (
            open_decompressed(file, path, compression) as stream,
            io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text,
            target.open("w", encoding="utf-8", newline="") as copy,
        ):
            writer = csv.writer(copy, delimiter=dialect.delimiter, quotechar='"', lineterminator="\n")
            if dialect.has_header:
                writer.writerow(dialect.column_names)
            for number, row in enumerate(fill_rows(_records(text, file, dialect, fill), fill)):
                if not number % 100_000:
                    raise_if_cancelled()
                counts.add(row)
                if row.cells is not None:
                    writer.writerow(row.cells)
    finally:
        csv.field_size_limit(limit)
    return counts


def _records(
    text: io.TextIOWrapper, file: SourceFile, dialect: CsvDialect, fill: RowFill
) -> Iterator[list[str]]:
    for _ in range(dialect.skip_lines):
        text.readline()
    reader = csv.reader(text, **csv_arguments(dialect.delimiter, dialect.quote, dialect.escape))
    width, is_header = len(dialect.column_names), dialect.has_header
    for record in reader:
        if not record:
            continue
        if is_header:
            is_header = False
            continue
        if len(record) != width and not fill.is_heading(record):
            line = dialect.skip_lines + reader.line_num
            raise width_error(f"{file.name}, line {line:,}", len(record), width)
        yield record
