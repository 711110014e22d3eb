"""Parquet files; their columns have types, which are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import paths_literal
from rfm_pipeline.source.base import UNION_BY_NAME, FileRead, Scan
from rfm_pipeline.source.errors import translate_read_errors
from rfm_pipeline.source.file_suffix import FileFormat
from rfm_pipeline.source.files import SourceFile
from rfm_pipeline.source.headers import missing_column_notes, unique_column_names

_Path = tuple[str, ...]
_MOST_DIGITS = 38


def scan_parquet(files: Sequence[SourceFile], connection: duckdb.DuckDBPyConnection) -> Scan:
    """Return the SQL that scans Parquet files, from their footers; columns are matched by name across files.

    Hive partition directories (`key=value`), as Spark writes them, become columns, unless the files have a
    column of that name.

    Raises:
        SourceError: If a file is damaged or has two columns of one name.
    """
    paths = paths_literal(file.path for file in files)
    with translate_read_errors(FileFormat.PARQUET, {}, files[0].name):
        trees, without_zone = _column_trees(files, paths, connection)
        row_count = connection.execute(
            f"SELECT SUM(num_rows)::BIGINT FROM parquet_file_metadata({paths})"
        ).fetchone()
    headers = [
        unique_column_names([path[0] for path, _ in columns if len(path) == 1], file.name).names
        for file, columns in trees.items()
    ]
    keys = _partition_keys(files, {name.lower() for header in headers for name in header})
    arguments = [UNION_BY_NAME] if len(files) > 1 else []
    arguments += (
        ["hive_partitioning = true", "hive_types_autocast = false"] if keys else ["hive_partitioning = false"]
    )
    notes = [f"column {key!r} is taken from the folder names" for key in keys]
    # The type has no flag that tells an instant from a local time, and each writer has its own convention.
    notes += [
        f"the times of `{name}` are taken as local ones, but Spark and Hive write this type (INT96) in UTC:"
        " let Spark write TIMESTAMP_MICROS if they are instants"
        for name in without_zone
    ]
    assert row_count is not None  # an aggregate always has a row
    read = FileRead("read_parquet", tuple(file.path for file in files), tuple(files), tuple(arguments))
    return Scan(
        read.relation(),
        (*notes, *missing_column_notes(headers)),
        rows=row_count[0],
        reads=(read,),
        inexact={
            tuple(map(str.lower, path)): type_
            for columns in trees.values()
            for path, type_ in columns
            if type_
        },
    )


def _column_trees(
    files: Sequence[SourceFile], paths: str, connection: duckdb.DuckDBPyConnection
) -> tuple[dict[SourceFile, list[tuple[_Path, str | None]]], list[str]]:
    """Return the paths of each file's columns and their fields, each with its type if that is inexact.

    The second value is the names of the columns and fields of the type INT96.

    DuckDB reads a decimal of more than 38 digits as a DOUBLE, which may differ from it in the 16th digit, and
    a float of 16 bits as one of 32, whose text has more digits than the value: 1.0996094 for 1.1.
    """
    rows = connection.execute(
        "SELECT file_name, name, COALESCE(num_children, 0),"
        f" CASE WHEN precision > {_MOST_DIGITS} THEN format('DECIMAL({{}},{{}})', precision, scale)"
        f" WHEN logical_type = 'Float16Type()' THEN 'FLOAT16' END, type FROM parquet_schema({paths})"
    ).fetchall()
    nodes: dict[str, list[tuple[str, int, str | None]]] = {}
    for file_name, *node in rows:
        nodes.setdefault(file_name, []).append((node[0], node[1], node[2]))
    trees = {file: list(_columns_below((), iter(nodes[str(file.path)]))) for file in files}
    return trees, list(dict.fromkeys(name for _, name, *_, type_ in rows if type_ == "INT96"))


def _columns_below(
    parent: _Path, nodes: Iterator[tuple[str, int, str | None]], *, is_root: bool = True
) -> Iterator[tuple[_Path, str | None]]:
    """Yield the paths below a node of a schema, which lists its tree in depth-first order."""
    name, children, inexact = next(nodes)
    path = parent if is_root else (*parent, name)
    if not is_root:
        yield path, inexact
    for _ in range(children):
        yield from _columns_below(path, nodes, is_root=False)


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
