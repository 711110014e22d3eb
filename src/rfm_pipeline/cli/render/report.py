"""Terminal output of `rfm report`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.common import formatting
from rfm_pipeline.common.untrusted_text import replace_unprintable_in
from rfm_pipeline.report.data import ReportData


def print_written(data: ReportData, written: Sequence[str]) -> None:
    """Print the reported result, the files written, and a warning if the page lists customers."""
    written, label = replace_unprintable_in((tuple(written), data.label))
    heading = Text.assemble((formatting.format_count(data.customers, "customer"), "bold"))
    heading.append(f"  {label} as of {data.as_of}", "dim")
    lines = [Text.assemble(("Wrote ", "green"), path) for path in written]
    if data.top_customers:
        listed = formatting.format_count(len(data.top_customers), "customer")
        lines.append(
            Text(f"! {listed} listed by id: only the file's owner can read the page", style="yellow")
        )
    console().print(Group(heading, *lines))
