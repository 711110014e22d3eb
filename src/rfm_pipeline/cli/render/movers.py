"""Terminal output of `rfm movers`, and the sentences about movers of `rfm export`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.cli.streams import shows_customers
from rfm_pipeline.common import formatting
from rfm_pipeline.common.customer_mask import mask_customer
from rfm_pipeline.common.untrusted_text import replace_unprintable_in
from rfm_pipeline.pipeline.mover_filter import move_text
from rfm_pipeline.pipeline.movers import Mover, Movers

_REASONS = {
    "slipped": ("slipped", "moved to a worse segment"),
    "woke_up": ("woke up", "ordered after the worst recency score, and moved to a better segment"),
    "new_at_top": ("new at the top", "came to the best segment"),
    "due": ("due", "longer without an order than their mean gap"),
}
"""Name of each reason, and what the customers have in common."""


def print_movers(movers: Movers, output: Path | None) -> None:
    """Print the revenue at risk, the number of customers by reason, and the listed customers.

    Args:
        movers: The movers.
        output: The file that has the listed customers; None to print them.
    """
    movers = replace_unprintable_in(movers)
    parts: list[RenderableType] = [_heading(movers), Text(), _reasons(movers)]
    if output is not None:
        count = formatting.format_count(len(movers.listed), "customer")
        written = Text.assemble(("\nWrote ", "green"), replace_unprintable_in(str(output)), f": {count}")
        parts.append(written)
    elif movers.listed:
        parts += [Text(), _customers(movers.listed)]
    more = movers.chosen.customers - len(movers.listed)
    if more:
        text = f"and {formatting.format_count(more, 'more', 'more')}"
        hint = "" if output else ": --top N lists more, --output FILE writes all"
        parts.append(Text(f"{text}{hint}", style="dim"))
    if movers.listed and output is None and not shows_customers():
        parts.append(Text("Customers are masked, as this is no terminal: --output FILE has them.", "dim"))
    parts += [Text(f"! {note}", style="yellow") for note in mover_notes(movers)]
    console().print(Group(*parts))


def describe_conditions(movers: Movers) -> str:
    """Return the dates, movements and reasons by which customers were chosen."""
    conditions = movers.conditions
    reasons = [_REASONS[reason][0] for reason in conditions.reasons]
    chosen = ", ".join([*map(move_text, conditions.moves), *reasons])
    return f"{_dates(movers)}: {chosen}"


def _dates(movers: Movers) -> str:
    return f"{movers.earlier} → {movers.later}" if movers.earlier else f"as of {movers.later}"


def mover_notes(movers: Movers) -> Iterator[str]:
    """Yield sentences on customers that are left out, and on dates that can't be checked."""
    if movers.by_rules:
        moves = formatting.format_count(movers.by_rules, "move is", "moves are")
        yield (
            f"{moves} due to changed rules, and left out; `{movers.rescore_command}` scores both dates by"
            " one rule"
        )
    if movers.earlier is None:
        yield (
            f"there is no result before {movers.later} to compare with, so that nobody has moved;"
            " `rfm backfill` fills the history"
        )
    if movers.unknown_segments:
        names = ", ".join(movers.unknown_segments)
        yield f"the segment map of {movers.later} does not have {names}, which that of {movers.earlier} has"
    if movers.unchecked:
        yield f"no checksum: an earlier version of rfm published {' and '.join(map(str, movers.unchecked))}"


def _heading(movers: Movers) -> Text:
    text = Text.assemble(
        (_dates(movers), "bold"),
        "  ",
        (movers.destination, "dim"),
        "\nRevenue at risk: ",
    )
    risk, everybody = movers.at_risk, movers.everybody
    text.append(formatting.format_amount(risk.revenue), style="bold")
    share = formatting.format_percent(risk.revenue, everybody.revenue) if everybody.revenue else ""
    of = f", {share} of all" if share else ""
    due = formatting.format_count(risk.customers, "customer who is due", "customers who are due")
    return text.append(f"{of}, of {due}")


def _reasons(movers: Movers) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Reason", no_wrap=True)
    for heading in ("Customers", "Revenue"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", overflow="fold", style="dim")
    for reason, (name, meaning) in _REASONS.items():
        group = movers.by_reason[reason]
        table.add_row(name, f"{group.customers:,}", formatting.format_amount(group.revenue), meaning)
    chosen = movers.chosen
    conditions = ", ".join(
        [*map(move_text, movers.conditions.moves), *movers.conditions.segments]
    )  # Reasons are rows of the table.
    table.add_row(
        "together", f"{chosen.customers:,}", formatting.format_amount(chosen.revenue), Text(conditions)
    )
    return table


def _customers(listed: tuple[Mover, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Customer", overflow="fold")
    table.add_column("Revenue", justify="right", no_wrap=True)
    table.add_column("Reason", overflow="fold")
    table.add_column("Segment", overflow="fold")
    for heading in ("Days", "Mean gap"):
        table.add_column(heading, justify="right", no_wrap=True)
    for mover in listed:
        gap = mover.mean_gap_days
        table.add_row(
            Text(mover.customer_id if shows_customers() else mask_customer(mover.customer_id)),
            formatting.format_amount(mover.monetary),
            ", ".join(_REASONS[reason][0] for reason in mover.reasons),
            Text(_segments(mover)),
            f"{mover.recency_days:,}",
            "" if gap is None else f"{gap:,.1f}",
        )
    return table


def _segments(mover: Mover) -> str:
    if mover.from_segment == mover.segment or mover.cause == "rules":
        return mover.segment
    return f"{mover.from_segment or 'new'} → {mover.segment}"
