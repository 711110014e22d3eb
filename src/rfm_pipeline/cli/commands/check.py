"""`rfm check`."""

from __future__ import annotations

from typing import Any

from rfm_pipeline.cli.options import Config, Json, Source, takes_settings


@takes_settings()
def check(
    flags: dict[str, Any],
    source: Source = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Validate everything that a run needs, and say what it would do. Nothing is written.

    For BigQuery it also says who we are, what we may do, which role grants what is missing, and the cost.

    Examples:
      rfm check orders.csv

      rfm check --config shop.toml --json

      rfm check bigquery://shop.sales.raw_transactions --to bigquery://shop.sales
    """
    from rfm_pipeline.cli.render.check import print_access, print_plan
    from rfm_pipeline.cli.render.json import print_json
    from rfm_pipeline.config.loader import load
    from rfm_pipeline.pipeline.access import access
    from rfm_pipeline.pipeline.plan import open_plan

    configuration = load({**flags, **({"source": source} if source else {})}, config=config)
    allowed = access(configuration.settings())
    if allowed and not as_json:
        print_access(allowed)
    if allowed:
        allowed.refuse_missing()
    with open_plan(configuration) as plan:
        if as_json:
            print_json({**plan.to_json(), "access": allowed.to_json() if allowed else None})
        else:
            print_plan(plan)
