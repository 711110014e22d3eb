"""Movements between segments, on the terminal."""

from __future__ import annotations

from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.common import formatting
from rfm_pipeline.pipeline.transitions import Flow, Transitions
from rfm_pipeline.sql.transitions import CAUSES

_LISTED = 12
_NOTHING = Decimal(0)
_IN_WORDS = {
    "time": "as time passed",
    "behaviour": "by what they did",
    "edges": "as edges moved",
    "rules": "by other rules",
}


def print_transitions(found: Transitions) -> None:
    """What came of each segment, why customers moved, and the moves with most money in them."""
    parts: list[RenderableType] = [_heading(found), Text(), _segments(found)]
    moves = sorted((flow for flow in found.flows if flow.is_move), key=_stake, reverse=True)
    if moves:
        parts += [Text(), _causes(found), Text(), _moves(moves)]
    if len(moves) > _LISTED:
        parts.append(
            Text(f"and {formatting.format_count(len(moves) - _LISTED, 'other')}: --csv has all", style="dim")
        )
    console().print(Group(*parts))


def _stake(flow: Flow) -> tuple[object, ...]:
    return (flow.revenue, flow.customers, flow.earlier, flow.later)


def _heading(found: Transitions) -> Text:
    earlier, later = found.earlier, found.later
    text = Text.assemble((f"{earlier.as_of} → {later.as_of}", "bold"), "  ", (found.destination, "dim"))
    text.append(
        f"\n{formatting.format_count(earlier.customers, 'customer')} + {found.new:,} new − {found.lapsed:,} lapsed"
        f" = {later.customers:,}, {found.moved:,} of them in another segment"
    )
    return text


def _segments(found: Transitions) -> Table:
    """A line a segment; what stands in it adds up."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Segment", no_wrap=True)
    for heading in ("Before", "Came", "New", "Left", "Lapsed", "Now", "Revenue"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in found.segments:
        before = [flow for flow in found.flows if flow.earlier == name]
        now = [flow for flow in found.flows if flow.later == name]
        if not before and not now:
            continue
        came, left = ([flow for flow in flows if flow.is_move] for flows in (now, before))
        new = [flow for flow in now if flow.earlier is None]
        lapsed = [flow for flow in before if flow.later is None]
        counts = [sum(flow.customers for flow in flows) for flows in (before, came, new, left, lapsed, now)]
        revenue = formatting.format_amount(sum((flow.revenue for flow in now), start=_NOTHING))
        signs = ("", "+", "+", "−", "−", "")
        cells = [f"{sign if count else ''}{count:,}" for sign, count in zip(signs, counts, strict=True)]
        table.add_row(Text(name), *cells, revenue)
    return table


def _causes(found: Transitions) -> Text:
    told = [
        f"{found.causes[cause]:,} {_IN_WORDS[cause]} ({formatting.format_percent(found.causes[cause], found.moved)})"
        for cause in CAUSES
        if found.causes[cause]
    ]
    return Text(f"{formatting.format_count(found.moved, 'customer')} moved: {', '.join(told)}")


def _moves(moves: list[Flow]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Move", no_wrap=True)
    for heading in ("Customers", "Revenue"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", overflow="fold", style="dim")
    for flow in moves[:_LISTED]:
        causes = [f"{number:,} {_IN_WORDS[cause]}" for cause in CAUSES if (number := flow.causes.get(cause))]
        why = causes[0].partition(" ")[2] if len(causes) == 1 else ", ".join(causes)
        table.add_row(
            Text(f"{flow.earlier} → {flow.later}"),
            f"{flow.customers:,}",
            formatting.format_amount(flow.revenue),
            Text(why),
        )
    return table
