"""CSV files: every value is read as text, so that no value is lost or rejected before cleaning."""

from __future__ import annotations

import codecs
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.duckdb_engine import connect_in_memory
from rfm_pipeline.common.duckdb_quoting import columns_literal, identifier, paths_literal, text_literal
from rfm_pipeline.config.column_mapping import normalize_name
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.source.base import FileRead, PlainLines, Scan, union_by_name
from rfm_pipeline.source.csv.aligned import detect_separator, write_with_tabs
from rfm_pipeline.source.csv.dialect import TABS_NOTE, CsvDialect, detect_dialect
from rfm_pipeline.source.csv.known_header import KnownHeader
from rfm_pipeline.source.csv.layout import cut_file, detect_layout, write_filled
from rfm_pipeline.source.csv.prescan import PrescanResult, locate_byte, prescan
from rfm_pipeline.source.csv.quoting import has_well_formed_quotes
from rfm_pipeline.source.encoding import (
    HEAD_SIZE,
    WINDOWS_1252,
    convert_to_utf8,
    detect_encoding,
    encoding_label,
    is_utf8,
    not_utf8_error,
    nul_byte_error,
)
from rfm_pipeline.source.errors import long_line_error, translate_read_errors, unclosed_quote_error
from rfm_pipeline.source.file_type import FileType, compression_argument, open_decompressed
from rfm_pipeline.source.files import SourceFile
from rfm_pipeline.source.headers import missing_column_notes, unite_headers
from rfm_pipeline.source.temp_files import temp_path
from rfm_pipeline.source.total_rows import TotalRow

# Characters; below Python's limit for one CSV value, 128 Ki.
_DIALECT_HEAD_SIZE = 100_000


class _PreparedFile(Struct, frozen=True):
    """A CSV file that DuckDB can read.

    Attributes:
        file: The user's file.
        path: Path to read: the user's file or a copy.
        dialect: Its dialect.
        arguments: Arguments of `read_csv`; files with equal arguments are read by one call.
        notes: Notes for the user.
        total_rows: Total rows among the records.
        plain_lines: The records, if the header row of an earlier file decides how to read the file.
    """

    file: SourceFile
    path: Path
    dialect: CsvDialect
    arguments: tuple[str, ...]
    notes: tuple[str, ...]
    total_rows: tuple[TotalRow, ...] = ()
    plain_lines: PlainLines | None = None

    def with_names(self, names: tuple[str, ...]) -> _PreparedFile:
        """Return the file with other column names."""
        if names == self.dialect.column_names:
            return self
        new_names = dict(zip(self.dialect.column_names, names, strict=True))
        total_rows = tuple(
            tuple((new_names[column], text) for column, text in cells) for cells in self.total_rows
        )
        arguments = (*self.arguments[:-1], _columns_argument(names))
        return replace(
            self,
            dialect=replace(self.dialect, column_names=names),
            arguments=arguments,
            total_rows=total_rows,
            plain_lines=self.plain_lines and replace(self.plain_lines, columns=names),
        )


def scan_csv(
    files: Sequence[tuple[SourceFile, FileType]],
    options: SourceOptions,
    temp_dir: Path,
    configured: Mapping[str, str | None] | None = None,
    *,
    from_folder: bool = False,
) -> Scan:
    """Return the SQL that scans CSV files; columns are matched by name across files.

    Args:
        files: Files with their types.
        options: Settings of `[read]`.
        temp_dir: Directory for copies.
        configured: Column name by role, as in `[columns]`.
        from_folder: Whether the files were found in a directory; prose in it, such as a readme, is then
            skipped.

    Raises:
        SourceError: If a file can't be read.
    """
    prepared_files, copies = [], {}
    preparations = _Preparations(options, temp_dir, configured or {})
    for file, file_type in files:
        prepared = preparations.run(file, file_type)
        prepared_files.append(prepared)
        if prepared.path != file.path:
            copies[str(prepared.path)] = file.name
    skipped = _find_prose(prepared_files) if from_folder and options.header else []
    prepared_files = [prepared for prepared in prepared_files if prepared not in skipped]
    united = unite_headers([prepared.dialect.column_names for prepared in prepared_files], configured)
    prepared_files = [
        prepared.with_names(names) for prepared, names in zip(prepared_files, united.headers, strict=True)
    ]
    groups: dict[tuple[str, ...], list[_PreparedFile]] = {}
    for prepared in prepared_files:
        groups.setdefault(prepared.arguments, []).append(prepared)
    reads = tuple(
        FileRead(
            "read_csv",
            tuple(prepared.path for prepared in group),
            tuple(prepared.file for prepared in group),
            arguments,
            {prepared.file: prepared.plain_lines for prepared in group if prepared.plain_lines},
        )
        for arguments, group in groups.items()
    )
    return Scan(
        union_by_name([read.relation() for read in reads]),
        (*_common_notes(prepared_files), *united.notes, *missing_column_notes(united.headers)),
        copies,
        skipped_files=tuple(prepared.file for prepared in skipped),
        reads=reads,
        total_rows=tuple(
            dict.fromkeys(cells for prepared in prepared_files for cells in prepared.total_rows)
        ),
    )


def _find_prose(prepared_files: Sequence[_PreparedFile]) -> list[_PreparedFile]:
    """Return the files that are prose, such as a readme: no column in common with the other files.

    Only files with the suffix `.txt` or a single column can be prose. A table with other columns stays in the
    source, so that its rows are counted and its columns are reported.
    """
    candidates = [
        prepared
        for prepared in prepared_files
        if len(prepared.dialect.column_names) == 1 or ".txt" in Path(prepared.file.path.name.lower()).suffixes
    ]
    if not candidates:
        return []
    headers = Counter(prepared.dialect.column_names for prepared in prepared_files)
    tables = [prepared for prepared in prepared_files if prepared not in candidates] or [
        prepared
        for prepared in candidates
        if len(prepared.dialect.column_names) > 1 and headers[prepared.dialect.column_names] > 1
    ]
    columns = {normalize_name(name) for prepared in tables for name in prepared.dialect.column_names}
    if not columns:
        return []
    return [
        prepared
        for prepared in candidates
        if columns.isdisjoint(map(normalize_name, prepared.dialect.column_names))
    ]


def _columns_argument(names: Iterable[str]) -> str:
    return f"columns = {columns_literal((name, 'VARCHAR') for name in names)}"


def _common_notes(prepared_files: Sequence[_PreparedFile]) -> list[str]:
    """Return the distinct notes; a note on some of the files states their number."""
    counts = Counter(note for prepared in prepared_files for note in prepared.notes)
    total = len(prepared_files)
    return [
        note if count == total else f"{note} ({count} of {total} files)" for note, count in counts.items()
    ]


class _Preparations:
    """Preparations of the files of a source, which detect what is in a file only if it is not known."""

    def __init__(self, options: SourceOptions, temp_dir: Path, configured: Mapping[str, str | None]) -> None:
        self._options = options
        self._temp_dir = temp_dir
        self._configured = configured
        # The suffix, by which DuckDB guesses the compression, is part of the key.
        self._known: dict[tuple[bytes, str], tuple[KnownHeader, _PreparedFile]] = {}

    def run(self, file: SourceFile, file_type: FileType) -> _PreparedFile:
        """Return a file that DuckDB can read.

        Raises:
            SourceError: If it can't be read.
        """
        content = file_type.content
        if content is None:
            return self._detect(file, file_type)
        key = (content[: content.find(b"\n") + 1], file.path.suffix.lower())
        known, earlier = self._known.get(key, (None, None))
        if known and earlier and known.decides(content):
            lines = known.plain_lines(content, earlier.dialect.column_names)
            return replace(earlier, file=file, path=file.path, plain_lines=lines)
        prepared = self._detect(file, file_type)
        if not known and (
            header := KnownHeader.of(content, prepared.dialect, self._options, self._configured)
        ):
            self._known[key] = header, prepared
        return prepared

    def _detect(self, file: SourceFile, file_type: FileType) -> _PreparedFile:
        return _FilePreparation(file, file_type, self._options, self._temp_dir, self._configured).run()


class _FilePreparation:
    """Checks of one file before DuckDB reads it, with a copy where DuckDB could not read the file."""

    def __init__(
        self,
        file: SourceFile,
        file_type: FileType,
        options: SourceOptions,
        temp_dir: Path,
        configured: Mapping[str, str | None],
    ) -> None:
        self._file = file
        self._configured = configured
        self._compression = file_type.compression
        self._options = options
        self._temp_dir = temp_dir
        self._content = file_type.content
        self._path = file.path
        self._notes: list[str] = []

    def run(self) -> _PreparedFile:
        head, whole = self._read_head()
        codec = self._options.encoding or detect_encoding(head, self._file.name, whole=whole)
        if not is_utf8(codec):
            self._replace_by_copy(codec)
            head, whole = self._read_head()
        text = _decode_head(head, whole)
        separator = detect_separator(text, self._options)
        if separator:
            self._align(separator)
            text = _decode_head(*self._read_head())
        dialect, notes = detect_dialect(text, self._file.name, self._options, self._configured)
        self._notes += [note for note in notes if not separator or note != TABS_NOTE]
        properties = self._prescan(dialect)
        layout = detect_layout(text, dialect, properties, self._configured)
        self._notes += layout.notes
        if layout.end is not None:
            target = self._new_copy()
            cut_file(self._file, self._path, self._compression, layout.end, target)
            self._path, self._compression = target, None
        is_parallel = self._can_read_in_parallel(dialect, properties)
        if layout.fill:
            target = self._new_copy()
            counts = write_filled(
                self._file, self._path, self._compression, target, dialect=dialect, fill=layout.fill
            )
            self._path, self._compression = target, None
            self._notes += counts.notes(layout.fill, dialect.column_names)
            dialect = replace(dialect, quote='"', escape='"', skip_lines=0)
        arguments = self._arguments(dialect, self._path, self._compression, is_parallel=is_parallel)
        return _PreparedFile(
            self._file, self._path, dialect, tuple(arguments), tuple(self._notes), layout.total_rows
        )

    def _align(self, separator: re.Pattern[str]) -> None:
        """Replace a file whose columns are aligned by blanks by a copy with tabs."""
        target = self._new_copy()
        write_with_tabs(self._file, self._path, self._compression, separator, target)
        self._path, self._compression = target, None
        self._options = replace(self._options, delimiter="\t", quote="")
        self._notes.append("columns aligned by blanks")

    @staticmethod
    def _arguments(
        dialect: CsvDialect, path: Path, compression: str | None, *, is_parallel: bool = False
    ) -> list[str]:
        return [
            "auto_detect = false",
            f"header = {str(dialect.has_header).lower()}",
            *([f"skip = {dialect.skip_lines}"] if dialect.skip_lines else []),
            f"delim = {text_literal(dialect.delimiter)}",
            f"quote = {text_literal(dialect.quote)}",
            f"escape = {text_literal(dialect.escape)}",
            *([] if is_parallel else ["parallel = false"]),
            *compression_argument(path, compression),
            # A directory called `day=2024-01-01` would otherwise override the column `day`.
            "hive_partitioning = false",
            _columns_argument(dialect.column_names),
        ]

    def _can_read_in_parallel(self, dialect: CsvDialect, properties: PrescanResult) -> bool:
        """Return whether DuckDB may split the file.

        Raises:
            SourceError: If a quote is never closed.
        """
        # If backslashes escape quotes, the prescan can't tell which quotes open or close a value.
        if not properties.quoted_line_breaks and dialect.escape == dialect.quote:
            return True
        self._check_quotes_closed(dialect, properties)
        return False

    def _prescan(self, dialect: CsvDialect) -> PrescanResult:
        """Return the properties of the file; replace it by a copy if DuckDB can't read its line ends.

        Raises:
            SourceError: If the file has an invalid byte, or a line that is too long.
        """
        properties = self._prescan_encoding(dialect)
        if properties.mixed_line_ends:
            self._replace_by_copy("utf-8-sig", normalize_line_ends=True)
            self._notes.append("mixed line ends, read as one kind")
            properties = self._prescan_encoding(dialect)
        return properties

    def _prescan_encoding(self, dialect: CsvDialect) -> PrescanResult:
        properties = self._prescan_path(dialect)
        is_windows = properties.invalid_at is not None and properties.ascii_before
        if is_windows and self._options.encoding is None:
            self._replace_by_copy(WINDOWS_1252)
            properties = self._prescan_path(dialect)
        found = (properties.invalid_at, properties.nul_at, properties.long_line_at)
        offset = next((offset for offset in found if offset is not None), None)
        if offset is None:
            return properties
        with self._open() as stream:
            line, byte = locate_byte(stream, offset)
        if properties.nul_at is not None:
            raise nul_byte_error(self._file.name, line)
        where = f"{self._file.name}, line {line:,}"
        raise not_utf8_error(where, byte) if properties.long_line_at is None else long_line_error(where)

    def _prescan_path(self, dialect: CsvDialect) -> PrescanResult:
        with self._open() as stream:
            return prescan(stream, dialect.quote)

    def _check_quotes_closed(self, dialect: CsvDialect, properties: PrescanResult) -> None:
        """Raise SourceError if a quote is never closed: DuckDB would drop the rest (see `quoting.py`)."""
        if dialect.escape == dialect.quote:
            with self._open() as stream:
                if has_well_formed_quotes(stream, dialect.delimiter, dialect.quote):
                    return
        # Otherwise DuckDB decides where values end: a sentinel record is appended to a copy, and DuckDB must
        # return it.
        probe = self._new_copy()
        convert_to_utf8(self._file, self._path, "utf-8-sig", probe, compression=self._compression)
        sentinel = "\x01"
        with probe.open("ab") as copy:
            copy.write(next(iter(properties.line_ends), b"\n"))
            copy.write(dialect.delimiter.join([sentinel] * len(dialect.column_names)).encode())
        call = f"read_csv({paths_literal([probe])}, {', '.join(self._arguments(dialect, probe, None))})"
        first_column = identifier(dialect.column_names[0])
        sentinels = f"COUNT(*) FILTER ({first_column} = {text_literal(sentinel)})"
        copies = {str(probe): self._file.name}
        with (
            translate_read_errors("CSV", copies, self._file.name, unit="record"),
            connect_in_memory() as connection,
        ):
            row = connection.execute(f"SELECT COUNT(*), {sentinels} FROM {call}").fetchone()
        probe.unlink()
        assert row is not None  # an aggregate always has a row
        if not row[1]:
            raise unclosed_quote_error(f"{self._file.name}, record {row[0] + 1 + dialect.has_header:,}")

    def _open(self) -> AbstractContextManager[BinaryIO]:
        if self._content is not None and self._path == self._file.path:
            return io.BytesIO(self._content)
        return open_decompressed(self._file, self._path, self._compression)

    def _read_head(self) -> tuple[bytes, bool]:
        """Return the first bytes, decompressed, and whether they are the whole file."""
        with self._open() as stream:
            head = stream.read(HEAD_SIZE)
        return head, len(head) < HEAD_SIZE

    def _new_copy(self) -> Path:
        return temp_path(self._temp_dir, self._file.path.name, ".csv")

    def _replace_by_copy(self, codec: str, *, normalize_line_ends: bool = False) -> None:
        target = self._new_copy()
        convert_to_utf8(
            self._file,
            self._path,
            codec,
            target,
            compression=self._compression,
            normalize_line_ends=normalize_line_ends,
        )
        self._path, self._compression = target, None
        if not is_utf8(codec):
            self._notes.append(f"read as {encoding_label(codec)}")


def _decode_head(head: bytes, whole: bool) -> str:  # noqa: FBT001 - the parts of one result
    """Return the head as text that ends at a line end, unless it is the whole file."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
    text = decoder.decode(head, final=whole)
    if whole and len(text) <= _DIALECT_HEAD_SIZE:
        return text
    text = text[:_DIALECT_HEAD_SIZE]
    return text[: text.rfind("\n") + 1] or text
