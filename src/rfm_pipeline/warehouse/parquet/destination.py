"""Parquet files as a destination: reading them through views, and replacing them in one step.

The rows of each as-of date are a file; `warehouse.parquet.files` names the files, and publishes by renaming.
DuckDB has the published tables under their usual names in a database in memory: the current result and the
history as views over the files, the runs and the dates as tables. The statements of a publish change these
two, and the files that differ then are written.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rfm_pipeline.common.duckdb_engine import duckdb, fetch_dicts
from rfm_pipeline.common.duckdb_quoting import paths_literal, qualified_name, text_literal
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.config.destination_location import DEFAULT_TABLE, ParquetDestinationLocation
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.errors import DestinationError, LockedError, RfmError, WarehouseError
from rfm_pipeline.results.destination import published_meanwhile_error
from rfm_pipeline.results.recognition import table_comment
from rfm_pipeline.results.tables import LAYOUTS, PUBLISHED_COLUMNS, SUFFIXES
from rfm_pipeline.sql.publish import PUBLISHED_MEANWHILE
from rfm_pipeline.warehouse.duckdb.errors import (
    UNCHANGED,
    first_sentence,
    system_reason,
    translate_duckdb_errors,
)
from rfm_pipeline.warehouse.duckdb.export import copy_to_parquet
from rfm_pipeline.warehouse.duckdb.kept_results import KeptResults
from rfm_pipeline.warehouse.duckdb.lease import hold_lease
from rfm_pipeline.warehouse.duckdb.schema import COLUMN_TYPES
from rfm_pipeline.warehouse.parquet.files import Draft, PublishedFiles
from rfm_pipeline.warehouse.parquet.marks import MARK_KEY, check_files

_CATALOG = "destination"
_ANOTHER_FILE = "name a file, as in --to segments.parquet, or a folder, as in --to segments/."
_READ = "restore it from a backup; without a file of the history, `rfm run --as-of DATE` computes it again."


class ParquetDestination:
    """The published tables in Parquet files.

    Args:
        connection: Session of DuckDB that reads and writes the files.
        location: Location of the file of the current result; the first change creates all files.
        settings: Settings with the storage format of kept results.
    """

    engine = "duckdb"
    layout = LAYOUTS["parquet"]

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        location: ParquetDestinationLocation,
        settings: DuckDBSettings,
    ) -> None:
        self._connection = connection
        self._named_file = location.file
        self._folder = location.folder
        self._files = PublishedFiles(location.file)
        self._file = self._files.current
        self._kept = KeptResults(self._file, DEFAULT_TABLE, settings.storage_version)
        self._loaded: tuple[object, ...] | None = None
        self._is_open = False

    @property
    def label(self) -> str:
        return str(self._named_file)

    @property
    def orders_folder(self) -> Path:
        """Path of the folder with the orders that incremental runs keep."""
        return self._kept.orders_folder

    def table(self, name: str) -> str:
        return qualified_name(_CATALOG, "main", f"{DEFAULT_TABLE}{self.layout.suffixes[name]}")

    # Reading

    def existing_tables(self) -> frozenset[str]:
        with self.open_for_reading():
            exists = {
                "current": self._files.find(self._files.current),
                "history": self._files.dated(),
                "runs": self._files.find(self._files.runs),
            }
        return frozenset(role for role in SUFFIXES if exists[role])

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        with self.open_for_reading():
            return fetch_dicts(self._connection.execute(select))

    @contextmanager
    def open_for_reading(self) -> Iterator[None]:
        """Read the files as they are at the beginning.

        Raises:
            LockedError: If another run has published since.
            WarehouseError: If a file can't be read.
        """
        if self._is_open:
            yield
            return
        self._is_open = True
        try:
            with translate_duckdb_errors(f"read {self.label}"), self._unchanged():
                self._load()
                yield
        finally:
            self._is_open = False

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Raise if a run has published while the files were read, or a file can't be read."""
        before = self._files.last_publish()
        try:
            yield
        except duckdb.OutOfMemoryException:
            raise
        except (duckdb.Error, OSError) as error:
            if self._files.last_publish() != before:
                raise self._changed_error() from error
            raise WarehouseError(f"{self.label} can't be read: {_reason(error)}.", _READ) from error
        if self._files.last_publish() != before:
            raise self._changed_error()

    def _changed_error(self) -> LockedError:
        self._loaded = None
        return LockedError(f"A run has published to {self.label} while it was read.", "repeat the command.")

    def _load(self) -> None:
        """Create the views over the files, and the tables of the runs and the dates.

        Raises:
            DestinationError: If a file is not one of rfm.
        """
        self._check_are_files()
        state = self._files.state()
        if state == self._loaded:
            return
        self._loaded = None
        current, runs = self._files.find(self._files.current), self._files.find(self._files.runs)
        dated = self._files.dated()
        current_date = check_files(self._connection, current, list(dated.values()), runs)
        self._connection.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {_CATALOG}")
        names = {"current": [current] if current else [], "history": list(dated.values())}
        for role, files in names.items():
            self._connection.execute(
                f"CREATE OR REPLACE VIEW {self.table(role)} AS\n{_rows_sql(role, files)}"
            )
        rows = _rows_sql("runs", [runs] if runs else [])
        self._connection.execute(f"CREATE OR REPLACE TABLE {self.table('runs')} AS\n{rows}")
        self._connection.execute(
            f"CREATE OR REPLACE TABLE {self.table('dates')}"
            " (as_of_date DATE, is_current BOOLEAN, becomes_current BOOLEAN, new_rows VARCHAR)"
        )
        days = sorted({*dated, *([current_date] if current_date else [])})
        if days:
            values = ", ".join(f"(DATE '{day}', {day == current_date}, FALSE, NULL)" for day in days)
            self._connection.execute(f"INSERT INTO {self.table('dates')} VALUES {values}")
        self._loaded = state

    # Changes

    def apply(self, statements: Sequence[str], step: str) -> None:  # noqa: ARG002 - DuckDB has no job ids
        self.check()
        with self.open_for_reading():
            pass  # the statements apply to what is published now
        self._loaded = None
        draft = None
        try:
            with translate_duckdb_errors(f"write {self.label}"):
                for statement in statements:
                    self._connection.execute(statement)
                draft = self._files.new_draft()
                self._write(draft)
            self._files.publish(draft)
        except RfmError as error:
            if PUBLISHED_MEANWHILE in str(error.__cause__):
                raise published_meanwhile_error(self.label) from error
            raise
        except OSError as error:
            raise self._write_error(
                error, is_committed=draft is not None and not draft.path.exists()
            ) from error
        finally:
            if draft is not None:
                draft.discard()

    def _write(self, draft: Draft) -> None:
        """Write the files that the tables ask for.

        Raises:
            duckdb.Error: If the rows can't be computed or written.
            OSError: If the disk is full.
        """
        self._copy("runs", f"FROM {self.table('runs')}", draft.runs)
        dates = self._connection.execute(
            f"SELECT as_of_date, becomes_current, new_rows FROM {self.table('dates')}"
        ).fetchall()
        dated = self._files.dated()
        for day, becomes_current, new_rows in dates:
            if new_rows:
                self._copy("history", new_rows, draft.dated(day), as_of_date=str(day))
            if becomes_current:
                draft.link_current(draft.dated(day) if new_rows else dated[day])
        for day in dated.keys() - {day for day, *_ in dates}:
            draft.remove(day)

    def _copy(self, role: str, select: str, path: Path, **about: str) -> None:
        """Write rows with the types of a table to a file with its mark."""
        metadata = {MARK_KEY: table_comment(role, DEFAULT_TABLE, self.layout), **about}
        pairs = ", ".join(f"{name}: {text_literal(value)}" for name, value in metadata.items())
        columns = ", ".join(
            f"CAST({name} AS {COLUMN_TYPES[column.holds]}) AS {name}"
            for name, column in PUBLISHED_COLUMNS[role].items()
        )
        options = f", USE_TMP_FILE false, KV_METADATA {{{pairs}}}"
        copy_to_parquet(self._connection, f"SELECT {columns} FROM ({select})", path, options)

    def _write_error(self, error: OSError, *, is_committed: bool) -> WarehouseError:
        if not is_committed:
            return WarehouseError(
                f"{self.label} can't be written: {_reason(error)}.",
                f"check the disk's free space and the permissions; {UNCHANGED}",
            )
        return WarehouseError(
            f"{self.label} is published but for {error.filename2 or error.filename}, which can't be replaced:"
            f" {_reason(error)}.",
            "look at what is there, and repeat the command, which continues the publish.",
        )

    @contextmanager
    def lease(self, run_id: str) -> Iterator[None]:
        self.check()
        if self._folder:
            self._file.parent.mkdir(exist_ok=True)
        with hold_lease(self._file, DEFAULT_TABLE, self.label, run_id):
            try:
                self._files.complete()
            except OSError as error:
                raise self._write_error(error, is_committed=True) from error
            yield

    def check(self) -> None:
        folder = self._file.parent
        if self._folder and not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            raise DestinationError(
                f"The folder of the destination, {folder}, does not exist.",
                "create it, or choose another --to.",
            )
        self._check_are_files()
        for path in (folder, self._files.history, self._files.runs.parent):
            if path.exists() and not os.access(path, os.W_OK):
                raise WarehouseError(
                    f"There is no permission to write into the folder {path.resolve()}.",
                    f"check its owner and its mode, or choose another --to; {UNCHANGED}",
                )

    def _check_are_files(self) -> None:
        """Raise if something else is in the place of a file or a folder of the destination."""
        if other := self._files.owner_of_folder():
            raise DestinationError(
                f"The folder {self._file.parent} is that of another destination, {other}.",
                "choose another folder with --to.",
            )
        for path in (self._named_file, self._files.runs):
            if path.is_dir():
                raise DestinationError(f"{path} is a folder.", _ANOTHER_FILE)
            if os.path.exists(path) and not path.is_file():  # noqa: PTH110 - raises nothing
                # Opening a pipe would wait for its other end.
                raise DestinationError(f"{path} is a pipe, a socket or a device, not a file.", _ANOTHER_FILE)
        committed = self._files.committed
        if os.path.lexists(committed) and (committed.is_symlink() or not committed.is_dir()):
            # The files of a folder that it leads to would be moved.
            raise DestinationError(
                f"{committed} is no folder that a publish of {self.label} left.",
                "find out who made it, and delete it.",
            )
        for path in (self._files.history, self._files.runs.parent):
            if os.path.lexists(path) and not path.is_dir():
                raise DestinationError(
                    f"{path} is a file, and {self.label} needs a folder of its name.",
                    "rename it, or choose another file with --to.",
                )
            if path.is_symlink() and path.stat().st_dev != self._file.parent.stat().st_dev:
                raise DestinationError(
                    f"{path} is a link to another disk, where {self.label} can't be published by renaming.",
                    "move the folder beside the file, or choose another file with --to.",
                )

    def retain_tables(self, run_id: str, tables: Sequence[str]) -> str:
        """Copy staged tables into a file beside the destination; return a clause that says where they are."""
        return self._kept.keep(self._connection, run_id, tables)

    def remove_orphans(self, run_id: str, spared: Collection[str]) -> None:  # noqa: ARG002 - retained tables expire
        self._files.remove_orphans()
        self._kept.remove_expired()

    def remove_retained(self, run_id: str) -> int:  # noqa: ARG002 - no file is of the current run
        return self._kept.remove_all()

    def close(self) -> None:
        self._connection.close()


def _rows_sql(role: str, files: Sequence[Path]) -> str:
    """Return the SELECT of the rows of files, which may be none."""
    columns = PUBLISHED_COLUMNS[role]
    if files:
        listed = ", ".join(columns)
        return f"SELECT {listed}\nFROM read_parquet({paths_literal(files)}, hive_partitioning = false)"
    nulls = ", ".join(
        f"CAST(NULL AS {COLUMN_TYPES[column.holds]}) AS {name}" for name, column in columns.items()
    )
    return f"SELECT {nulls}\nWHERE FALSE"


def _reason(error: Exception) -> str:
    text = error.strerror or str(error) if isinstance(error, OSError) else system_reason(error)
    return lower_first(text or first_sentence(error)).rstrip(".")
