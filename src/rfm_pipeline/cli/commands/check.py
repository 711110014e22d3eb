"""The command `rfm check`."""

from __future__ import annotations

from typing import Any

from rfm_pipeline.cli.options import Config, Json, Quiet, Source, takes_settings, with_source


@takes_settings()
def check(
    flags: dict[str, Any],
    source: Source = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Validate everything that a run needs and show what it would do. Nothing is written.

    With DuckDB, the result is computed and audited as well, so what passes here passes as a run.

    In BigQuery, that would cost as much as a run: the first 2,000 lines are looked at, free of charge, and
    the account, its permissions, the role that grants each missing permission, and the cost are shown.

    Examples:
      rfm check orders.csv

      rfm check --config shop.toml --json

      rfm check bigquery://shop.sales.raw_transactions --to bigquery://shop.sales
    """
    from rfm_pipeline.cli.progress import show_progress
    from rfm_pipeline.cli.render.check import print_access, print_plan
    from rfm_pipeline.cli.render.json import print_json
    from rfm_pipeline.config.loader import load_configuration
    from rfm_pipeline.pipeline.access import access
    from rfm_pipeline.pipeline.plan import open_plan
    from rfm_pipeline.pipeline.rehearsal import rehearse

    configuration = load_configuration(with_source(flags, source), config=config)
    permissions = access(configuration.settings)
    if permissions and not (as_json or quiet):
        print_access(permissions)
    if permissions:
        permissions.raise_if_missing()
    with open_plan(configuration, bounds_read=True, keeps_orders=permissions is not None) as plan:
        with show_progress(quiet=quiet) as observer:
            notes = rehearse(plan, observer)
        if as_json:
            about = {"notes": [*plan.notes, *notes], "access": permissions.to_json() if permissions else None}
            print_json({**plan.to_json(), **about})
        elif not quiet:
            print_plan(plan, notes)
