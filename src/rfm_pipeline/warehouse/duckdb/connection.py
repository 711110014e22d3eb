"""In-memory DuckDB connections and the directory that they spill to."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from rfm_pipeline.common.duckdb_engine import connect_in_memory, duckdb
from rfm_pipeline.common.file_lock import LockedTempDir
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.errors import ConfigurationError, WarehouseError
from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

_PREFIX = "rfm-"


class SpillDirectory:
    """Temporary directory of one process, removed on exit; a later run removes the one of a killed process.

    Used as a context manager, it yields its path.

    Attributes:
        path: The directory.

    Args:
        root: Parent directory; None for the system's directory of temporary files.

    Raises:
        ConfigurationError: If `root` is not a directory.
        WarehouseError: If the directory can't be created.
    """

    def __init__(self, root: Path | None) -> None:
        if root is not None and not root.is_dir():
            problem = "is not a folder" if root.exists() else "does not exist"
            raise ConfigurationError(
                f"The temporary folder {root} {problem}.",
                "set duckdb.temp_directory to a folder with enough free space.",
            )
        try:
            self._directory = LockedTempDir(root, _PREFIX)
        except OSError as error:
            raise WarehouseError(
                f"No temporary folder can be created in {root or 'the system folder for temporary files'}:"
                f" {lower_first(error.strerror or str(error))}.",
                "set duckdb.temp_directory to a writable folder.",
            ) from None
        self.path = self._directory.path

    def cleanup(self) -> None:
        """Remove the directory with its contents."""
        self._directory.cleanup()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()


def connect(settings: DuckDBSettings, temp_directory: Path) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database that spills to `temp_directory`, with the session's time zone set to UTC.

    Raises:
        WarehouseError: If DuckDB can't start, for example because its memory limit is too low.
    """
    config = {
        "temp_directory": str(temp_directory / "spill"),
        # No query relies on the order of rows, and preserving it costs memory.
        "preserve_insertion_order": "false",
        # DuckDB would download missing extensions.
        "autoinstall_known_extensions": "false",
        # The source is read once, so a cache of its content is never used.
        "enable_external_file_cache": "false",
    }
    if settings.memory_limit:
        config["memory_limit"] = settings.memory_limit
    if settings.threads:
        config["threads"] = str(settings.threads)
    with translate_duckdb_errors("start"):
        connection = connect_in_memory(config)
        connection.execute("SET TimeZone = 'UTC'")
        if not settings.threads:
            _use_four_threads(connection)
    return connection


def _use_four_threads(connection: duckdb.DuckDBPyConnection) -> None:
    """Use at least four threads: with fewer, the hash tables of a GROUP BY outgrow the CPU caches.

    On two cores, grouping ten million lines takes a seventh less CPU time with four threads than with two.
    """
    connection.execute("SET threads = GREATEST(4, CURRENT_SETTING('threads'))")
