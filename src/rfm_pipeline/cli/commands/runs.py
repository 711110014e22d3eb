"""The command `rfm runs`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import SOURCE_PARAMETERS, Config, Json, quiet_option, takes_settings
from rfm_pipeline.cli.render.json import print_json
from rfm_pipeline.errors import UsageError

Ids = Annotated[bool, quiet_option("Print only the ids of the runs, one per line.")]


@takes_settings(*SOURCE_PARAMETERS)
def runs(
    *,
    flags: dict[str, Any],
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Id of a run to show.", show_default=False)
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="Number of runs to list, newest first.")
    ] = 20,
    config: Config = None,
    as_json: Json = False,
    quiet: Ids = False,
) -> None:
    """List the recorded runs, or show one: lines, result, exclusions, audits and cost.

    Every run, including one that failed, is recorded at its destination.

    Examples:
      rfm runs

      rfm runs 20251231T060000-1f9c3a --json

      rfm runs --to bigquery://shop.marketing --limit 5
    """
    from rfm_pipeline.config.loader import load_configuration
    from rfm_pipeline.results.run_history import read_state
    from rfm_pipeline.warehouse.factory import open_destination

    settings = load_configuration(flags, config=config).settings
    with open_destination(settings) as destination:
        state, label = read_state(destination), destination.label
    records = state.records
    if not records:
        raise UsageError(
            f"{label} has no recorded run.",
            "`rfm run` publishes a result there; --to names another destination.",
        )
    record = next((record for record in records if record.run_id == run), None)
    if run and record is None:
        raise UsageError(f"{label} has no record of a run {run}.", "`rfm runs` lists the recorded runs.")
    if as_json:
        if record:
            print_json(record.to_json())
        else:
            listed = [record.to_json() for record in reversed(records[-limit:])]
            print_json({"destination": label, "runs": listed})
        return
    if quiet:
        print("\n".join(one.run_id for one in ([record] if record else reversed(records[-limit:]))))
        return
    from rfm_pipeline.cli.render.runs import print_run, print_runs

    if record:
        print_run(record)
    else:
        print_runs(records[-limit:], state, label, older=max(0, len(records) - limit))
