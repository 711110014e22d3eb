"""`rfm load`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import FLAGS, Config, Json, Quiet, takes_settings
from rfm_pipeline.errors import UsageError

_OF_USE = {("read", "delimiter"), ("read", "encoding"), ("read", "sheet"), ("bigquery", "project")}
_FORM = "name files and then a table, as in rfm load orders.csv bigquery://project.dataset.table."


@takes_settings(*(flag.parameter for flag in FLAGS if flag.setting not in _OF_USE))
def load(
    *,
    flags: dict[str, Any],
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE... TABLE",
            help="Files, globs or folders, and the table: bigquery://project.dataset.table.",
            show_default=False,
        ),
    ],
    append: Annotated[bool, typer.Option("--append", help="Add to the rows that are there.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of what is there.")] = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Load files into a table of BigQuery, which is made where there is none.

    Columns and types are those that `rfm run` finds in the files. All of the rows come in, or none.

    Examples:
      rfm load "orders 2024.csv" "orders 2025.csv" bigquery://shop.sales.raw_transactions

      rfm load today.parquet bigquery://shop.sales.raw_transactions --append
    """
    from rfm_pipeline.cli.progress import watching
    from rfm_pipeline.cli.render.json import print_json
    from rfm_pipeline.config.loader import load as load_settings
    from rfm_pipeline.config.source_location import BigQueryTable, StdinLocation, parse_source
    from rfm_pipeline.pipeline.run_records import new_run_id
    from rfm_pipeline.warehouse.bigquery.load import Mode, load_files
    from rfm_pipeline.warehouse.bigquery.local_files import LocalFiles

    if append and replace:
        raise UsageError("--append and --replace say two things.", "give one of them.")
    *sources, to = names
    table = parse_source(to)
    if not isinstance(table, BigQueryTable) or table.table.endswith("*") or not sources:
        raise UsageError(f"{to} is not a table of BigQuery to load files into.", _FORM)
    locations = [parse_source(source) for source in sources]
    if any(isinstance(location, BigQueryTable) for location in locations):
        raise UsageError("What is in BigQuery needs no loading.", _FORM)
    if len(locations) > 1 and any(isinstance(location, StdinLocation) for location in locations):
        raise UsageError("Standard input is loaded by itself.", _FORM)
    settings = load_settings(flags, config=config).settings()
    files = LocalFiles(locations, settings.read, settings.duckdb)
    mode: Mode = "append" if append else "replace" if replace else "create"
    with watching(quiet=quiet) as watcher:
        watcher.step("Loading")
        try:
            loaded = load_files(files, table, mode, settings.bigquery, new_run_id())
        finally:
            files.close()
    if as_json:
        print_json(loaded.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.load import print_loaded

        print_loaded(loaded)
