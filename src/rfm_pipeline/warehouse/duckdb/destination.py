"""A DuckDB file as a destination: what stands in it, and changing that in one transaction.

DuckDB locks a file for one writing process, and readers elsewhere then can't open it. So it is attached only
while something is read or changed, which takes moments. A lease beside it keeps a second run away for longer.
"""

from __future__ import annotations

import glob
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from rfm_pipeline._version import __version__
from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.common.duckdb_engine import duckdb, fetch_dicts, lock_holder
from rfm_pipeline.common.file_lock import FileLock
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.errors import DestinationError, LockedError, WarehouseError
from rfm_pipeline.results.tables import COLUMNS, SUFFIXES, PublishedColumn, newer_version
from rfm_pipeline.warehouse.duckdb.errors import (
    UNCHANGED,
    held,
    translate_duckdb_errors,
    unopened,
)

T = TypeVar("T")
_CATALOG = "destination"
_KEPT = "kept"
_KEPT_DAYS = 7
_REFUSED = ".refused-"
_TYPES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "small": "INTEGER",
    "money": "DECIMAL(38,9)",
    "date": "DATE",
    "instant": "TIMESTAMP",
}


class DuckDBDestination:
    """The tables of a destination in a DuckDB file.

    Args:
        connection: A database in memory, to which the file is attached.
        file: The file; it is made by the first change.
        table: The table of the current result.
        settings: How long to wait for another process.
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
        return quoted(_CATALOG, "main", f"{self._table}{SUFFIXES[name]}")

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
            found: dict[str, dict[str, str]] = {}
            views = set()
            for table, is_view, column, kind in columns:
                found.setdefault(table, {})[column] = kind
                if is_view:
                    views.add(table)
            there = set()
            for name, suffix in SUFFIXES.items():
                # DuckDB tells no two names apart by case.
                table = f"{self._table}{suffix}".casefold()
                if table in found:
                    self._check_ours(name, found[table], is_view=table in views)
                    there.add(name)
        return frozenset(there)

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        with self.open_for_reading():
            return fetch_dicts(self._connection.execute(select))

    @contextmanager
    def open_for_reading(self) -> Iterator[None]:
        if self._is_attached or not self._file.exists():
            yield
            return
        with (
            translate_duckdb_errors(f"look at {self._file}", file=self._file),
            self._attached(self._file, read_only=True),
        ):
            yield

    def apply(self, statements: Sequence[str], step: str) -> None:  # noqa: ARG002 - DuckDB names no jobs
        self.check()
        self._release_others()
        with translate_duckdb_errors(f"write {self._file}", file=self._file):
            if self._file.exists() or not self._made(statements):
                with self._attached(self._file, read_only=False):
                    self._transact(statements)

    @contextmanager
    def lease(self, run_id: str) -> Iterator[None]:
        self.check()
        lock = FileLock(self._file.with_name(f"{self._file.name}.{self._table}.lease"))
        about = {
            "run_id": run_id,
            "process": os.getpid(),
            "host": socket.gethostname(),
            "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        }
        try:
            is_ours = lock.acquire(json.dumps(about))
        except OSError as error:
            raise WarehouseError(
                f"The lease of {self._file} can't be taken: {lower_first(error.strerror or str(error))}.",
                f"look at the disk's room and permissions; {UNCHANGED}",
            ) from None
        if not is_ours:
            raise leased(self.label, lock.read_note())
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
        # A new file, or the log that DuckDB writes beside one that is there.
        for path in (folder, self._file):
            if path.exists() and not os.access(path, os.W_OK):
                raise WarehouseError(
                    f"There is no permission to write {'into ' if path.is_dir() else ''}{path}.",
                    f"look at its owner and its mode, or choose another file with --to; {UNCHANGED}",
                )

    def _check_is_file(self) -> None:
        if self._file.is_dir():
            raise DestinationError(f"{self._file} is a folder.", "name a file: --to duckdb:rfm.duckdb.")

    def retain_tables(self, run_id: str, tables: Sequence[str]) -> str:
        """Copies tables in memory into a file beside the destination; what can be done with it, in words."""
        file = self._file.with_name(f"{self._file.stem}.{self._table}{_REFUSED}{run_id}.duckdb")
        try:
            with self._attached(file, read_only=False, catalog=_KEPT):
                for table in tables:
                    self._connection.execute(f"CREATE TABLE {quoted(_KEPT, table)} AS FROM {table}")
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        return f"what was staged is in {file} for {_KEPT_DAYS} days"

    def close(self) -> None:
        self._connection.close()

    # Changing

    def _made(self, statements: Sequence[str]) -> bool:
        """Fills a new file beside its place, and moves it there; False where another has come to be there."""
        draft = self._file.with_name(f".{self._file.name}.{self._table}.{secrets.token_hex(4)}.new")
        try:
            with self._attached(draft, read_only=False):
                self._transact(statements)
            try:
                # Unlike a renaming, a second name never takes the place of a file that is there.
                os.link(draft, self._file)
            except FileExistsError:
                return False
            except OSError:
                draft.rename(self._file)
        finally:
            for left in (draft, draft.with_name(f"{draft.name}.wal")):
                left.unlink(missing_ok=True)
        return True

    def remove_orphans(self, run_id: str, spared: Collection[str]) -> None:  # noqa: ARG002 - what is kept has a file
        folder, oldest = self._file.parent, time.time() - _KEPT_DAYS * 24 * 60 * 60
        for left in folder.glob(f".{glob.escape(self._file.name)}.{self._table}.*.new*"):
            left.unlink(missing_ok=True)
        for kept in folder.glob(f"{glob.escape(self._file.stem)}.{self._table}{_REFUSED}*.duckdb"):
            with suppress(OSError):
                if kept.stat().st_mtime < oldest:
                    kept.unlink()

    def _transact(self, statements: Sequence[str]) -> None:
        self._connection.execute("BEGIN TRANSACTION")
        try:
            for name, columns in COLUMNS.items():
                self._make(name, columns)
            for statement in statements:
                self._connection.execute(statement)
        except BaseException:
            # A rollback of what the engine itself has already ended must not hide why it did.
            quietly(lambda: self._connection.execute("ROLLBACK"))
            raise
        try:
            self._connection.execute("COMMIT")
        except KeyboardInterrupt:
            # Python hears of a stop once the statement is over. What is committed is done, and done well.
            if self._is_in_transaction():
                self._connection.execute("ROLLBACK")
                raise
        except BaseException:
            quietly(lambda: self._connection.execute("ROLLBACK"))
            raise

    def _is_in_transaction(self) -> bool:
        try:
            self._connection.execute("BEGIN TRANSACTION")
        except duckdb.Error:
            return True
        self._connection.execute("ROLLBACK")
        return False

    def _make(self, name: str, columns: Mapping[str, PublishedColumn]) -> None:
        table = self.table(name)
        is_there = self._connection.execute(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = 'main'"
            " AND LOWER(table_name) = LOWER(?)",
            [_CATALOG, f"{self._table}{SUFFIXES[name]}"],
        ).fetchone()
        if is_there:
            return
        # Compressed ids spare a quarter of the file, and a publish takes 1.4 times as long for it.
        listed = ", ".join(
            f"{column} {_TYPES[about.holds]}"
            f"{' USING COMPRESSION uncompressed' if column == 'customer_id' else ''}"
            for column, about in columns.items()
        )
        statements = [f"CREATE TABLE {table} ({listed})"]
        statements += [
            f"COMMENT ON COLUMN {table}.{column} IS '{about.description}'"
            for column, about in columns.items()
        ]
        self._connection.execute(";\n".join(statements))

    def _release_others(self) -> None:
        """A source inside the destination file is attached read-only, and a file is attached once."""
        attached = self._connection.execute(
            "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND path IS NOT NULL"
        ).fetchall()
        for (name,) in attached:
            self._connection.execute(f"DETACH {quoted(name)}")

    # Opening

    @contextmanager
    def _attached(self, file: Path, *, read_only: bool, catalog: str = _CATALOG) -> Iterator[None]:
        # Without the type, DuckDB takes it from the name: `md:shop` is a service, `a.csv` one in memory.
        mode = "TYPE duckdb, READ_ONLY" if read_only else "TYPE duckdb"
        path = str(file).replace("'", "''")
        self._patiently(lambda: self._connection.execute(f"ATTACH '{path}' AS {catalog} ({mode})"))
        self._is_attached = catalog == _CATALOG
        try:
            yield
        finally:
            self._is_attached = False
            quietly(lambda: self._connection.execute(f"DETACH {catalog}"))

    def _patiently(self, attach: Callable[[], T]) -> T:
        """Attaches, waiting while another process holds the file."""
        deadline = time.monotonic() + self._settings.lock_timeout
        pause = 0.05
        while True:
            try:
                return attach()
            except duckdb.Error as error:
                holder = lock_holder(error)
                if holder is None:
                    raise unopened(self._file, error) from None
                if time.monotonic() + pause > deadline:
                    raise held(self._file, holder) from None
            threading.Event().wait(pause)
            raise_if_cancelled()
            pause = min(pause * 1.5, 1.0)

    # What is there

    def _check_ours(self, name: str, columns: Mapping[str, str], *, is_view: bool) -> None:
        table = f"{self._table}{SUFFIXES[name]}"
        hint = f"choose another table, as in --to 'duckdb:{self._file}#rfm_segments_2', or another file."
        if is_view:
            raise DestinationError(f"{table} in {self._file} is a view, not a table of ours.", hint)
        wanted = {column: _TYPES[about.holds] for column, about in COLUMNS[name].items()}
        if list(columns.items()) == list(wanted.items()):
            return
        if newer := self._newer_version():
            raise DestinationError(
                f"{self._file} was written by rfm {newer}, which is newer than this one, {__version__}.",
                f"upgrade: pip install 'rfm-pipeline>={newer}'.",
            )
        absent = [column for column in wanted if column not in columns]
        strange = [column for column in columns if column not in wanted]
        if not absent and not strange:
            # Where columns are of another kind, names tell nothing.
            strange = [
                f"{column} as {columns[column]} in place of {kind}"
                for column, kind in wanted.items()
                if columns[column] != kind
            ]
        differences = [f"lacks {', '.join(absent[:3])}"] if absent else []
        differences += [f"has {', '.join(strange[:3])}"] if strange else []
        raise DestinationError(
            f"The table {table} in {self._file} is not a result of this pipeline: it"
            f" {' and '.join(differences) or 'has its columns in another order'}.",
            hint,
        )

    def _newer_version(self) -> str | None:
        """The version that wrote the file last, where it is above ours."""
        try:
            row = self._connection.execute(
                f"SELECT version FROM {self.table('runs')} ORDER BY finished_at DESC LIMIT 1"
            ).fetchone()
        except duckdb.Error:
            # What is not ours has no such table, or another one.
            return None
        return newer_version(row[0] if row else None)


def leased(label: str, about: str) -> LockedError:
    """The error for a destination that another run is at work on.

    Args:
        label: The destination.
        about: What that run says of itself, in JSON.
    """
    try:
        holder = json.loads(about)
        who = (
            f"the run {holder['run_id']} (process {holder['process']} on {holder['host']},"
            f" since {holder['since']})"
        )
    except (ValueError, KeyError, TypeError):
        who = "another run"
    return LockedError(f"{label} is held by {who}.", f"wait for it to end, or stop it; {UNCHANGED}")


def quoted(*names: str) -> str:
    """A name by its parts, as it stands behind FROM."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def quietly(action: Callable[[], object]) -> None:
    """Does what can't be helped where it fails."""
    try:
        action()
    except duckdb.Error:
        return
