"""The record of runs, on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.common import formatting
from rfm_pipeline.pipeline.backfill import Backfilled
from rfm_pipeline.pipeline.rollback import RolledBack
from rfm_pipeline.results import descriptions
from rfm_pipeline.results.run_history import DestinationState
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.statistics import RunStatistics

_STYLES: Mapping[str, str] = {
    "published": "green",
    "history_only": "cyan",
    "rejected": "bold red",
    "failed": "bold red",
}


def print_runs(records: Sequence[RunRecord], standing: DestinationState, label: str, more: int) -> None:
    """A line a run, the newest first; below it what there is to say of it."""
    cells = [_HEADINGS, *map(_cells, reversed(records))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    text = Text()
    for number, row in enumerate(cells):
        for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
            aligned = f"{cell:<{width}}" if place < _FIRST_NUMBER else f"{cell:>{width}}"
            style = "bold" if not number else _STYLES.get(cell, "")
            text.append(aligned, style).append("  ")
        text.rstrip()
        text.append("\n")
        if number and (remark := _remark(records[-number], standing.as_of)):
            text.append(f"  {remark}\n", "dim")
    text.append(f"\n{label}", "dim")
    if more:
        text.append(
            f"; {formatting.format_count(more, 'earlier run')}: --limit {len(records) + more} shows all",
            "dim",
        )
    console().print(text, soft_wrap=True)


_HEADINGS = ("Run", "As of", "Status", "Customers", "Revenue", "Took")
_FIRST_NUMBER = _HEADINGS.index("Customers")


def _cells(record: RunRecord) -> tuple[str, ...]:
    return (
        record.run_id,
        str(record.as_of_date or "–"),
        record.status,
        "–" if record.customers is None else f"{record.customers:,}",
        formatting.format_amount(record.statistics.revenue) if record.statistics else "–",
        _took(record),
    )


def print_run(record: RunRecord) -> None:
    """All that is on record of one run."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(record).items():
        facts.add_row(name, Text(value))
    parts: list[RenderableType] = [facts]
    statistics = record.statistics
    if statistics and statistics.exclusions:
        parts += [Text(), _exclusions(statistics)]
    if record.edges:
        parts += [Text(), _edges(record)]
    if statistics and statistics.segments:
        parts += [Text(), _segments(statistics)]
    if record.audits:
        parts += [Text(), _audits(record)]
    console().print(Group(*parts))


def print_rolled_back(done: RolledBack) -> None:
    """What the current result is again."""
    customers = f"{formatting.format_count(done.customers, 'customer')}, revenue {formatting.format_amount(done.revenue)}"
    text = Text.assemble(
        ("Back ", "green"),
        f"to the result as of {done.as_of}: {customers}\n",
        ("Published ", "green"),
        done.destination,
    )
    text.append(f"\nRun {done.run_id}, which brought back {done.restored_run_id}", style="dim")
    console().print(text)


def print_backfilled(done: Backfilled) -> None:
    """A line for each date that was published."""
    table = _table("As of", "Customers", "Revenue")
    table.add_column("", no_wrap=True)
    for result in done.published:
        where = "current result" if result.status == "published" else ""
        revenue = formatting.format_amount(result.statistics.revenue)
        table.add_row(str(result.as_of), f"{result.statistics.customers:,}", revenue, Text(where, style="dim"))
    published, skipped = len(done.published), len(done.skipped)
    end = Text.assemble(("Published ", "green"), formatting.format_count(published, "date"))
    shown: list[RenderableType] = [table, Text()] if published else []
    if skipped:
        end.append(f"; {formatting.format_count(skipped, 'date')} stood already")
    console().print(Group(*shown, end.append(".")))


def _remark(record: RunRecord, current: date | None) -> str:
    if record.error:
        return formatting.replace_unprintable(record.error)
    if record.restored_run_id:
        return f"back to {record.restored_run_id}"
    warned = sum(audit.status == "warning" for audit in record.audits)
    told = [] if record.kind == "run" else [record.kind]
    told += [formatting.format_count(warned, "warning")] if warned else []
    if record.status == "history_only" and current and record.as_of_date and record.as_of_date < current:
        told.append("in the history only")
    return ", ".join(told)


def _took(record: RunRecord) -> str:
    seconds = (record.finished_at - record.started_at).total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def _facts(record: RunRecord) -> dict[str, str]:
    facts = {
        "run": record.run_id,
        "kind": record.kind,
        "status": record.status,
        "as of": str(record.as_of_date or "–"),
        "started": f"{record.started_at:%Y-%m-%d %H:%M:%S} UTC, took {_took(record)}",
        "source": formatting.replace_unprintable(record.source or "–"),
        "engine": f"{record.engine}, rfm {record.version}",
        "configuration": record.config_hash,
    }
    if record.restored_run_id:
        facts["brought back"] = record.restored_run_id
    if found := record.statistics:
        facts["lines"] = f"{found.rows_read:,} read, {found.rows_kept:,} kept"
        customers, orders = (
            formatting.format_count(found.customers, "customer"),
            formatting.format_count(found.orders, "order"),
        )
        facts["result"] = f"{customers}, {orders}, revenue {formatting.format_amount(found.revenue)}"
        if found.newest_order_date:
            facts["newest order"] = str(found.newest_order_date)
    if record.history_from:
        facts["history from"] = str(record.history_from)
    if record.usage.bytes_processed is not None:
        facts["read"] = formatting.format_bytes(record.usage.bytes_processed)
        if record.usage.bytes_billed is not None:
            facts["read"] += f", {formatting.format_bytes(record.usage.bytes_billed)} billed"
    if record.usage.jobs:
        facts["jobs"] = ", ".join(record.usage.jobs)
    if record.error:
        facts["error"] = formatting.replace_unprintable(record.error)
    return facts


def _exclusions(statistics: RunStatistics) -> Table:
    table = _table("Excluded", "Lines", "Money")
    for excluded in statistics.exclusions:
        money = "–" if excluded.amount is None else formatting.format_amount(excluded.amount)
        table.add_row(excluded.reason, f"{excluded.lines:,}", money)
    return table


def _edges(record: RunRecord) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    told = [dict(descriptions.edges(scores)) for scores in record.edges]
    table.add_column("score", style="dim")
    for scores in record.edges:
        table.add_column(scores.name, overflow="fold")
    for score in range(max(len(scores.customers) for scores in record.edges), 0, -1):
        table.add_row(str(score), *(dimension.get(score, "") for dimension in told))
    return table


def _segments(statistics: RunStatistics) -> Table:
    table = _table("Segment", "Customers", "Orders", "Revenue")
    for figures in statistics.segments:
        table.add_row(
            Text(figures.segment),
            f"{figures.customers:,}",
            f"{figures.orders:,}",
            formatting.format_amount(figures.revenue),
        )
    return table


def _audits(record: RunRecord) -> Table:
    table = _table("Audit", "", "")
    styles = {"failed": "bold red", "warning": "yellow"}
    for audit in record.audits:
        table.add_row(audit.name, Text(audit.status, style=styles.get(audit.status, "")), Text(audit.detail))
    table.columns[2].justify = "left"
    table.columns[2].overflow = "fold"
    table.columns[2].no_wrap = False
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
