"""Generator of a synthetic shop: two years of order lines in the format of a raw export.

The shop has loyal, regular, new, lapsing and lost customers and one-time buyers, a Christmas season and a
weekly pattern. Its catalogue is small, so that customers tie in money. It has returns, orders of guests and
free items, and a few percent of dirty lines, each with exactly one fault. The faults are counted, so that the
exclusions of a run can be compared with them.

The SQL files beside this module compute each line from the number of its order. Memory therefore does not
grow with the number of lines, and equal `lines`, `seed` and `end` give equal rows in equal order on any
number of threads.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from msgspec import Struct

from rfm_pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rfm_pipeline.common.duckdb_engine import duckdb

_FORMATS = {
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
    ".csv": "FORMAT csv, HEADER true, DELIMITER ','",
}
_FAULTS = (
    "missing_customer",
    "missing_order",
    "invalid_date",
    "invalid_amount",
    "future_dated",
    "non_positive_quantity",
    "non_positive_price",
)
_HEADER = b"customer_id,order_id,ordered_at,product,quantity,unit_price,country\n"
_MAX_LINES = 2_000_000_000
_FIRST_END, _LAST_END = date(2000, 1, 1), date(2199, 12, 31)


class Shop(Struct, frozen=True):
    """File of a synthetic shop, with the number of lines of each fault.

    The counts are named after the reason for which a run with default settings excludes such a line. Each
    line is counted at most once.

    Attributes:
        path: The file.
        lines: Number of all lines.
        missing_customer: Number of lines without a customer id (orders of guests).
        missing_order: Number of lines without an order id.
        invalid_date: Number of lines whose date is missing or can't be parsed.
        invalid_amount: Number of lines whose unit price is missing or can't be parsed.
        future_dated: Number of lines dated decades after the shop's last day.
        non_positive_quantity: Number of return lines, with a negative quantity and an order id that begins
            with C.
        non_positive_price: Number of lines with a unit price of zero.
    """

    path: Path
    lines: int
    missing_customer: int
    missing_order: int
    invalid_date: int
    invalid_amount: int
    future_dated: int
    non_positive_quantity: int
    non_positive_price: int

    @property
    def returns(self) -> int:
        """Number of return lines; the same as `non_positive_quantity`."""
        return self.non_positive_quantity

    @property
    def excluded(self) -> Mapping[str, int]:
        """Number of lines by the reason for which a run with default settings excludes them."""
        return {reason: getattr(self, reason) for reason in _FAULTS}

    @property
    def kept(self) -> int:
        """Number of lines that a run with default settings keeps."""
        return self.lines - sum(self.excluded.values())


def write_shop(
    path: Path,
    *,
    lines: int = 50_000,
    seed: int = 7,
    end: date = date(2025, 12, 31),
    threads: int | None = None,
) -> Shop:
    """Write the order lines of a synthetic shop to a file, atomically.

    The columns are customer_id, order_id, ordered_at, product, quantity, unit_price and country. All are text
    except quantity (integer), because some dates and prices are no dates and numbers.

    Args:
        path: The file to write; its suffix determines the format: `.parquet` or `.csv`.
        lines: Number of lines, from 1 to 2 billion. The number of customers grows with it.
        seed: Seed of the random numbers; another seed gives another shop with the same distributions.
        end: Last day of the shop, which is the date of the newest clean order.
        threads: Number of DuckDB threads; None for all cores. The rows do not depend on it.

    Returns:
        The file, with the number of lines of each fault.

    Raises:
        UsageError: If the suffix is another one, a number is out of range, or the file can't be written.
    """
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(
            f"The demo writes Parquet or CSV, but {path} ends in {path.suffix or 'no suffix'!r}.",
            hint="name a file that ends in .parquet or .csv.",
        )
    if not 1 <= lines <= _MAX_LINES:
        raise UsageError(
            f"The number of lines must be from 1 to {_MAX_LINES:,}, not {lines:,}.",
            hint="give a number in that range, for example 50000.",
        )
    if threads is not None and threads < 1:
        raise UsageError(
            f"DuckDB needs at least 1 thread, not {threads}.", hint="leave the number out to use all cores."
        )
    if not _FIRST_END <= end <= _LAST_END:
        raise UsageError(
            f"The shop's last day must be from {_FIRST_END} to {_LAST_END}, not {end}.",
            hint="give a date in that range.",
        )

    from rfm_pipeline.common.duckdb_engine import connect_in_memory, duckdb

    temporary = path.absolute().with_name(f".rfm-demo-{uuid4().hex}{path.suffix.lower()}")
    try:
        with connect_in_memory() as connection:
            if threads is not None:
                connection.execute("SET threads = ?", [threads])
            _open_shop(connection, lines, seed, end)
            _write_lines(connection, temporary)
            faults = _count_faults(connection)
        temporary.replace(path)
    except (OSError, duckdb.IOException) as error:
        raise UsageError(
            f"The demo can't be written to {path}: {error}",
            hint="choose a file in an existing folder with write permission and enough disk space.",
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return Shop(path=path, lines=lines, **faults)


def is_shop(path: Path) -> bool:
    """Return whether a file begins with the header row of the CSV files that `write_shop` writes."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(_HEADER)) == _HEADER
    except OSError:
        return False


def _open_shop(connection: duckdb.DuckDBPyConnection, lines: int, seed: int, end: date) -> None:
    """Create the macros, small tables and the view `order_lines` of the shop."""
    connection.execute("SET preserve_insertion_order = true")
    # Keep the join order of the SQL, with orders on the left, so that rows stream in the order of the order
    # numbers.
    connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    connection.execute("SET VARIABLE lines = ?::BIGINT", [lines])
    connection.execute("SET VARIABLE seed = ?::VARCHAR", [str(seed)])
    connection.execute("SET VARIABLE last_day = ?::DATE", [end])
    connection.execute(_sql("shop"))
    connection.execute(_sql("order_lines"))


def _write_lines(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Write the view `order_lines` to a file, in the format of the file's suffix."""
    literal = str(target).replace("'", "''")
    options = _FORMATS[target.suffix]
    from rfm_pipeline.common.duckdb_engine import execute_interruptibly

    statement = f"COPY (\n{_sql('export')}) TO '{literal}' ({options}, USE_TMP_FILE false)"
    execute_interruptibly(connection, statement)


def _count_faults(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return the number of lines of each fault, including faults that no line has."""
    from rfm_pipeline.common.duckdb_engine import execute_interruptibly

    execute_interruptibly(connection, "SELECT fate, COUNT(*) FROM order_lines GROUP BY fate")
    counts = connection.fetchall()
    return dict.fromkeys(_FAULTS, 0) | {fate: count for fate, count in counts if fate != "kept"}


def _sql(name: str) -> str:
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
