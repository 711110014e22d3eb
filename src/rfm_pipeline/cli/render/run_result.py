"""Terminal output of `rfm run`, and the console that all terminal output is printed on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.audits import warning
from rfm_pipeline.cli.streams import printable
from rfm_pipeline.common import formatting
from rfm_pipeline.common.untrusted_text import replace_unprintable, replace_unprintable_in
from rfm_pipeline.results import descriptions
from rfm_pipeline.results.run_result import RunResult
from rfm_pipeline.results.statistics import DimensionScores, Excluded

_BAR_WIDTH = 20
_MIN_EXAMPLE_WIDTH = 12
MAX_WIDTH = 1000
_BLOCKS = " ▏▎▍▌▋▊▉█"


class _SafeConsole(Console):
    """A console that shows no control characters of outside text, and takes no text for markup.

    If stdout is not a terminal, it also strips trailing spaces from lines.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else replace_unprintable(segment.text, keep="\n")
            yield segment if text == segment.text else Segment(text, segment.style)

    def print(self, *objects: Any, **options: Any) -> None:
        if self.is_terminal:
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            super().print(*objects, **options)
        lines = "\n".join(line.rstrip(" ") for line in captured.get().split("\n"))
        super().print(Text(lines), end="", soft_wrap=True)


def console() -> Console:
    """Return the console on stdout: with colours and styles only on a terminal and without NO_COLOR."""
    colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    safe = _SafeConsole(highlight=False, markup=False, emoji=False, soft_wrap=False, color_system=colours)
    # COLUMNS can be any number.
    safe.width = min(safe.width, MAX_WIDTH)
    return safe


def print_result(result: RunResult) -> None:
    """Print the lines read and kept, the range of each score, the segments, warnings, and the destination."""
    out, result = console(), replace_unprintable_in(result)
    parts: list[Any] = [_heading(result), _lines(result)]
    if result.statistics.exclusions:
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


def describe_columns(columns: Mapping[str, str]) -> str:
    """Return the column of each role, as in `customer_id ← CustomerID, ...`."""
    return ", ".join(role if role == name else f"{role} ← {name}" for role, name in columns.items())


def _heading(result: RunResult) -> Text:
    text = Text.assemble((result.source, "bold"), f"  as of {result.as_of}\n")
    text.append(describe_columns(result.columns), style="dim")
    for note in result.notes:
        text.append(f"\n{note}", style="dim")
    return text


def _lines(result: RunResult) -> Text:
    read, kept = result.statistics.rows_read, result.statistics.rows_kept
    share = formatting.format_percent(kept, read)
    lines = formatting.format_count(read, "line")
    return Text(f"\n{lines} read, {kept:,} kept ({share}), {read - kept:,} excluded")


def _exclusions(result: RunResult, width: int) -> Padding:
    rows = [
        (
            f"{excluded.lines:,}",
            excluded.reason,
            "–" if excluded.amount is None else formatting.format_amount(excluded.amount),
            _such_as(excluded),
        )
        for excluded in result.statistics.exclusions
    ]
    lines, reason, amount, _ = (max(map(cell_len, column)) for column in zip(*rows, strict=True))
    # On a narrow terminal, drop the example first, then the indentation, and then the amount; cut no figure.
    has_example = lines + reason + amount + _MIN_EXAMPLE_WIDTH + 8 <= width
    gap = 2 if lines + reason + amount + 6 <= width else 1
    has_amount = has_example or lines + reason + amount + 2 * gap <= width
    table = Table.grid(padding=(0, gap))
    table.add_column(justify="right", min_width=lines)
    table.add_column(min_width=min(reason, width - lines - gap), overflow="fold")
    if has_amount:
        table.add_column(justify="right", style="dim", min_width=amount)
    if has_example:
        example_width = width - lines - reason - amount - 8
        table.add_column(style="dim", overflow="ellipsis", no_wrap=True, max_width=example_width)
    for row in rows:
        table.add_row(*map(Text, row[: 2 + has_amount + has_example]))
    return Padding(table, (0, 0, 0, 2 if gap == 2 else 0))


def _such_as(excluded: Excluded) -> str:
    examples = ", ".join(f"'{example}'" for example in excluded.examples)
    return f"such as {examples}" if examples else ""


def _customers(result: RunResult) -> Text:
    statistics = result.statistics
    orders, revenue = (
        formatting.format_count(statistics.orders, "order"),
        formatting.format_amount(statistics.revenue),
    )
    customers = formatting.format_count(statistics.customers, "customer")
    return Text.assemble((customers, "bold"), f", {orders}, revenue {revenue}")


def _edges(result: RunResult, width: int) -> Table:
    dimensions = result.statistics.edges
    bins = max(len(scores.customers) for scores in dimensions)
    ranges = [dict(descriptions.describe_edges(scores)) for scores in dimensions]
    titles = [_title(scores) for scores in dimensions]
    cells = [[title, *by_score.values()] for title, by_score in zip(titles, ranges, strict=True)]
    total_width = sum(max(map(cell_len, column)) for column in cells) + len("score")
    table = Table.grid(padding=(0, 3 if total_width + 3 * len(cells) <= width else 2))
    table.add_column(style="dim", min_width=len("score"))
    for column in cells:
        # Wrap between words only, so that no figure is cut.
        longest = max(cell_len(word) for text in column for word in text.split())
        table.add_column(justify="left", min_width=longest)
    table.add_row("score", *(Text(title, style="bold") for title in titles))
    for score in range(bins, 0, -1):
        table.add_row(str(score), *(by_score.get(score, "") for by_score in ranges))
    return table


def _title(scores: DimensionScores) -> str:
    if scores.edges_from:
        return f"{scores.name} (frozen)"
    return scores.name if scores.method == "quantile" else f"{scores.name} ({scores.method})"


def _drift(result: RunResult) -> list[Text]:
    if result.drift is None:
        return []
    statistics = result.statistics
    sentence = descriptions.describe_drift(result.drift, statistics.edges, statistics.customers)
    return [Text(sentence, style="dim")]


def _segments(result: RunResult, width: int) -> Table:
    statistics = result.statistics
    rows = [
        (
            segment.segment,
            f"{segment.customers:,}",
            formatting.format_percent(segment.customers, statistics.customers),
            formatting.format_amount(segment.revenue),
            formatting.format_percent(segment.revenue, statistics.revenue),
        )
        for segment in statistics.segments
    ]
    revenue = formatting.format_amount(statistics.revenue)
    total = ("Total", f"{statistics.customers:,}", "", revenue, "")
    headings = ("Segment", "Customers", "Share", "Revenue", "Share")
    widths = [max(map(cell_len, column)) for column in zip(headings, *rows, total, strict=True)]
    # The bar gets the width that names and figures leave; on a narrow terminal, the shares are dropped.
    bar_width = min(_BAR_WIDTH, width - sum(widths) - 2 * len(widths))
    shown = (0, 1, 2, 3, 4) if sum(widths) + 2 * (len(widths) - 1) <= width else (0, 1, 3)
    name_width = min(widths[0], max(1, width - sum(widths[index] + 2 for index in shown[1:])))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index in shown:
        column_width = widths[index] if index else name_width
        table.add_column(
            headings[index],
            justify="right" if index else "left",
            no_wrap=True,
            min_width=column_width,
            max_width=column_width,
        )
    if bar_width > 0:
        table.add_column("", no_wrap=True)
    highest = max((segment.revenue for segment in statistics.segments), default=0)
    for segment, row in zip(statistics.segments, rows, strict=True):
        share = float(segment.revenue / highest) if highest > 0 else 0.0
        bar = [Text(_bar(share, bar_width), style="cyan")] if bar_width > 0 else []
        cells = [Text(row[index]) for index in shown]
        table.add_row(*cells, *bar, style="" if segment.customers else "dim")
    table.add_row(*(total[index] for index in shown), style="bold")
    return table


def _bar(share: float, width: int) -> str:
    eighths = round(max(share, 0.0) * max(width, 0) * 8)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_BLOCKS[rest] if rest else "")


def _destinations(result: RunResult) -> Text:
    text = Text.assemble(("Published ", "green"), result.destination)
    if result.status == "history_only":
        reason = f"the current result, which is not replaced, is of a later date than {result.as_of}"
        text = Text.assemble(
            ("Published ", "yellow"), f"only to the history of {result.destination}: {reason}"
        )
    elif result.status == "calibrated":
        text = Text.assemble(("Calibrated ", "green"), f"as run {result.run_id}, recorded at ")
        text.append(f"{result.destination}\nNext: rfm run --freeze {result.run_id}")
    for output in result.outputs:
        text.append(f"\nWritten   {output}")
    text.append(f"\nRun {result.run_id}, {result.duration_s:.1f} s", style="dim")
    if result.usage.jobs:
        read = formatting.format_bytes(result.usage.bytes_processed or 0)
        jobs = formatting.format_count(len(result.usage.jobs), "job")
        text.append(f", {read} read in {jobs}", style="dim")
    return text


def print_sql(text: str) -> None:
    """Print a query on stdout: highlighted on a terminal, and otherwise unchanged."""
    out = console()
    if not out.color_system:
        print(printable(text))
        return
    from rich.syntax import Syntax

    out.print(Syntax(text, "sql", background_color="default", word_wrap=False), soft_wrap=True)
