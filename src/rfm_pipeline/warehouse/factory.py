"""Which engine, by what was typed: the one that a run needs, or the one that has its destination."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rfm_pipeline.config.destination_location import BigQueryDestinationLocation, parse_destination
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.source_location import BigQueryTable, SourceLocation, parse_source
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.warehouse.base import Warehouse

if TYPE_CHECKING:
    from rfm_pipeline.source.base import Opener


def open_warehouse(
    settings: Settings, run_id: str, *, publishes: bool, opens: Opener | None = None
) -> Warehouse:
    """The engine that reads the source and publishes to the destination.

    Args:
        settings: What was configured.
        run_id: Names its jobs and its staged tables.
        publishes: Whether the destination matters, or the query alone.
        opens: Opens the source where it is none that is configured, such as a frame; DuckDB reads it.

    Raises:
        RfmError: The source or the destination is none that is known, or they don't go together.
    """
    if opens is not None:
        return _open_duckdb(opens, settings, run_id)
    if settings.source is None:
        raise ConfigurationError(
            "There is no source to read.",
            "name a file, as in `rfm run orders.csv`, or set source in rfm.toml or RFM_SOURCE;"
            " `rfm demo` needs none of them.",
        )
    destination = parse_destination(settings.to)
    location = parse_source(settings.source)
    # Here, so that no other command waits for an engine that it doesn't use.
    if isinstance(location, BigQueryTable) and not publishes:
        destination = BigQueryDestinationLocation(location.project, location.dataset)
    if isinstance(destination, BigQueryDestinationLocation):
        return _open_bigquery(location, destination, settings, run_id)
    if isinstance(location, BigQueryTable):
        raise ConfigurationError(
            f"What is read from BigQuery is published to BigQuery, not to {settings.to}.",
            f"give --to bigquery://{location.project}.{location.dataset}; --output writes a file as well.",
        )
    from rfm_pipeline.source.open import open_source

    return _open_duckdb(partial(open_source, location, settings.read), settings, run_id)


def _open_duckdb(opens: Opener, settings: Settings, run_id: str) -> Warehouse:
    from rfm_pipeline.warehouse.duckdb.warehouse import DuckDBWarehouse

    place = parse_destination(settings.to)
    assert not isinstance(place, BigQueryDestinationLocation)  # which stages there
    return DuckDBWarehouse(opens, place.file, place.table, settings.duckdb, run_id=run_id)


def _open_bigquery(
    location: SourceLocation, destination: BigQueryDestinationLocation, settings: Settings, run_id: str
) -> Warehouse:
    from rfm_pipeline.warehouse.bigquery.warehouse import BigQueryWarehouse

    if isinstance(location, BigQueryTable):
        return BigQueryWarehouse(location, destination, settings.bigquery, run_id)
    from rfm_pipeline.warehouse.bigquery.local_files import LocalFiles

    files = LocalFiles([location], settings.read, settings.duckdb)
    return BigQueryWarehouse(files, destination, settings.bigquery, run_id)


@contextmanager
def open_destination(settings: Settings, run_id: str | None = None) -> Iterator[Destination]:
    """The destination alone, for what reads no source.

    Args:
        settings: What was configured.
        run_id: Names its jobs; None where nothing is run.

    Raises:
        RfmError: The destination is none that is known, or can't be reached.
    """
    place = parse_destination(settings.to)
    with ExitStack() as stack:
        if isinstance(place, BigQueryDestinationLocation):
            from rfm_pipeline.warehouse.bigquery.destination import open_dataset

            yield stack.enter_context(
                open_dataset(place, settings.bigquery, run_id or f"look-{secrets.token_hex(6)}")
            )
            return
        from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory, connect
        from rfm_pipeline.warehouse.duckdb.destination import DuckDBDestination

        scratch = stack.enter_context(SpillDirectory(settings.duckdb.temp_directory))
        connection = connect(settings.duckdb, scratch)
        stack.callback(connection.close)
        yield DuckDBDestination(connection, place.file, place.table, settings.duckdb)
