"""Names of what lies beside a destination's database file: lease, drafts, logs, kept results and orders.

The table's part of a name is in lower case, because DuckDB's table names have no case.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path

_KEPT_INFIX = ".rejected-"


def lease_path(file: Path, table: str) -> Path:
    """Return the path of the lease of a destination.

    Args:
        file: The database file, which is no link.
        table: The destination's table.
    """
    return file.with_name(f"{file.name}.{table.casefold()}.lease")


def write_ahead_logs(file: Path) -> tuple[Path, ...]:
    """Return the paths of the logs that DuckDB writes beside a database file."""
    return tuple(file.with_name(f"{file.name}.wal{suffix}") for suffix in ("", ".checkpoint", ".recovery"))


def orders_folder(file: Path, table: str) -> Path:
    """Return the path of the folder with the orders that incremental runs keep.

    It is hidden, so that a source that is the folder of the destination does not include it.
    """
    return file.with_name(f".{file.name}.{table.casefold()}.orders")


def draft_path(file: Path, table: str, token: str) -> Path:
    """Return the path of a new database file while it is written; `token` is a random part of its name."""
    return file.with_name(f".{file.name}.{table.casefold()}.{token}.new")


def drafts(file: Path, table: str) -> Iterator[Path]:
    """Yield the drafts that exist, with their write-ahead logs."""
    yield from file.parent.glob(f".{glob.escape(file.name)}.{table.casefold()}.*.new*")


def kept_path(file: Path, table: str, run_id: str) -> Path:
    """Return the path of the rejected result of a run, which is kept for inspection."""
    return file.with_name(f"{file.stem}.{table.casefold()}{_KEPT_INFIX}{run_id}.duckdb")


def kept_results(file: Path, table: str) -> Iterator[Path]:
    """Yield the rejected results that are kept."""
    yield from file.parent.glob(f"{glob.escape(file.stem)}.{table.casefold()}{_KEPT_INFIX}*.duckdb")


def kept_logs(file: Path, table: str) -> Iterator[Path]:
    """Yield the write-ahead logs of kept results, which earlier versions left behind on a full disk."""
    yield from file.parent.glob(f"{glob.escape(file.stem)}.{table.casefold()}{_KEPT_INFIX}*.duckdb.wal")
