"""Parquet: the one file format that brings its types along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import paths_literal
from rfm_pipeline.source.base import Scan
from rfm_pipeline.source.errors import translate_read_errors
from rfm_pipeline.source.file_suffix import Format
from rfm_pipeline.source.files import SourceFile
from rfm_pipeline.source.headers import checked_names, missing_columns


def scan_parquet(files: Sequence[SourceFile], connection: duckdb.DuckDBPyConnection) -> Scan:
    """Looks at the footers of Parquet files; columns are matched by name across files.

    Folders called `key=value`, as Spark writes them, become columns, unless the files have such a column.

    Raises:
        SourceError: One of them is damaged, or has a column twice.
    """
    paths = paths_literal(file.path for file in files)
    with translate_read_errors(Format.PARQUET, {}, files[0].name):
        headers = [checked_names(names, file.name) for file, names in _headers(files, connection)]
        counted = connection.execute(
            f"SELECT SUM(num_rows)::BIGINT FROM parquet_file_metadata({paths})"
        ).fetchone()
    keys = _folder_keys(files, {name.lower() for header in headers for name in header})
    arguments = ["union_by_name = true"] if len(files) > 1 else []
    arguments += (
        ["hive_partitioning = true", "hive_types_autocast = false"] if keys else ["hive_partitioning = false"]
    )
    notes = [f"{key!r} is taken from the names of the folders" for key in keys]
    assert counted is not None  # an aggregate always has a row
    return Scan(
        f"read_parquet({paths}, {', '.join(arguments)})", (*notes, *missing_columns(headers)), rows=counted[0]
    )


def _headers(
    files: Sequence[SourceFile], connection: duckdb.DuckDBPyConnection
) -> Iterator[tuple[SourceFile, list[str]]]:
    """The names of the outermost columns, as they stand in each file."""
    for file in files:
        tree = iter(
            connection.execute(
                f"SELECT name, COALESCE(num_children, 0) FROM parquet_schema({paths_literal([file.path])})"
            ).fetchall()
        )
        _, width = next(tree)
        names = []
        for _ in range(width):
            name, children = next(tree)
            names.append(name)
            while children:
                children += next(tree)[1] - 1
        yield file, names


def _folder_keys(files: Sequence[SourceFile], columns: set[str]) -> list[str]:
    """The keys of the folders that all files lie in, as `key=value`."""
    keys = [_keys(file.path) for file in files]
    return (
        keys[0]
        if all(other == keys[0] for other in keys) and columns.isdisjoint(map(str.lower, keys[0]))
        else []
    )


def _keys(path: Path) -> list[str]:
    return [part.partition("=")[0] for part in path.parent.parts if "=" in part[1:]]
