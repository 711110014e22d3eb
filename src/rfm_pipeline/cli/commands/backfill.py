"""`rfm backfill`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import FLAGS, Config, Json, LogFormat, Quiet, Source, takes_settings
from rfm_pipeline.errors import UsageError


class Every(StrEnum):
    """How far two as-of dates are apart."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_NO_USE = {flag.parameter for flag in FLAGS if flag.setting[0] in {"as_of", "output"}}


@takes_settings(*_NO_USE)
def backfill(
    *,
    flags: dict[str, Any],
    source: Source = None,
    start: Annotated[
        str | None, typer.Option("--from", help="The first as-of date.", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--until", help="The last as-of date.", show_default=False)
    ] = None,
    every: Annotated[Every, typer.Option(help="How far the dates are apart, from the first on.")] = Every.DAY,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log_format: LogFormat = "text",  # noqa: ARG001 - events.py has chosen by it
) -> None:
    """Fill the history: publish the result as of each of many dates, from the oldest on.

    Each date is a run of its own, which reads the source. Dates that stand already, from the same source by
    the same rules, are passed over, so that a backfill that was stopped goes on where it was. A date before
    the current result's goes into the history only.

    Examples:
      rfm backfill orders.parquet --from 2025-01-01 --until 2025-12-31

      rfm backfill orders.parquet --from 2024-01-31 --until 2025-12-31 --every month --to duckdb:shop.duckdb
    """
    from rfm_pipeline.cli.date_options import as_of_date
    from rfm_pipeline.cli.session import publishing
    from rfm_pipeline.config.loader import load
    from rfm_pipeline.pipeline.backfill import as_of_dates
    from rfm_pipeline.pipeline.backfill import backfill as fill

    if start is None or end is None:
        raise UsageError(
            "A backfill needs its first and its last as-of date.",
            "for example --from 2025-01-01 --until 2025-12-31 --every week.",
        )
    days = as_of_dates(as_of_date("--from", start), as_of_date("--until", end), every.value)
    if source:
        flags["source"] = source
    with publishing("backfill", quiet=quiet) as now:
        configuration = now.about(load(flags, config=config))
        done = fill(configuration, days, now.watcher, now.done)
    if as_json:
        from rfm_pipeline.cli.render.json import print_json

        print_json(done.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.runs import print_backfilled

        print_backfilled(done)
