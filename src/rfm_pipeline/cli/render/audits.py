"""Terminal output of an audit's warning, with its sample rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.streams import shows_customers
from rfm_pipeline.common.untrusted_text import replace_unprintable
from rfm_pipeline.results.json_values import plain
from rfm_pipeline.results.statistics import Audit

_MAX_COLUMN_WIDTH = 32
_GAP = 2


def warning(audit: Audit, width: int) -> list[RenderableType]:
    """Return the audit's sentence, and below it a table of its rows, at most `width` columns wide."""
    sentence = Text(f"! {replace_unprintable(audit.detail)}", style="yellow")
    rows = audit.rows if shows_customers() else audit.masked_rows
    return [sentence, Padding(_rows(rows, width - _GAP), (0, 0, 0, _GAP))] if rows else [sentence]


def _rows(rows: Sequence[Mapping[str, Any]], width: int) -> Table:
    """Return a table of the first columns that fit into the width, at least one; `…` marks omitted ones."""
    columns = [
        [
            replace_unprintable(name),
            *("–" if row[name] is None else replace_unprintable(str(plain(row[name]))) for row in rows),
        ]
        for name in rows[0]
    ]
    widths = [min(_MAX_COLUMN_WIDTH, max(map(cell_len, column))) for column in columns]
    shown = 1
    while shown < len(widths) and _table_width(widths, shown + 1) <= width:
        shown += 1
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for (name, *_), column_width in zip(columns[:shown], widths, strict=False):
        table.add_column(Text(name), no_wrap=True, overflow="ellipsis", max_width=min(column_width, width))
    is_cut = shown < len(columns)
    if is_cut:
        table.add_column(Text("…"), no_wrap=True)
    for index in range(1, len(rows) + 1):
        table.add_row(*(Text(column[index]) for column in columns[:shown]), *([Text("…")] if is_cut else []))
    return table


def _table_width(widths: Sequence[int], shown: int) -> int:
    ellipsis = _GAP + 1 if shown < len(widths) else 0
    return sum(widths[:shown]) + _GAP * (shown - 1) + ellipsis
