"""Export of tables to CSV, TSV, Parquet, JSON and Excel files."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import text_literal
from rfm_pipeline.common.duckdb_types import describe_columns
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.common.installation import extra_hint
from rfm_pipeline.config.base import refuse_address
from rfm_pipeline.errors import ConfigurationError, UsageError, WarehouseError
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.warehouse.duckdb.errors import first_sentence, system_reason
from rfm_pipeline.warehouse.duckdb.schema import COLUMN_TYPES

Writer = Callable[[duckdb.DuckDBPyConnection, str, Path, Path], None]
"""Writes the rows of a SELECT to a file; arguments: connection, SELECT, path, temporary directory."""

_ROWS_PER_SHEET = 1_048_575
_MAX_CELL_LENGTH = 32_767
# With constant_memory, a row is written to disk when the next one begins.
_WORKBOOK_OPTIONS = {
    "constant_memory": True,
    "default_date_format": "yyyy-mm-dd",
    "strings_to_formulas": False,
    "strings_to_urls": False,
}


def check_output(path: Path) -> None:
    """Check an output path before any work is done.

    Raises:
        ConfigurationError: If it is an address, the suffix is no known format, or there is no such folder.
        UsageError: If the suffix is `.xlsx` and the `excel` extra is not installed.
    """
    refuse_address("output", path)
    if path.suffix.casefold() not in _WRITERS:
        raise ConfigurationError(
            f"The output {path} has no known format.",
            f"end its name in one of {', '.join(_WRITERS)}.",
        )
    if path.is_dir() or not path.absolute().parent.is_dir():
        problem = "is a folder" if path.is_dir() else "is in a folder that does not exist"
        raise ConfigurationError(f"The output {path} {problem}.", "name a file in an existing folder.")
    if path.suffix.casefold() == ".xlsx":
        _xlsxwriter()


def write_table(
    connection: duckdb.DuckDBPyConnection, table: str, path: Path, temp_directory: Path
) -> AtomicFile:
    """Write the rows of a result, sorted by customer, to a temporary file that can replace `path`.

    The columns have the names, the order and the types of the published table. Only the owner can read the
    file (not on Windows), unless the file at `path` has another mode.

    Args:
        connection: Connection with the table.
        table: Name of a table with the columns of the published table, in any order and of similar types.
        path: Target path, which is not changed; its suffix selects the format: `.csv`, `.tsv`, `.parquet`,
            `.json` (one array), `.ndjson` or `.xlsx`.
        temp_directory: Directory for temporary files.

    Raises:
        WarehouseError: If the file can't be written; no temporary file is left.
    """
    columns = ", ".join(
        f"CAST({name} AS {COLUMN_TYPES[column.holds]}) AS {name}" for name, column in RESULT_COLUMNS.items()
    )
    select = f"SELECT {columns} FROM {table} ORDER BY customer_id"
    with _temporary_output(path, "; nothing was published") as output:
        _WRITERS[path.suffix.casefold()](connection, select, output.path, temp_directory)
        output.path.chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600)
    return output


def write_private(
    connection: duckdb.DuckDBPyConnection, select: str, path: Path, temp_directory: Path
) -> AtomicFile:
    """Write the rows of a SELECT to a temporary file that can replace `path` and only its owner can read.

    Args:
        connection: Connection with the rows.
        select: SELECT with an ORDER BY.
        path: Target path, which is not changed; its suffix selects the format: `.csv`, `.parquet` or `.xlsx`.
        temp_directory: Directory for temporary files.

    Raises:
        WarehouseError: If the file can't be written; no temporary file is left.
    """
    with _temporary_output(path) as output:
        output.path.touch(mode=0o600, exist_ok=False)
        _PRIVATE_WRITERS[path.suffix.casefold()](connection, select, output.path, temp_directory)
    return output


@contextmanager
def _temporary_output(path: Path, consequence: str = "") -> Iterator[AtomicFile]:
    output = None
    try:
        output = AtomicFile(path)
        yield output
    except BaseException as error:
        if output:
            output.cleanup()
        if not isinstance(error, duckdb.Error | OSError):
            raise
        system_message = error.strerror if isinstance(error, OSError) else system_reason(error)
        reason = lower_first(system_message or first_sentence(error)).rstrip(".")
        raise WarehouseError(
            f"The output {path} can't be written: {reason}.",
            f"check the disk's free space and the folder's permissions{consequence}.",
        ) from error


def _copy(options: str, *, plain_numbers: bool = False) -> Writer:
    def write(connection: duckdb.DuckDBPyConnection, select: str, path: Path, _: Path) -> None:
        rows = _trim_decimals(connection, select) if plain_numbers else select
        connection.execute(f"COPY ({rows}) TO {text_literal(str(path))} ({options})")

    return write


def copy_to_parquet(
    connection: duckdb.DuckDBPyConnection, select: str, path: Path, options: str = ""
) -> None:
    """Write the rows of a SELECT to a Parquet file whose columns are all optional.

    DuckDB 2.0 writes a column as required if its statistics say that the rows have no NULL, so that the
    files of two days would have two schemas. Without statistics it writes each column as optional.

    Args:
        connection: Connection with the rows.
        select: SELECT of the rows.
        path: The file, which is replaced.
        options: Further options of COPY, each after a comma.

    Raises:
        duckdb.Error: If the rows can't be computed or written.
    """
    ((before,),) = connection.execute("SELECT current_setting('disabled_optimizers')").fetchall()
    disabled = ",".join(filter(None, (before, "statistics_propagation")))
    connection.execute(f"SET disabled_optimizers = {text_literal(disabled)}")
    try:
        # Each reader knows Snappy; Zstandard makes files a third smaller, and takes a third longer.
        connection.execute(
            f"COPY ({select}) TO {text_literal(str(path))} (FORMAT parquet, COMPRESSION snappy{options})"
        )
    finally:
        connection.execute(f"SET disabled_optimizers = {text_literal(before)}")


def _write_parquet(options: str) -> Writer:
    def write(connection: duckdb.DuckDBPyConnection, select: str, path: Path, _: Path) -> None:
        copy_to_parquet(connection, select, path, options)

    return write


def _trim_decimals(connection: duckdb.DuckDBPyConnection, select: str) -> str:
    """Return a SELECT of the same rows with as many decimals as the amounts need, at least two.

    An amount is written as 4310.00 in place of 4310.000000000.
    """
    needed = connection.execute(
        "SELECT COALESCE(MAX(LENGTH(RTRIM(SPLIT_PART(CAST(monetary AS VARCHAR), '.', 2), '0'))), 0)"
        f" FROM ({select})"
    ).fetchone()
    decimals = max(2, needed[0] if needed else 0)
    return (
        f"SELECT * REPLACE (CAST(monetary AS DECIMAL(38, {decimals})) AS monetary) FROM ({select})"
        " ORDER BY customer_id"
    )


def _write_workbook(
    connection: duckdb.DuckDBPyConnection, select: str, path: Path, temp_directory: Path
) -> None:
    xlsxwriter = _xlsxwriter()
    _refuse_long_ids(connection, select)
    workbook = xlsxwriter.Workbook(str(path), _WORKBOOK_OPTIONS | {"tmpdir": str(temp_directory)})
    try:
        _write_sheets(connection, select, workbook)
    except xlsxwriter.exceptions.FileCreateError as error:
        # The library wraps the OSError.
        raise error.args[0] if isinstance(error.args[0], OSError) else OSError(str(error)) from None
    finally:
        # The library leaves these files open if the disk is full.
        for sheet in workbook.worksheets():
            if sheet.row_data_fh:
                with suppress(OSError):
                    sheet.row_data_fh.close()


def _refuse_long_ids(connection: duckdb.DuckDBPyConnection, select: str) -> None:
    """Raise if an id is longer than a cell: truncated ids of two customers could be equal."""
    if "customer_id" not in {name for name, _ in describe_columns(connection, f"SELECT * FROM ({select})")}:
        return
    too_long = connection.execute(
        f"SELECT customer_id FROM ({select}) WHERE LENGTH(customer_id) > {_MAX_CELL_LENGTH} LIMIT 1"
    ).fetchone()
    if too_long:
        raise WarehouseError(
            f"The customer id '{too_long[0][:20]}…' has {len(too_long[0]):,} characters, and a cell of a"
            f" workbook holds {_MAX_CELL_LENGTH:,}.",
            "write another format than .xlsx, or exclude the customer.",
        )


def _write_sheets(connection: duckdb.DuckDBPyConnection, select: str, workbook: Any) -> None:
    cursor = connection.execute(select)
    names = [column[0] for column in cursor.description or ()]
    with workbook:
        written, sheet = 0, None
        while batch := cursor.fetchmany(10_000):
            for row in batch:
                if sheet is None or written % _ROWS_PER_SHEET == 0:
                    sheet = workbook.add_worksheet()
                    sheet.freeze_panes(1, 0)
                    sheet.write_row(0, 0, names)
                sheet.write_row(written % _ROWS_PER_SHEET + 1, 0, row)
                written += 1
        if sheet is None:
            workbook.add_worksheet().write_row(0, 0, names)


def _xlsxwriter() -> ModuleType:
    try:
        return import_module("xlsxwriter")
    except ImportError:
        raise UsageError("Writing a workbook needs the excel extra.", extra_hint("excel")) from None


_WRITERS: Mapping[str, Writer] = {
    ".csv": _copy("FORMAT csv, HEADER true", plain_numbers=True),
    ".tsv": _copy("FORMAT csv, HEADER true, DELIMITER '\t'", plain_numbers=True),
    ".parquet": _write_parquet(""),
    ".json": _copy("FORMAT json, ARRAY true", plain_numbers=True),
    ".ndjson": _copy("FORMAT json", plain_numbers=True),
    ".xlsx": _write_workbook,
}
# USE_TMP_FILE false: DuckDB writes into the existing file, which keeps its mode.
_PRIVATE_WRITERS: Mapping[str, Writer] = {
    ".csv": _copy("FORMAT csv, HEADER true, USE_TMP_FILE false"),
    ".parquet": _write_parquet(", USE_TMP_FILE false"),
    ".xlsx": _write_workbook,
}
