"""The command `rfm movers`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import SOURCE_PARAMETERS, Config, Json, Quiet, takes_settings
from rfm_pipeline.cli.render.json import print_json

_LISTED = 20
"""How many customers are listed by default."""


def _option(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, show_default=False)


Moved = Annotated[
    list[str] | None,
    _option("Customers who moved so, as in 'Champions -> *'; * is any segment; repeatable.", "--moved"),
]
Reason = Annotated[
    list[str] | None,
    _option("Reason: slipped, woke_up, new_at_top or due; repeatable (default: any).", "--reason"),
]
Segments = Annotated[
    list[str] | None, _option("Segment at the later date; repeatable (default: all).", "--segment", "-s")
]
Start = Annotated[str | None, _option("Earlier as-of date (default: the one before the later).", "--from")]
End = Annotated[str | None, _option("Later as-of date (default: the current result's).", "--until")]
Top = Annotated[
    int | None,
    typer.Option(
        "--top",
        min=1,
        help="List at most so many customers (default: 20; with --output, all).",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None, _option("Write the list to a .csv, .parquet or .xlsx file.", "--output", "-o")
]
Clear = Annotated[
    bool, typer.Option("--clear", help="Allow customer ids in the file that are e-mail addresses.")
]


@takes_settings(*SOURCE_PARAMETERS)
def movers(
    *,
    flags: dict[str, Any],
    moved: Moved = None,
    reason: Reason = None,
    segment: Segments = None,
    start: Start = None,
    end: End = None,
    top: Top = None,
    output: Output = None,
    clear: Clear = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """List the customers to write to: who slipped, woke up, is new at the top, or is due.

    Compares two as-of dates. Slipped: moved to a worse segment. Woke up: ordered after the worst recency
    score, and moved to a better segment. New at the top: came to the best segment. Due: longer without an
    order than the customer's mean gap. The money at stake is the monetary value, and that of all who are due
    is the revenue at risk. Customers are shown on a terminal, masked elsewhere, and written to --output.

    Examples:
      rfm movers

      rfm movers --reason due --segment Champions --top 50

      rfm movers --moved 'Champions -> *' --from 2025-11-30 -o slipped.csv
    """
    from rfm_pipeline.cli.date_options import as_of_date
    from rfm_pipeline.config.loader import load_configuration
    from rfm_pipeline.pipeline.mover_filter import MoverConditions
    from rfm_pipeline.pipeline.movers import movers as find_movers

    conditions = MoverConditions.parse(moved or (), reason or (), segment or ())
    first = as_of_date("--from", start) if start else None
    last = as_of_date("--until", end) if end else None
    configuration = load_configuration(flags, config=config)
    if output:
        from rfm_pipeline.audiences.movers_file import check_movers_path, write_movers

        check_movers_path(output, configuration)
        result = find_movers(configuration, conditions, first, last, limit=top, output=output)
        write_movers(result.listed, output, configuration, clear=clear)
    else:
        result = find_movers(configuration, conditions, first, last, limit=top or _LISTED)
    if as_json:
        print_json({**result.to_json(), "output": str(output) if output else None})
    elif not quiet:
        from rfm_pipeline.cli.render.movers import print_movers

        print_movers(result, output)
