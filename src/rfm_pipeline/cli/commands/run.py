"""`rfm run`."""

from __future__ import annotations

from importlib import import_module
from threading import Thread
from typing import Any

from rfm_pipeline.cli.options import (
    REPORT_FILE,
    Config,
    Json,
    LogFormat,
    Quiet,
    Source,
    takes_settings,
)


@takes_settings(also=(REPORT_FILE,))
def run(
    *,
    flags: dict[str, Any],
    source: Source = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log_format: LogFormat = "text",  # noqa: ARG001 - events.py has chosen by it
) -> None:
    """Segment the customers of a shop, and publish the result.

    Examples:
      rfm run "orders export.csv"

      rfm run sales.parquet --as-of 2025-12-31 --preset grid --output segments.xlsx

      rfm run orders.csv --report report.html

      zcat lines.csv.gz | rfm run - --to duckdb:shop.duckdb --json
    """
    from rfm_pipeline.cli.session import publishing
    from rfm_pipeline.config.loader import load
    from rfm_pipeline.pipeline.run import run as run_pipeline

    if not (as_json or quiet):
        # What shows the result is loaded while the engine is at work.
        Thread(target=import_module, args=("rfm_pipeline.cli.render.run_result",), daemon=True).start()
    with publishing("run", quiet=quiet) as now:
        configuration = now.about(load({**flags, **({"source": source} if source else {})}, config=config))
        result = now.done(run_pipeline(configuration, now.watcher))
    if as_json:
        from rfm_pipeline.cli.render.json import print_json

        print_json(result.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.run_result import print_result

        print_result(result)
