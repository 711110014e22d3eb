"""Terminal output of `rfm compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.cli.streams import shows_customers
from rfm_pipeline.common import formatting
from rfm_pipeline.common.customer_mask import mask_addresses, mask_customer
from rfm_pipeline.common.untrusted_text import replace_unprintable_in
from rfm_pipeline.comparison.result import Flow, SegmentComparison, count_customers, total
from rfm_pipeline.results.json_values import plain

_DASH = "–"
_MAX_MOVES = 12
_MIN_NAME_WIDTH = 12


def print_comparison(
    comparison: SegmentComparison, column: str | None, customers: Sequence[Mapping[str, Any]]
) -> None:
    """Print totals, agreement, segments, moves, and columns that differ.

    Args:
        comparison: The comparison.
        column: Name of the column whose customers are listed; None if none was asked for.
        customers: These customers.
    """
    out, comparison = console(), replace_unprintable_in(comparison)
    parts: list[RenderableType] = [*_heading(comparison), Text(), _segments(comparison)]
    moves = sorted((flow for flow in comparison.flows if flow.a != flow.b), key=_by_money, reverse=True)
    if moves:
        parts += [Text(), *_matrix(comparison, out.width), _moves(moves)]
    parts += [Text(), *_columns(comparison)]
    if column:
        parts += [Text(), *_customers(comparison, column, customers)]
    parts += [Text(note, style="dim") for note in comparison.notes]
    if comparison.kappa is not None and not comparison.is_equal:
        text = "Cohen's kappa is the agreement beyond chance: 0 is what independence gives, 1 is perfect."
        parts.append(Text(text, style="dim"))
    out.print(Group(*parts))


def _by_money(flow: Flow) -> tuple[Any, ...]:
    return (flow.revenue or Decimal(0), flow.customers, flow.a or "", flow.b or "")


def _heading(comparison: SegmentComparison) -> list[Text]:
    sides = [
        Text.assemble((f"{letter}  ", "bold cyan"), (side.name, "bold"))
        for letter, side in (("A", comparison.a), ("B", comparison.b))
    ]
    for text, side in zip(sides, (comparison.a, comparison.b), strict=True):
        if side.as_of and str(side.as_of) not in side.name:
            text.append(f" as of {side.as_of}")
        text.append(f"  {formatting.format_count(side.customers, 'customer')}")
        if side.revenue is not None:
            text.append(f", {formatting.format_amount(side.revenue)}")
    return [*sides, Text(), _agreement(comparison)]


def _agreement(comparison: SegmentComparison) -> Text:
    both = formatting.format_count(comparison.both, "customer")
    if comparison.is_equal:
        columns = formatting.format_count(len(comparison.columns), "column")
        return Text(f"All equal: the same {both}, with equal values in {columns}.", style="bold green")
    text = Text(f"{both} on both sides")
    others = [(comparison.only_a, "only on side A"), (comparison.only_b, "only on side B")]
    for number, where in others:
        text.append(f", {number:,} {where}" if number else "")
    if not comparison.both:
        return text.append("\nNo customer id of one side is on the other: look at how each side writes them")
    if not comparison.common_segments:
        return text.append(
            "\nNo segment has the same name on both sides: --rename 'NAME ON SIDE B=NAME ON SIDE A'"
        )
    share = formatting.format_percent(comparison.same, comparison.both)
    text.append(f"\n{comparison.same:,} in the segment of the same name (")
    text.append(share, style="bold").append(")")
    if comparison.kappa is not None:
        text.append(", Cohen's kappa ").append(f"{comparison.kappa:.3f}", style="bold")
    return text


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, heading in enumerate(columns):
        if number:
            is_text = heading in {"On A", "On B"}
            table.add_column(
                heading, justify="left" if is_text else "right", overflow="fold", no_wrap=not is_text
            )
        else:
            table.add_column(heading, overflow="fold", min_width=_MIN_NAME_WIDTH)
    return table


def _segments(comparison: SegmentComparison) -> Table:
    """Return a row per segment: its number in the matrix, and customers and money on both sides."""
    has_money = [side.revenue is not None for side in (comparison.a, comparison.b)]
    headings = ["#", "Segment", "On A", *["Revenue"] * has_money[0], "On B", *["Revenue"] * has_money[1]]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        is_name = heading == "Segment"
        table.add_column(
            heading, justify="left" if is_name else "right", overflow="fold", no_wrap=not is_name
        )
    for number, name in enumerate(comparison.segments, start=1):
        cells: list[str | Text] = [str(number), Text(name)]
        for side, shown in zip(comparison.segment_totals(name), has_money, strict=True):
            cells.append(f"{side.customers:,}" if side.customers else _DASH)
            cells += [_amount(side.revenue)] * shown
        table.add_row(*cells)
    cells = ["", "Total"]
    for totals, shown in zip((comparison.a, comparison.b), has_money, strict=True):
        cells += [f"{totals.customers:,}", *[_amount(totals.revenue)] * shown]
    table.add_row(*cells, style="bold")
    return table


def _matrix(comparison: SegmentComparison, width: int) -> list[RenderableType]:
    """Return the customers by both segments, or nothing where the table is too wide."""
    counts = {(flow.a, flow.b): flow.customers for flow in comparison.flows if flow.is_both}
    numbers = {name: number for number, name in enumerate(comparison.segments, start=1)}
    rows = [name for name in comparison.segments if any(a == name for a, _ in counts)]
    columns = [name for name in comparison.segments if any(b == name for _, b in counts)]
    cells = [
        [f"{counts[a, b]:,}" if (a, b) in counts else "·" for b in columns]
        for a in rows
    ]  # fmt: skip
    headings = [str(numbers[name]) for name in columns]
    widths = [max(map(cell_len, column)) + 2 for column in zip(headings, *cells, strict=True)]
    if not cells or _MIN_NAME_WIDTH + 4 + sum(widths) > width:
        return []
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("A ↓  B →", overflow="ellipsis", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    for name, row in zip(rows, cells, strict=True):
        texts = [
            Text(cell, style="dim" if cell == "·" else "green" if name == column else "")
            for cell, column in zip(row, columns, strict=True)
        ]
        table.add_row(Text(f"{numbers[name]} {name}"), *texts)
    return [table, Text()]


def _moves(moves: Sequence[Flow]) -> Group:
    has_money = any(flow.revenue is not None for flow in moves)
    table = _table("What moves, A → B", "Customers", *["Revenue"] * has_money)
    for flow in moves[:_MAX_MOVES]:
        name = f"{flow.a or 'not on side A'} → {flow.b or 'not on side B'}"
        table.add_row(Text(name), f"{flow.customers:,}", *[_amount(flow.revenue)] * has_money)
    revenue = _amount(total(flow.revenue for flow in moves))
    table.add_row("Total", f"{count_customers(moves):,}", *[revenue] * has_money, style="bold")
    more = len(moves) - _MAX_MOVES
    if more <= 0:
        return Group(table)
    count = formatting.format_count(more, "more", "more")
    return Group(table, Text(f"and {count}: --csv lists all", style="dim"))


def _columns(comparison: SegmentComparison) -> list[Text]:
    differing = {name: number for name, number in comparison.columns.items() if number}
    lines = []
    if differing:
        found = [
            f"{name} for {formatting.format_count(number, 'customer')}"
            f" ({formatting.format_percent(number, comparison.both)})"
            for name, number in differing.items()
        ]
        lines.append(Text.assemble(("Differs: ", "bold"), ", ".join(found)))
    equal = [name for name, number in comparison.columns.items() if not number]
    if equal and comparison.both:
        lines.append(Text.assemble(("Equal: ", "bold"), ", ".join(equal)))
    return lines


def _customers(
    comparison: SegmentComparison, column: str, customers: Sequence[Mapping[str, Any]]
) -> list[RenderableType]:
    if not customers:
        return [Text(f"No customer differs in {column}.")]
    has_values = column not in {"segment", "monetary"}
    headings = ["A", "B"] if has_values else []
    table = _table(f"Differ in {column}", "On A", "On B", *headings, "Revenue")
    for row in replace_unprintable_in(list(customers)):
        customer, revenue = row["customer_id"], row["revenue_a"]
        values = [_value(row[f"{column}_{side}"]) for side in "ab"] if has_values else []
        table.add_row(
            Text(customer if shows_customers() else mask_customer(customer)),
            *(_value(row[side]) for side in ("segment_a", "segment_b")),
            *values,
            _amount(row["revenue_b"] if revenue is None else revenue),
        )
    lines: list[RenderableType] = [table]
    total = comparison.columns[column]
    if column == "segment":
        total += comparison.only_a + comparison.only_b
    if total > len(customers):
        count = formatting.format_count(total - len(customers), "more", "more")
        lines.append(Text(f"and {count}: --csv lists all", style="dim"))
    if not shows_customers():
        lines.append(Text("Customers are masked, as this is no terminal: --csv has them.", style="dim"))
    return lines


def _value(value: object) -> Text:
    text = _DASH if value is None else str(plain(value))
    return Text(text if shows_customers() else mask_addresses(text))


def _amount(revenue: Decimal | None) -> str:
    return _DASH if revenue is None else formatting.format_amount(revenue)
