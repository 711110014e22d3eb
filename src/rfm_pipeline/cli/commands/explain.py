"""`rfm explain`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import Config, Json, Source, takes_settings


@takes_settings("output")
def explain(
    flags: dict[str, Any],
    customer: Annotated[
        str, typer.Argument(help="The customer, as the result prints the id.", show_default=False)
    ],
    source: Source = None,
    *,
    config: Config = None,
    as_json: Json = False,
    everything: Annotated[
        bool, typer.Option("--all", help="List all of the customer's orders, not the newest 20 alone.")
    ] = False,
) -> None:
    """Say why a customer is in a segment, and what would lead to another. Nothing is published.

    The source is read as a run would read it: the same settings give the same segment.

    Examples:
      rfm explain 12347 "orders export.csv"

      rfm explain 12347 sales.parquet --as-of 2025-12-31 --preset grid --all

      rfm explain --json -- -7 orders.csv
    """
    from rfm_pipeline.cli.progress import watching
    from rfm_pipeline.config.loader import load
    from rfm_pipeline.explain.explain import NEWEST
    from rfm_pipeline.explain.explain import explain as explain_customer

    # What a run would also write is of no account here.
    given = {**flags, "output": (), **({"source": source} if source else {})}
    configuration = load(given, config=config)
    with watching(quiet=as_json) as watcher:
        explanation = explain_customer(
            configuration, customer, watcher, newest=None if everything else NEWEST
        )
    if as_json:
        from rfm_pipeline.cli.render.json import print_json

        print_json(explanation.to_json())
    else:
        from rfm_pipeline.cli.render.explain import print_explanation

        print_explanation(explanation)
