"""The command `rfm backfill`."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from rfm_pipeline.cli.options import (
    FLAGS,
    INCREMENTAL,
    Config,
    Json,
    LogFormat,
    Quiet,
    ReplaceSource,
    Source,
    takes_settings,
    with_source,
)
from rfm_pipeline.cli.render.json import print_json
from rfm_pipeline.errors import UsageError

if TYPE_CHECKING:
    from rfm_pipeline.pipeline.backfill import Every


class EveryOption(StrEnum):
    """Interval between two as-of dates; or the dates that the history has."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    STORED = "stored"


_WITHOUT = {flag.parameter for flag in FLAGS if flag.setting[0] in {"as_of", "output"}}


@takes_settings(*_WITHOUT, also=(INCREMENTAL,))
def backfill(
    *,
    flags: dict[str, Any],
    source: Source = None,
    start: Annotated[str | None, typer.Option("--from", help="First as-of date.", show_default=False)] = None,
    end: Annotated[
        str | None,
        typer.Option("--until", help="Last as-of date, or 'yesterday' or 'today'.", show_default=False),
    ] = None,
    every: Annotated[
        EveryOption,
        typer.Option(help="Interval between the as-of dates; stored: the dates that the history has."),
    ] = EveryOption.DAY,
    replace_source: ReplaceSource = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log_format: LogFormat = "text",  # noqa: ARG001 - read by cli.json_log
) -> None:
    """Fill the history: publish the result as of each of many dates, oldest first.

    Each date is a run of its own, which reads the source. Dates that were already published from the same
    source with the same rules are skipped, so a backfill that was stopped continues where it stopped. A date
    before the current result's is written to the history only.

    Examples:
      rfm backfill orders.parquet --from 2025-01-01 --until 2025-12-31

      rfm backfill orders.parquet --from 2024-01-31 --until 2025-12-31 --every month --to shop.parquet

      rfm backfill orders.parquet --every stored
    """
    from rfm_pipeline.cli.date_options import as_of_date
    from rfm_pipeline.cli.session import open_session
    from rfm_pipeline.pipeline.backfill import as_of_dates, stored_dates
    from rfm_pipeline.pipeline.backfill import backfill as run_backfill

    first = as_of_date("--from", start) if start else None
    last = as_of_date("--until", end, date.max) if end else None
    if every is not EveryOption.STORED and (first is None or last is None):
        raise UsageError(
            "A backfill needs its first and its last as-of date.",
            "for example --from 2025-01-01 --until 2025-12-31 --every week.",
        )
    with open_session("backfill", quiet=quiet) as session:
        configuration = session.load(with_source(flags, source), config)
        # The time zone that `yesterday` refers to is known only now.
        last = as_of_date("--until", end, configuration.today) if end else None
        if every is EveryOption.STORED or first is None or last is None:
            dates = stored_dates(configuration, first, last)
        else:
            dates = as_of_dates(first, last, cast("Every", every.value))
        result = run_backfill(
            configuration, dates, session.observer, session.add_result, replace_source=replace_source
        )
    if as_json:
        print_json(result.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.runs import print_backfill

        print_backfill(result)
