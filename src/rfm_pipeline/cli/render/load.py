"""Terminal output of `rfm load`."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.common import formatting
from rfm_pipeline.common.untrusted_text import replace_unprintable_in
from rfm_pipeline.warehouse.bigquery.load import LoadResult


def print_load_result(loaded: LoadResult) -> None:
    """Print the files, the detected columns, and the number of loaded rows."""
    loaded = replace_unprintable_in(loaded)
    source = Text.assemble((loaded.source, "bold"))
    for note in loaded.notes:
        source.append(f"\n{note}", style="dim")
    columns = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("Column", "Type"):
        columns.add_column(heading, no_wrap=True)
    for field in loaded.fields:
        columns.add_row(Text(field.name), field.type)
    rows = formatting.format_count(loaded.rows, "row")
    end = Text.assemble(("Loaded ", "green"), f"{rows} into {loaded.table}")
    if loaded.rows_now is not None and loaded.rows_now != loaded.rows:
        end.append(f", which has {formatting.format_count(loaded.rows_now, 'row')} now")
    console().print(Group(source, Text(), columns, Text(), end.append(".")))
