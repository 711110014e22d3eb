"""The command `rfm init`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import FLAGS, Quiet, Source, takes_settings

# Options that help to read the source, and answer its questions; other settings are edited in the file.
_SOURCE_SETTINGS = {
    "columns", "read", "date_format", "decimal", "thousands", "unit", "timezone", "preset", "status",
    "currency", "line_types", "amount_of", "same_order", "zero_customer", "skip", "exclude", "returns",
}  # fmt: skip
_DEFAULT_FILE = Path("rfm.toml")


@takes_settings(*(flag.parameter for flag in FLAGS if flag.setting[0] not in _SOURCE_SETTINGS))
def init(
    flags: dict[str, Any],
    source: Source = None,
    config: Annotated[Path, typer.Option("--config", "-c", help="File to write.")] = _DEFAULT_FILE,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    *,
    quiet: Quiet = False,
) -> None:
    """Write a configuration file with every setting, and with the columns of a source.

    Most settings are comments with their default value or an example.

    Examples:
      rfm init

      rfm init "orders export.csv"

      rfm init lines.csv --customer-id Account --date-format '%d/%m/%Y'
    """
    from rfm_pipeline.common.atomic_file import replace_file
    from rfm_pipeline.common.untrusted_text import replace_unprintable
    from rfm_pipeline.config.loader import Configuration
    from rfm_pipeline.errors import UsageError
    from rfm_pipeline.pipeline.init_config import starter_config
    from rfm_pipeline.pipeline.output_paths import refuse_overwriting

    config_option = [] if config == _DEFAULT_FILE else ["--config", str(config)]
    # A link that leads nowhere exists too.
    if os.path.lexists(config) and not force:
        command = shlex.join(["rfm", "init", *([source] if source else []), *config_option, "--force"])
        raise UsageError(f"{config} exists already.", f"`{command}` overwrites it.")
    named = {**flags, "source": source} if source else flags
    refuse_overwriting([("new file", config)], Configuration(flags=named), writes_configuration=True)
    text = starter_config(source, flags)
    try:
        replace_file(config, text.encode())
    except OSError as error:
        raise UsageError(
            f"{config} can't be written: {error.strerror}.", "choose another file with --config."
        ) from None
    if quiet:
        return
    check, run = (shlex.join(["rfm", command, *config_option]) for command in ("check", "run"))
    print(replace_unprintable(f"Wrote {config}. Next: {check}, then {run}."))
