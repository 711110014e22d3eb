"""The command `rfm sql`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import Config, Source, takes_settings, with_source


@takes_settings("output", "to", "duckdb_memory_limit", "duckdb_threads")
def sql(
    flags: dict[str, Any],
    source: Source = None,
    config: Config = None,
    dialect: Annotated[str, typer.Option(help="SQL dialect: 'duckdb' or 'bigquery'.")] = "duckdb",
    table: Annotated[
        str | None,
        typer.Option(
            help="Table that the query reads instead of the source; for BigQuery project.dataset.table."
        ),
    ] = None,
) -> None:
    """Print the whole computation as one query, to read or to run elsewhere.

    The query depends on the columns of the source; rows are not read.

    Examples:
      rfm sql orders.csv

      rfm sql orders.parquet --dialect bigquery --table shop.sales.raw_transactions
    """
    from rfm_pipeline.cli.render.run_result import print_sql
    from rfm_pipeline.config.loader import load_configuration
    from rfm_pipeline.pipeline.printed_query import query

    print_sql(query(load_configuration(with_source(flags, source), config=config), dialect, table))
