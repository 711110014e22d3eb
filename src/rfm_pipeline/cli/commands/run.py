"""The command `rfm run`."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from threading import Thread
from typing import Any

from rfm_pipeline.cli.options import (
    INCREMENTAL,
    REPORT_FILE,
    Config,
    Full,
    Json,
    LogFormat,
    Quiet,
    ReplaceSource,
    Source,
    takes_settings,
    with_source,
)


@takes_settings(also=(REPORT_FILE, INCREMENTAL))
def run(
    *,
    flags: dict[str, Any],
    source: Source = None,
    replace_source: ReplaceSource = False,
    full: Full = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log_format: LogFormat = "text",  # noqa: ARG001 - read by cli.json_log
) -> None:
    """Segment the customers of a shop and publish the result.

    Nothing is published if an audit fails.

    Examples:
      rfm run "orders export.csv"

      rfm run sales.parquet --as-of 2025-12-31 --preset grid --output segments.xlsx

      rfm run orders.csv --report report.html

      rfm run exports/ --incremental

      zcat lines.csv.gz | rfm run - --to duckdb:shop.duckdb --json
    """
    from rfm_pipeline.cli.next_step import print_next_step
    from rfm_pipeline.cli.session import run_command
    from rfm_pipeline.pipeline.run import run as run_pipeline

    if not (as_json or quiet):
        # Import what prints the result while the engine computes it.
        Thread(target=import_module, args=("rfm_pipeline.cli.render.run_result",), daemon=True).start()
    settings = with_source(flags, source)
    execute = partial(run_pipeline, replace_source=replace_source, full=full)
    result = run_command("run", execute, settings, config, as_json=as_json, quiet=quiet)
    if not (as_json or quiet):
        print_next_step(result, settings, config)
