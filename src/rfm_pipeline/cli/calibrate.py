"""`rfm calibrate`."""

from __future__ import annotations

from functools import partial
from typing import Any

from rfm_pipeline.cli.options import Config, Json, Quiet, Source, takes_settings


@takes_settings("output", "scoring_calibration")
def calibrate(
    flags: dict[str, Any],
    source: Source = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put the edges between scores on record, for later runs to score by. Nothing is published.

    A run with `edges = "frozen"` in [scoring] takes those of the newest calibration, and one with --freeze
    those of the run that it names. Scores then mean the same from month to month, and each run tells how far
    the edges of the day have moved.

    Examples:
      rfm calibrate orders.csv

      rfm calibrate bigquery://shop.sales.raw_transactions --to bigquery://shop.marketing --as-of 2025-12-31
    """
    from rfm_pipeline.calibration_run import calibrate as run_calibration
    from rfm_pipeline.cli.progress import watching
    from rfm_pipeline.config import load
    from rfm_pipeline.planning import record

    configuration = load({**flags, **({"source": source} if source else {})}, config=config)
    with watching(quiet=quiet) as watcher:
        result = run_calibration(configuration, watcher, partial(record, configuration.settings()))
    if as_json:
        from rfm_pipeline.cli.machine import print_json

        print_json(result.to_json())
    elif not quiet:
        from rfm_pipeline.cli.terminal import print_result

        print_result(result)
