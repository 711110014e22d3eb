"""Parquet files; their columns have types, which are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import paths_literal
from rfm_pipeline.source.base import FileRead, Scan
from rfm_pipeline.source.errors import translate_read_errors
from rfm_pipeline.source.file_suffix import FileFormat
from rfm_pipeline.source.files import SourceFile
from rfm_pipeline.source.headers import missing_column_notes, unique_column_names


def scan_parquet(files: Sequence[SourceFile], connection: duckdb.DuckDBPyConnection) -> Scan:
    """Return the SQL that scans Parquet files, from their footers; columns are matched by name across files.

    Hive partition directories (`key=value`), as Spark writes them, become columns, unless the files have a
    column of that name.

    Raises:
        SourceError: If a file is damaged or has two columns of one name.
    """
    paths = paths_literal(file.path for file in files)
    with translate_read_errors(FileFormat.PARQUET, {}, files[0].name):
        headers = [unique_column_names(names, file.name).names for file, names in _headers(files, connection)]
        row_count = connection.execute(
            f"SELECT SUM(num_rows)::BIGINT FROM parquet_file_metadata({paths})"
        ).fetchone()
    keys = _partition_keys(files, {name.lower() for header in headers for name in header})
    arguments = ["union_by_name = true"] if len(files) > 1 else []
    arguments += (
        ["hive_partitioning = true", "hive_types_autocast = false"] if keys else ["hive_partitioning = false"]
    )
    notes = [f"column {key!r} is taken from the folder names" for key in keys]
    assert row_count is not None  # an aggregate always has a row
    read = FileRead("read_parquet", tuple(file.path for file in files), tuple(files), tuple(arguments))
    return Scan(read.relation(), (*notes, *missing_column_notes(headers)), rows=row_count[0], reads=(read,))


def _headers(
    files: Sequence[SourceFile], connection: duckdb.DuckDBPyConnection
) -> Iterator[tuple[SourceFile, list[str]]]:
    """Yield each file with the names of its top-level columns, spelled as in the file."""
    for file in files:
        nodes = iter(
            connection.execute(
                f"SELECT name, COALESCE(num_children, 0) FROM parquet_schema({paths_literal([file.path])})"
            ).fetchall()
        )
        _, column_count = next(nodes)
        names = []
        for _ in range(column_count):
            name, open_children = next(nodes)
            names.append(name)
            # The schema lists its tree in depth-first order; the descendants of the column are skipped.
            while open_children:
                open_children += next(nodes)[1] - 1
        yield file, names


def _partition_keys(files: Sequence[SourceFile], columns: set[str]) -> list[str]:
    """Return the Hive partition keys of the files' directories; empty unless all files have the same keys."""
    keys = [_keys(file.path) for file in files]
    return (
        keys[0]
        if all(other == keys[0] for other in keys) and columns.isdisjoint(map(str.lower, keys[0]))
        else []
    )


def _keys(path: Path) -> list[str]:
    return [part.partition("=")[0] for part in path.parent.parts if "=" in part[1:]]
