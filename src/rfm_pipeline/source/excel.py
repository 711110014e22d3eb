"""Workbooks of Excel and other spreadsheets, read with fastexcel (the `excel` extra).

Cells are read as text, as from a CSV file: whole numbers without `.0`, dates in ISO format. fastexcel passes
a sheet to DuckDB through the Arrow C stream interface, without pyarrow, and DuckDB writes it to Parquet in
the temporary directory, so that the cells leave memory and every cursor of the connection can scan them.
Measured on UCI's Online Retail, 541,909 lines on two sheets (25 MB): 7 s, of which parsing takes 4 s, and
0.5 GB of memory.
"""

from __future__ import annotations

import csv
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
from msgspec import Struct

from rfm_pipeline.common.duckdb_engine import connect_in_memory
from rfm_pipeline.common.duckdb_quoting import columns_literal, identifier, paths_literal
from rfm_pipeline.common.installation import extra_hint
from rfm_pipeline.config.column_mapping import normalize_name
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.errors import SourceError, UsageError
from rfm_pipeline.source.base import UNION_BY_NAME, FileRead, Scan
from rfm_pipeline.source.continuation import FillCounts, RowFill, fill_rows
from rfm_pipeline.source.files import SourceFile, translate_os_errors
from rfm_pipeline.source.headers import unite_headers
from rfm_pipeline.source.sheet_layout import (
    PREVIEW_ROWS,
    SheetLayout,
    SheetPreview,
    detect_sheet_layout,
    fill_merged,
    merged_key_cells,
    sheet_fill,
)
from rfm_pipeline.source.table_layout import filled_columns, has_order_columns
from rfm_pipeline.source.temp_files import temp_path
from rfm_pipeline.source.total_rows import TotalRow


def scan_excel(
    files: Sequence[SourceFile],
    options: SourceOptions,
    connection: duckdb.DuckDBPyConnection,
    temp_dir: Path,
    configured: Mapping[str, str | None] | None = None,
) -> Scan:
    """Copy sheets to Parquet files: the configured sheet, or those whose columns have known names.

    Args:
        files: Workbooks.
        options: Settings of `[read]`.
        connection: Connection that reads the copies.
        temp_dir: Directory for copies.
        configured: Column name by role, as in `[columns]`.

    Raises:
        SourceError: If a workbook can't be read, does not have the configured sheet, or has several tables
            that may be the orders.
        UsageError: If fastexcel is not installed.
    """
    tables: list[_Table] = []
    notes: dict[str, None] = {}
    for file in files:
        workbook = _Workbook(file, options, temp_dir, configured or {})
        tables += workbook.choose()
        notes |= dict.fromkeys(workbook.notes)
    united = unite_headers([table.names for table in tables], configured)
    notes |= dict.fromkeys(united.notes)
    total_rows: dict[TotalRow, None] = {}
    for table, names in zip(tables, united.headers, strict=True):
        table.rename(names, connection)
        total_rows |= dict.fromkeys(table.total_rows)
    copies = {str(table.path): table.file.name for table in tables}
    arguments = [*([UNION_BY_NAME] if len(copies) > 1 else []), "hive_partitioning = false"]
    sources = tuple(table.file for table in tables)
    read = FileRead("read_parquet", tuple(map(Path, copies)), sources, tuple(arguments))
    return Scan(
        read.relation(),
        tuple(notes),
        copies,
        rows=sum(table.rows for table in tables),
        reads=(read,),
        total_rows=tuple(total_rows),
    )


class _Table(Struct):
    """A sheet, copied to a Parquet file.

    Attributes:
        file: The workbook.
        sheet: Name of the sheet.
        path: Path of the copy.
        names: Column names.
        rows: Number of records.
        is_certain: Whether its header row is certain.
        is_candidate: Whether it has columns for customer, date and amount.
        notes: Notes for the user.
        total_rows: Total rows among the records.
    """

    file: SourceFile
    sheet: str
    path: Path
    names: tuple[str, ...]
    rows: int
    is_certain: bool
    is_candidate: bool
    notes: list[str]
    total_rows: tuple[TotalRow, ...]

    @property
    def columns(self) -> list[str]:
        """The names for comparison, sorted."""
        return sorted(normalize_name(name) or name for name in self.names)

    def rename(self, names: tuple[str, ...], connection: duckdb.DuckDBPyConnection) -> None:
        """Give the columns other names, in the copy too."""
        if names == self.names:
            return
        new_names = dict(zip(self.names, names, strict=True))
        selected = ", ".join(f"{identifier(old)} AS {identifier(new)}" for old, new in new_names.items())
        target = temp_path(self.path.parent, self.file.path.name, ".parquet")
        copy = connection.sql(f"SELECT {selected} FROM read_parquet({paths_literal([self.path])})")
        copy.write_parquet(str(target))
        self.path.unlink()
        self.path, self.names = target, names
        self.total_rows = tuple(
            tuple((new_names[column], text) for column, text in cells) for cells in self.total_rows
        )


class _Workbook:
    """Sheets of a workbook; `notes` is complete after `choose()`."""

    def __init__(
        self,
        file: SourceFile,
        options: SourceOptions,
        temp_dir: Path,
        configured: Mapping[str, str | None],
    ) -> None:
        self.notes: list[str] = []
        # Of its own, because the run's connection does not keep the order of rows.
        self._connection = connect_in_memory()
        self._file = file
        self._options = options
        self._temp_dir = temp_dir
        self._configured = configured
        self._reader = _open(file)

    def choose(self) -> list[_Table]:
        """Copy the sheets, and return those of the table: sheets with known columns, or the first one's.

        Raises:
            SourceError: If all sheets are empty, or sheets with different columns may be the orders.
        """
        tables, errors = self._copy_sheets()
        if not tables:
            sheets = "Every sheet" if self._options.sheet is None else f"The sheet {self._options.sheet!r}"
            raise (
                errors[0]
                if errors
                else SourceError(f"{sheets} of {self._file.name} is empty.", "look at how it was exported.")
            )
        candidates = [table for table in tables if table.is_candidate]
        candidates = [table for table in candidates if table.rows] or candidates
        if errors and not candidates:
            raise errors[0]
        first = next(iter([*candidates, *(table for table in tables if table.is_certain), *tables]))
        used = [table for table in tables if table.columns == first.columns]
        self._refuse_two_tables(candidates, used)
        for table in tables:
            if table not in used:
                table.path.unlink()
        skipped = [table.sheet for table in tables if table not in used]
        names = ", ".join(table.sheet for table in used)
        if used[1:] or skipped:
            self.notes.append(f"{'sheets' if used[1:] else 'sheet'} {names}")
        if skipped:
            self.notes.append(f"skipped because of other columns: {', '.join(skipped)}")
        self.notes += dict.fromkeys(note for table in used for note in table.notes)
        return used

    def _refuse_two_tables(self, candidates: Sequence[_Table], used: Sequence[_Table]) -> None:
        others = [table.sheet for table in candidates if table not in used]
        if not others:
            return
        sheets = [used[0].sheet, *others]
        listed = ", ".join(map(repr, sheets))
        choices = " or ".join(f"--sheet {shlex.quote(sheet)}" for sheet in sheets[:3])
        raise question(
            "several_sheets",
            file=self._file.name,
            number=len(sheets),
            sheets=listed,
            choices=choices,
        )

    def _copy_sheets(self) -> tuple[list[_Table], list[SourceError]]:
        """Copy the sheets one at a time, as each may need hundreds of megabytes.

        Returns:
            The tables, and the errors of sheets that can't be read as a table.
        """
        tables, errors = [], []
        for name in self._names():
            sheet = self._reader.load_sheet(name, header_row=None, dtypes="string")
            if not sheet.width or not sheet.height:
                continue
            try:
                tables.append(self._copy(name, sheet))
            except SourceError as error:
                errors.append(error)
        return tables, errors

    def _copy(self, name: str, sheet: Any) -> _Table:
        cells = self._connection.from_arrow(sheet)
        preview = _preview(cells, sheet.height)
        label = f"{self._file.name} (sheet {name!r})"
        layout = detect_sheet_layout(preview, label, self._options, self._configured)
        notes = list(layout.notes)
        target = temp_path(self._temp_dir, self._file.path.name, ".parquet")
        merged = merged_key_cells(self._file.path, name, preview, layout)
        fill = sheet_fill(preview, layout, merged)
        if merged or fill:
            notes += self._write_filled(cells, layout, merged, fill, target)
        else:
            # Arrow's rows have an order, which a streaming window keeps.
            numbered = cells.query("cells", "SELECT row_number() OVER () AS number, * FROM cells")
            assert numbered is not None  # of a SELECT
            records = numbered.filter(f"number > {layout.begin} AND number <= {layout.end}")
            _write(records, cells.columns, layout.names, target)
        ((rows,),) = self._connection.execute(
            f"SELECT SUM(num_rows)::BIGINT FROM parquet_file_metadata({paths_literal([target])})"
        ).fetchall()
        return _Table(
            file=self._file,
            sheet=name,
            path=target,
            names=layout.names,
            rows=rows or 0,
            is_certain=layout.is_certain,
            is_candidate=has_order_columns(layout.names, self._configured),
            notes=notes,
            total_rows=layout.total_rows,
        )

    def _write_filled(
        self,
        cells: duckdb.DuckDBPyRelation,
        layout: SheetLayout,
        merged: Mapping[int, Mapping[int, int]],
        fill: RowFill,
        target: Path,
    ) -> list[str]:
        """Write the records with blank cells filled, in the order of the sheet, and return notes on them."""
        rows = [["" if cell is None else cell for cell in row] for row in cells.fetchall()]
        fill_merged(rows, merged)
        records = [row for row in rows[layout.begin : layout.end] if filled_columns(row)]
        counts = FillCounts()
        path = temp_path(self._temp_dir, self._file.path.name, ".csv")
        with path.open("w", encoding="utf-8", newline="") as copy:
            writer = csv.writer(copy, lineterminator="\n")
            for row in fill_rows(records, fill):
                counts.add(row)
                if row.cells is not None:
                    writer.writerow(row.cells)
        columns = [f"c{number}" for number in range(len(layout.names))]
        filled = self._connection.sql(
            f"SELECT * FROM read_csv({paths_literal([path])}, auto_detect = false, header = false,"
            " delim = ',', quote = '\"', escape = '\"', parallel = false,"
            f" columns = {columns_literal((column, 'VARCHAR') for column in columns)})"
        )
        _write(filled, columns, layout.names, target)
        path.unlink()
        notes = counts.notes(fill, layout.names, "rows")
        if merged:
            filled_names = sorted({column for columns in merged.values() for column in columns})
            listed = ", ".join(f"`{layout.names[column]}`" for column in filled_names)
            notes.append(f"merged cells: {listed} of {len(merged):,} rows taken from the row above")
        return notes

    def _names(self) -> list[str]:
        names: list[str] = self._reader.sheet_names
        if self._options.sheet is None:
            return names
        if self._options.sheet not in names:
            raise SourceError(
                f"{self._file.name} has no sheet {self._options.sheet!r}.", f"its sheets: {', '.join(names)}."
            )
        return [self._options.sheet]


def _preview(cells: duckdb.DuckDBPyRelation, height: int) -> SheetPreview:
    first = _texts(cells.limit(PREVIEW_ROWS))
    last = first if height <= PREVIEW_ROWS else _texts(cells.limit(PREVIEW_ROWS, height - PREVIEW_ROWS))
    return SheetPreview(first, last, height)


def _texts(cells: duckdb.DuckDBPyRelation) -> list[list[str]]:
    return [["" if cell is None else cell for cell in row] for row in cells.fetchall()]


def _open(file: SourceFile) -> Any:
    try:
        import fastexcel
    except ImportError:
        raise UsageError(
            f"{file.name} is a workbook, and the `excel` extra, which reads workbooks, is not installed.",
            extra_hint("excel"),
        ) from None
    try:
        with translate_os_errors(file.name):
            try:
                return fastexcel.read_excel(file.path)
            except fastexcel.FastExcelError:
                # fastexcel picks its parser by suffix; given bytes, it picks it by content.
                return fastexcel.read_excel(file.path.read_bytes())
    except fastexcel.FastExcelError:
        raise SourceError(
            f"{file.name} can't be opened as a workbook: it is damaged, or protected by a password.",
            "open it in a spreadsheet and save it again, or as CSV.",
        ) from None


def _write(
    cells: duckdb.DuckDBPyRelation, columns: Sequence[str], names: Sequence[str], target: Path
) -> None:
    selected = ", ".join(
        f"{identifier(cell)} AS {identifier(name)}" for cell, name in zip(columns, names, strict=True)
    )
    # Rows without any cell are blank lines, which the CSV reader skips too.
    filled = cells.project(selected).filter(f"COALESCE({', '.join(map(identifier, names))}) IS NOT NULL")
    filled.write_parquet(str(target))
