"""The command `rfm evaluate`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import Config, Json, Quiet, Source, takes_settings, with_source
from rfm_pipeline.cli.render.json import print_json


@takes_settings("output", "as_of")
def evaluate(
    *,
    flags: dict[str, Any],
    source: Source = None,
    horizon: Annotated[
        str, typer.Option("--horizon", help="Days or weeks after each date in which orders count.")
    ] = "90d",
    as_of: Annotated[
        list[str] | None,
        typer.Option(
            "--as-of",
            help="Date to score customers on; repeat it for several (default: up to four dates, whose"
            " horizons follow each other up to the newest order).",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            "--compare",
            help="Another configuration for the same customers: preset, bins and method, as in"
            " 'preset=grid,bins=5'; repeat it for several.",
            show_default=False,
        ),
    ] = None,
    stability: Annotated[
        bool,
        typer.Option(
            "--stability",
            help="Also show how many customers would keep their segment with other customers, or a day"
            " earlier or later.",
        ),
    ] = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show what customers scored on dates in the past bought afterwards. Nothing is published.

    On each date customers are scored as `rfm run --as-of` scores them, from the orders up to it. Then the
    orders of the horizon are counted by segment: who bought again, how often, and for how much. AUC says how
    well the map, the scores and a statistical model (BG/NBD) tell those who buy from those who do not.

    Examples:
      rfm evaluate orders.parquet

      rfm evaluate orders.parquet --horizon 30d --as-of 2025-06-30 --as-of 2025-09-30

      rfm evaluate orders.parquet --compare preset=grid --compare preset=shopify --json

      rfm evaluate orders.parquet --bins 5 --preset grid --stability
    """
    from rfm_pipeline.cli.date_options import as_of_date
    from rfm_pipeline.cli.progress import show_progress
    from rfm_pipeline.config.loader import load_configuration
    from rfm_pipeline.evaluation.evaluate import Request
    from rfm_pipeline.evaluation.evaluate import evaluate as evaluate_scores
    from rfm_pipeline.evaluation.origins import parse_horizon

    request = Request(
        parse_horizon(horizon),
        tuple(as_of_date("--as-of", text) for text in as_of or ()),
        tuple(compare or ()),
        stability,
    )
    # A configured output is neither written nor validated.
    configuration = load_configuration({**with_source(flags, source), "output": ()}, config=config)
    with show_progress(quiet=quiet or as_json) as observer:
        evaluation = evaluate_scores(configuration, request, observer)
    if as_json:
        print_json(evaluation.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.evaluate import print_evaluation

        print_evaluation(evaluation)
