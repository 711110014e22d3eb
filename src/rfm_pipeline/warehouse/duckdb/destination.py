"""A DuckDB file as a destination: reading its tables, and changing them in one transaction.

DuckDB locks a file for one writing process, and other processes then can't open the file. The file is
therefore attached only while it is read or changed, which takes moments. A lease file beside it excludes a
second run for the whole duration of a run.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.common.duckdb_engine import duckdb, fetch_dicts, lock_holder
from rfm_pipeline.common.duckdb_quoting import qualified_name, text_literal
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.errors import DestinationError, RfmError, WarehouseError
from rfm_pipeline.results.destination import published_meanwhile_error
from rfm_pipeline.results.recognition import recognize_destination, refuse_taken_names, table_comment
from rfm_pipeline.results.run_history import tables_of
from rfm_pipeline.results.tables import LAYOUTS, SUFFIXES
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.publish import PUBLISHED_MEANWHILE
from rfm_pipeline.sql.stored_rows import convert_sql, view_sql
from rfm_pipeline.warehouse.duckdb.catalog import DuckDBCatalog
from rfm_pipeline.warehouse.duckdb.errors import (
    UNCHANGED,
    attach_error,
    file_locked_error,
    translate_duckdb_errors,
)
from rfm_pipeline.warehouse.duckdb.kept_results import KeptResults
from rfm_pipeline.warehouse.duckdb.lease import hold_lease
from rfm_pipeline.warehouse.duckdb.schema import COLUMN_TYPES, COLUMNS
from rfm_pipeline.warehouse.duckdb.siblings import draft_path, drafts, write_ahead_logs

_CATALOG = "destination"


class DuckDBDestination:
    """The published tables in a DuckDB file.

    Args:
        connection: In-memory database that the file is attached to.
        file: The file; the first change creates it.
        table: Name of the table of the current result.
        settings: Settings with the lock timeout.
    """

    engine = "duckdb"
    layout = LAYOUTS["duckdb"]

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, file: Path, table: str, settings: DuckDBSettings
    ) -> None:
        self._connection = connection
        self._named_file = file
        # The file and all that lies beside it are found by one name, whichever link was given.
        self._file = Path(os.path.realpath(file)) if os.path.islink(file) else file  # noqa: PTH114 - never raises
        self._table = table
        self._settings = settings
        self._kept = KeptResults(self._file, table, settings.storage_version)
        self._is_attached = False
        self._dropped_views = frozenset[str]()

    @property
    def label(self) -> str:
        return f"duckdb:{self._named_file}#{self._table}"

    @property
    def orders_folder(self) -> Path:
        """Path of the folder with the orders that incremental runs keep."""
        return self._kept.orders_folder

    def table(self, name: str) -> str:
        if name in self._dropped_views:
            # The rows are in the tables behind the view, which the next change creates again.
            return f"(\n{self._view_sql(name, self.table('rows'), self.table('dates'))}\n)"
        return qualified_name(_CATALOG, "main", self._name(name))

    def _name(self, role: str) -> str:
        return f"{self._table}{self.layout.suffixes[role]}"

    def existing_tables(self) -> frozenset[str]:
        self._check_is_file()
        if not self._file.exists():
            return frozenset()
        with self.open_for_reading():
            existing = recognize_destination(self._table, self._catalog()).keys()
        self._dropped_views = self.layout.views - existing if "rows" in existing else frozenset()
        return (self._dropped_views | existing) & SUFFIXES.keys()

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
        except RfmError as error:
            if PUBLISHED_MEANWHILE in str(error.__cause__):
                raise published_meanwhile_error(self.label) from error
            raise
        except KeyboardInterrupt:
            # Dropped after the commit, as in `_execute_transaction`: detaching the file writes a checkpoint,
            # which takes long enough for a signal to arrive.
            if not is_committed:
                raise

    @contextmanager
    def lease(self, run_id: str) -> Iterator[None]:
        self.check()
        with hold_lease(self._file, self._table, self.label, run_id):
            yield

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
        if os.path.exists(self._file) and not self._file.is_file():  # noqa: PTH110 - raises nothing
            # Opening a pipe would wait for its other end.
            problem = f"{self._file} is a pipe, a socket or a device, not a file."
            raise DestinationError(problem, "name a file: --to duckdb:rfm.duckdb.")

    def retain_tables(self, run_id: str, tables: Sequence[str]) -> str:
        """Copy staged tables into a file beside the destination; return a clause that says where they are."""
        return self._kept.keep(self._connection, run_id, tables)

    def remove_orphans(self, run_id: str, spared: Collection[str]) -> None:  # noqa: ARG002 - retained tables expire
        for orphan in drafts(self._file, self._table):
            with suppress(OSError):
                orphan.unlink()
        self._kept.remove_expired()

    def remove_retained(self, run_id: str) -> int:  # noqa: ARG002 - no file is of the current run
        return self._kept.remove_all()

    def close(self) -> None:
        self._connection.close()

    # Changes

    def _create_file(self, statements: Sequence[str]) -> bool:
        """Create the destination file with its content in one step; return False if it exists by then."""
        temporary = draft_path(self._file, self._table, secrets.token_hex(4))
        try:
            with self._attached(temporary, read_only=False):
                self._execute_transaction(statements, is_new=True)
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

    def _execute_transaction(self, statements: Sequence[str], *, is_new: bool = False) -> None:
        self._connection.execute("BEGIN TRANSACTION")
        try:
            self._create_or_mark_tables(is_new=is_new)
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

    def _catalog(self) -> DuckDBCatalog:
        return DuckDBCatalog(self._connection, _CATALOG, self._named_file, self._table)

    def _create_or_mark_tables(self, *, is_new: bool) -> None:
        """Create the missing tables and views, convert tables of format 1, and renew outdated marks.

        Args:
            is_new: Whether the file has no tables yet, so that its catalog need not be read.

        Raises:
            DestinationError: If another program has made a table of one of the names.
        """
        self._dropped_views = frozenset()
        layout, is_marked, to_convert = self.layout, dict[str, bool](), frozenset[str]()
        if not is_new:
            catalog = self._catalog()
            is_marked = recognize_destination(self._table, catalog)
            if "rows" not in is_marked:
                refuse_taken_names(self._table, catalog)
                to_convert = layout.views & is_marked.keys()
        statements = []
        for role in layout.suffixes:
            if role not in is_marked and role not in layout.views:
                statements += self._create_table_sql(role)
        if to_convert:
            statements += convert_sql(tables_of(self), to_convert)
        # A view that somebody replaced has no mark.
        outdated = [role for role in layout.suffixes if role in to_convert or not is_marked.get(role)]
        for role in outdated:
            if role in layout.views:
                statements += self._create_view_sql(role)
        for role in outdated:
            kind = "VIEW" if role in layout.views else "TABLE"
            comment = text_literal(table_comment(role, self._table, layout))
            statements.append(f"COMMENT ON {kind} {self.table(role)} IS {comment}")
        if statements:
            self._connection.execute(";\n".join(statements))

    def _create_table_sql(self, role: str) -> list[str]:
        # Compressed ids would make the file 40 to 60 % smaller, and a publish take 1.9 times as long.
        definitions = ", ".join(
            f"{column} {COLUMN_TYPES[about.holds]}"
            f"{' USING COMPRESSION uncompressed' if column == 'customer_id' else ''}"
            for column, about in COLUMNS[role].items()
        )
        return [f"CREATE TABLE {self.table(role)} ({definitions})", *self._describe_columns_sql(role)]

    def _create_view_sql(self, role: str) -> list[str]:
        select = self._view_sql(role, qualified_name(self._name("rows")), qualified_name(self._name("dates")))
        return [f"CREATE OR REPLACE VIEW {self.table(role)} AS\n{select}", *self._describe_columns_sql(role)]

    def _view_sql(self, role: str, rows: str, dates: str) -> str:
        return view_sql(role, rows, dates, dialect_of(self.engine))

    def _describe_columns_sql(self, role: str) -> list[str]:
        return [
            f"COMMENT ON COLUMN {self.table(role)}.{column} IS {text_literal(about.description)}"
            for column, about in COLUMNS[role].items()
        ]

    def _detach_source(self) -> None:
        """Detach all files: the source may be in the destination file, which can be attached only once."""
        attached = self._connection.execute(
            "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND path IS NOT NULL"
        ).fetchall()
        for (name,) in attached:
            self._connection.execute(f"DETACH {qualified_name(name)}")

    # Attaching

    @contextmanager
    def _attached(self, file: Path, *, read_only: bool) -> Iterator[None]:
        # Without TYPE, DuckDB derives the type from the name: `md:shop` is a service, `a.csv` is in memory.
        options = "TYPE duckdb, READ_ONLY" if read_only else "TYPE duckdb"
        if not read_only:
            self._refuse_linked_logs(file)
        if not read_only and not file.exists():
            # DuckDB's default is a format that only its own version and later ones can read.
            options += f", STORAGE_VERSION {text_literal(self._settings.storage_version)}"
        self._attach(f"ATTACH {text_literal(str(file))} AS {_CATALOG} ({options})")
        self._is_attached = True
        try:
            yield
        finally:
            self._is_attached = False
            with suppress(duckdb.Error):
                self._connection.execute(f"DETACH {_CATALOG}")

    def _refuse_linked_logs(self, file: Path) -> None:
        """Raise if a link is in the place of a log, which DuckDB would follow and write to.

        Raises:
            WarehouseError: If there is one.
        """
        for log in write_ahead_logs(file):
            if log.is_symlink():
                raise WarehouseError(
                    f"{log} is a link to another file, and DuckDB would write its log there.",
                    f"find out who made it, and delete it; {UNCHANGED}",
                )

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
