"""Terminal output of `rfm transitions`."""

from __future__ import annotations

from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.common import formatting
from rfm_pipeline.common.untrusted_text import replace_unprintable_in
from rfm_pipeline.pipeline.transitions import Flow, Transitions
from rfm_pipeline.sql.transitions import CAUSES

_MAX_MOVES = 12
_ZERO = Decimal(0)
_CAUSE_TEXTS = {
    "time": "by time passing",
    "behaviour": "by their behaviour",
    "edges": "by moved edges",
    "rules": "by changed rules",
}


def print_transitions(transitions: Transitions) -> None:
    """Print the changes of each segment, the causes of the moves, and the moves with the most revenue."""
    transitions = replace_unprintable_in(transitions)
    parts: list[RenderableType] = [_heading(transitions), Text(), _segments(transitions)]
    moves = sorted((flow for flow in transitions.flows if flow.is_move), key=_by_revenue, reverse=True)
    if moves:
        parts += [Text(), _causes(transitions), Text(), _moves(moves)]
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
    console().print(Group(*parts))


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
    """Return a row per segment, in which Before + Came + New − Left − Lapsed = Now."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Segment", no_wrap=True)
    for heading in ("Before", "Came", "New", "Left", "Lapsed", "Now", "Revenue"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in transitions.segments:
        before = [flow for flow in transitions.flows if flow.earlier == name]
        now = [flow for flow in transitions.flows if flow.later == name]
        if not before and not now:
            continue
        came, left = ([flow for flow in flows if flow.is_move] for flows in (now, before))
        new = [flow for flow in now if flow.earlier is None]
        lapsed = [flow for flow in before if flow.later is None]
        counts = [sum(flow.customers for flow in flows) for flows in (before, came, new, left, lapsed, now)]
        revenue = formatting.format_amount(sum((flow.revenue for flow in now), start=_ZERO))
        signs = ("", "+", "+", "−", "−", "")
        cells = [f"{sign if count else ''}{count:,}" for sign, count in zip(signs, counts, strict=True)]
        table.add_row(Text(name), *cells, revenue)
    return table


def _causes(transitions: Transitions) -> Text:
    counts, moved = transitions.causes, transitions.moved
    causes = [
        f"{counts[cause]:,} {_CAUSE_TEXTS[cause]} ({formatting.format_percent(counts[cause], moved)})"
        for cause in CAUSES
        if counts[cause]
    ]
    return Text(f"{formatting.format_count(moved, 'customer')} moved: {', '.join(causes)}")


def _moves(moves: list[Flow]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Move", no_wrap=True)
    for heading in ("Customers", "Revenue"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", overflow="fold", style="dim")
    for flow in moves[:_MAX_MOVES]:
        causes = [
            f"{number:,} {_CAUSE_TEXTS[cause]}" for cause in CAUSES if (number := flow.causes.get(cause))
        ]
        cause = causes[0].partition(" ")[2] if len(causes) == 1 else ", ".join(causes)
        table.add_row(
            Text(f"{flow.earlier} → {flow.later}"),
            f"{flow.customers:,}",
            formatting.format_amount(flow.revenue),
            Text(cause),
        )
    return table
