"""Rejected results, each kept for some time for inspection, in a DuckDB file beside the destination."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rfm_pipeline.common.atomic_file import DRAFT_PREFIX, AtomicFile
from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import qualified_name, text_literal
from rfm_pipeline.common.file_lock import remove_orphaned_directories
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.warehouse.duckdb.errors import UNCHANGED
from rfm_pipeline.warehouse.duckdb.siblings import kept_logs, kept_path, kept_results, orders_folder

_CATALOG = "retained"
_RETENTION_DAYS = 7


class KeptResults:
    """The rejected results of a destination that are kept.

    Args:
        file: The destination's file, which is no link.
        table: The destination's table.
        storage_version: Storage format of the DuckDB files.
    """

    def __init__(self, file: Path, table: str, storage_version: str) -> None:
        self._file = file
        self._table = table
        self._storage_version = storage_version

    def keep(self, connection: duckdb.DuckDBPyConnection, run_id: str, tables: Sequence[str]) -> str:
        """Copy staged tables into a new file; return a clause that says where they are.

        Raises:
            WarehouseError: If the file can't be written.
        """
        file = kept_path(self._file, self._table, run_id)
        draft = None
        try:
            # The name can be foreseen, and a link in its place would be followed.
            draft = AtomicFile(file)
            self._write(connection, draft.path, tables)
            if draft.path.with_name(f"{draft.path.name}.wal").exists():
                # DuckDB could not move the rows from the log into the file.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301
            draft.path.chmod(0o600)
            draft.move()
        except OSError as error:
            raise WarehouseError(
                f"The staged tables can't be kept in {file}: {lower_first(error.strerror or str(error))}.",
                f"check the disk's free space and the permissions; {UNCHANGED}",
            ) from None
        finally:
            if draft is not None:
                draft.cleanup()
        return f"the staged tables are in {file} for {_RETENTION_DAYS} days"

    def remove_expired(self) -> None:
        """Remove the results that were kept for long enough, and what killed processes left of others."""
        oldest = time.time() - _RETENTION_DAYS * 24 * 60 * 60
        remove_orphaned_directories(self._file.parent, DRAFT_PREFIX)
        for orphan in kept_logs(self._file, self._table):
            with suppress(OSError):
                orphan.unlink()
        for kept in kept_results(self._file, self._table):
            with suppress(OSError):
                if kept.lstat().st_mtime < oldest:
                    kept.unlink()

    @property
    def orders_folder(self) -> Path:
        """Path of the folder with the orders that incremental runs keep."""
        return orders_folder(self._file, self._table)

    def remove_all(self) -> int:
        """Remove all kept results, and the kept orders; return the number of results.

        Raises:
            WarehouseError: If one can't be removed.
        """
        try:
            if self.orders_folder.is_symlink():
                self.orders_folder.unlink()
            elif self.orders_folder.is_dir():
                shutil.rmtree(self.orders_folder)
        except OSError as error:
            raise WarehouseError(
                f"The kept orders in {self.orders_folder} can't be removed:"
                f" {lower_first(error.strerror or str(error))}.",
                f"remove the folder, and repeat the command; {UNCHANGED}",
            ) from None
        kept = tuple(kept_results(self._file, self._table))
        for file in (*kept, *kept_logs(self._file, self._table)):
            try:
                file.unlink()
            except OSError as error:
                raise WarehouseError(
                    f"The kept result {file} can't be removed: {lower_first(error.strerror or str(error))}.",
                    f"remove it, and repeat the command; {UNCHANGED}",
                ) from None
        return len(kept)

    def _write(self, connection: duckdb.DuckDBPyConnection, file: Path, tables: Sequence[str]) -> None:
        # Without TYPE, DuckDB derives the type from the name: `a.csv` is in memory.
        options = f"TYPE duckdb, STORAGE_VERSION {text_literal(self._storage_version)}"
        connection.execute(f"ATTACH {text_literal(str(file))} AS {_CATALOG} ({options})")
        try:
            for table in tables:
                connection.execute(f"CREATE TABLE {qualified_name(_CATALOG, table)} AS FROM {table}")
        finally:
            with suppress(duckdb.Error):
                connection.execute(f"DETACH {_CATALOG}")
