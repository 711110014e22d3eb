"""A DuckDB file as a destination: reading its tables, and changing them in one transaction.

DuckDB locks a file for one writing process, and other processes then can't open the file. The file is
therefore attached only while it is read or changed, which takes moments. A lease file beside it excludes a
second run for the whole duration of a run.
"""

from __future__ import annotations

import glob
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rfm_pipeline._version import __version__
from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.common.duckdb_engine import duckdb, fetch_dicts, lock_holder
from rfm_pipeline.common.duckdb_quoting import qualified_name, text_literal
from rfm_pipeline.common.file_lock import FileLock
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.config.destination_location import DuckDBDestinationLocation
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.errors import DestinationError, LockedError, WarehouseError
from rfm_pipeline.results.tables import PUBLISHED_COLUMNS, SUFFIXES, PublishedColumn, newer_version
from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory, connect
from rfm_pipeline.warehouse.duckdb.errors import (
    UNCHANGED,
    attach_error,
    file_locked_error,
    translate_duckdb_errors,
)
from rfm_pipeline.warehouse.duckdb.schema import COLUMN_TYPES, published_schema_differences

_CATALOG = "destination"
_RETAINED_CATALOG = "retained"
_RETENTION_DAYS = 7
_RETAINED_INFIX = ".rejected-"


class DuckDBDestination:
    """The published tables in a DuckDB file.

    Args:
        connection: In-memory database that the file is attached to.
        file: The file; the first change creates it.
        table: Name of the table of the current result.
        settings: Settings with the lock timeout.
    """

    engine = "duckdb"

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, file: Path, table: str, settings: DuckDBSettings
    ) -> None:
        self._connection = connection
        self._file = file
        self._table = table
        self._settings = settings
        self._is_attached = False

    @property
    def label(self) -> str:
        return f"duckdb:{self._file}#{self._table}"

    def table(self, name: str) -> str:
        return qualified_name(_CATALOG, "main", f"{self._table}{SUFFIXES[name]}")

    def existing_tables(self) -> frozenset[str]:
        self._check_is_file()
        if not self._file.exists():
            return frozenset()
        with self.open_for_reading():
            columns = self._connection.execute(
                "SELECT LOWER(table_name), table_type = 'VIEW', column_name, data_type"
                " FROM information_schema.columns"
                " JOIN information_schema.tables USING (table_catalog, table_schema, table_name)"
                " WHERE table_catalog = ? AND table_schema = 'main' ORDER BY ordinal_position",
                [_CATALOG],
            ).fetchall()
            schemas: dict[str, dict[str, str]] = {}
            views = set()
            for table, is_view, column, type_ in columns:
                schemas.setdefault(table, {})[column] = type_
                if is_view:
                    views.add(table)
            existing = set()
            for name, suffix in SUFFIXES.items():
                # Table names in DuckDB are case-insensitive.
                table = f"{self._table}{suffix}".casefold()
                if table in schemas:
                    self._check_published_by_rfm(name, schemas[table], is_view=table in views)
                    existing.add(name)
        return frozenset(existing)

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        with self.open_for_reading():
            return fetch_dicts(self._connection.execute(select))

    @contextmanager
    def open_for_reading(self) -> Iterator[None]:
        if self._is_attached or not self._file.exists():
            yield
            return
        with (
            translate_duckdb_errors(f"read {self._file}", file=self._file),
            self._attached(self._file, read_only=True),
        ):
            yield

    def apply(self, statements: Sequence[str], step: str) -> None:  # noqa: ARG002 - DuckDB has no job ids
        self.check()
        self._detach_source()
        is_committed = False
        try:
            with translate_duckdb_errors(f"write {self._file}", file=self._file):
                if self._file.exists() or not self._create_file(statements):
                    with self._attached(self._file, read_only=False):
                        self._execute_transaction(statements)
                        is_committed = True
        except KeyboardInterrupt:
            # Dropped after the commit, as in `_execute_transaction`: detaching the file writes a checkpoint,
            # which takes long enough for a signal to arrive.
            if not is_committed:
                raise

    @contextmanager
    def lease(self, run_id: str) -> Iterator[None]:
        self.check()
        lock = FileLock(self._file.with_name(f"{self._file.name}.{self._table}.lease"))
        holder = {
            "run_id": run_id,
            "process": os.getpid(),
            "host": socket.gethostname(),
            "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        }
        try:
            is_acquired = lock.acquire(json.dumps(holder))
        except OSError as error:
            raise WarehouseError(
                f"The lease of {self._file} can't be taken: {lower_first(error.strerror or str(error))}.",
                f"check the disk's free space and the permissions; {UNCHANGED}",
            ) from None
        if not is_acquired:
            raise lease_held_error(self.label, lock.read_note())
        try:
            yield
        finally:
            lock.release()

    def check(self) -> None:
        folder = self._file.parent
        if not folder.is_dir():
            raise DestinationError(
                f"The folder of the destination, {folder}, does not exist.",
                "create it, or choose another --to.",
            )
        self._check_is_file()
        # The folder too, because DuckDB writes its write-ahead log beside the file.
        for path in (folder, self._file):
            if path.exists() and not os.access(path, os.W_OK):
                name = f"into the folder {path.resolve()}" if path.is_dir() else str(path)
                raise WarehouseError(
                    f"There is no permission to write {name}.",
                    f"check its owner and its mode, or choose another file with --to; {UNCHANGED}",
                )

    def _check_is_file(self) -> None:
        if self._file.is_dir():
            raise DestinationError(f"{self._file} is a folder.", "name a file: --to duckdb:rfm.duckdb.")

    def retain_tables(self, run_id: str, tables: Sequence[str]) -> str:
        """Copy staged tables into a file beside the destination; return a clause that says where they are."""
        file = self._file.with_name(f"{self._file.stem}.{self._table}{_RETAINED_INFIX}{run_id}.duckdb")
        try:
            with self._attached(file, read_only=False, catalog=_RETAINED_CATALOG):
                for table in tables:
                    copy = qualified_name(_RETAINED_CATALOG, table)
                    self._connection.execute(f"CREATE TABLE {copy} AS FROM {table}")
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        return f"the staged tables are in {file} for {_RETENTION_DAYS} days"

    def remove_orphans(self, run_id: str, spared: Collection[str]) -> None:  # noqa: ARG002 - retained tables expire
        folder, oldest = self._file.parent, time.time() - _RETENTION_DAYS * 24 * 60 * 60
        for orphan in folder.glob(f".{glob.escape(self._file.name)}.{self._table}.*.new*"):
            orphan.unlink(missing_ok=True)
        for retained in folder.glob(f"{glob.escape(self._file.stem)}.{self._table}{_RETAINED_INFIX}*.duckdb"):
            with suppress(OSError):
                if retained.stat().st_mtime < oldest:
                    retained.unlink()

    def close(self) -> None:
        self._connection.close()

    # Changes

    def _create_file(self, statements: Sequence[str]) -> bool:
        """Create the destination file with its content in one step; return False if it exists by then."""
        temporary = self._file.with_name(f".{self._file.name}.{self._table}.{secrets.token_hex(4)}.new")
        try:
            with self._attached(temporary, read_only=False):
                self._execute_transaction(statements)
            try:
                # Unlike a rename, a hard link never replaces an existing file.
                os.link(temporary, self._file)
            except FileExistsError:
                return False
            except OSError:
                # A file system without hard links.
                temporary.rename(self._file)
        finally:
            for path in (temporary, temporary.with_name(f"{temporary.name}.wal")):
                path.unlink(missing_ok=True)
        return True

    def _execute_transaction(self, statements: Sequence[str]) -> None:
        self._connection.execute("BEGIN TRANSACTION")
        try:
            for name, columns in PUBLISHED_COLUMNS.items():
                self._create_table(name, columns)
            for statement in statements:
                self._connection.execute(statement)
        except BaseException:
            self._rollback_if_active()
            raise
        try:
            self._connection.execute("COMMIT")
        except KeyboardInterrupt:
            # Python raises a signal's KeyboardInterrupt after the statement has ended. After a successful
            # commit it is dropped here; callers find the signal in `received_signals`.
            if self._is_in_transaction():
                self._connection.execute("ROLLBACK")
                raise
        except BaseException:
            self._rollback_if_active()
            raise

    def _rollback_if_active(self) -> None:
        # DuckDB may have ended the transaction itself; the error of a second rollback would hide the cause.
        with suppress(duckdb.Error):
            self._connection.execute("ROLLBACK")

    def _is_in_transaction(self) -> bool:
        try:
            self._connection.execute("BEGIN TRANSACTION")
        except duckdb.Error:
            return True
        self._connection.execute("ROLLBACK")
        return False

    def _create_table(self, name: str, columns: Mapping[str, PublishedColumn]) -> None:
        table = self.table(name)
        exists = self._connection.execute(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = 'main'"
            " AND LOWER(table_name) = LOWER(?)",
            [_CATALOG, f"{self._table}{SUFFIXES[name]}"],
        ).fetchone()
        if exists:
            return
        # Compressed ids would make the file a quarter smaller, and a publish take 1.4 times as long.
        definitions = ", ".join(
            f"{column} {COLUMN_TYPES[about.holds]}"
            f"{' USING COMPRESSION uncompressed' if column == 'customer_id' else ''}"
            for column, about in columns.items()
        )
        statements = [f"CREATE TABLE {table} ({definitions})"]
        statements += [
            f"COMMENT ON COLUMN {table}.{column} IS {text_literal(about.description)}"
            for column, about in columns.items()
        ]
        self._connection.execute(";\n".join(statements))

    def _detach_source(self) -> None:
        """Detach all files: the source may be in the destination file, which can be attached only once."""
        attached = self._connection.execute(
            "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND path IS NOT NULL"
        ).fetchall()
        for (name,) in attached:
            self._connection.execute(f"DETACH {qualified_name(name)}")

    # Attaching

    @contextmanager
    def _attached(self, file: Path, *, read_only: bool, catalog: str = _CATALOG) -> Iterator[None]:
        # Without TYPE, DuckDB derives the type from the name: `md:shop` is a service, `a.csv` is in memory.
        options = "TYPE duckdb, READ_ONLY" if read_only else "TYPE duckdb"
        if not read_only and not file.exists():
            # DuckDB's default is a format that only its own version and later ones can read.
            options += f", STORAGE_VERSION {text_literal(self._settings.storage_version)}"
        self._attach(f"ATTACH {text_literal(str(file))} AS {catalog} ({options})")
        self._is_attached = catalog == _CATALOG
        try:
            yield
        finally:
            self._is_attached = False
            with suppress(duckdb.Error):
                self._connection.execute(f"DETACH {catalog}")

    def _attach(self, statement: str) -> None:
        """Execute an ATTACH statement; wait up to the lock timeout while another process holds the file."""
        deadline = time.monotonic() + self._settings.lock_timeout
        pause = 0.05
        while True:
            try:
                self._connection.execute(statement)
            except duckdb.Error as error:
                holder = lock_holder(error)
                if holder is None:
                    raise attach_error(self._file, error) from None
                if time.monotonic() + pause > deadline:
                    raise file_locked_error(self._file, holder) from None
            else:
                return
            threading.Event().wait(pause)
            raise_if_cancelled()
            pause = min(pause * 1.5, 1.0)

    # Checks

    def _check_published_by_rfm(self, name: str, columns: Mapping[str, str], *, is_view: bool) -> None:
        table = f"{self._table}{SUFFIXES[name]}"
        hint = f"choose another table, as in --to 'duckdb:{self._file}#rfm_segments_2', or another file."
        if is_view:
            raise DestinationError(f"{table} in {self._file} is a view, not a table of rfm.", hint)
        differences = published_schema_differences(name, columns)
        if differences is None:
            return
        if newer := newer_version(self._last_version()):
            raise DestinationError(
                f"{self._file} was written by rfm {newer}, which is newer than this one, {__version__}.",
                f"upgrade: pip install 'rfm-pipeline>={newer}'.",
            )
        raise DestinationError(
            f"The table {table} in {self._file} is not a result of this pipeline: it {differences}.", hint
        )

    def _last_version(self) -> str | None:
        """Return the version of rfm that ran last; None if the runs table is missing or not rfm's."""
        try:
            row = self._connection.execute(
                f"SELECT version FROM {self.table('runs')} ORDER BY finished_at DESC LIMIT 1"
            ).fetchone()
        except duckdb.Error:
            return None
        return row[0] if row else None


@contextmanager
def open_duckdb_destination(
    location: DuckDBDestinationLocation, settings: DuckDBSettings
) -> Iterator[DuckDBDestination]:
    """Open a destination without a source.

    Raises:
        WarehouseError: If DuckDB can't start.
    """
    with SpillDirectory(settings.temp_directory) as temp_directory:
        destination = DuckDBDestination(
            connect(settings, temp_directory), location.file, location.table, settings
        )
        try:
            yield destination
        finally:
            destination.close()


def lease_held_error(label: str, note: str) -> LockedError:
    """Return the error for a destination whose lease another run holds.

    Args:
        label: Label of the destination.
        note: JSON note of the lock's holder, or any other text.
    """
    try:
        holder = json.loads(note)
        run = (
            f"the run {holder['run_id']} (process {holder['process']} on {holder['host']},"
            f" since {holder['since']})"
        )
    except (ValueError, KeyError, TypeError):
        run = "another run"
    return LockedError(f"{label} is held by {run}.", f"wait for it to end, or stop it; {UNCHANGED}")
