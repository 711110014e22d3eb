"""The command `rfm load`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfm_pipeline.cli.options import FLAGS, Config, Json, Quiet, takes_settings
from rfm_pipeline.cli.render.json import print_json
from rfm_pipeline.errors import UsageError

if TYPE_CHECKING:
    from rfm_pipeline.config.source_location import BigQueryTable, SourceLocation

_SETTINGS = {("read", "delimiter"), ("read", "encoding"), ("read", "sheet"), ("bigquery", "project")}
_USAGE_HINT = "name files and then a table, as in rfm load orders.csv bigquery://project.dataset.table."


@takes_settings(*(flag.parameter for flag in FLAGS if flag.setting not in _SETTINGS))
def load(
    *,
    flags: dict[str, Any],
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE... TABLE",
            help="Files, globs or folders, and then the table: bigquery://project.dataset.table.",
            show_default=False,
        ),
    ],
    append: Annotated[bool, typer.Option("--append", help="Append the rows to an existing table.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace an existing table.")] = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Load files into a BigQuery table, which is created if it does not exist.

    Columns and types are detected as in `rfm run`. Either all rows are loaded, or none.

    Examples:
      rfm load "orders 2024.csv" "orders 2025.csv" bigquery://shop.sales.raw_transactions

      rfm load today.parquet bigquery://shop.sales.raw_transactions --append
    """
    from rfm_pipeline.cli.progress import show_progress
    from rfm_pipeline.config.loader import load_configuration as load_settings
    from rfm_pipeline.pipeline.run_records import new_run_id
    from rfm_pipeline.warehouse.bigquery.load import LoadMode, load_files
    from rfm_pipeline.warehouse.bigquery.local_files import LocalFiles

    if append and replace:
        raise UsageError("--append and --replace can't be combined.", "give one of them.")
    locations, table = _parse_names(names)
    settings = load_settings(flags, config=config).settings
    files = LocalFiles(locations, settings.read, settings.duckdb)
    mode: LoadMode = "append" if append else "replace" if replace else "create"
    with show_progress(quiet=quiet) as observer:
        observer.step("Loading")
        try:
            result = load_files(files, table, mode, settings.bigquery, new_run_id())
        finally:
            files.close()
    if as_json:
        print_json(result.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.load import print_load_result

        print_load_result(result)


def _parse_names(names: list[str]) -> tuple[list[SourceLocation], BigQueryTable]:
    """Return the locations of the files, and the table to load them into.

    Raises:
        UsageError: If the last name is no table, or another one is a table or standard input among files.
    """
    from rfm_pipeline.config.source_location import BigQueryTable, StdinLocation, parse_source

    *sources, to = names
    table = parse_source(to)
    if (
        not isinstance(table, BigQueryTable)
        or table.table.endswith("*")
        or table.is_in_catalog
        or not sources
    ):
        raise UsageError(f"{to} is not a BigQuery table that files can be loaded into.", _USAGE_HINT)
    locations = [parse_source(source) for source in sources]
    if any(isinstance(location, BigQueryTable) for location in locations):
        raise UsageError("A BigQuery table can't be loaded into another one.", _USAGE_HINT)
    if len(locations) > 1 and any(isinstance(location, StdinLocation) for location in locations):
        raise UsageError("Standard input can't be combined with other files.", _USAGE_HINT)
    return locations, table
