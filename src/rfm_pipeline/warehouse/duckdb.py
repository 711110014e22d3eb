"""DuckDB: the embedded default.

DuckDB locks a database file for one writing process, and readers elsewhere then can't open it. So the work is
done in memory, spilling to a temporary folder, and the destination is opened twice, briefly: to look up the
current result, and to publish.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rfm_pipeline.engine import duckdb, watched
from rfm_pipeline.engine_settings import DuckDBSettings
from rfm_pipeline.errors import ConfigurationError, DestinationError, WarehouseError
from rfm_pipeline.layout import RESULT_COLUMNS
from rfm_pipeline.source import OpenedSource, open_source
from rfm_pipeline.source.columns import bound_columns
from rfm_pipeline.source.location import Location
from rfm_pipeline.source.options import SourceOptions
from rfm_pipeline.warehouse.base import Progress, Published, SourceTable, Usage
from rfm_pipeline.warehouse.export import write_table
from rfm_pipeline.warehouse.failures import (
    UNCHANGED,
    explained,
    held,
    lock_holder,
    not_boolean,
    objection,
    unopened,
)
from rfm_pipeline.words import lowered

T = TypeVar("T")
_DESTINATION = "destination"
_STAGING = "rfm_staging"


class DuckDBWarehouse:
    """A source read by DuckDB, staged in memory and published to a table in a DuckDB file.

    Args:
        source: Where the lines are.
        options: How its files are written, where that was configured.
        file: The destination file; it is created by the first publish.
        table: The destination table.
        settings: What DuckDB may use.
    """

    engine = "duckdb"

    def __init__(
        self, source: Location, options: SourceOptions, file: Path, table: str, settings: DuckDBSettings
    ) -> None:
        self._source = source
        self._options = options
        self._file = file
        self._table = table
        self._settings = settings
        self._opened: OpenedSource | None = None
        self._scratch = _scratch_folder(settings.temp_directory)
        try:
            self._connection = self._connect()
        except BaseException:
            self._scratch.cleanup()
            raise

    @property
    def destination(self) -> str:
        return f"duckdb:{self._file}#{self._table}"

    def open_source(self) -> SourceTable:
        with explained("read the source"):
            opened = open_source(self._source, self._options, self._connection, Path(self._scratch.name))
        self._opened = opened
        return SourceTable(
            label=opened.label,
            relation=opened.relation,
            schema=opened.schema,
            notes=opened.notes,
            rows=opened.rows,
            size_bytes=opened.size_bytes,
            is_passing=bool(opened.copies),
            before=opened.before,
            written_as=opened.format,
        )

    def published(self) -> Published:
        self._check_folder()
        if not self._file.exists():
            return Published()
        table = self._quoted(_DESTINATION, "main", self._table)
        with self._attached(read_only=True), explained(f"look at {self._file}", file=self._file):
            # DuckDB tells no two names apart by case.
            columns = self._connection.execute(
                "SELECT column_name, table_type = 'VIEW' FROM information_schema.columns"
                " JOIN information_schema.tables USING (table_catalog, table_schema, table_name)"
                " WHERE table_catalog = ? AND table_schema = 'main' AND LOWER(table_name) = LOWER(?)"
                " ORDER BY ordinal_position",
                [_DESTINATION, self._table],
            ).fetchall()
            if not columns:
                return Published()
            self._check_ours([name for name, _ in columns], is_view=columns[0][1])
            self._connection.execute(
                "CREATE OR REPLACE TABLE previous AS SELECT customer_id, segment, previous_segment,"
                f" segment_since, as_of_date FROM {table}"
            )
        row = self._connection.execute("SELECT MAX(as_of_date), COUNT(*) FROM previous").fetchone()
        assert row is not None  # an aggregate always has a row
        return Published(as_of=row[0], customers=row[1])

    def estimate(self, select: str) -> None:  # noqa: ARG002 - reading costs nothing, whatever is read
        return None

    def usage(self) -> Usage:
        return Usage(bytes_processed=self._opened.size_bytes if self._opened else None)

    def table(self, name: str) -> str:
        return name

    def create(self, name: str, select: str, progress: Progress | None = None) -> None:
        with explained("compute the segments", self._opened):
            watched(self._connection, f"CREATE OR REPLACE TABLE {name} AS\n{select}", progress)

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        with explained("look at the staged result"):
            cursor = self._connection.execute(select)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def check_condition(self, expression: str, relation: str) -> str | None:
        try:
            ((_, type_),) = bound_columns(
                self._connection, f"SELECT {expression} AS condition FROM {relation}"
            )
            # Behind WHERE, DuckDB accepts nothing that looks at several lines or makes several of one.
            self._connection.execute(f"SELECT 1 FROM {relation} WHERE {expression} LIMIT 0")
        except duckdb.Error as error:
            return objection(error)
        return None if str(type_) == "BOOLEAN" else not_boolean(str(type_))

    def publish(self, name: str) -> None:
        self._check_folder()
        table = self._quoted(_DESTINATION, "main", self._table)
        # A source inside the destination file is attached read-only, and a file is attached once.
        self._release_source()
        is_new, is_published = not self._file.exists(), False
        try:
            with explained(f"write {self._file}", file=self._file), self._attached(read_only=False):
                self._replace(table, name)
                is_published = True
        finally:
            if is_new and not is_published:
                # What is left of a file that could not be filled is no database for the next run.
                for left in (self._file, self._file.with_name(f"{self._file.name}.wal")):
                    left.unlink(missing_ok=True)

    def _replace(self, table: str, staged: str) -> None:
        self._connection.execute("BEGIN TRANSACTION")
        try:
            self._connection.execute(f"CREATE OR REPLACE TABLE {table} ({_columns()})")
            names = ", ".join(RESULT_COLUMNS)
            self._connection.execute(f"INSERT INTO {table} SELECT {names} FROM {staged}")
            for column, about in RESULT_COLUMNS.items():
                self._connection.execute(f"COMMENT ON COLUMN {table}.{column} IS '{about.description}'")
            self._connection.execute("COMMIT")
        except BaseException:
            # A rollback of what the engine itself has already ended must not hide why it did.
            _quietly(lambda: self._connection.execute("ROLLBACK"))
            raise

    def export(self, name: str, path: Path) -> Path:
        with explained(f"write {path}"):
            return write_table(self._connection, name, path, Path(self._scratch.name))

    def close(self) -> None:
        self._connection.close()
        self._scratch.cleanup()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        config: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": str(Path(self._scratch.name) / "spill"),
            # Rows come in any order: the order of a result is never relied on, and keeping it costs memory.
            "preserve_insertion_order": "false",
            # Nothing is fetched over the network, extensions neither.
            "autoinstall_known_extensions": "false",
            # The source is read once: what was kept of it would be of no use.
            "enable_external_file_cache": "false",
        }
        if self._settings.memory_limit:
            config["memory_limit"] = self._settings.memory_limit
        if self._settings.threads:
            config["threads"] = str(self._settings.threads)
        with explained("start DuckDB"):
            connection = duckdb.connect(":memory:", config=config)
            connection.execute("SET TimeZone = 'UTC'")
            if not self._settings.threads:
                _set_threads(connection)
        return connection

    @contextmanager
    def _attached(self, *, read_only: bool) -> Iterator[None]:
        # Without the type, DuckDB takes it from the name: `md:shop` is a service, `a.csv` one in memory.
        mode = "TYPE duckdb, READ_ONLY" if read_only else "TYPE duckdb"
        path = str(self._file).replace("'", "''")
        self._patiently(lambda: self._connection.execute(f"ATTACH '{path}' AS {_DESTINATION} ({mode})"))
        try:
            yield
        finally:
            _quietly(lambda: self._connection.execute(f"DETACH {_DESTINATION}"))

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
            pause = min(pause * 1.5, 1.0)

    def _check_folder(self) -> None:
        folder = self._file.parent
        if not folder.is_dir():
            raise DestinationError(
                f"The folder of the destination, {folder}, does not exist.",
                "create it, or choose another --to.",
            )
        if self._file.is_dir():
            raise DestinationError(f"{self._file} is a folder.", "name a file: --to duckdb:rfm.duckdb.")
        # A new file, or the log that DuckDB writes beside one that is there.
        for path in (folder, self._file):
            if path.exists() and not os.access(path, os.W_OK):
                raise WarehouseError(
                    f"There is no permission to write {'into ' if path.is_dir() else ''}{path}.",
                    f"look at its owner and its mode, or choose another file with --to; {UNCHANGED}",
                )

    def _check_ours(self, columns: list[str], *, is_view: bool) -> None:
        hint = f"choose another table, as in --to 'duckdb:{self._file}#rfm_segments_2', or another file."
        if is_view:
            raise DestinationError(f"{self._table} in {self._file} is a view, not a table of ours.", hint)
        if columns == list(RESULT_COLUMNS):
            return
        absent = [name for name in RESULT_COLUMNS if name not in columns]
        strange = [name for name in columns if name not in RESULT_COLUMNS]
        differences = [f"lacks {', '.join(absent[:3])}"] if absent else []
        differences += [f"has {', '.join(strange[:3])}"] if strange else []
        raise DestinationError(
            f"The table {self._table} in {self._file} is not a result of this pipeline: it"
            f" {' and '.join(differences) or 'has its columns in another order'}.",
            hint,
        )

    def _release_source(self) -> None:
        attached = self._connection.execute(
            "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND path IS NOT NULL"
        ).fetchall()
        for (name,) in attached:
            self._connection.execute(f"DETACH {self._quoted(name)}")

    @staticmethod
    def _quoted(*names: str) -> str:
        return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def _set_threads(connection: duckdb.DuckDBPyConnection) -> None:
    """At least four: among fewer, DuckDB splits what it groups into parts that outgrow the caches.

    Two cores group ten million lines in a seventh less processor time with four threads than with two.
    """
    connection.execute("SET threads = GREATEST(4, CURRENT_SETTING('threads'))")


def _scratch_folder(root: Path | None) -> tempfile.TemporaryDirectory[str]:
    if root is not None and not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise ConfigurationError(
            f"The temporary folder {root} {what}.", "set duckdb.temp_directory to a folder with room."
        )
    try:
        return tempfile.TemporaryDirectory(prefix="rfm-", dir=root, ignore_cleanup_errors=True)
    except OSError as error:
        raise WarehouseError(
            f"No temporary folder can be made in {root or 'the folder for temporary files'}:"
            f" {lowered(error.strerror or str(error))}.",
            "set duckdb.temp_directory to a folder that can be written to.",
        ) from None


def _columns() -> str:
    """The columns of the published table, as CREATE TABLE takes them."""
    types = {
        "text": "VARCHAR",
        "integer": "BIGINT",
        "small": "INTEGER",
        "money": "DECIMAL(38, 9)",
        "date": "DATE",
    }
    columns = [f"{name} {types[column.holds]}" for name, column in RESULT_COLUMNS.items()]
    # Ids hardly compress, and trying takes half of the time of a publish.
    columns[0] += " USING COMPRESSION uncompressed"
    return ", ".join(columns)


def _quietly(action: Callable[[], object]) -> None:
    try:
        action()
    except duckdb.Error:
        return
