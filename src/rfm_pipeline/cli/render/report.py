"""What was written of a report, on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.common import formatting
from rfm_pipeline.report.data import ReportData


def print_written(figures: ReportData, written: Sequence[str]) -> None:
    """The result, the files, and that they name customers where they do."""
    heading = Text.assemble((formatting.format_count(figures.customers, "customer"), "bold"))
    heading.append(f"  {figures.label} as of {figures.as_of}", "dim")
    lines = [Text.assemble(("Wrote ", "green"), path) for path in written]
    if figures.named:
        named = formatting.format_count(len(figures.named), "customer")
        lines.append(Text(f"! {named} named: only its owner can read the page", style="yellow"))
    console().print(Group(heading, *lines))
