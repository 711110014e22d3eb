"""Layout of a sheet: its header row, and the rows that are no records.

Merged cells are read from the XML of a workbook (ECMA-376, part 1, section 18.3.1.55): of a merged range,
only the first cell has a value.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.source.continuation import RowFill, detect_fill
from rfm_pipeline.source.headers import header_notes, names_by_position, unique_column_names
from rfm_pipeline.source.table_layout import (
    MIN_COLUMNS,
    ColumnShapes,
    KeyColumns,
    Row,
    count_footers,
    filled_columns,
    find_header,
    find_key_columns,
    footer_note,
    is_footer,
    title_note,
)
from rfm_pipeline.source.total_rows import TotalRow, find_total_rows, total_row_notes

PREVIEW_ROWS = 1_000
"""First and last rows of a sheet that decide about its layout."""

_ROWS_OF_TITLE = 200
_CHUNK_SIZE = 1 << 20
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s+ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')
_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?r="([A-Z]+)(\d+)"[^>]*>\s*<(?:\w+:)?(?:v|is|f)\b')
_SHEET = re.compile(r"<(?:\w+:)?sheet\s[^>]*>")
_RELATIONSHIP = re.compile(r"<(?:\w+:)?Relationship\s[^>]*>")


class SheetPreview(Struct, frozen=True):
    """First and last rows of a sheet.

    Attributes:
        first: First rows.
        last: Last rows; the same as `first` if these are all rows.
        height: Number of rows.
    """

    first: list[list[str]]
    last: list[list[str]]
    height: int

    @property
    def is_whole(self) -> bool:
        """Whether `first` has all rows of the sheet."""
        return len(self.first) == self.height


class SheetLayout(Struct, frozen=True):
    """Columns and records of a sheet.

    Attributes:
        names: Column names.
        begin: Number of rows above the first record.
        end: Number of rows up to the last record.
        is_certain: Whether the header row is certain.
        keys: Columns of order, customer and date.
        total_rows: Total rows among the records.
        notes: Notes for the user.
    """

    names: tuple[str, ...]
    begin: int
    end: int
    is_certain: bool
    keys: KeyColumns
    total_rows: tuple[TotalRow, ...] = ()
    notes: tuple[str, ...] = ()

    def records(self, preview: SheetPreview) -> list[list[str]]:
        """Return the first records."""
        return [row for row in preview.first[self.begin : self.end] if filled_columns(row)]


def detect_sheet_layout(
    preview: SheetPreview, name: str, options: SourceOptions, configured: Mapping[str, str | None]
) -> SheetLayout:
    """Return the layout of a sheet.

    Args:
        preview: The sheet's rows.
        name: Name of the sheet and its file, in error messages.
        options: Settings of `[read]`.
        configured: Column name by role, as in `[columns]`.

    Raises:
        SourceError: If a column name that a role needs occurs twice.
    """
    skipped, notes, is_certain = options.skip_lines, [], False
    if options.header and not skipped:
        position = find_header(preview.first[:_ROWS_OF_TITLE])
        is_certain = position is not None
        filled = (number for number, row in enumerate(preview.first) if filled_columns(row))
        skipped = next(filled, 0) if position is None else position
        if position:
            notes.append(title_note(preview.first[:position], "rows"))
    header = preview.first[skipped] if skipped < len(preview.first) else []
    header = header or [""] * len(preview.first[0])
    position_name = names_by_position(configured, header) if options.header else None
    has_header = options.header and position_name is None
    cells = header if has_header else [""] * len(header)
    named = unique_column_names(cells, name, configured, may_repeat=True)
    if has_header:
        notes += [*header_notes(header), *named.notes]
    elif position_name:
        notes.append(f"the first row is data, as no column is called {position_name!r}")
    keys = find_key_columns(named.names, configured)
    begin = skipped + int(has_header)
    layout = SheetLayout(named.names, begin, preview.height, is_certain, keys)
    if len(named.names) < MIN_COLUMNS:
        return replace(layout, notes=tuple(notes))
    last = preview.last[begin:] if preview.is_whole else preview.last
    first = layout.records(preview)
    below = last[len(last) - _footer_count(last, first, layout) :]
    if any(map(filled_columns, below)):
        notes.append(footer_note(below, "rows"))
    last = [row for row in last[: len(last) - len(below)] if filled_columns(row)]
    first = last if preview.is_whole else first
    total_rows = {
        cells: None
        for rows, is_end in ((first, preview.is_whole), ([] if preview.is_whole else last, True))
        for cells in find_total_rows(named.names, rows, keys, ends_table=is_end, is_whole=preview.is_whole)
    }
    notes += total_row_notes(total_rows)
    return replace(layout, end=preview.height - len(below), total_rows=tuple(total_rows), notes=tuple(notes))


def _footer_count(rows: Sequence[Row], records: Sequence[Row], layout: SheetLayout) -> int:
    """Return the number of rows below the last record; a row with a single cell is no record."""
    shapes = ColumnShapes(records)

    def is_footer_row(number: int) -> bool | None:
        row = rows[number]
        if find_total_rows(layout.names, [row], layout.keys, ends_table=False, is_whole=False):
            return None
        filled = len(filled_columns(row))
        return filled == 1 or (filled < MIN_COLUMNS and is_footer(row, shapes))

    return count_footers(rows, is_footer_row)


def sheet_fill(
    preview: SheetPreview, layout: SheetLayout, merged: Mapping[int, Mapping[int, int]]
) -> RowFill:
    """Return how the sheet's blank cells are filled, apart from merged cells.

    Args:
        preview: The sheet's rows.
        layout: Its layout.
        merged: Result of `merged_key_cells`.
    """
    first = [list(row) for row in preview.first]
    fill_merged(first, merged)
    records = [row for row in first[layout.begin : layout.end] if filled_columns(row)]
    return detect_fill(records, layout.keys, is_whole=preview.is_whole)


def fill_merged(rows: Sequence[list[str]], merged: Mapping[int, Mapping[int, int]]) -> None:
    """Copy the value of each merged range into its other cells.

    Args:
        rows: First rows of the sheet, or all.
        merged: Result of `merged_key_cells`.
    """
    for number, columns in merged.items():
        if number < len(rows):
            for column, top in columns.items():
                rows[number][column] = rows[top][column]


def merged_key_cells(
    path: Path, sheet: str, preview: SheetPreview, layout: SheetLayout
) -> dict[int, dict[int, int]]:
    """Return the cells of order, customer and date that are merged with a cell above them.

    Args:
        path: Path of the workbook.
        sheet: Name of the sheet.
        preview: The sheet's rows.
        layout: Its layout.

    Returns:
        By number of the row, from 0: the columns, each with the number of the row that has the value. Empty
        if the workbook has no merged cells in these columns, or a format in which they can't be found.
    """
    records = layout.records(preview)
    if not any(not row[column].strip() for row in records for column in layout.keys.positions):
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            ranges, origin = _merged_ranges(archive, _sheet_part(archive, sheet))
    except (zipfile.BadZipFile, KeyError, OSError):
        return {}
    if origin is None:
        return {}
    merged: dict[int, dict[int, int]] = {}
    for first_column, first_row, last_column, last_row in ranges:
        column, top = first_column - origin[0], first_row - origin[1]
        if first_column != last_column or column not in layout.keys.positions or top < layout.begin:
            continue
        for number in range(top + 1, min(last_row - origin[1] + 1, layout.end)):
            if number < len(preview.first) and (
                preview.first[number][column].strip() or not preview.first[top][column].strip()
            ):
                # The positions in the XML are not those of the rows.
                return {}
            merged.setdefault(number, {})[column] = top
    return merged


def _sheet_part(archive: zipfile.ZipFile, sheet: str) -> str:
    """Return the path of a sheet's XML in a workbook; raise KeyError if there is none."""
    book = archive.read("xl/workbook.xml").decode("utf-8", "replace")
    targets = {
        _attribute(tag, "Id"): _attribute(tag, "Target")
        for tag in _RELATIONSHIP.findall(
            archive.read("xl/_rels/workbook.xml.rels").decode("utf-8", "replace")
        )
    }
    for tag in _SHEET.findall(book):
        if _unescaped(_attribute(tag, "name")) == sheet:
            target = targets[_attribute(tag, r"\w+:id")]
            return target.lstrip("/") if target.startswith("/") else str(PurePosixPath("xl") / target)
    raise KeyError(sheet)


def _attribute(tag: str, name: str) -> str:
    match = re.search(rf"""\s{name}=(?:"([^"]*)"|'([^']*)')""", tag)
    return (match[1] or match[2] or "") if match else ""


def _unescaped(text: str) -> str:
    for escape, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(escape, character)
    return text


def _merged_ranges(
    archive: zipfile.ZipFile, part: str
) -> tuple[list[tuple[int, int, int, int]], tuple[int, int] | None]:
    """Return the merged ranges of a sheet (column, row, last column, last row), and its first cell.

    The first cell is the one of the first column and the first row with values in the first megabyte; None if
    there is no value.
    """
    ranges, origin, pending = [], None, b""
    with archive.open(part) as stream:
        while chunk := stream.read(_CHUNK_SIZE):
            text = pending + chunk
            if origin is None and (cells := _CELL.findall(text)):
                origin = min(_column_number(name) for name, _ in cells), min(int(row) for _, row in cells)
            if b"mergeCell" in text:
                for first, top, last, bottom in _MERGED.findall(text):
                    ranges.append((_column_number(first), int(top), _column_number(last), int(bottom)))
            # A tag that continues in the next chunk; what was searched is not searched again.
            pending = text[text.rfind(b"<") :]
    return ranges, origin


def _column_number(name: bytes) -> int:
    number = 0
    for letter in name:
        number = 26 * number + letter - 64
    return number
