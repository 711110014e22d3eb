"""The command `rfm explain`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import Config, Json, Quiet, Source, takes_settings, with_source
from rfm_pipeline.cli.render.json import print_json


@takes_settings("output")
def explain(
    flags: dict[str, Any],
    customer: Annotated[
        str, typer.Argument(help="Id of the customer, as the result contains it.", show_default=False)
    ],
    source: Source = None,
    *,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    list_all: Annotated[
        bool, typer.Option("--all", help="List all orders of the customer, not only the newest 20.")
    ] = False,
) -> None:
    """Explain why a customer is in a segment and what would change it. Nothing is published.

    The source is read as in `rfm run`: the same settings give the same segment.

    Examples:
      rfm explain 12347 "orders export.csv"

      rfm explain 12347 sales.parquet --as-of 2025-12-31 --preset grid --all

      rfm explain --json -- -7 orders.csv
    """
    from rfm_pipeline.cli.progress import show_progress
    from rfm_pipeline.config.loader import load_configuration
    from rfm_pipeline.explain.explain import NEWEST
    from rfm_pipeline.explain.explain import explain as explain_customer

    # A configured output is neither written nor validated.
    configuration = load_configuration({**with_source(flags, source), "output": ()}, config=config)
    with show_progress(quiet=quiet or as_json) as observer:
        explanation = explain_customer(configuration, customer, observer, newest=None if list_all else NEWEST)
    if as_json:
        print_json(explanation.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.explain import print_explanation

        print_explanation(explanation)
