"""Terminal output of `rfm transitions`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.common import formatting
from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.common.untrusted_text import replace_unprintable_in
from rfm_pipeline.pipeline.transitions import Flow, Transitions
from rfm_pipeline.sql.transitions import CAUSES

_MAX_MOVES = 12
_NONE = "·"
_CAUSE_TEXTS = {
    "time": "by time passing",
    "behaviour": "by their behaviour",
    "edges": "by moved edges",
    "rules": "by changed rules",
}


def print_transitions(transitions: Transitions) -> None:
    """Print the changes of each segment, the causes of the moves, and the moves with the most revenue."""
    out, transitions = console(), replace_unprintable_in(transitions)
    parts: list[RenderableType] = [_heading(transitions), Text(), _segments(transitions)]
    moves = sorted((flow for flow in transitions.flows if flow.is_move), key=_by_revenue, reverse=True)
    if moves:
        parts += [Text(), _causes(transitions), Text(), _moves(moves, out.width)]
    if len(moves) > _MAX_MOVES:
        parts.append(
            Text(
                f"and {formatting.format_count(len(moves) - _MAX_MOVES, 'more', 'more')}: --csv lists all",
                style="dim",
            )
        )
    if transitions.unchecked:
        dates = " and ".join(map(str, transitions.unchecked))
        parts.append(Text(f"No checksum: an earlier version of rfm published {dates}.", style="dim"))
    out.print(Group(*parts))


def _by_revenue(flow: Flow) -> tuple[object, ...]:
    return (flow.revenue, flow.customers, flow.earlier, flow.later)


def _heading(transitions: Transitions) -> Text:
    earlier, later = transitions.earlier, transitions.later
    text = Text.assemble((f"{earlier.as_of} → {later.as_of}", "bold"), "  ", (transitions.destination, "dim"))
    customers = formatting.format_count(earlier.customers, "customer")
    text.append(
        f"\n{customers} + {transitions.new:,} new − {transitions.lapsed:,} lapsed = {later.customers:,},"
        f" {transitions.moved:,} of them in another segment"
    )
    return text


def _segments(transitions: Transitions) -> Table:
    """Return a row per segment, in which Before + Came + New − Left − Lapsed = Now, and their totals."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Segment", no_wrap=True)
    for heading in ("Before", "Came", "New", "Left", "Lapsed", "Now", "Revenue"):
        table.add_column(heading, justify="right", no_wrap=True)
    totals = [0] * len(_SIGNS)
    for name in transitions.segments:
        before = [flow for flow in transitions.flows if flow.earlier == name]
        now = [flow for flow in transitions.flows if flow.later == name]
        if not before and not now:
            continue
        came, left = ([flow for flow in flows if flow.is_move] for flows in (now, before))
        new = [flow for flow in now if flow.earlier is None]
        lapsed = [flow for flow in before if flow.later is None]
        counts = [sum(flow.customers for flow in flows) for flows in (before, came, new, left, lapsed, now)]
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        table.add_row(Text(name), *_signed(counts), _revenue(now))
    revenue = formatting.format_amount(transitions.later.revenue)
    table.add_row("Total", *_signed(totals), revenue, style="bold")
    return table


_SIGNS = ("", "+", "+", "−", "−", "")


def _signed(counts: Sequence[int]) -> list[str]:
    return [f"{sign if count else ''}{count:,}" for sign, count in zip(_SIGNS, counts, strict=True)]


def _causes(transitions: Transitions) -> Text:
    counts, moved = transitions.causes, transitions.moved
    causes = [
        f"{counts[cause]:,} {_CAUSE_TEXTS[cause]} ({formatting.format_percent(counts[cause], moved)})"
        for cause in CAUSES
        if counts[cause]
    ]
    return Text(f"{formatting.format_count(moved, 'customer')} moved: {', '.join(causes)}")


def _moves(moves: Sequence[Flow], width: int) -> Table:
    """Return the moves with the most revenue, with a column for each cause, and the totals of all moves."""
    shown = moves[:_MAX_MOVES]
    rows = [*(_move(f"{flow.earlier} → {flow.later}", [flow]) for flow in shown), _move("Total", moves)]
    headings = ["Move", "Customers", "Revenue", *map(str.capitalize, CAUSES)]
    if _width([headings, *rows]) > width:
        # A narrow terminal drops the causes that no customer has; the sentence above names the others.
        kept = [index for index, cell in enumerate(rows[-1]) if cell != _NONE]
        headings, *rows = ([row[index] for index in kept] for row in (headings, *rows))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Move", overflow="fold")
    for heading in headings[1:]:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows[:-1]:
        table.add_row(*(Text(cell, style="dim" if cell == _NONE else "") for cell in row))
    table.add_row(*map(Text, rows[-1]), style="bold")
    return table


def _move(name: str, flows: Sequence[Flow]) -> list[str]:
    causes = [sum(flow.causes.get(cause, 0) for flow in flows) for cause in CAUSES]
    customers = sum(flow.customers for flow in flows)
    return [name, f"{customers:,}", _revenue(flows), *(f"{count:,}" if count else _NONE for count in causes)]


def _width(rows: Sequence[Sequence[str]]) -> int:
    """Return the width of a table with two blanks between its columns."""
    return sum(max(map(cell_len, column)) + 2 for column in zip(*rows, strict=True)) - 2


def _revenue(flows: Sequence[Flow]) -> str:
    return formatting.format_amount(exact_sum(flow.revenue for flow in flows))
