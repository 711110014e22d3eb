"""Open a source location as a relation that DuckDB can scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import text_literal
from rfm_pipeline.common.duckdb_types import schema_of
from rfm_pipeline.common.schema import Kind, Schema
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.config.source_location import (
    BigQueryTable,
    DuckDBTable,
    SourceLocation,
    SqlFile,
    StdinLocation,
)
from rfm_pipeline.errors import UsageError
from rfm_pipeline.source.base import OpenedSource, Scan
from rfm_pipeline.source.duckdb_table import ATTACHED_NAME, scan_duckdb_table
from rfm_pipeline.source.duplicates import number_files
from rfm_pipeline.source.errors import translate_read_errors
from rfm_pipeline.source.file_suffix import FileFormat
from rfm_pipeline.source.file_type import FileType, detect_file_types
from rfm_pipeline.source.files import MatchedFiles, SourceFile, find_files
from rfm_pipeline.source.json import scan_json
from rfm_pipeline.source.parquet import scan_parquet
from rfm_pipeline.source.stdin import STDIN_LABEL, spool_pipe, spool_stdin


def open_source(
    location: SourceLocation,
    options: SourceOptions,
    connection: duckdb.DuckDBPyConnection,
    temp_dir: Path,
    *,
    columns: Mapping[str, str | None] | None = None,
) -> OpenedSource:
    """Return the relation, the columns and the detected properties of a source.

    Of a Parquet file or a DuckDB table only metadata is read. A CSV file is read once to find what DuckDB
    would misread. Workbooks, standard input and text that is not UTF-8 are copied to the temporary directory.

    Args:
        location: Result of `parse_source`.
        options: Settings of `[read]`; they take precedence over detection.
        connection: Connection that will run the relation. A DuckDB file is attached to it.
        temp_dir: Directory for copies; it must exist as long as the relation is used.
        columns: Column name by role, as in `[columns]`: they say which columns and sheets are needed.

    Raises:
        SourceError: If the source can't be found or read.
        LockedError: If the source is in a DuckDB file that another process has locked.
        UsageError: If DuckDB can't read this kind of source, or an extra is not installed.
    """
    if isinstance(location, BigQueryTable):
        name = f"bigquery://{location.project}.{location.dataset}.{location.table}"
        raise UsageError(
            f"{name} can't be read with DuckDB.",
            "a BigQuery table is segmented in BigQuery: give --to bigquery://project.dataset too.",
        )
    if isinstance(location, SqlFile):
        raise UsageError(
            f"{location} is a query, and no table that can be read here.",
            "`rfm run`, `check`, `init`, `sql` and `explain` take a query as their source.",
        )
    if isinstance(location, DuckDBTable):
        return _open_duckdb(location, connection)
    if isinstance(location, StdinLocation):
        spooled = spool_stdin(temp_dir)
        matched = MatchedFiles((spooled,), STDIN_LABEL)
        return _open_files(
            matched, {str(spooled.path): STDIN_LABEL}, options, connection, temp_dir, columns=columns or {}
        )
    matched = find_files(location.text)
    pipes = {file: spool_pipe(file, temp_dir) for file in matched.files if not file.path.is_file()}
    spools = {str(spooled.path): file.name for file, spooled in pipes.items()}
    matched = replace(matched, files=tuple(pipes.get(file, file) for file in matched.files))
    return _open_files(matched, spools, options, connection, temp_dir, columns=columns or {})


def _open_duckdb(location: DuckDBTable, connection: duckdb.DuckDBPyConnection) -> OpenedSource:
    scan, name = scan_duckdb_table(location, connection)
    label = f"{name} in {location.file.name}"
    with translate_read_errors("a table", {}, label):
        schema = schema_of(connection, scan.relation)
    attach = f"ATTACH {text_literal(str(location.file))} AS {ATTACHED_NAME} (READ_ONLY);\n"
    return OpenedSource(
        label, scan.relation, schema, "DuckDB", (location.file,), None, scan.rows, (), setup_statement=attach
    )


def _open_files(
    matched: MatchedFiles,
    spools: dict[str, str],
    options: SourceOptions,
    connection: duckdb.DuckDBPyConnection,
    temp_dir: Path,
    *,
    columns: Mapping[str, str | None],
) -> OpenedSource:
    files, notes = detect_file_types(matched.files)
    format_ = files[0][1].format
    from_folder = matched.folder is not None
    scan = _scan(format_, files, options, connection, temp_dir, columns=columns, from_folder=from_folder)
    matched = matched.excluding(scan.skipped_files)
    files = [(file, file_type) for file, file_type in files if file not in scan.skipped_files]
    copies = {**spools, **scan.copies}
    with translate_read_errors(format_, copies, matched.label):
        schema = _with_inexact(schema_of(connection, scan.relation), scan.inexact)
    relation, packed_relation, numbered_files = scan.relation, None, None
    if files[1:] and scan.reads:
        relation, packed_relation, numbered_files = number_files(files, scan.reads, schema, temp_dir)
    return OpenedSource(
        label=matched.label,
        relation=relation,
        schema=schema,
        format=str(format_),
        files=tuple(file.path for file in matched.files if str(file.path) not in spools),
        size_bytes=sum(file.path.stat().st_size for file in matched.files),
        rows=scan.rows,
        notes=(*matched.notes, *notes, *scan.notes),
        copies=copies,
        total_rows=scan.total_rows,
        numbered_files=numbered_files,
        reads=() if spools else scan.reads,
        packed_relation=packed_relation,
    )


def _with_inexact(schema: Schema, inexact: Mapping[tuple[str, ...], str]) -> Schema:
    """Return a schema in which no role accepts the columns that DuckDB does not read exactly."""
    return tuple(
        replace(column, kind=Kind.OTHER, declared=declared)
        if (declared := inexact.get(tuple(map(str.lower, column.path))))
        else column
        for column in schema
    )


def _scan(
    format_: FileFormat,
    files: Sequence[tuple[SourceFile, FileType]],
    options: SourceOptions,
    connection: duckdb.DuckDBPyConnection,
    temp_dir: Path,
    *,
    columns: Mapping[str, str | None],
    from_folder: bool,
) -> Scan:
    source_files = [file for file, _ in files]
    match format_:
        case FileFormat.CSV:
            from rfm_pipeline.source.csv.reader import scan_csv  # loads ten modules that only text files need

            return scan_csv(files, options, temp_dir, columns, from_folder=from_folder)
        case FileFormat.JSON:
            return scan_json(files, options, connection, temp_dir)
        case FileFormat.EXCEL:
            from rfm_pipeline.source.excel import scan_excel  # loads the Arrow bridge of DuckDB and `zipfile`

            return scan_excel(source_files, options, connection, temp_dir, columns)
        case FileFormat.PARQUET:
            return scan_parquet(source_files, connection)
