"""Databases of one DuckDB instance per process: starting one takes 30 ms, attaching a database 2 ms."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import duckdb

_numbers = count()


@contextmanager
def empty_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an empty database in memory, as the default of a connection."""
    with _attached(":memory:", "TYPE duckdb") as connection:
        yield connection


@contextmanager
def database(file: Path, *, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database file, as the default of a connection.

    Raises:
        duckdb.Error: If the file is no database.
    """
    with _attached(str(file), "TYPE duckdb, READ_ONLY" if read_only else "TYPE duckdb") as connection:
        yield connection


def shared_connection(threads: int, *, keeps_order: bool) -> duckdb.DuckDBPyConnection:
    """Return a connection to the instance of this process with these settings; the caller closes it.

    It is for queries of files: what it creates or attaches is there for all other tests.
    """
    return _instance(threads=threads, keeps_order=keeps_order).cursor()


@contextmanager
def _attached(path: str, options: str) -> Iterator[duckdb.DuckDBPyConnection]:
    name = f"database_{next(_numbers)}"
    connection = _instance().cursor()
    try:
        escaped = path.replace("'", "''")
        connection.execute(f"ATTACH '{escaped}' AS {name} ({options}); USE {name}")
        yield connection
    finally:
        connection.close()
        _instance().execute(f"DETACH DATABASE IF EXISTS {name}")


@cache
def _instance(threads: int = 2, keeps_order: bool = True) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        config={
            "threads": threads,
            "preserve_insertion_order": str(keeps_order).lower(),
            # Tests write other files to the same paths.
            "enable_external_file_cache": "false",
        }
    )


# DuckDB reports a connection that exists when the interpreter ends as leaked.
atexit.register(_instance.cache_clear)
