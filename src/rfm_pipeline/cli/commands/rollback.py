"""The command `rfm rollback`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rfm_pipeline.cli import json_log
from rfm_pipeline.cli.options import SOURCE_PARAMETERS, Config, Json, LogFormat, Quiet, takes_settings
from rfm_pipeline.cli.render.json import print_json


@takes_settings(*SOURCE_PARAMETERS)
def rollback(
    *,
    flags: dict[str, Any],
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Id of the run whose result is restored (default: the run before the current result).",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log_format: LogFormat = "text",  # noqa: ARG001 - read by cli.json_log
) -> None:
    """Restore an earlier result from the history as the current one, in one transaction.

    The history is not changed, and the rollback is recorded as a run. Results of later as-of dates than the
    restored one are no longer compared with, until these dates are published again.

    Examples:
      rfm rollback

      rfm rollback 20251230T060000-1f9c3a --to bigquery://shop.marketing
    """
    from rfm_pipeline.cli.session import open_session
    from rfm_pipeline.pipeline.rollback import rollback as run_rollback

    with open_session("rollback", quiet=quiet) as session:
        result = run_rollback(session.load(flags, config), run, session.observer)
        json_log.mark_published()
    if as_json:
        print_json(result.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.runs import print_rollback

        print_rollback(result)
