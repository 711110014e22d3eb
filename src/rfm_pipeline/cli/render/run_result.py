"""A result on the terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.audits import warning
from rfm_pipeline.common import formatting
from rfm_pipeline.results import descriptions
from rfm_pipeline.results.run_result import DimensionScores, RunResult

_BAR_WIDTH = 20
_LEAST_EXAMPLE = 12
_BLOCKS = " ▏▎▍▌▋▊▉█"


class _Lines(Console):
    """A console that pads no line with blanks where nobody looks, but a file or a program reads."""

    def print(self, *objects: Any, **options: Any) -> None:
        if self.is_terminal:
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            super().print(*objects, **options)
        lines = "\n".join(line.rstrip(" ") for line in captured.get().split("\n"))
        super().print(Text(lines), end="", soft_wrap=True)


def console() -> Console:
    """The console on stdout: colours on a terminal only, and none with NO_COLOR, nor bold and dim."""
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return _Lines(highlight=False, soft_wrap=False, color_system=colours)


def print_result(result: RunResult) -> None:
    """What was read and kept, the edges in words, the segments, and where the result is."""
    out = console()
    parts: list[Any] = [_heading(result), _lines(result)]
    if result.excluded:
        parts.append(_exclusions(result, out.width))
    parts += [
        _customers(result),
        Text(),
        _edges(result, out.width),
        *_drift(result),
        Text(),
        _segments(result, out.width),
        Text(),
    ]
    for audit in result.audits:
        if audit.status == "warning":
            parts += warning(audit, out.width)
    parts.append(_destinations(result))
    out.print(Group(*parts))


def columns_in_words(columns: Mapping[str, str]) -> str:
    """Which column plays which role: `customer_id ← CustomerID, ...`."""
    return ", ".join(role if role == name else f"{role} ← {name}" for role, name in columns.items())


def _heading(result: RunResult) -> Text:
    text = Text.assemble((result.source, "bold"), f"  as of {result.as_of}\n")
    text.append(columns_in_words(result.columns), style="dim")
    for note in result.notes:
        text.append(f"\n{note}", style="dim")
    return text


def _lines(result: RunResult) -> Text:
    excluded = result.rows_read - result.rows_kept
    kept = f"{result.rows_kept:,} kept ({formatting.format_percent(result.rows_kept, result.rows_read)})"
    return Text(f"\n{formatting.format_count(result.rows_read, 'line')} read, {kept}, {excluded:,} excluded")


def _exclusions(result: RunResult, width: int) -> Padding:
    rows = [
        (
            f"{excluded.lines:,}",
            excluded.reason,
            "–" if excluded.amount is None else formatting.format_amount(excluded.amount),
            f"such as '{excluded.example}'" if excluded.example else "",
        )
        for excluded in result.excluded
    ]
    lines, reason, money, _ = (max(map(cell_len, column)) for column in zip(*rows, strict=True))
    # Where it is narrow, the example goes first, then the blanks, and last the money: no figure is cut.
    has_example = lines + reason + money + _LEAST_EXAMPLE + 8 <= width
    gap = 2 if lines + reason + money + 6 <= width else 1
    has_money = has_example or lines + reason + money + 2 * gap <= width
    table = Table.grid(padding=(0, gap))
    table.add_column(justify="right", min_width=lines)
    table.add_column(min_width=min(reason, width - lines - gap), overflow="fold")
    if has_money:
        table.add_column(justify="right", style="dim", min_width=money)
    if has_example:
        rest = width - lines - reason - money - 8
        table.add_column(style="dim", overflow="ellipsis", no_wrap=True, max_width=rest)
    for row in rows:
        table.add_row(*map(Text, row[: 2 + has_money + has_example]))
    return Padding(table, (0, 0, 0, 2 if gap == 2 else 0))


def _customers(result: RunResult) -> Text:
    return Text.assemble(
        (formatting.format_count(result.customers, "customer"), "bold"),
        f", {formatting.format_count(result.orders, 'order')}, revenue {formatting.format_amount(result.revenue)}",
    )


def _edges(result: RunResult, width: int) -> Table:
    bins = max(len(scores.customers) for scores in result.dimensions)
    told = [dict(descriptions.edges(scores)) for scores in result.dimensions]
    titles = [_title(scores) for scores in result.dimensions]
    cells = [[title, *dimension.values()] for title, dimension in zip(titles, told, strict=True)]
    whole = sum(max(map(cell_len, column)) for column in cells) + len("score")
    table = Table.grid(padding=(0, 3 if whole + 3 * len(cells) <= width else 2))
    table.add_column(style="dim", min_width=len("score"))
    for column in cells:
        # Text is wrapped between words; a figure is one.
        longest = max(cell_len(word) for text in column for word in text.split())
        table.add_column(justify="left", min_width=longest)
    table.add_row("score", *(f"[bold]{title}[/bold]" for title in titles))
    for score in range(bins, 0, -1):
        table.add_row(str(score), *(dimension.get(score, "") for dimension in told))
    return table


def _title(scores: DimensionScores) -> str:
    if scores.edges_from:
        return f"{scores.name} (frozen)"
    return scores.name if scores.method == "quantile" else f"{scores.name} ({scores.method})"


def _drift(result: RunResult) -> list[Text]:
    if result.drift is None:
        return []
    return [Text(descriptions.drift(result.drift, result.dimensions, result.customers), style="dim")]


def _segments(result: RunResult, width: int) -> Table:
    rows = [
        (
            segment.segment,
            f"{segment.customers:,}",
            formatting.format_percent(segment.customers, result.customers),
            formatting.format_amount(segment.revenue),
            formatting.format_percent(segment.revenue, result.revenue),
        )
        for segment in result.segments
    ]
    headings = ("Segment", "Customers", "Share", "Revenue", "Share")
    widths = [max(map(cell_len, column)) for column in zip(headings, *rows, strict=True)]
    # The bar takes what names and figures leave; where they don't fit either, the shares go.
    room = min(_BAR_WIDTH, width - sum(widths) - 2 * len(widths))
    shown = (0, 1, 2, 3, 4) if sum(widths) + 2 * (len(widths) - 1) <= width else (0, 1, 3)
    room_for_names = width - sum(widths[place] + 2 for place in shown[1:])
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place in shown:
        least = min(widths[0], max(1, room_for_names)) if place == 0 else widths[place]
        table.add_column(
            headings[place],
            justify="right" if place else "left",
            no_wrap=True,
            min_width=least,
            max_width=least,
        )
    if room > 0:
        table.add_column("", no_wrap=True)
    most = max((segment.revenue for segment in result.segments), default=0)
    for segment, row in zip(result.segments, rows, strict=True):
        share = float(segment.revenue / most) if most > 0 else 0.0
        bar = [Text(_bar(share, room), style="cyan")] if room > 0 else []
        cells = [Text(row[place]) for place in shown]
        table.add_row(*cells, *bar, style="" if segment.customers else "dim")
    return table


def _bar(share: float, width: int) -> str:
    eighths = round(max(share, 0.0) * max(width, 0) * 8)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_BLOCKS[rest] if rest else "")


def _destinations(result: RunResult) -> Text:
    text = Text.assemble(("Published ", "green"), result.destination)
    if result.status == "history_only":
        why = f"as of {result.as_of} is older than the current result, which stays as it is"
        text = Text.assemble(("Filed ", "yellow"), f"in the history of {result.destination}: {why}")
    elif result.status == "calibrated":
        text = Text.assemble(("Calibrated ", "green"), f"run {result.run_id} is on record for ")
        text.append(f"{result.destination}\nNext: rfm run --freeze {result.run_id}")
    for output in result.outputs:
        text.append(f"\nWritten   {output}")
    text.append(f"\nRun {result.run_id}, {result.duration_s:.1f} s", style="dim")
    if result.jobs:
        read = f"{formatting.format_bytes(result.bytes_processed or 0)} read in {formatting.format_count(len(result.jobs), 'job')}"
        text.append(f", {read}", style="dim")
    return text


def print_sql(text: str) -> None:
    """A query on stdout: coloured on a terminal, and else to the letter."""
    out = console()
    if not out.color_system:
        print(text)
        return
    from rich.syntax import Syntax

    out.print(Syntax(text, "sql", background_color="default", word_wrap=False), soft_wrap=True)
