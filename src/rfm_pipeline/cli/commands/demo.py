"""`rfm demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import FLAGS, Config, Json, Quiet, takes_settings
from rfm_pipeline.errors import UsageError

_NO_USE = {
    flag.parameter
    for flag in FLAGS
    if flag.setting[0] in {"columns", "read", "date_format", "decimal", "thousands"}
}
_DEFAULT_FILE = Path("demo.csv")
# Another shop than the last time is what was asked for.
_ANOTHER_SHOP = {
    audit: {"level": "off"}
    for audit in ("rows_dropped", "customers_dropped", "duplicate_load", "segment_shares")
}


@takes_settings(*_NO_USE)
def demo(
    *,
    flags: dict[str, Any],
    lines: Annotated[str, typer.Option(help="How many lines the shop has, such as 10_000_000.")] = "50_000",
    seed: Annotated[int, typer.Option(help="Another seed is another shop.")] = 7,
    source: Annotated[
        Path, typer.Option(help="Where the shop's lines are written: .csv or .parquet.")
    ] = _DEFAULT_FILE,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make up a shop, and segment its customers.

    The lines are written to a file and go through the real pipeline; nothing is needed but this program. An
    rfm.toml that is here is for real data, and is not looked at unless --config names it.

    Examples:
      rfm demo

      rfm demo --lines 10_000_000 --source demo.parquet --preset grid
    """
    from rfm_pipeline.cli.progress import watching
    from rfm_pipeline.config.loader import Configuration, load
    from rfm_pipeline.demo import is_shop, write_shop
    from rfm_pipeline.pipeline.run import run as run_pipeline

    try:
        number = int(lines)
    except ValueError:
        raise UsageError(
            f"--lines takes a whole number, not '{lines}'.", "for example --lines 10_000_000."
        ) from None
    # A shop that was made up before is nobody's loss.
    if source.exists() and not (force or (source == _DEFAULT_FILE and is_shop(source))):
        raise UsageError(f"{source} is there already.", "`--force` overwrites it.")
    flags = {"to": "duckdb:demo.duckdb", **flags, "source": str(source)}
    if config:
        configuration = load(flags, config=config)
    else:
        configuration = Configuration(flags={"audits": _ANOTHER_SHOP, **flags})
    configuration.settings()  # What is wrong is said before ten million lines are written.
    with watching(quiet=quiet) as watcher:
        watcher.step("Making up a shop")
        write_shop(source, lines=number, seed=seed)
        result = run_pipeline(configuration, watcher)
    if as_json:
        from rfm_pipeline.cli.render.json import print_json

        print_json(result.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.run_result import print_result

        print_result(result)
