"""Writing a staged table to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_types import describe_columns
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import ConfigurationError, UsageError, WarehouseError
from rfm_pipeline.warehouse.duckdb.errors import first_line, system_reason

Writer = Callable[[duckdb.DuckDBPyConnection, str, Path, Path], None]
"""Writes the rows of a SELECT to a file, with a folder for what is written on the way."""

_ROWS_A_SHEET = 1_048_575
_CELL = 32_767
# In constant memory a row is on disk as soon as the next one begins.
_WORKBOOK = {
    "constant_memory": True,
    "default_date_format": "yyyy-mm-dd",
    "strings_to_formulas": False,
    "strings_to_urls": False,
}


def check_output(path: Path) -> None:
    """Says early what would fail late.

    Raises:
        ConfigurationError: The suffix names no format, or the folder does not exist.
        UsageError: A workbook is asked for, and what writes it is not installed.
    """
    if path.suffix.casefold() not in _WRITERS:
        raise ConfigurationError(
            f"The output {path} has no format that is known.",
            f"end its name in one of {', '.join(_WRITERS)}.",
        )
    if path.is_dir() or not path.absolute().parent.is_dir():
        what = "is a folder" if path.is_dir() else "is in a folder that does not exist"
        raise ConfigurationError(f"The output {path} {what}.", "name a file in a folder that is there.")
    if path.suffix.casefold() == ".xlsx":
        _xlsxwriter()


def write_table(connection: duckdb.DuckDBPyConnection, table: str, path: Path, scratch: Path) -> AtomicFile:
    """Writes the rows of a table, sorted by customer, to a draft beside the place where they are to be.

    Args:
        connection: Where the table is.
        table: Its name.
        path: `.csv`, `.tsv`, `.parquet`, `.json` (one array), `.ndjson` or `.xlsx`; it stays as it is.
        scratch: A folder for what is written on the way.

    Raises:
        WarehouseError: The file can't be written; no draft is left.
    """
    select = f"SELECT * FROM {table} ORDER BY customer_id"
    with _drafted(path, "; nothing was published") as draft:
        _WRITERS[path.suffix.casefold()](connection, select, draft.path, scratch)
    return draft


def write_private(
    connection: duckdb.DuckDBPyConnection, select: str, path: Path, scratch: Path
) -> AtomicFile:
    """Writes the rows of a SELECT, as they are, to a draft that nobody but its owner can ever read.

    Args:
        connection: Where the rows are.
        select: With an order.
        path: `.csv`, `.parquet` or `.xlsx`; it stays as it is.
        scratch: A folder for what is written on the way.

    Raises:
        WarehouseError: The file can't be written; no draft is left.
    """
    with _drafted(path) as draft:
        draft.path.touch(mode=0o600, exist_ok=False)
        _PRIVATE_WRITERS[path.suffix.casefold()](connection, select, draft.path, scratch)
    return draft


@contextmanager
def _drafted(path: Path, and_then: str = "") -> Iterator[AtomicFile]:
    draft = None
    try:
        draft = AtomicFile(path)
        yield draft
    except BaseException as error:
        if draft:
            draft.cleanup()
        if not isinstance(error, duckdb.Error | OSError):
            raise
        said = error.strerror if isinstance(error, OSError) else system_reason(error)
        raise WarehouseError(
            f"The output {path} can't be written: {lower_first(said or first_line(error)).rstrip('.')}.",
            f"look at the disk's room and the folder's permissions{and_then}.",
        ) from error


def _copy(options: str, *, plain_numbers: bool = False) -> Writer:
    def write(connection: duckdb.DuckDBPyConnection, select: str, path: Path, _: Path) -> None:
        literal = str(path).replace("'", "''")
        rows = _short_decimals(connection, select) if plain_numbers else select
        connection.execute(f"COPY ({rows}) TO '{literal}' ({options})")

    return write


def _short_decimals(connection: duckdb.DuckDBPyConnection, select: str) -> str:
    """The same rows, with money in as many decimals as it has, at least two: 4310.00, not 4310.000000000."""
    places = connection.execute(
        "SELECT COALESCE(MAX(LENGTH(RTRIM(SPLIT_PART(CAST(monetary AS VARCHAR), '.', 2), '0'))), 0)"
        f" FROM ({select})"
    ).fetchone()
    decimals = max(2, places[0] if places else 0)
    return (
        f"SELECT * REPLACE (CAST(monetary AS DECIMAL(38, {decimals})) AS monetary) FROM ({select})"
        " ORDER BY customer_id"
    )


def _write_workbook(connection: duckdb.DuckDBPyConnection, select: str, path: Path, scratch: Path) -> None:
    xlsxwriter = _xlsxwriter()
    _refuse_long_ids(connection, select)
    workbook = xlsxwriter.Workbook(str(path), _WORKBOOK | {"tmpdir": str(scratch)})
    try:
        _write_sheets(connection, select, workbook)
    except xlsxwriter.exceptions.FileCreateError as error:
        # Around what the operating system said.
        raise error.args[0] if isinstance(error.args[0], OSError) else OSError(str(error)) from None
    finally:
        # What the library leaves open when a disk fills up.
        for sheet in workbook.worksheets():
            if sheet.row_data_fh:
                with suppress(OSError):
                    sheet.row_data_fh.close()


def _refuse_long_ids(connection: duckdb.DuckDBPyConnection, select: str) -> None:
    """A longer text would be cut off, and two customers could become one."""
    if "customer_id" not in {name for name, _ in describe_columns(connection, f"SELECT * FROM ({select})")}:
        return
    longest = connection.execute(
        f"SELECT customer_id FROM ({select}) WHERE LENGTH(customer_id) > {_CELL} LIMIT 1"
    ).fetchone()
    if longest:
        raise WarehouseError(
            f"The customer id '{longest[0][:20]}…' has {len(longest[0]):,} characters, and a cell of a"
            f" workbook holds {_CELL:,}.",
            "write another format than .xlsx, or exclude the customer.",
        )


def _write_sheets(connection: duckdb.DuckDBPyConnection, select: str, workbook: Any) -> None:
    cursor = connection.execute(select)
    names = [column[0] for column in cursor.description or ()]
    with workbook:
        written, sheet = 0, None
        while batch := cursor.fetchmany(10_000):
            for row in batch:
                if sheet is None or written % _ROWS_A_SHEET == 0:
                    sheet = workbook.add_worksheet()
                    sheet.freeze_panes(1, 0)
                    sheet.write_row(0, 0, names)
                sheet.write_row(written % _ROWS_A_SHEET + 1, 0, row)
                written += 1
        if sheet is None:
            workbook.add_worksheet().write_row(0, 0, names)


def _xlsxwriter() -> ModuleType:
    try:
        return import_module("xlsxwriter")
    except ImportError:
        raise UsageError(
            "Writing a workbook needs the excel extra.", "pip install 'rfm-pipeline[excel]'"
        ) from None


_WRITERS: Mapping[str, Writer] = {
    ".csv": _copy("FORMAT csv, HEADER true", plain_numbers=True),
    ".tsv": _copy("FORMAT csv, HEADER true, DELIMITER '\t'", plain_numbers=True),
    ".parquet": _copy("FORMAT parquet, COMPRESSION zstd"),
    ".json": _copy("FORMAT json, ARRAY true", plain_numbers=True),
    ".ndjson": _copy("FORMAT json", plain_numbers=True),
    ".xlsx": _write_workbook,
}
# Into the file that is there, so that it keeps its mode.
_PRIVATE_WRITERS: Mapping[str, Writer] = {
    ".csv": _copy("FORMAT csv, HEADER true, USE_TMP_FILE false"),
    ".parquet": _copy("FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false"),
    ".xlsx": _write_workbook,
}
