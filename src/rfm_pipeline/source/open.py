"""From a location to something that DuckDB can scan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import text_literal
from rfm_pipeline.common.duckdb_types import schema_of
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.config.source_location import BigQueryTable, DuckDBTable, SourceLocation, StdinLocation
from rfm_pipeline.errors import UsageError
from rfm_pipeline.source.base import OpenedSource, Scan
from rfm_pipeline.source.csv.reader import scan_delimited
from rfm_pipeline.source.duckdb_table import ALIAS, scan_duckdb
from rfm_pipeline.source.errors import translate_read_errors
from rfm_pipeline.source.file_suffix import Format
from rfm_pipeline.source.file_type import Identity, identify_all
from rfm_pipeline.source.files import FoundFiles, SourceFile, find_files
from rfm_pipeline.source.json import scan_json
from rfm_pipeline.source.parquet import scan_parquet
from rfm_pipeline.source.stdin import STDIN, spool_pipe, spool_stdin


def open_source(
    location: SourceLocation, options: SourceOptions, connection: duckdb.DuckDBPyConnection, scratch: Path
) -> OpenedSource:
    """Finds out how DuckDB can read a source, and what its columns are.

    A Parquet file or a DuckDB table is not read through. A CSV is looked through once, for what would make
    DuckDB stumble; a workbook, standard input, and text that is not UTF-8 are copied to the scratch folder.

    Args:
        location: Where the source is, from `parse`.
        options: What the user said about its files.
        connection: Where the relation will run. A database file is attached to it.
        scratch: A folder for copies, which must live as long as the relation is used.

    Raises:
        SourceError: The source can't be found or read.
        LockedError: It is in a DuckDB file that another process holds.
        UsageError: It can't be read with DuckDB, or not without an extra.
    """
    if isinstance(location, BigQueryTable):
        name = f"bigquery://{location.project}.{location.dataset}.{location.table}"
        raise UsageError(
            f"{name} can't be read with DuckDB.",
            "a BigQuery table is segmented in BigQuery: give --to bigquery://project.dataset too.",
        )
    if isinstance(location, DuckDBTable):
        return _open_duckdb(location, connection)
    if isinstance(location, StdinLocation):
        spooled = spool_stdin(scratch)
        found = FoundFiles((spooled,), STDIN)
        return _open_files(found, {str(spooled.path): STDIN}, options, connection, scratch)
    found = find_files(location.text)
    pipes = {file: spool_pipe(file, scratch) for file in found.files if not file.path.is_file()}
    spools = {str(spooled.path): file.name for file, spooled in pipes.items()}
    found = replace(found, files=tuple(pipes.get(file, file) for file in found.files))
    return _open_files(found, spools, options, connection, scratch)


def _open_duckdb(location: DuckDBTable, connection: duckdb.DuckDBPyConnection) -> OpenedSource:
    scan, name = scan_duckdb(location, connection)
    label = f"{name} in {location.file.name}"
    with translate_read_errors("a table", {}, label):
        schema = schema_of(connection, scan.relation)
    before = f"ATTACH {text_literal(str(location.file))} AS {ALIAS} (READ_ONLY);\n"
    return OpenedSource(
        label, scan.relation, schema, "DuckDB", (location.file,), None, scan.rows, (), before=before
    )


def _open_files(
    found: FoundFiles,
    spools: dict[str, str],
    options: SourceOptions,
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
) -> OpenedSource:
    files, notes = identify_all(found.files)
    format_ = files[0][1].format
    scan = _scan(format_, files, options, connection, scratch, searched=found.folder is not None)
    found = found.without(scan.aside)
    copies = {**spools, **scan.copies}
    with translate_read_errors(format_, copies, found.label):
        schema = schema_of(connection, scan.relation)
    return OpenedSource(
        label=found.label,
        relation=scan.relation,
        schema=schema,
        format=str(format_),
        files=tuple(file.path for file in found.files if str(file.path) not in spools),
        size_bytes=sum(file.path.stat().st_size for file in found.files),
        rows=scan.rows,
        notes=(*found.notes, *notes, *scan.notes),
        copies=copies,
    )


def _scan(
    format_: Format,
    files: Sequence[tuple[SourceFile, Identity]],
    options: SourceOptions,
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    *,
    searched: bool,
) -> Scan:
    alone = [file for file, _ in files]
    match format_:
        case Format.CSV:
            return scan_delimited(files, options, scratch, searched=searched)
        case Format.JSON:
            return scan_json(files, options, connection, scratch)
        case Format.EXCEL:
            from rfm_pipeline.source.excel import scan_excel  # brings DuckDB's bridge to Arrow, and zip files

            return scan_excel(alone, options, connection, scratch)
        case Format.PARQUET:
            return scan_parquet(alone, connection)
