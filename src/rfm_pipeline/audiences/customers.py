"""Customers of the chosen segments, copied from the current result to a local DuckDB table."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rfm_pipeline.audiences.matching import customers_sql
from rfm_pipeline.common.formatting import format_count, lower_first
from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import DestinationError, UsageError, WarehouseError
from rfm_pipeline.pipeline.movers import Audience
from rfm_pipeline.results.destination import Destination

if TYPE_CHECKING:
    from rfm_pipeline.common.duckdb_engine import duckdb


class CurrentResult(Struct, frozen=True):
    """The current result.

    Attributes:
        label: Its table, as in messages.
        as_of: Its as-of date; None if it has no rows.
        segments: Names of its segments, in alphabetical order.
    """

    label: str
    as_of: date | None
    segments: tuple[str, ...]


class Choice(Struct, frozen=True):
    """The customers to export.

    Attributes:
        segments: Names of their segments.
        audience: The customers who moved as requested, or have a requested reason; None for all of the
            segments.
    """

    segments: tuple[str, ...]
    audience: Audience | None = None


Chooser = Callable[[Destination, CurrentResult], Choice]
"""Function that returns the customers to export, given the destination and its current result."""


def stage_customers(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    columns: Sequence[str],
    choose: Chooser,
    scratch: Path,
) -> tuple[CurrentResult, Choice]:
    """Create the table `customers` from the current result.

    Args:
        connection: DuckDB connection in which to create the table.
        settings: Settings with the location of the result.
        columns: Columns of the table.
        choose: Selects the customers.
        scratch: Folder for the rows while they are loaded.

    Returns:
        The current result, and the chosen customers.

    Raises:
        RfmError: If there is no result, or it can't be read.
    """
    to = settings.to
    if isinstance(to, BigQueryDestinationLocation):
        from rfm_pipeline.warehouse.bigquery.destination import open_bigquery_destination

        with open_bigquery_destination(to, settings.bigquery, f"export-{secrets.token_hex(6)}") as dataset:
            current = _read_current_result(dataset)
            choice = choose(dataset, current)
            stage_rows(connection, dataset.pages(_select(dataset, columns, choice)), columns, scratch)
        return current, choice
    from rfm_pipeline.common.duckdb_engine import execute_interruptibly
    from rfm_pipeline.warehouse.local_destination import local_destination

    local = local_destination(connection, to, settings.duckdb)
    with local.open_for_reading():
        current = _read_current_result(local)
        choice = choose(local, current)
        execute_interruptibly(connection, f"CREATE TABLE customers AS\n{_select(local, columns, choice)}")
    return current, choice


def _select(destination: Destination, columns: Sequence[str], choice: Choice) -> str:
    ids = choice.audience.ids_sql if choice.audience else ""
    return customers_sql(destination.table("current"), columns, choice.segments, ids, destination.engine)


def _read_current_result(destination: Destination) -> CurrentResult:
    """Return the label, as-of date and segments of the current result.

    Raises:
        DestinationError: If there is no result.
        LockedError: If another process has locked the destination.
    """
    if "current" not in destination.existing_tables():
        raise DestinationError(
            f"There is no result at {destination.label}.",
            "`rfm run` publishes one; --to names another destination.",
        )
    rows = destination.rows(
        f"SELECT segment, MAX(as_of_date) AS as_of FROM {destination.table('current')}"
        " GROUP BY segment ORDER BY segment"
    )
    dates = [row["as_of"] for row in rows]
    return CurrentResult(destination.label, max(dates, default=None), tuple(row["segment"] for row in rows))


def stage_rows(
    connection: duckdb.DuckDBPyConnection,
    pages: Iterable[Sequence[Mapping[str, Any]]],
    columns: Sequence[str],
    scratch: Path,
) -> None:
    """Create the table `customers` from pages of rows of another engine, with one page in memory at a time.

    Args:
        connection: DuckDB connection in which to create the table.
        pages: The rows, page by page.
        columns: Columns of the table.
        scratch: Folder for a temporary file with all rows.

    Raises:
        WarehouseError: If the temporary file can't be written.
    """
    from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors
    from rfm_pipeline.warehouse.duckdb.load import create_table_from_pages

    try:
        with translate_duckdb_errors("read the result"):
            create_table_from_pages(connection, "customers", columns, pages, scratch)
    except OSError as error:
        raise WarehouseError(
            f"The result can't be copied to this machine: {lower_first(error.strerror or str(error))}.",
            "set duckdb.temp_directory to a folder with more free space.",
        ) from error


def refuse_addresses(connection: duckdb.DuckDBPyConnection, alternative: str) -> None:
    """Raise if ids in the table `customers` contain e-mail addresses, which would be readable in a file.

    Args:
        connection: Connection with the table.
        alternative: What the user can do other than to allow it, for the hint.

    Raises:
        UsageError: If an id contains an address.
    """
    # Anywhere in the id, also without a full domain: `Jo <jo@example.com>`, `mailto:jo@localhost`.
    is_address = r"REGEXP_MATCHES(customer_id, '\S([@\x{FF20}]|%40)\S')"
    row = connection.execute(f"SELECT COUNT(*) FROM customers WHERE {is_address}").fetchone()
    assert row is not None  # an aggregate always has a row
    if row[0]:
        ids = format_count(
            row[0], "customer id contains an e-mail address", "customer ids contain e-mail addresses"
        )
        raise UsageError(
            f"{ids}, and would be readable in the file.", f"allow that with --clear, or {alternative}."
        )
