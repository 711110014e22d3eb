"""Factory: chooses the engine by the source and the destination, and opens a warehouse or a destination."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rfm_pipeline.common.installation import KEY_OPTIONS, in_container
from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.source_location import BigQueryTable, SourceLocation
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.warehouse.base import Warehouse

if TYPE_CHECKING:
    from rfm_pipeline.source.base import SourceOpener
    from rfm_pipeline.source.sql_query import SqlQuery

_SOURCE_HINT_IN_CONTAINER = (
    "before the image's name give, for BigQuery, -e RFM_SOURCE=bigquery://PROJECT.DATASET.TABLE"
    f' -e RFM_TO=bigquery://PROJECT.DATASET {KEY_OPTIONS}; for files give -v "$PWD:/data", and after the'
    " name `run orders.csv`; `demo` after the name needs nothing."
)


def open_warehouse(
    settings: Settings,
    run_id: str,
    *,
    publishes: bool,
    opener: SourceOpener | None = None,
    query: SqlQuery | None = None,
) -> Warehouse:
    """Open the engine that reads the source and publishes to the destination.

    Args:
        settings: Settings of the run.
        run_id: Id of the run; jobs and staged tables are named after it.
        publishes: Whether the run writes to the destination; if not, a BigQuery source needs no `--to`.
        opener: Opens a source that the settings can't name, such as a data frame, with DuckDB. None to open
            `settings.source`.
        query: The query of `settings.source`, if that is a .sql file.

    Raises:
        ConfigurationError: If there is no source, or the source and the destination can't be combined.
        RfmError: If the engine can't be started or reached.
    """
    if opener is not None:
        return _open_duckdb(opener, settings, run_id)
    if settings.source is None:
        raise ConfigurationError(
            "There is no source to read.",
            _SOURCE_HINT_IN_CONTAINER
            if in_container()
            else "name a file, as in `rfm run orders.csv`, or set source in rfm.toml or RFM_SOURCE;"
            " `rfm demo` needs none of them.",
        )
    destination, location = settings.to, settings.source
    if isinstance(location, BigQueryTable) and not publishes:
        destination = BigQueryDestinationLocation(location.project, location.dataset)
    if isinstance(destination, BigQueryDestinationLocation):
        return _open_bigquery(query or location, destination, settings, run_id)
    if isinstance(location, BigQueryTable):
        dataset = "DATASET" if location.is_in_catalog else location.dataset
        raise ConfigurationError(
            f"A BigQuery source can be published to BigQuery only, not to {settings.to}.",
            f"give --to bigquery://{location.project}.{dataset}, or set RFM_TO to it;"
            " --output writes a file as well.",
        )
    if query is not None:
        from rfm_pipeline.source.duckdb_query import open_sql_query

        return _open_duckdb(partial(open_sql_query, query), settings, run_id)
    # Imported late, like both engines: a command does not load an engine that it does not use.
    from rfm_pipeline.source.open import open_source

    opens = partial(open_source, location, settings.read, columns=settings.columns.by_role())
    return _open_duckdb(opens, settings, run_id)


def _open_duckdb(opener: SourceOpener, settings: Settings, run_id: str) -> Warehouse:
    from rfm_pipeline.warehouse.duckdb.warehouse import DuckDBWarehouse

    destination = settings.to
    assert not isinstance(destination, BigQueryDestinationLocation)  # files for BigQuery are staged there
    return DuckDBWarehouse(opener, destination, settings.duckdb, run_id=run_id)


def _open_bigquery(
    source: SourceLocation | SqlQuery,
    destination: BigQueryDestinationLocation,
    settings: Settings,
    run_id: str,
) -> Warehouse:
    from rfm_pipeline.source.sql_query import SqlQuery
    from rfm_pipeline.warehouse.bigquery.warehouse import BigQueryWarehouse

    if isinstance(source, BigQueryTable | SqlQuery):
        return BigQueryWarehouse(source, destination, settings.bigquery, run_id)
    from rfm_pipeline.warehouse.bigquery.local_files import LocalFiles

    columns = settings.columns.by_role()
    files = LocalFiles([source], settings.read, settings.duckdb, columns, numbers_files=True)
    return BigQueryWarehouse(files, destination, settings.bigquery, run_id)


@contextmanager
def open_destination(settings: Settings, run_id: str | None = None) -> Iterator[Destination]:
    """Open the destination alone, for commands that read no source.

    Args:
        settings: Settings of the command.
        run_id: Id that BigQuery jobs are named after; None for a generated one.

    Raises:
        RfmError: If the engine can't be started, or the destination can't be reached.
    """
    location = settings.to
    if isinstance(location, BigQueryDestinationLocation):
        from rfm_pipeline.warehouse.bigquery.destination import open_bigquery_destination

        job_prefix = run_id or f"read-{secrets.token_hex(6)}"
        with open_bigquery_destination(location, settings.bigquery, job_prefix) as dataset:
            yield dataset
        return
    from rfm_pipeline.warehouse.local_destination import open_local_destination

    with open_local_destination(location, settings.duckdb) as local:
        yield local
