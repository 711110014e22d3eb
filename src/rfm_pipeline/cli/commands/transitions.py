"""The command `rfm transitions`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import SOURCE_PARAMETERS, Config, Json, Quiet, takes_settings
from rfm_pipeline.cli.render.json import print_json
from rfm_pipeline.errors import UsageError


@takes_settings(*SOURCE_PARAMETERS)
def transitions(
    *,
    flags: dict[str, Any],
    start: Annotated[
        str | None,
        typer.Option(
            "--from", help="Earlier as-of date (default: the one before the later).", show_default=False
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--until", help="Later as-of date (default: the current result's).", show_default=False),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all movements as CSV.")] = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show which customers moved between segments from one as-of date to another, and why.

    Each move has one cause: time passed, the customer ordered or returned something, the edges between scores
    moved, or the rules changed.

    Examples:
      rfm transitions

      rfm transitions --from 2025-11-30 --until 2025-12-31 --csv > moves.csv

      rfm transitions --from 2025-11-30 --to bigquery://shop.marketing --json
    """
    from rfm_pipeline.cli.date_options import as_of_date
    from rfm_pipeline.config.loader import load_configuration
    from rfm_pipeline.pipeline.transitions import transitions as compute_transitions

    if as_csv and as_json:
        raise UsageError("--csv and --json can't be combined.", "give one of them.")
    first = as_of_date("--from", start) if start else None
    last = as_of_date("--until", end) if end else None
    result = compute_transitions(load_configuration(flags, config=config), first, last)
    if as_json:
        print_json(result.to_json())
    elif as_csv:
        import csv
        import sys

        csv.writer(sys.stdout, lineterminator="\n").writerows(result.to_csv())
    elif not quiet:
        from rfm_pipeline.cli.render.transitions import print_transitions

        print_transitions(result)
