"""`rfm runs`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import OF_DESTINATION, Config, Json, takes_settings
from rfm_pipeline.errors import UsageError


@takes_settings(*OF_DESTINATION)
def runs(
    *,
    flags: dict[str, Any],
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run to show, by its id.", show_default=False)
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many are listed, from the newest.")
    ] = 20,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the runs on record, or show one: what it read, found, left out, checked and cost.

    Examples:
      rfm runs

      rfm runs 20251231T060000-1f9c3a --json

      rfm runs --to bigquery://shop.marketing --limit 5
    """
    from rfm_pipeline.config.loader import load
    from rfm_pipeline.results.run_history import read_state
    from rfm_pipeline.warehouse.factory import open_destination

    settings = load(flags, config=config).settings()
    with open_destination(settings) as destination:
        standing, label = read_state(destination), destination.label
    records = standing.records
    if not records:
        raise UsageError(
            f"{label} has no run on record.", "`rfm run` publishes a result there; --to names it."
        )
    chosen = tuple(record for record in records if record.run_id == run)
    if run and not chosen:
        raise UsageError(f"{label} knows of no run {run}.", "`rfm runs` lists the runs on record.")
    if as_json:
        from rfm_pipeline.cli.render.json import print_json

        if run:
            print_json(chosen[0].to_json())
        else:
            listed = [record.to_json() for record in reversed(records[-limit:])]
            print_json({"destination": label, "runs": listed})
        return
    from rfm_pipeline.cli.render.runs import print_run, print_runs

    if run:
        print_run(chosen[0])
    else:
        print_runs(records[-limit:], standing, label, more=max(0, len(records) - limit))
