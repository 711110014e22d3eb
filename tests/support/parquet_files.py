"""Files of a Parquet destination, as the tables that a DuckDB destination has."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb

from rfm_pipeline.warehouse.parquet.files import PublishedFiles
from support.shops import TABLES


def files_by_table(file: Path) -> dict[str, list[Path]]:
    """Return the files of each table of a destination, also if a publish was killed after its commit.

    Args:
        file: The file of the current result.
    """
    files = PublishedFiles(file)
    current, runs = files.find(files.current), files.find(files.runs)
    found = ([current] if current else [], list(files.dated().values()), [runs] if runs else [])
    return dict(zip(TABLES, found, strict=True))


def as_database(file: Path, database: Path) -> Path:
    """Write a DuckDB file with the tables of a destination that has results; return its path.

    Args:
        file: The file of the current result.
        database: The DuckDB file, which is replaced.
    """
    database.unlink(missing_ok=True)
    with closing(duckdb.connect(str(database))) as connection:
        for table, paths in files_by_table(file).items():
            connection.execute(f"CREATE TABLE {table} AS FROM read_parquet({[str(path) for path in paths]})")
    return database


def change_file(file: Path, statement: str) -> None:
    """Replace a Parquet file by the rows that a statement makes of them; its metadata stays.

    Args:
        file: The file.
        statement: DELETE or UPDATE statement on the table `rows`.
    """
    with closing(duckdb.connect()) as connection:
        connection.execute(f"CREATE TABLE rows AS FROM read_parquet('{file}')")
        connection.execute(statement)
        pairs = connection.execute(
            f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{file}')"
        ).fetchall()
        metadata = ", ".join(f"{key}: '{value}'" for key, value in pairs)
        draft = file.with_suffix(".new")
        connection.execute(f"COPY rows TO '{draft}' (FORMAT parquet, KV_METADATA {{{metadata}}})")
    draft.replace(file)
