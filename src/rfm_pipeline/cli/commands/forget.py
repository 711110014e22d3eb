"""The command `rfm forget`."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from rfm_pipeline.cli import json_log
from rfm_pipeline.cli.options import SOURCE_PARAMETERS, Config, Json, LogFormat, Quiet, takes_settings
from rfm_pipeline.cli.render.json import print_json
from rfm_pipeline.errors import UsageError


@takes_settings(*SOURCE_PARAMETERS)
def forget(
    *,
    flags: dict[str, Any],
    customers: Annotated[
        list[str],
        typer.Argument(
            metavar="CUSTOMER...",
            help="Ids of customers, as the result has them; - reads one id per line from stdin.",
            show_default=False,
        ),
    ],
    undo: Annotated[
        bool, typer.Option("--undo", help="Let later runs read these customers again; nothing is removed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be removed, and change nothing.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
    log_format: LogFormat = "text",  # noqa: ARG001 - read by cli.json_log
) -> None:
    """Remove customers from all results, and leave them out of later runs.

    In one transaction, their rows leave the current result and the history, and the record of it has numbers
    and keyed hashes, no ids. Kept results of rejected runs are removed wholly. Later runs exclude the
    customers' lines as `forgotten`. Output files, exports, reports, backups and the source are not changed.

    Examples:
      rfm forget 17850

      rfm forget jane@example.com --dry-run

      rfm forget - --to bigquery://shop.marketing < ids.txt

      rfm forget 17850 --undo
    """
    from rfm_pipeline.cli.session import open_session
    from rfm_pipeline.pipeline.forget import forget as run_forget

    ids = _read_ids(customers)
    with open_session("forget", quiet=quiet) as session:
        result = run_forget(session.load(flags, config), ids, session.observer, undo=undo, dry_run=dry_run)
        if not dry_run:
            json_log.mark_published()
    if as_json:
        print_json(result.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.runs import print_forgot

        print_forgot(result)


def _read_ids(customers: list[str]) -> list[str]:
    """Return the ids in the arguments; the argument `-` is replaced by the lines of stdin.

    Raises:
        UsageError: If there is no id.
    """
    ids: list[str] = []
    for customer in customers:
        ids += (
            [line for line in sys.stdin.read().splitlines() if line.strip()]
            if customer == "-"
            else [customer]
        )
    if not ids:
        raise UsageError("stdin has no id of a customer.", "give one per line, as in rfm forget - < ids.txt.")
    return ids
