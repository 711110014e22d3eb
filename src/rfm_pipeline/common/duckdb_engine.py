"""DuckDB's engine alone: `_duckdb`, which the package `duckdb` shows under the same names.

The package puts relations, expressions and bridges to data frames around it. Loading those takes as much
processor time as segmenting half a million lines, and a run needs SQL only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait

from rfm_pipeline.common.cancellation import raise_if_cancelled

try:
    import _duckdb as duckdb
except ImportError:  # a release in which the engine has another name
    import duckdb  # type: ignore[no-redef]

__all__ = ["connected", "duckdb", "watched"]


def connected(config: Mapping[str, str] | None = None) -> duckdb.DuckDBPyConnection:
    """A database in memory; the one way to open one.

    By itself DuckDB draws a bar on stdout while a statement takes more than two seconds; but stdout has the
    results.

    Args:
        config: DuckDB's settings by their names.

    Raises:
        duckdb.Error: DuckDB does not start with them.
    """
    connection = duckdb.connect(":memory:", config=dict(config or {}))
    connection.execute("SET enable_progress_bar_print = false")
    return connection


def watched(
    connection: duckdb.DuckDBPyConnection, statement: str, progress: Callable[[float], None] | None = None
) -> None:
    """Runs a statement that may take long, telling how far it is; a stop signal ends it at once.

    The main thread waits. If it ran the statement itself, a signal would be seen between two of DuckDB's
    tasks, and one of them can take minutes.

    Args:
        connection: Where it runs.
        statement: What runs; its rows, if any, can be fetched from the connection.
        progress: Told the share that is done, from 0 to 1.

    Raises:
        duckdb.Error: It failed.
    """
    if progress is not None:
        connection.execute("SET enable_progress_bar = true")
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(connection.execute, statement)
        try:
            while wait([running], timeout=0.1).not_done:
                raise_if_cancelled()
                percentage = connection.query_progress() if progress else -1
                if progress and percentage >= 0:
                    progress(percentage / 100)
        except BaseException:
            # Again and again: an interruption is lost if the statement has not begun yet.
            while not running.done():
                connection.interrupt()
                wait([running], timeout=0.1)
            raise
    running.result()
