"""A result on the terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rfm_pipeline import words
from rfm_pipeline.result import DimensionScores, RunResult

_BAR_WIDTH = 20
_BLOCKS = " ▏▎▍▌▋▊▉█"


def console() -> Console:
    """The console on stdout: colours on a terminal only, and none with NO_COLOR, nor bold and dim."""
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(highlight=False, soft_wrap=False, color_system=colours)


def print_result(result: RunResult) -> None:
    """What was read and kept, the edges in words, the segments, and where the result is."""
    out = console()
    parts: list[Any] = [_heading(result), _lines(result)]
    if result.excluded:
        parts.append(_exclusions(result))
    parts += [_customers(result), Text(), _edges(result), Text(), _segments(result, out.width), Text()]
    parts += [
        Text(f"! {audit.detail}", style="yellow") for audit in result.audits if audit.status == "warning"
    ]
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
    kept = f"{result.rows_kept:,} kept ({words.percent(result.rows_kept, result.rows_read)})"
    return Text(f"\n{words.count(result.rows_read, 'line')} read, {kept}, {excluded:,} excluded")


def _exclusions(result: RunResult) -> Padding:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column()
    table.add_column(justify="right", style="dim")
    table.add_column(style="dim", overflow="ellipsis", no_wrap=True)
    for excluded in result.excluded:
        example = f"such as '{excluded.example}'" if excluded.example else ""
        money = "–" if excluded.amount is None else words.amount(excluded.amount)
        table.add_row(f"{excluded.lines:,}", excluded.reason, money, Text(example))
    return Padding(table, (0, 0, 0, 2))


def _customers(result: RunResult) -> Text:
    return Text.assemble(
        (words.count(result.customers, "customer"), "bold"),
        f", {words.count(result.orders, 'order')}, revenue {words.amount(result.revenue)}",
    )


def _edges(result: RunResult) -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim")
    bins = max(len(scores.customers) for scores in result.dimensions)
    for _ in result.dimensions:
        table.add_column(justify="left")
    table.add_row("score", *(f"[bold]{_title(scores)}[/bold]" for scores in result.dimensions))
    told = [dict(words.edges(scores)) for scores in result.dimensions]
    for score in range(bins, 0, -1):
        table.add_row(str(score), *(dimension.get(score, "") for dimension in told))
    return table


def _title(scores: DimensionScores) -> str:
    return scores.name if scores.method == "quantile" else f"{scores.name} ({scores.method})"


def _segments(result: RunResult, width: int) -> Table:
    rows = [
        (
            segment.segment,
            f"{segment.customers:,}",
            words.percent(segment.customers, result.customers),
            words.amount(segment.revenue),
            words.percent(segment.revenue, result.revenue),
        )
        for segment in result.segments
    ]
    headings = ("Segment", "Customers", "Share", "Revenue", "Share")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "Segment" else "right", no_wrap=True)
    table.add_column("", no_wrap=True)
    # The bar takes what the figures leave.
    figures = sum(max(map(len, column)) + 2 for column in zip(headings, *rows, strict=True))
    room = min(_BAR_WIDTH, width - figures)
    most = max((segment.revenue for segment in result.segments), default=0)
    for segment, row in zip(result.segments, rows, strict=True):
        share = float(segment.revenue / most) if most > 0 else 0.0
        bar = Text(_bar(share, room), style="cyan")
        table.add_row(Text(row[0]), *row[1:], bar, style="" if segment.customers else "dim")
    return table


def _bar(share: float, width: int) -> str:
    eighths = round(max(share, 0.0) * max(width, 0) * 8)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_BLOCKS[rest] if rest else "")


def _destinations(result: RunResult) -> Text:
    text = Text.assemble(("Published ", "green"), result.destination)
    for output in result.outputs:
        text.append(f"\nWritten   {output}")
    text.append(f"\nRun {result.run_id}, {result.duration_s:.1f} s", style="dim")
    if result.jobs:
        read = f"{words.size(result.bytes_processed or 0)} read in {words.count(len(result.jobs), 'job')}"
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
