"""The command `rfm sql`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import Config, Flag, Source, quiet_option, takes_settings, with_source
from rfm_pipeline.errors import UsageError

_MODEL, _VIEW = "A model for the warehouse's own tools", "A view for readers of an older table"


def _option(panel: str, text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False)


Dialect = Annotated[
    str | None,
    typer.Option(help="SQL dialect: 'duckdb' or 'bigquery' (default: that of the source's engine)."),
]
Table = Annotated[
    str | None,
    typer.Option(
        help="Table that the query reads instead of the source; for BigQuery project.dataset.table, and with"
        " --for dbt or dataform also the name of one of its models.",
        show_default=False,
    ),
]
Tool = Annotated[
    str | None,
    _option(_MODEL, "Print a model for 'dbt', 'dataform' or 'scheduled-query' (of BigQuery).", "--for"),
]
Name = Annotated[
    str | None,
    _option(
        _MODEL,
        "Table that the model fills, or name of the view (default: rfm_segments, or it with a suffix).",
    ),
]
History = Annotated[
    bool, _option(_MODEL, "Keep the rows of each as-of date, in rfm_segments_history.", "--history")
]
Output = Annotated[
    Path | None,
    _option(
        _MODEL, "Folder to write the model into, with the file of its source and tests.", "--output", "-o"
    ),
]
CompatibleView = Annotated[
    str | None,
    _option(
        _VIEW,
        "OLD=COLUMN,...: print a view over the table of --to that has columns under older names.",
        "--compatible-view",
    ),
]
_TO = Flag(
    ("to",), str, ("--to",), "Destination of the view, as duckdb:FILE or bigquery://project.dataset.", _VIEW
)

Unlisted = Annotated[
    bool, quiet_option("Do not list the files that --output writes; a query is printed all the same.")
]


@takes_settings("output", "to", "duckdb_memory_limit", "duckdb_threads", also=(_TO,))
def sql(
    *,
    flags: dict[str, Any],
    source: Source = None,
    config: Config = None,
    dialect: Dialect = None,
    table: Table = None,
    tool: Tool = None,
    name: Name = None,
    history: History = False,
    output: Output = None,
    compatible_view: CompatibleView = None,
    quiet: Unlisted = False,
) -> None:
    """Print the whole computation as one query, to read or to run elsewhere.

    The query depends on the columns of the source; rows are not read. With --for it is a model that another
    scheduler runs every day. A model has the rows of a run without previous_segment, segment_since and
    run_id, and with the customers that `rfm forget` removed.

    Examples:
      rfm sql orders.csv

      rfm sql orders.parquet --dialect bigquery --table shop.sales.raw_transactions

      rfm sql bigquery://shop.sales.orders --for dbt --timezone Europe/London --output models

      rfm sql --to bigquery://shop.crm --compatible-view recency=recency_days,rfm_segment=segment
    """
    from rfm_pipeline.cli.render.run_result import print_sql
    from rfm_pipeline.config.loader import load_configuration

    if tool is None and (history or output):
        given = "--history" if history else "--output"
        raise UsageError(
            f"{given} is an option of models.", "give --for dbt, dataform or scheduled-query too."
        )
    configuration = load_configuration(with_source(flags, source), config=config)
    if compatible_view is not None:
        if source or tool or table or dialect:
            raise UsageError(
                "--compatible-view prints a view over the published result, and reads no source.",
                "leave SOURCE, --for, --table and --dialect out.",
            )
        from rfm_pipeline.sql.compatible_view import compatible_view_sql

        print_sql(compatible_view_sql(configuration.settings.to, compatible_view, name).rstrip("\n"))
        return
    if tool is None:
        if name:
            raise UsageError("--name is an option of models and views.", "leave it out, or give --for.")
        from rfm_pipeline.pipeline.printed_query import query

        print_sql(query(configuration, dialect, table))
        return
    if dialect not in {None, "bigquery"}:
        raise UsageError(f"A model is in the dialect of BigQuery, not of {dialect}.", "leave --dialect out.")
    from rfm_pipeline.pipeline.printed_models import ModelRequest, model_files, write_files

    files = model_files(configuration, ModelRequest(tool, table, name, history))
    if output is None:
        print_sql(files[0].alone.rstrip("\n"))
        return
    written = write_files(files, output)
    if not quiet:
        for path in written:
            print(f"Wrote {path}.")
