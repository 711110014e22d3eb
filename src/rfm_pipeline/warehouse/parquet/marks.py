"""Recognition of the files of a Parquet destination by the mark in their metadata, and by their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

from rfm_pipeline._version import __version__
from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import paths_literal
from rfm_pipeline.common.duckdb_types import describe_columns
from rfm_pipeline.common.installation import upgrade_hint
from rfm_pipeline.errors import DestinationError, WarehouseError
from rfm_pipeline.results.recognition import read_mark
from rfm_pipeline.results.tables import LAYOUTS, newer_version
from rfm_pipeline.warehouse.duckdb.errors import system_reason
from rfm_pipeline.warehouse.duckdb.schema import published_schema_differences

MARK_KEY = "rfm"
"""Key of the mark in a file's metadata. The key `as_of_date` has the date of a file of rows."""
_HOLDS: Mapping[str, str] = {"history": "the result as of a date", "runs": "the runs"}
_ANOTHER_FILE = "move it, or choose another file with --to."


def check_files(
    connection: duckdb.DuckDBPyConnection, current: Path | None, dated: Sequence[Path], runs: Path | None
) -> date | None:
    """Check that files are those of a destination; return the as-of date of the current result, if any.

    Args:
        connection: Connection that reads the files.
        current: The file of the current result; None if there is none.
        dated: The files of rows as of a date.
        runs: The file of runs; None if there is none.

    Raises:
        DestinationError: If a file has no mark, or that of another role, or other columns, or if a newer
            version of rfm wrote it.
        WarehouseError: If a file is damaged.
    """
    roles = dict.fromkeys(dated, "history")
    roles |= {current: "history"} if current else {}
    roles |= {runs: "runs"} if runs else {}
    if not roles:
        return None
    metadata = _metadata(connection, list(roles))
    for file, role in roles.items():
        _check_mark(file, role, metadata.get(str(file), {}).get(MARK_KEY))
    # Reading the columns of all files would take a millisecond each. DuckDB reports a file without a column.
    for checked in {*dated[-1:], *([current] if current else []), *([runs] if runs else [])}:
        _check_columns(connection, checked, roles[checked], runs)
    if current is None:
        return None
    try:
        return date.fromisoformat(metadata[str(current)].get("as_of_date", ""))
    except ValueError:
        raise DestinationError(
            f"{current} is not a result of rfm: its metadata has no as-of date.", _ANOTHER_FILE
        ) from None


def _metadata(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> dict[str, dict[str, str]]:
    """Return the metadata of each file that has any, by path."""
    try:
        pairs = _read_metadata(connection, files)
    except duckdb.Error:
        # Which of them can't be read?
        for file in files:
            try:
                _read_metadata(connection, [file])
            except duckdb.Error as error:
                raise _unreadable(file, error) from error
        raise
    metadata: dict[str, dict[str, str]] = {}
    for path, key, value in pairs:
        metadata.setdefault(path, {})[key.decode(errors="replace")] = value.decode(errors="replace")
    return metadata


def _read_metadata(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path]
) -> list[tuple[str, bytes, bytes]]:
    # DuckDB returns each path as it was given, without the brackets around special characters.
    return connection.execute(
        f"SELECT file_name, key, value FROM parquet_kv_metadata({paths_literal(files)})"
    ).fetchall()


def _unreadable(file: Path, error: duckdb.Error) -> DestinationError | WarehouseError:
    if reason := system_reason(error):
        return WarehouseError(f"{file} can't be read: {reason}.", "check its permissions and the disk.")
    return DestinationError(
        f"{file} is no Parquet file, or it is damaged.",
        "move it, or restore it from a backup; `rfm run --as-of DATE` computes a result that is gone.",
    )


def _check_mark(file: Path, role: str, text: str | None) -> None:
    mark = read_mark(text)
    if mark is None:
        raise DestinationError(
            f"{file} is not a result of rfm: its metadata has no mark of rfm.", _ANOTHER_FILE
        )
    if mark.role != role:
        held = _HOLDS.get(mark.role, mark.role)
        raise DestinationError(f"{file} holds {held} of a destination, not {_HOLDS[role]}.", _ANOTHER_FILE)
    if mark.format > LAYOUTS["parquet"].format:
        raise DestinationError(
            f"{file} was written by a version of rfm that is newer than this one, {__version__}.",
            upgrade_hint(),
        )


def _check_columns(connection: duckdb.DuckDBPyConnection, file: Path, role: str, runs: Path | None) -> None:
    select = f"SELECT * FROM read_parquet({paths_literal([file])}, hive_partitioning = false)"
    columns = {name: str(type_) for name, type_ in describe_columns(connection, select)}
    if not (differences := published_schema_differences(role, columns)):
        return
    if newer := newer_version(_last_version(connection, runs)):
        raise DestinationError(
            f"{file} was written by rfm {newer}, which is newer than this one, {__version__}.",
            upgrade_hint(),
        )
    raise DestinationError(f"{file} is not a result of this pipeline: it {differences}.", _ANOTHER_FILE)


def _last_version(connection: duckdb.DuckDBPyConnection, runs: Path | None) -> str | None:
    """Return the version of rfm that ran last; None if the runs can't be read."""
    if runs is None:
        return None
    with suppress(duckdb.Error):
        rows = paths_literal([runs])
        found = connection.execute(
            f"SELECT version FROM read_parquet({rows}) ORDER BY finished_at DESC LIMIT 1"
        ).fetchone()
        return found[0] if found else None
    return None
