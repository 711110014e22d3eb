"""`rfm rollback`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import OF_DESTINATION, Config, Json, LogFormat, Quiet, takes_settings


@takes_settings(*OF_DESTINATION)
def rollback(
    *,
    flags: dict[str, Any],
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="The run whose result it is to be; the one before the current result unless given.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log_format: LogFormat = "text",  # noqa: ARG001 - events.py has chosen by it
) -> None:
    """Make an earlier result the current one again, from the history, in one transaction.

    The history stays as it is, and the rollback goes on record as a run. The as-of dates after the one that
    is gone back to don't count as earlier results any more, until they are published again.

    Examples:
      rfm rollback

      rfm rollback 20251230T060000-1f9c3a --to bigquery://shop.marketing
    """
    from rfm_pipeline.cli.session import publishing
    from rfm_pipeline.config.loader import load
    from rfm_pipeline.pipeline.rollback import rollback as roll_back

    with publishing("rollback", quiet=quiet) as now:
        configuration = now.about(load(flags, config=config))
        done = roll_back(configuration, run, now.watcher)
    if as_json:
        from rfm_pipeline.cli.render.json import print_json

        print_json(done.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.runs import print_rolled_back

        print_rolled_back(done)
