"""The command `rfm calibrate`."""

from __future__ import annotations

from typing import Any

from rfm_pipeline.cli.options import Config, Json, LogFormat, Quiet, Source, takes_settings, with_source


@takes_settings("output", "scoring_calibration")
def calibrate(
    *,
    flags: dict[str, Any],
    source: Source = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log_format: LogFormat = "text",  # noqa: ARG001 - read by cli.json_log
) -> None:
    """Record the current edges between scores, for later runs to score by. Nothing is published.

    A run with `edges = "frozen"` in [scoring] scores by the edges of the newest calibration, and a run with
    --freeze by those of the run that it names. Scores then keep their meaning from month to month, and each
    run reports how far the edges of its own data have moved.

    Examples:
      rfm calibrate orders.csv

      rfm calibrate bigquery://shop.sales.orders --to bigquery://shop.crm --as-of 2025-12-31
    """
    from rfm_pipeline.cli.session import run_command
    from rfm_pipeline.pipeline.calibrate import calibrate as run_calibration

    settings = with_source(flags, source)
    run_command("calibrate", run_calibration, settings, config, as_json=as_json, quiet=quiet)
