"""Terminal output of `rfm explain`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.common import formatting
from rfm_pipeline.common.untrusted_text import replace_unprintable_in
from rfm_pipeline.config.day_conditions import Rhythm
from rfm_pipeline.explain import what_if_text
from rfm_pipeline.explain.published_history import PastSegment
from rfm_pipeline.explain.result import Explanation, OrderLines
from rfm_pipeline.results import descriptions

_INDENT = (0, 0, 0, 2)


def print_explanation(explanation: Explanation) -> None:
    """Print the segment, the scores and the rule behind it, the counted lines, and what would change it."""
    explanation = replace_unprintable_in(explanation)
    parts: list[RenderableType] = [_heading(explanation), Text(), _scores(explanation)]
    parts += [_rule(explanation), Text(), _counted(explanation)]
    parts += [Padding(_orders(explanation), _INDENT)] if explanation.orders else []
    parts += [Text(), *_changes(explanation)]
    parts += _published(explanation)
    console().print(Group(*parts))


def _heading(explanation: Explanation) -> Text:
    text = Text.assemble(
        (explanation.row["customer_id"], "bold"),
        "  ",
        (explanation.row["segment"], "bold cyan"),
        f"  as of {explanation.row['as_of_date']}",
    )
    rule = explanation.matched_rule
    for line in (f"{rule.description} {rule.action}".strip(), *explanation.notes):
        text.append(f"\n{line}" if line else "", style="dim")
    return text


def _scores(explanation: Explanation) -> Table:
    recency, frequency, monetary = explanation.values
    values = (
        formatting.format_count(recency, "day"),
        formatting.format_count(frequency, "order"),
        formatting.format_amount(monetary),
    )
    table = Table.grid(padding=(0, 3))
    for style in ("dim", "", "", "dim"):
        table.add_column(style=style)
    table.add_row("", *(Text(heading, style="dim") for heading in ("value", "score", "range of the score")))
    for scores, value, score in zip(explanation.dimensions, values, explanation.scores, strict=True):
        customers = formatting.format_count(scores.customers[score - 1], "customer")
        of = f"{score} of {len(scores.customers)}"
        value_range = dict(descriptions.describe_edges(scores))[score]
        table.add_row(scores.name, value, of, f"{value_range} ({customers})")
    return table


def _rule(explanation: Explanation) -> Text:
    number = explanation.matched_rule.number
    name = "The fallback" if number is None else f"Rule {number}"
    if explanation.rhythm is not None:
        return Text(_rhythm(explanation.rhythm)).append("\n").append_text(_match(name, explanation))
    return _match(name, explanation)


def _rhythm(rhythm: Rhythm) -> str:
    first = f"First order {formatting.format_count(rhythm.first_order_days, 'day')} ago"
    if rhythm.twice_median_gap is None or rhythm.gap is None:
        return f"{first}; all orders are of one day, so that there is no median gap"
    median = f"{rhythm.twice_median_gap / 2:g}"
    return f"{first}; {float(rhythm.gap):.2f} median gaps of {median} days have passed since the last order"


def _match(name: str, explanation: Explanation) -> Text:
    rule, row = explanation.matched_rule, explanation.row
    return Text.assemble(f"{row['rfm_score']}: {name} ({rule.conditions}) gives ", (row["segment"], "bold"))


def _counted(explanation: Explanation) -> RenderableType:
    lines = formatting.format_count(explanation.counted_lines, "line")
    orders = formatting.format_count(explanation.row["frequency"], "order")
    text = Text(f"{lines} counted, in {orders}: {formatting.format_amount(explanation.counted_amount)}")
    if not explanation.excluded:
        return text.append(". None of the customer's lines was excluded.")
    table = Table.grid(padding=(0, 2))
    for justify in ("right", "left", "right", "left"):
        table.add_column(justify=justify, overflow="fold")
    for excluded in explanation.excluded:
        amount = "–" if excluded.amount is None else formatting.format_amount(excluded.amount)
        example = f"such as '{excluded.example}'" if excluded.example else ""
        table.add_row(*map(Text, (f"{excluded.lines:,}", excluded.reason, amount, example)))
    excluded_lines = sum(excluded.lines for excluded in explanation.excluded)
    return Group(text.append(f"; {excluded_lines:,} excluded"), Padding(table, _INDENT))


def _orders(explanation: Explanation) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    has_orders = explanation.has_order_ids
    for heading in ("Date", *(["Order"] if has_orders else []), "Lines", "Amount", ""):
        is_number = heading in ("Lines", "Amount")
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for order in explanation.orders:
        cells = [str(order.day) if order.day else "–"]
        cells += [order.order_id or "–"] if has_orders else []
        cells += [f"{order.lines:,}", "–" if order.amount is None else formatting.format_amount(order.amount)]
        table.add_row(*map(Text, [*cells, _outcome(order)]), style="dim" if order.reason else "")
    if not explanation.omitted_orders:
        return table
    more = formatting.format_count(explanation.omitted_orders, "more row")
    return Group(table, Text(f"and {more}, older or without a date; --all lists them", style="dim"))


def _outcome(order: OrderLines) -> str:
    if not order.reason:
        return "counted"
    example = f", such as '{order.written}'" if order.written else ""
    return f"{order.reason}{example}"


def _changes(explanation: Explanation) -> Sequence[RenderableType]:
    changes = explanation.changes
    if changes.why_none:
        return [Text(f"No prediction of segment changes: {changes.why_none}.")]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for way in changes.more_orders:
        usual = what_if_text.describe_usual_amount(way, explanation.row["avg_order_value"])
        orders = f"{what_if_text.describe_more_orders(way)}{f' ({usual})' if usual else ''}"
        table.add_row(Text(way.segment, style="green"), Text(orders))
    if not changes.more_orders:
        table.add_row(Text("More orders"), Text("lead to no other segment"))
    for change in changes.no_order:
        segment = Text(change.segment or "Not in the result", style="yellow")
        table.add_row(segment, Text(what_if_text.describe_no_order(change)))
    if not changes.no_order:
        table.add_row(Text("Time alone"), Text("leads to no other segment"))
    terms = what_if_text.describe_terms(edges_are_fixed=changes.edges_are_fixed)
    if changes.until:
        terms += f" Nothing later than {changes.until} is predicted: lines of later dates will count then."
    heading = Text("What would lead to another segment", style="bold")
    return [heading, Padding(table, _INDENT), Text(terms, style="dim")]


def _published(explanation: Explanation) -> Sequence[RenderableType]:
    published = explanation.published
    parts: list[RenderableType] = []
    if published.history:
        parts += [Text(), Text("Segments so far", style="bold")]
        parts += [Padding(_history(published.history), _INDENT)]
    differences = list(published.differences(explanation.row, explanation.config_hash))
    if differences:
        parts += [Text(), *(Text(f"! {sentence}", style="yellow") for sentence in differences)]
    if published.read_error:
        parts += [
            Text(),
            Text(f"! The published results can't be read: {published.read_error}", style="yellow"),
        ]
    return parts


def _history(history: Sequence[PastSegment]) -> Table:
    """Return the dates on which the segment changed."""
    table = Table.grid(padding=(0, 2))
    previous = None
    for past in history:
        if past.segment != previous:
            table.add_row(str(past.as_of), Text(past.segment), Text(past.rfm_score, style="dim"))
        previous = past.segment
    return table
