"""One line on stderr after a result: the commands to go on with, on a terminal only."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rfm_pipeline.cli import json_log
from rfm_pipeline.cli.streams import print_labelled
from rfm_pipeline.results.run_result import RunResult


def print_next_step(
    result: RunResult, flags: Mapping[str, Any], config: Path | None, *, is_demo: bool = False
) -> None:
    """Print the next commands for a published result; print nothing unless stderr is a terminal.

    Args:
        result: The result.
        flags: Settings of the command line, in the structure of `rfm.toml`.
        config: Path of the configuration file; None for the default.
        is_demo: Whether the shop is generated.
    """
    if not sys.stderr.isatty() or json_log.is_enabled():
        return
    place = ["--config", str(config)] if config else []
    place += ["--to", flags["to"]] if "to" in flags else []
    if result.status == "history_only":
        steps = [(["transitions", *place, "--from", str(result.as_of)], "shows who moved since that date")]
    else:
        has_report = "file" in flags.get("report", {})
        steps = [] if has_report else [(["report", *place], "writes it as a page")]
        steps += (
            [(["run", "orders.csv"], "segments your own customers")]
            if is_demo
            else [(["movers", *place], "lists the customers to write to")]
        )
    commands = [f"`{shlex.join(['rfm', *words])}` {purpose}" for words, purpose in steps]
    sys.stdout.flush()
    print_labelled("next", f"{'; '.join(commands)}.")
