"""Result types of opening a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from rfm_pipeline.common.duckdb_quoting import paths_literal
from rfm_pipeline.common.schema import Schema
from rfm_pipeline.common.source_files import SourceFiles
from rfm_pipeline.source.files import SourceFile

if TYPE_CHECKING:
    from rfm_pipeline.source.total_rows import TotalRow

UNION_BY_NAME = "union_by_name = true"
"""Argument of a table function that matches the columns of several files by name."""
SourceOpener = Callable[[Any, Path], "OpenedSource"]
"""Open a source on a DuckDB connection; the path is a directory for temporary copies."""


class PlainLines(Struct, frozen=True):
    """The records of a small CSV file without quotes, each a line with a value for every column.

    Attributes:
        text: The lines in UTF-8, each with a line feed; not the header row.
        delimiter: Character between values.
        columns: Column names in the order of the values.
    """

    text: bytes
    delimiter: str
    columns: tuple[str, ...]


class FileRead(Struct, frozen=True):
    """A call of DuckDB's table function that reads files.

    Attributes:
        function: Name of the table function, such as `read_csv`.
        paths: Paths to read.
        files: The user's file of each path.
        arguments: Further arguments of the call.
        plain_lines: The records of those files that are small and plain.
    """

    function: str
    paths: tuple[Path, ...]
    files: tuple[SourceFile, ...]
    arguments: tuple[str, ...] = ()
    plain_lines: Mapping[SourceFile, PlainLines] = field(default_factory=dict)

    def relation(self) -> str:
        """Return the call as SQL."""
        return f"{self.function}({', '.join((paths_literal(self.paths), *self.arguments))})"


def union_by_name(relations: Sequence[str]) -> str:
    """Return one relation of all rows; columns are matched by name."""
    if len(relations) == 1:
        return relations[0]
    return "(" + " UNION ALL BY NAME ".join(f"SELECT * FROM {relation}" for relation in relations) + ")"


class Scan(Struct, frozen=True):
    """SQL that scans the files of one format.

    Attributes:
        relation: SQL text that can follow FROM.
        notes: Detected properties to show to the user.
        copies: Name of the user's file by the path of the temporary file that is scanned in its place.
        rows: Number of rows according to the files' metadata; None for text files, which have none.
        skipped_files: Files that are not scanned.
        reads: The calls that `relation` consists of; empty if it reads no files.
        total_rows: Rows of the relation that are totals of other rows.
        inexact: Declared type by path, in lower case, of columns whose values DuckDB does not read exactly.
    """

    relation: str
    notes: tuple[str, ...] = ()
    copies: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None
    skipped_files: tuple[SourceFile, ...] = ()
    reads: tuple[FileRead, ...] = ()
    total_rows: tuple[TotalRow, ...] = ()
    inexact: Mapping[tuple[str, ...], str] = field(default_factory=dict)


class OpenedSource(Struct, frozen=True):
    """A source that DuckDB can scan on the connection that opened it.

    Attributes:
        label: Short name for the terminal, such as `orders export.csv` or `3 files in exports`.
        relation: SQL text that can follow FROM. It names only files and an attached database, so it works on
            every cursor of the connection, and in another session while the temporary directory exists.
        schema: Columns; the fields of a struct follow the struct.
        format: `CSV`, `JSON`, `Parquet`, `Excel`, `DuckDB` or `frame`.
        files: The user's files; empty for standard input and data frames.
        size_bytes: Size of the files on disk; None if the table's share of it is unknown.
        rows: Number of rows according to metadata; None for text files and views.
        notes: Detected properties to show to the user, such as `semicolons between values`.
        copies: Name of the user's file or frame by the temporary path or relation that is scanned instead.
        setup_statement: Complete SQL statement that another session must run before it can use `relation`.
        numbered_files: The files, if they are several; `relation` then has a column with each row's file.
        total_rows: Rows that are totals of other rows, and no orders: columns, each with its text.
        reads: The calls that read the files, which can also be read one by one; empty for other sources.
        packed_relation: The rows of `relation` from copies of the files that are faster to scan, and exist as
            long as the temporary directory; None without such copies.
    """

    label: str
    relation: str
    schema: Schema
    format: str
    files: tuple[Path, ...]
    size_bytes: int | None
    rows: int | None
    notes: tuple[str, ...]
    copies: Mapping[str, str] = field(default_factory=dict)
    setup_statement: str = ""
    numbered_files: SourceFiles | None = None
    total_rows: tuple[TotalRow, ...] = ()
    reads: tuple[FileRead, ...] = ()
    packed_relation: str | None = None
