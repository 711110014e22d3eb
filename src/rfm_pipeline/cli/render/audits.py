"""A warning on the terminal, and the rows that show what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rfm_pipeline.common.formatting import replace_unprintable
from rfm_pipeline.results.run_result import Audit, plain

_WIDEST = 32
_GAP = 2


def warning(audit: Audit, width: int) -> list[RenderableType]:
    """What an audit found, with its rows below it."""
    told = Text(f"! {replace_unprintable(audit.detail)}", style="yellow")
    return [told, Padding(_rows(audit.rows, width - _GAP), (0, 0, 0, _GAP))] if audit.rows else [told]


def _rows(rows: Sequence[Mapping[str, Any]], width: int) -> Table:
    """As many columns as there is room for, from the first; at least that one."""
    columns = [
        [
            replace_unprintable(name),
            *("–" if row[name] is None else replace_unprintable(str(plain(row[name]))) for row in rows),
        ]
        for name in rows[0]
    ]
    widths = [min(_WIDEST, max(map(cell_len, column))) for column in columns]
    shown = 1
    # What is left out is told by a column of its own.
    while shown < len(widths) and _needed(widths, shown + 1) <= width:
        shown += 1
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for (name, *_), widest in zip(columns[:shown], widths, strict=False):
        table.add_column(Text(name), no_wrap=True, overflow="ellipsis", max_width=min(widest, width))
    is_cut = shown < len(columns)
    if is_cut:
        table.add_column(Text("…"), no_wrap=True)
    for place in range(1, len(rows) + 1):
        table.add_row(*(Text(column[place]) for column in columns[:shown]), *([Text("…")] if is_cut else []))
    return table


def _needed(widths: Sequence[int], shown: int) -> int:
    rest = _GAP + 1 if shown < len(widths) else 0
    return sum(widths[:shown]) + _GAP * (shown - 1) + rest
