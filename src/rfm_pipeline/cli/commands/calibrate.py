"""`rfm calibrate`."""

from __future__ import annotations

from typing import Any

from rfm_pipeline.cli.options import Config, Json, LogFormat, Quiet, Source, takes_settings


@takes_settings("output", "scoring_calibration")
def calibrate(
    *,
    flags: dict[str, Any],
    source: Source = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log_format: LogFormat = "text",  # noqa: ARG001 - events.py has chosen by it
) -> None:
    """Put the edges between scores on record, for later runs to score by. Nothing is published.

    A run with `edges = "frozen"` in [scoring] takes those of the newest calibration, and one with --freeze
    those of the run that it names. Scores then mean the same from month to month, and each run tells how far
    the edges of the day have moved.

    Examples:
      rfm calibrate orders.csv

      rfm calibrate bigquery://shop.sales.raw_transactions --to bigquery://shop.marketing --as-of 2025-12-31
    """
    from rfm_pipeline.cli.session import publishing
    from rfm_pipeline.config.loader import load
    from rfm_pipeline.pipeline.calibrate import calibrate as run_calibration

    with publishing("calibrate", quiet=quiet) as now:
        configuration = now.about(load({**flags, **({"source": source} if source else {})}, config=config))
        result = now.done(run_calibration(configuration, now.watcher))
    if as_json:
        from rfm_pipeline.cli.render.json import print_json

        print_json(result.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.run_result import print_result

        print_result(result)
