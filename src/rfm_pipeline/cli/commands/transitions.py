"""`rfm transitions`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import OF_DESTINATION, Config, Json, takes_settings
from rfm_pipeline.errors import UsageError


@takes_settings(*OF_DESTINATION)
def transitions(
    *,
    flags: dict[str, Any],
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="The earlier as-of date; the one before, unless given.", show_default=False
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option(
            "--until", help="The later as-of date; the current result's, unless given.", show_default=False
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the flows as CSV.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Tell who moved from which segment to which between two as-of dates, and why.

    A customer moved because time passed, because of what the customer did, because the edges between scores
    moved, or because the rules were changed.

    Examples:
      rfm transitions

      rfm transitions --from 2025-11-30 --until 2025-12-31 --csv > moves.csv

      rfm transitions --from 2025-11-30 --to bigquery://shop.marketing --json
    """
    from rfm_pipeline.cli.date_options import as_of_date
    from rfm_pipeline.config.loader import load
    from rfm_pipeline.pipeline.transitions import transitions as between

    if as_csv and as_json:
        raise UsageError("--csv and --json are two forms of one output.", "give one of them.")
    first = as_of_date("--from", start) if start else None
    last = as_of_date("--until", end) if end else None
    found = between(load(flags, config=config), first, last)
    if as_json:
        from rfm_pipeline.cli.render.json import print_json

        print_json(found.to_json())
    elif as_csv:
        import csv
        import sys

        csv.writer(sys.stdout, lineterminator="\n").writerows(found.to_csv())
    else:
        from rfm_pipeline.cli.render.transitions import print_transitions

        print_transitions(found)
