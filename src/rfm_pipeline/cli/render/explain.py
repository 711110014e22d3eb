"""A customer explained, on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.common import formatting
from rfm_pipeline.explain import what_if_text as told
from rfm_pipeline.explain.published_history import PastSegment
from rfm_pipeline.explain.result import Explanation, OrderLines
from rfm_pipeline.results import descriptions

_INDENT = (0, 0, 0, 2)


def print_explanation(found: Explanation) -> None:
    """The segment, the scores and the rule that lead to it, what counted, and what would change it."""
    parts: list[RenderableType] = [_heading(found), Text(), _scores(found), _rule(found), Text()]
    parts += [_counted(found)]
    parts += [Padding(_orders(found), _INDENT)] if found.orders else []
    parts += [Text(), *_changes(found)]
    parts += _past(found)
    console().print(Group(*parts))


def _heading(found: Explanation) -> Text:
    text = Text.assemble(
        (formatting.replace_unprintable(found.row["customer_id"]), "bold"),
        "  ",
        (found.row["segment"], "bold cyan"),
        f"  as of {found.row['as_of_date']}",
    )
    for line in (f"{found.fired.description} {found.fired.action}".strip(), *found.notes):
        text.append(f"\n{line}" if line else "", style="dim")
    return text


def _scores(found: Explanation) -> Table:
    recency, frequency, monetary = found.values
    shown = (
        formatting.format_count(recency, "day"),
        formatting.format_count(frequency, "order"),
        formatting.format_amount(monetary),
    )
    table = Table.grid(padding=(0, 3))
    for heading, style in (("", "dim"), ("value", ""), ("score", ""), ("that score is for", "dim")):
        table.add_column(heading, style=style)
    table.add_row("", *(Text(heading, style="dim") for heading in ("value", "score", "which is for")))
    for scores, value, score in zip(found.dimensions, shown, found.scores, strict=True):
        customers = formatting.format_count(scores.customers[score - 1], "customer")
        of = f"{score} of {len(scores.customers)}"
        table.add_row(scores.name, value, of, f"{dict(descriptions.edges(scores))[score]} ({customers})")
    return table


def _rule(found: Explanation) -> Text:
    which = "The fallback" if found.fired.number is None else f"Rule {found.fired.number}"
    return Text.assemble(
        f"{found.row['rfm_score']}: {which} ({found.fired.conditions}) gives ", (found.row["segment"], "bold")
    )


def _counted(found: Explanation) -> RenderableType:
    orders = formatting.format_count(found.row["frequency"], "order")
    text = Text(
        f"{formatting.format_count(found.lines, 'line')} counted, in {orders}: {formatting.format_amount(found.amount)}"
    )
    if not found.excluded:
        return text.append(". None of the customer's lines was excluded.")
    table = Table.grid(padding=(0, 2))
    for justify in ("right", "left", "right", "left"):
        table.add_column(justify=justify, overflow="fold")
    for excluded in found.excluded:
        amount = "–" if excluded.amount is None else formatting.format_amount(excluded.amount)
        example = f"such as '{formatting.replace_unprintable(excluded.example)}'" if excluded.example else ""
        table.add_row(*map(Text, (f"{excluded.lines:,}", excluded.reason, amount, example)))
    lines = sum(excluded.lines for excluded in found.excluded)
    return Group(text.append(f"; {lines:,} excluded"), Padding(table, _INDENT))


def _orders(found: Explanation) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    has_orders = found.has_order_ids
    for heading in ("Date", *(["Order"] if has_orders else []), "Lines", "Amount", ""):
        is_number = heading in ("Lines", "Amount")
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for order in found.orders:
        cells = [str(order.day) if order.day else "–"]
        cells += [formatting.replace_unprintable(order.order_id or "–")] if has_orders else []
        cells += [f"{order.lines:,}", "–" if order.amount is None else formatting.format_amount(order.amount)]
        table.add_row(*map(Text, [*cells, _fate(order)]), style="dim" if order.reason else "")
    if not found.left_out:
        return table
    more = formatting.format_count(found.left_out, "more row")
    return Group(table, Text(f"and {more}, older or without a date; --all lists them", style="dim"))


def _fate(order: OrderLines) -> str:
    written = (
        f", such as '{formatting.replace_unprintable(order.written)}'"
        if order.reason and order.written
        else ""
    )
    return f"{order.reason}{written}" if order.reason else "counted"


def _changes(found: Explanation) -> Sequence[RenderableType]:
    changes = found.changes
    if changes.why_none:
        return [
            Text(
                f"What would change it can't be promised: {formatting.replace_unprintable(changes.why_none)}."
            )
        ]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for way in changes.more_orders:
        usual = told.usual(way, found.row["avg_order_value"])
        takes = f"{told.describe_more_orders(way)}{f' ({usual})' if usual else ''}"
        table.add_row(Text(way.segment, style="green"), Text(takes))
    if not changes.more_orders:
        table.add_row(Text("More orders"), Text("lead to no other segment"))
    for change in changes.no_order:
        segment = Text(change.segment or "No row at all", style="yellow")
        table.add_row(segment, Text(told.describe_no_order(change)))
    if not changes.no_order:
        table.add_row(Text("Time alone"), Text("leads to no other segment"))
    terms = told.terms(edges_are_fixed=changes.edges_are_fixed)
    if changes.until:
        later = f"lines that are dated later than {changes.until} will count by themselves"
        terms += f" Nothing is said of later: {later}."
    heading = Text("What would lead to another segment", style="bold")
    return [heading, Padding(table, _INDENT), Text(terms, style="dim")]


def _past(found: Explanation) -> Sequence[RenderableType]:
    past = found.past
    parts: list[RenderableType] = []
    if past.history:
        parts += [Text(), Text("Segments so far", style="bold")]
        parts += [Padding(_history(past.history), _INDENT)]
    told_differences = list(past.differences(found.row, found.config_hash))
    if told_differences:
        parts += [Text(), *(Text(f"! {sentence}", style="yellow") for sentence in told_differences)]
    if past.unread:
        parts += [Text(), Text(f"! What was published is not known: {past.unread}", style="yellow")]
    return parts


def _history(history: Sequence[PastSegment]) -> Table:
    """Each date on which the segment became another one."""
    table = Table.grid(padding=(0, 2))
    before = None
    for past in history:
        if past.segment != before:
            table.add_row(str(past.as_of), Text(past.segment), Text(past.rfm_score, style="dim"))
        before = past.segment
    return table
