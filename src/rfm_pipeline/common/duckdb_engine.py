"""DuckDB connections, interruptible statements, and result rows.

Imports the extension module `_duckdb`, which has the same names as the package `duckdb`. The package also
loads relations, expressions and data frame converters; loading those takes as much CPU time as segmenting
half a million lines, and a run needs SQL only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.common.formatting import format_bytes
from rfm_pipeline.errors import WarehouseError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

try:
    import _duckdb as duckdb
except ImportError:  # a release in which the extension module has another name
    import duckdb  # type: ignore[no-redef]

__all__ = [
    "connect_in_memory",
    "duckdb",
    "execute_interruptibly",
    "fetch_dicts",
    "fetch_pages",
    "lock_holder",
]

_LEAST_ADDRESS_SPACE = 1_000_000_000
"""Bytes of address space that a run of a few lines takes, with four threads."""

_LOCK_CONFLICT = re.compile(r"Could not set lock on file|being used by another process")
_LOCK_HOLDER = re.compile(r"held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")


def connect_in_memory(config: Mapping[str, str] | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database; the only function of the package that opens one.

    DuckDB's own progress bar is turned off: it writes to stdout, which is reserved for results.

    Args:
        config: DuckDB settings by name.

    Raises:
        duckdb.Error: If DuckDB rejects a setting.
        WarehouseError: If the process may use too little address space.
    """
    _check_address_space()
    connection = duckdb.connect(":memory:", config=dict(config or {}))
    connection.execute("SET enable_progress_bar_print = false")
    return connection


def _check_address_space() -> None:
    """Raise if the address space is limited to less than DuckDB's threads need; they would abort the process.

    Raises:
        WarehouseError: If it is.
    """
    if resource is None:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _LEAST_ADDRESS_SPACE:
        raise WarehouseError(
            f"The address space is limited to {format_bytes(limit)}, and DuckDB needs 1 GB.",
            "raise the limit with `ulimit -v unlimited`; --memory-limit limits the memory itself.",
        )


def execute_interruptibly(
    connection: duckdb.DuckDBPyConnection, statement: str, progress: Callable[[float], None] | None = None
) -> None:
    """Execute a statement that may take long, report its progress, and stop it at once on SIGINT or SIGTERM.

    The statement runs in a worker thread while the main thread waits. In the main thread, Python would handle
    a signal only between two of DuckDB's tasks, and a task can take minutes.

    Args:
        connection: The connection to execute on; the caller can fetch the rows from it afterwards.
        statement: One SQL statement.
        progress: Called repeatedly with the completed share, from 0 to 1.

    Raises:
        duckdb.Error: If the statement fails.
        KeyboardInterrupt: If a signal has been received.
    """
    if progress is not None:
        connection.execute("SET enable_progress_bar = true")
    ended, errors = Event(), list[BaseException]()

    def execute() -> None:
        try:
            connection.execute(statement)
        except BaseException as error:  # noqa: BLE001 - raised again by the main thread
            errors.append(error)
        finally:
            ended.set()

    # An executor of `concurrent.futures` does the same; its import takes 7 ms.
    worker = Thread(target=execute)
    worker.start()
    try:
        while not ended.wait(timeout=0.1):
            raise_if_cancelled()
            percentage = connection.query_progress() if progress else -1
            if progress and percentage >= 0:
                progress(percentage / 100)
    except BaseException:
        # Repeatedly, because DuckDB ignores an interruption that comes before the statement has started.
        while not ended.is_set():
            connection.interrupt()
            ended.wait(timeout=0.1)
        raise
    finally:
        worker.join()
    if errors:
        raise errors[0]


def fetch_dicts(cursor: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return all rows of the last executed query, each as a dict from column name to value.

    >>> fetch_dicts(connect_in_memory().execute("SELECT 'Champions' AS segment, 35 AS customers"))
    [{'segment': 'Champions', 'customers': 35}]
    """
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def fetch_pages(cursor: duckdb.DuckDBPyConnection, size: int = 20_000) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of the last executed query as `fetch_dicts` returns them, in pages of `size` rows."""
    names = [column[0] for column in cursor.description or ()]
    while rows := cursor.fetchmany(size):
        yield [dict(zip(names, row, strict=True)) for row in rows]


def lock_holder(error: duckdb.Error) -> str | None:
    """Describe the process that has locked a database file, given the error of opening or attaching the file.

    Returns:
        Program and process id, such as `python3 (process 4711)`; "another process" if DuckDB does not name
        it; None if `error` is no lock conflict.
    """
    message = str(error)
    if not _LOCK_CONFLICT.search(message):
        return None
    match = _LOCK_HOLDER.search(message)
    return f"{Path(match['program']).name} (process {match['pid']})" if match else "another process"
