"""The customers of some segments: from the current result to a table that is at hand."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rfm_pipeline.audiences.matching import customers_sql
from rfm_pipeline.common.duckdb_quoting import columns_literal, text_literal
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.config.destination_location import BigQueryDestinationLocation, parse_destination
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import DestinationError, WarehouseError
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.tables import RESULT_COLUMNS

if TYPE_CHECKING:
    from rfm_pipeline.common.duckdb_engine import duckdb

_TYPES: Mapping[str, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "small": "INTEGER",
    "money": "DECIMAL(38, 9)",
    "date": "DATE",
}


class CurrentResult(Struct, frozen=True):
    """The current result.

    Attributes:
        label: Its table, as a person writes it.
        as_of: Its as-of date; None where it has no rows.
        segments: The names of its segments.
    """

    label: str
    as_of: date | None
    segments: tuple[str, ...]


Choice = Callable[[CurrentResult], tuple[str, ...]]
"""Which segments are wanted, once it is known which there are."""


def stage_customers(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    columns: Sequence[str],
    choose: Choice,
    scratch: Path,
) -> tuple[CurrentResult, tuple[str, ...]]:
    """Makes the table `customers` of the current result.

    Args:
        connection: Where the table is to be.
        settings: Where the result is.
        columns: Its columns.
        choose: Which segments.
        scratch: A folder with room for the rows.

    Returns:
        What the result has, and the segments that were chosen.

    Raises:
        RfmError: There is no result, or it can't be read.
    """
    to = parse_destination(settings.to)
    if isinstance(to, BigQueryDestinationLocation):
        from rfm_pipeline.warehouse.bigquery.destination import open_dataset

        with open_dataset(to, settings.bigquery, f"export-{secrets.token_hex(6)}") as dataset:
            standing = _look(dataset)
            segments = choose(standing)
            select = customers_sql(dataset.table("current"), columns, segments, dataset.engine)
            stage_rows(connection, dataset.pages(select), columns, scratch)
        return standing, segments
    from rfm_pipeline.common.duckdb_engine import watched
    from rfm_pipeline.warehouse.duckdb.destination import DuckDBDestination

    file = DuckDBDestination(connection, to.file, to.table, settings.duckdb)
    with file.open_for_reading():
        standing = _look(file)
        segments = choose(standing)
        select = customers_sql(file.table("current"), columns, segments, file.engine)
        watched(connection, f"CREATE TABLE customers AS\n{select}")
    return standing, segments


def _look(destination: Destination) -> CurrentResult:
    """What the current result has.

    Raises:
        DestinationError: There is none.
        LockedError: Another process holds the destination.
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
    """Makes the table `customers` of rows that come in pages from another engine, one of them in memory.

    Args:
        connection: Where the table is to be.
        pages: The rows.
        columns: Their columns.
        scratch: A folder with room for them.

    Raises:
        WarehouseError: There is no room.
    """
    from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

    lines = scratch / "customers.ndjson"
    try:
        with lines.open("w", encoding="utf-8") as opened:
            for page in pages:
                # Decimals and dates as text: a number of JSON is not exact.
                for row in page:
                    plain = {name: row[name] for name in columns}
                    opened.write(json.dumps(plain, default=str, ensure_ascii=False))
                    opened.write("\n")
    except OSError as error:
        raise WarehouseError(
            f"There is no room for the result: {lower_first(error.strerror or str(error))}.",
            "give duckdb.temp_directory more room.",
        ) from error
    types = columns_literal((name, _TYPES[RESULT_COLUMNS[name].holds]) for name in columns)
    with translate_duckdb_errors("read the result"):
        connection.execute(
            f"CREATE TABLE customers AS SELECT {', '.join(columns)}"
            f" FROM read_json({text_literal(str(lines))}, format = 'newline_delimited', columns = {types})"
        )
    lines.unlink()
