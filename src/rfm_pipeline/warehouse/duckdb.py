"""DuckDB: the embedded default.

DuckDB locks a database file for one writing process, and readers elsewhere then can't open it. So the work is
done in memory, spilling to a temporary folder, and the destination is opened twice, briefly: to look up the
current result, and to publish.
"""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from rfm_pipeline.errors import DestinationError, LockedError, RfmError, SourceError, WarehouseError
from rfm_pipeline.settings import DuckDBSettings
from rfm_pipeline.source import open_source
from rfm_pipeline.source.location import Location
from rfm_pipeline.source.options import SourceOptions
from rfm_pipeline.warehouse.base import RESULT_COLUMNS, Progress, Published, SourceTable
from rfm_pipeline.warehouse.export import write_table

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
        root = settings.temp_directory
        if root is not None and not root.is_dir():
            raise WarehouseError(f"The temporary folder {root} does not exist.", "set duckdb.temp_directory.")
        self._scratch = tempfile.TemporaryDirectory(prefix="rfm-", dir=root, ignore_cleanup_errors=True)
        self._connection = self._connect()

    @property
    def destination(self) -> str:
        return f"duckdb:{self._file}#{self._table}"

    def open_source(self) -> SourceTable:
        with _explained("read the source"):
            opened = open_source(self._source, self._options, self._connection, Path(self._scratch.name))
        return SourceTable(
            opened.label, opened.relation, opened.schema, opened.notes, opened.rows, opened.size_bytes
        )

    def published(self) -> Published:
        if not self._file.exists():
            self._check_folder()
            return Published()
        table = self._quoted(_DESTINATION, "main", self._table)
        with self._attached(read_only=True):
            columns = self._connection.execute(
                "SELECT column_name, data_type FROM duckdb_columns()"
                " WHERE database_name = ? AND schema_name = 'main' AND table_name = ? ORDER BY column_index",
                [_DESTINATION, self._table],
            ).fetchall()
            if not columns:
                return Published()
            self._check_ours([name for name, _ in columns])
            self._connection.execute(
                "CREATE OR REPLACE TABLE previous AS SELECT customer_id, segment, previous_segment,"
                f" segment_since, as_of_date FROM {table}"
            )
        row = self._connection.execute("SELECT MAX(as_of_date), COUNT(*) FROM previous").fetchone()
        assert row is not None  # an aggregate always has a row
        return Published(as_of=row[0], customers=row[1])

    def table(self, name: str) -> str:
        return name

    def create(self, name: str, select: str, progress: Progress | None = None) -> None:
        with _explained("compute the segments"):
            self._watched(f"CREATE OR REPLACE TABLE {name} AS\n{select}", progress)

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        with _explained("look at the staged result"):
            cursor = self._connection.execute(select)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def check_condition(self, expression: str, relation: str) -> str | None:
        try:
            bound = self._connection.sql(f"SELECT {expression} AS condition FROM {relation} LIMIT 0")
        except duckdb.Error as error:
            return _first_line(error)
        kind = str(bound.types[0])
        return None if kind == "BOOLEAN" else f"it is {kind}, not true or false"

    def publish(self, name: str) -> None:
        self._check_folder()
        table = self._quoted(_DESTINATION, "main", self._table)
        # A source inside the destination file is attached read-only, and a file is attached once.
        self._release_source()
        with _explained(f"write {self._file}"), self._attached(read_only=False):
            self._connection.execute("BEGIN TRANSACTION")
            try:
                self._connection.execute(f"CREATE OR REPLACE TABLE {table} ({_columns()})")
                names = ", ".join(RESULT_COLUMNS)
                self._connection.execute(f"INSERT INTO {table} SELECT {names} FROM {name}")
                for column, about in RESULT_COLUMNS.items():
                    self._connection.execute(f"COMMENT ON COLUMN {table}.{column} IS '{about.description}'")
                self._connection.execute("COMMIT")
            except BaseException:
                # A rollback of what the engine itself has already ended must not hide why it did.
                _quietly(lambda: self._connection.execute("ROLLBACK"))
                raise

    def export(self, name: str, path: Path) -> None:
        write_table(self._connection, name, path)

    def close(self) -> None:
        self._connection.close()
        self._scratch.cleanup()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        config: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": str(Path(self._scratch.name) / "spill"),
            # Rows come in any order: the order of a result is never relied on, and keeping it costs memory.
            "preserve_insertion_order": "false",
        }
        if self._settings.memory_limit:
            config["memory_limit"] = self._settings.memory_limit
        if self._settings.threads:
            config["threads"] = str(self._settings.threads)
        with _explained("start DuckDB"):
            connection = duckdb.connect(":memory:", config=config)
            connection.execute("SET TimeZone = 'UTC'")
        return connection

    @contextmanager
    def _attached(self, *, read_only: bool) -> Iterator[None]:
        mode = " (READ_ONLY)" if read_only else ""
        path = str(self._file).replace("'", "''")
        self._patiently(lambda: self._connection.execute(f"ATTACH '{path}' AS {_DESTINATION}{mode}"))
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
                holder = _lock_holder(error)
                if holder is None:
                    raise self._unopened(error) from None
                if time.monotonic() + pause > deadline:
                    raise LockedError(
                        f"{self._file} is held by {holder}.",
                        "wait for it to end, or close it; the earlier result is unchanged.",
                    ) from None
            threading.Event().wait(pause)
            pause = min(pause * 1.5, 1.0)

    def _unopened(self, error: duckdb.Error) -> RfmError:
        message = _first_line(error)
        if "not a valid DuckDB database" in message or "not a DuckDB database" in message:
            return DestinationError(
                f"{self._file} is not a DuckDB database.", "choose another file with --to."
            )
        if "newer version" in message or "storage version" in message.casefold():
            return DestinationError(
                f"{self._file} was written by another version of DuckDB: {message}",
                "choose another file with --to, or bring duckdb to that version.",
            )
        return WarehouseError(
            f"{self._file} can't be opened: {message}", "look at the file's permissions and at the disk."
        )

    def _check_folder(self) -> None:
        folder = self._file.parent
        if not folder.is_dir():
            raise DestinationError(
                f"The folder of the destination, {folder}, does not exist.",
                "create it, or choose another --to.",
            )
        if self._file.is_dir():
            raise DestinationError(f"{self._file} is a folder.", "name a file: --to duckdb:rfm.duckdb.")

    def _check_ours(self, columns: list[str]) -> None:
        if columns == list(RESULT_COLUMNS):
            return
        absent = [name for name in RESULT_COLUMNS if name not in columns]
        strange = [name for name in columns if name not in RESULT_COLUMNS]
        differences = [f"lacks {', '.join(absent[:3])}"] if absent else []
        differences += [f"has {', '.join(strange[:3])}"] if strange else []
        raise DestinationError(
            f"The table {self._table} in {self._file} is not a result of this pipeline: it"
            f" {' and '.join(differences) or 'has its columns in another order'}.",
            f"choose another table, as in --to 'duckdb:{self._file}#rfm_segments_2', or another file.",
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

    def _watched(self, statement: str, progress: Progress | None) -> None:
        """Runs a statement, telling how far it is."""
        if progress is None:
            self._connection.execute(statement)
            return
        self._connection.execute("SET enable_progress_bar = true")
        self._connection.execute("SET enable_progress_bar_print = false")
        done = threading.Event()

        def poll() -> None:
            while not done.wait(0.1):
                percentage = self._connection.query_progress()
                if percentage >= 0:
                    progress(percentage / 100)

        watcher = threading.Thread(target=poll, daemon=True)
        watcher.start()
        try:
            self._connection.execute(statement)
        finally:
            done.set()
            watcher.join()


def _columns() -> str:
    """The columns of the published table, as CREATE TABLE takes them."""
    types = {"text": "VARCHAR", "integer": "BIGINT", "money": "DECIMAL(38, 9)", "date": "DATE"}
    columns = [f"{name} {types[column.holds]}" for name, column in RESULT_COLUMNS.items()]
    # Ids hardly compress, and trying takes half of the time of a publish.
    columns[0] += " USING COMPRESSION uncompressed"
    return ", ".join(columns)


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    """Turns what the engine says into one of our errors."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise WarehouseError(
            f"Not enough memory or disk to {doing}: {_first_line(error)}",
            "raise duckdb.memory_limit, or give duckdb.temp_directory more room.",
        ) from error
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.OutOfRangeException) as error:
        raise SourceError(f"The source can't be read to the end: {_first_line(error)}") from error
    except duckdb.Error as error:
        raise WarehouseError(f"DuckDB could not {doing}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    line = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", line)
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _lock_holder(error: Exception) -> str | None:
    """Who holds the file that could not be locked; None when that is not what is wrong."""
    text = str(error)
    if "Could not set lock on file" not in text and "being used by another process" not in text:
        return None
    match = re.search(r"held in (?P<program>.*?) \(PID (?P<pid>\d+)\)", text)
    return f"{Path(match['program']).name} (process {match['pid']})" if match else "another process"


def _quietly(action: Callable[[], object]) -> None:
    try:
        action()
    except duckdb.Error:
        return
