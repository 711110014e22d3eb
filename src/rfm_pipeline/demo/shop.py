"""A realistic synthetic shop: two years of order lines that look like a raw export.

Loyal, regular, new, lapsing and lost customers and one-time buyers; a Christmas season and a weekly rhythm;
a small catalogue, so that equal spending occurs; returns, guests, freebies; and a few percent of dirty rows,
each with exactly one fault, counted, so that what a run excludes can be held against what was planted.

The SQL beside this module makes each line from its order's number, so that memory does not grow with the size
and the same `lines`, `seed` and `end` give the same rows in the same order, on any number of threads.
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
_PLANTED = (
    "missing_customer",
    "missing_order",
    "invalid_date",
    "invalid_amount",
    "future_dated",
    "non_positive_quantity",
    "non_positive_price",
)
_HEADER = b"customer_id,order_id,ordered_at,product,quantity,unit_price,country\n"
_MOST_LINES = 2_000_000_000
_FIRST_END, _LAST_END = date(2000, 1, 1), date(2199, 12, 31)


class Shop(Struct, frozen=True):
    """What was written: the file, and how many lines of each planted kind it holds.

    The counts are named after the reason for which a run with default settings excludes such a line. No line
    is counted twice.

    Attributes:
        path: The file.
        lines: All lines.
        missing_customer: Lines of guests: no customer id.
        missing_order: Lines without an order id.
        invalid_date: Lines whose date is absent or unreadable.
        invalid_amount: Lines whose unit price is absent or unreadable.
        future_dated: Lines dated decades after the shop's last day.
        non_positive_quantity: Returns: invoices that begin with C, with negative quantities.
        non_positive_price: Freebies, at a price of zero.
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
        """The lines of returned goods: `non_positive_quantity` by its everyday name."""
        return self.non_positive_quantity

    @property
    def excluded(self) -> Mapping[str, int]:
        """Number of lines by the reason for which a run with default settings excludes them."""
        return {reason: getattr(self, reason) for reason in _PLANTED}

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
    """Write a synthetic shop's order lines as one file, replacing an earlier one only when it is complete.

    Columns, as in a raw export: customer_id, order_id, ordered_at, product, quantity, unit_price, country.
    All are text but quantity (integer): the unreadable dates and prices need it.

    Args:
        path: The file to write. Its suffix picks the format: `.parquet` or `.csv`.
        lines: Exact number of rows, at least 1. The number of customers grows with it.
        seed: Another seed gives another shop of the same character.
        end: The shop's last day, and exactly the date of the newest order in it that is not dirty.
        threads: Threads that DuckDB may use; all cores when None. The rows do not depend on it.

    Returns:
        What was written, with the number of lines of each planted kind.

    Raises:
        UsageError: A suffix other than the two, a number out of range, or a path that can't be written.
    """
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(
            f"The demo writes Parquet or CSV, but {path} ends in {path.suffix or 'no suffix'!r}.",
            hint="name a file that ends in .parquet or .csv.",
        )
    if not 1 <= lines <= _MOST_LINES:
        raise UsageError(
            f"A shop has from 1 to {_MOST_LINES:,} lines, not {lines:,}.",
            hint="give a number in that range, for example 50000.",
        )
    if threads is not None and threads < 1:
        raise UsageError(
            f"DuckDB needs at least 1 thread, not {threads}.", hint="leave it out for all cores."
        )
    if not _FIRST_END <= end <= _LAST_END:
        raise UsageError(
            f"The shop's last day lies between {_FIRST_END} and {_LAST_END}, not on {end}.",
            hint="give a date in that range.",
        )

    from rfm_pipeline.common.duckdb_engine import connected, duckdb

    staged = path.absolute().with_name(f".rfm-demo-{uuid4().hex}{path.suffix.lower()}")
    try:
        with connected() as connection:
            if threads is not None:
                connection.execute("SET threads = ?", [threads])
            _open_shop(connection, lines, seed, end)
            _write_lines(connection, staged)
            planted = _count_planted(connection)
        staged.replace(path)
    except (OSError, duckdb.IOException) as error:
        raise UsageError(
            f"The demo can't be written to {path}: {error}",
            hint="choose a file in a folder that exists, that you may write to, and that has room.",
        ) from error
    finally:
        with suppress(OSError):
            staged.unlink()
    return Shop(path=path, lines=lines, **planted)


def is_shop(path: Path) -> bool:
    """Whether a CSV has the columns of a shop that was made up here."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(_HEADER)) == _HEADER
    except OSError:
        return False


def _open_shop(connection: duckdb.DuckDBPyConnection, lines: int, seed: int, end: date) -> None:
    """Create the macros, small tables and the view `order_lines` of the shop."""
    connection.execute("SET preserve_insertion_order = true")
    # Joins as they are written, orders on the left: they then stream through in the order of their numbers.
    connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    connection.execute("SET VARIABLE lines = ?::BIGINT", [lines])
    connection.execute("SET VARIABLE seed = ?::VARCHAR", [str(seed)])
    connection.execute("SET VARIABLE last_day = ?::DATE", [end])
    connection.execute(_sql("shop"))
    connection.execute(_sql("order_lines"))


def _write_lines(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Stream the shop's lines into a file in the format of its suffix."""
    literal = str(target).replace("'", "''")
    options = _FORMATS[target.suffix]
    from rfm_pipeline.common.duckdb_engine import watched

    watched(connection, f"COPY (\n{_sql('export')}) TO '{literal}' ({options}, USE_TMP_FILE false)")


def _count_planted(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Count the lines of each planted kind, also of those that a small shop has none of."""
    from rfm_pipeline.common.duckdb_engine import watched

    watched(connection, "SELECT fate, COUNT(*) FROM order_lines GROUP BY fate")
    counted = connection.fetchall()
    return dict.fromkeys(_PLANTED, 0) | {fate: count for fate, count in counted if fate != "kept"}


def _sql(name: str) -> str:
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
