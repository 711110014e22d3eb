"""The command `rfm demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import FLAGS, Config, Json, Quiet, takes_settings
from rfm_pipeline.errors import UsageError

_WITHOUT = {
    flag.parameter
    for flag in FLAGS
    if flag.setting[0] in {"columns", "read", "date_format", "decimal", "thousands", "unit"}
}
_DEFAULT_FILE = Path("demo.csv")
# A generated shop may differ from the last one, so the audits that compare with the last run are off.
_AUDITS = {
    audit: {"level": "off"}
    for audit in ("rows_dropped", "customers_dropped", "duplicate_load", "segment_shares")
}


@takes_settings(*_WITHOUT)
def demo(
    *,
    flags: dict[str, Any],
    lines: Annotated[str, typer.Option(help="Number of lines of the shop, such as 10_000_000.")] = "50_000",
    seed: Annotated[int, typer.Option(help="Random seed; each seed generates another shop.")] = 7,
    source: Annotated[
        Path, typer.Option(help="The .csv or .parquet file that the shop is written to.")
    ] = _DEFAULT_FILE,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Generate a shop and segment its customers.

    The lines are written to a file and go through the real pipeline. An rfm.toml in the current folder is
    ignored unless --config names it.

    Examples:
      rfm demo

      rfm demo --lines 10_000_000 --source demo.parquet --preset grid
    """
    from msgspec.structs import replace

    from rfm_pipeline.cli.next_step import print_next_step
    from rfm_pipeline.cli.progress import show_progress
    from rfm_pipeline.cli.session import print_run_result
    from rfm_pipeline.config.loader import Configuration, load_configuration
    from rfm_pipeline.demo import is_shop, write_shop
    from rfm_pipeline.pipeline.output_paths import refuse_overwriting
    from rfm_pipeline.pipeline.plan import validate_request
    from rfm_pipeline.pipeline.run import run as run_pipeline

    try:
        line_count = int(lines)
    except ValueError:
        raise UsageError(
            f"--lines takes a whole number, not '{lines}'.", "for example --lines 10_000_000."
        ) from None
    # A demo.csv of an earlier demo is overwritten without --force.
    if source.exists() and not (force or (source == _DEFAULT_FILE and is_shop(source))):
        raise UsageError(f"{source} exists already.", "`--force` overwrites it.")
    flags = {"to": "duckdb:demo.duckdb", **flags, "source": str(source)}
    if config:
        configuration = load_configuration(flags, config=config)
    else:
        configuration = Configuration(flags={"audits": _AUDITS, **flags})
    # Validate the request before ten million lines are written.
    validate_request(configuration, publishes=True)
    others = replace(configuration, flags={**flags, "source": None})
    refuse_overwriting([("file of the shop", source)], others)
    with show_progress(quiet=quiet) as observer:
        observer.step("Generating a shop")
        write_shop(source, lines=line_count, seed=seed)
        result = run_pipeline(configuration, observer, replace_source=True)
    print_run_result(result, as_json=as_json, quiet=quiet)
    if not (as_json or quiet):
        print_next_step(result, flags, config, is_demo=True)
