"""Destinations on this machine, a DuckDB file or Parquet files, in a session of DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.config.destination_location import DuckDBDestinationLocation, ParquetDestinationLocation
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory, connect

if TYPE_CHECKING:
    from rfm_pipeline.warehouse.duckdb.destination import DuckDBDestination
    from rfm_pipeline.warehouse.parquet.destination import ParquetDestination

LocalLocation = DuckDBDestinationLocation | ParquetDestinationLocation


def local_destination(
    connection: duckdb.DuckDBPyConnection, location: LocalLocation, settings: DuckDBSettings
) -> DuckDBDestination | ParquetDestination:
    """Return the destination at a location, for the session of `connection`."""
    # Imported late: a run needs one of the two.
    if isinstance(location, ParquetDestinationLocation):
        from rfm_pipeline.warehouse.parquet.destination import ParquetDestination

        return ParquetDestination(connection, location, settings)
    from rfm_pipeline.warehouse.duckdb.destination import DuckDBDestination

    return DuckDBDestination(connection, location.file, location.table, settings)


@contextmanager
def open_local_destination(
    location: LocalLocation, settings: DuckDBSettings
) -> Iterator[DuckDBDestination | ParquetDestination]:
    """Open a destination without a source.

    Raises:
        WarehouseError: If DuckDB can't start.
    """
    with SpillDirectory(settings.temp_directory) as temp_directory:
        destination = local_destination(connect(settings, temp_directory), location, settings)
        try:
            yield destination
        finally:
            destination.close()
