"""Terminal output of `rfm runs`, `rfm rollback` and `rfm backfill`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.common import formatting
from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.common.untrusted_text import replace_unprintable_in
from rfm_pipeline.pipeline.backfill import Backfilled
from rfm_pipeline.pipeline.forget import Forgot
from rfm_pipeline.pipeline.rollback import RolledBack
from rfm_pipeline.results import descriptions
from rfm_pipeline.results.forgotten import forget_entry
from rfm_pipeline.results.run_history import DestinationState
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.statistics import PART_NOUNS, RunStatistics

_STYLES: Mapping[str, str] = {
    "published": "green",
    "history_only": "cyan",
    "rejected": "bold red",
    "failed": "bold red",
}


def print_runs(records: Sequence[RunRecord], state: DestinationState, label: str, older: int) -> None:
    """Print a line for each run, newest first, and below it a remark if there is one.

    Args:
        records: Runs to list, oldest first.
        state: State of the destination.
        label: Name of the destination.
        older: Number of older runs that are not listed.
    """
    records, label = replace_unprintable_in((tuple(records), label))
    cells = [_HEADINGS, *map(_cells, reversed(records))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    text = Text()
    for number, row in enumerate(cells):
        for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
            aligned = f"{cell:<{width}}" if index < _FIRST_NUMBER else f"{cell:>{width}}"
            style = "bold" if not number else _STYLES.get(cell, "")
            text.append(aligned, style).append("  ")
        text.rstrip()
        text.append("\n")
        if number and (remark := _remark(records[-number], state.as_of)):
            text.append(f"  {remark}\n", "dim")
    text.append(f"\n{label}", "dim")
    if older:
        count = formatting.format_count(older, "earlier run")
        text.append(f"; {count}: --limit {len(records) + older} lists all", "dim")
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
        _duration(record),
    )


def print_run(record: RunRecord) -> None:
    """Print the whole record of one run."""
    record = replace_unprintable_in(record)
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


def print_rollback(result: RolledBack) -> None:
    """Print the restored result, and the run that restored it."""
    result = replace_unprintable_in(result)
    customers = formatting.format_count(result.customers, "customer")
    revenue = formatting.format_amount(result.revenue)
    text = Text.assemble(
        ("Restored ", "green"),
        f"the result as of {result.as_of}: {customers}, revenue {revenue}\n",
        ("Published ", "green"),
        result.destination,
    )
    text.append(f"\nRun {result.run_id}, which restored {result.restored_run_id}", style="dim")
    if not result.is_checked:
        text.append("\nNo checksum: an earlier version of rfm published this result.", style="dim")
    console().print(text)


def print_backfill(backfill: Backfilled) -> None:
    """Print a line for each published date, and the number of skipped dates."""
    table = _table("As of", "Customers", "Revenue")
    table.add_column("", no_wrap=True)
    for result in backfill.published:
        remark = "current result" if result.status == "published" else ""
        revenue = formatting.format_amount(result.statistics.revenue)
        table.add_row(
            str(result.as_of), f"{result.statistics.customers:,}", revenue, Text(remark, style="dim")
        )
    published, skipped = len(backfill.published), len(backfill.skipped)
    end = Text.assemble(("Published ", "green"), formatting.format_count(published, "date"))
    shown: list[RenderableType] = [table, Text()] if published else []
    if skipped:
        end.append(f"; skipped {formatting.format_count(skipped, 'date')} published before")
    console().print(Group(*shown, end.append(".")))


def _remark(record: RunRecord, current: date | None) -> str:
    if record.error:
        return record.error
    if record.restored_run_id:
        return f"restored {record.restored_run_id}"
    warnings = sum(audit.status == "warning" for audit in record.audits)
    remarks = [] if record.kind == "run" else [record.kind]
    remarks += [formatting.format_count(warnings, "warning")] if warnings else []
    if record.status == "history_only" and current and record.as_of_date and record.as_of_date < current:
        remarks.append("in the history only")
    return ", ".join(remarks)


def _duration(record: RunRecord) -> str:
    seconds = (record.finished_at - record.started_at).total_seconds()
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def _facts(record: RunRecord) -> dict[str, str]:
    facts = {
        "run": record.run_id,
        "kind": record.kind,
        "status": record.status,
        "as of": str(record.as_of_date or "–"),
        "started": f"{record.started_at:%Y-%m-%d %H:%M:%S} UTC, took {_duration(record)}",
        "source": record.source or "–",
        "engine": f"{record.engine}, rfm {record.version}",
        "configuration": record.config_hash,
    }
    if record.restored_run_id:
        facts["restored"] = record.restored_run_id
    if record.statistics:
        facts |= _statistics_facts(record.statistics, record.engine)
    if forgotten := forget_entry(record):
        dates = formatting.format_count(forgotten.dates, "date")
        facts["customers"] = f"{len(forgotten.hashes):,} {record.status}"
        rows = f"{forgotten.current:,} of the current result, {forgotten.history:,} of the history"
        facts["removed rows"] = f"{rows} as of {dates}"
    if record.history_from:
        facts["history from"] = str(record.history_from)
    if record.usage.bytes_processed is not None:
        facts["read"] = formatting.format_bytes(record.usage.bytes_processed)
        if record.usage.bytes_billed is not None:
            facts["read"] += f", {formatting.format_bytes(record.usage.bytes_billed)} billed"
    if record.usage.jobs:
        facts["jobs"] = ", ".join(record.usage.jobs)
    if record.error:
        facts["error"] = record.error
    return facts


def _statistics_facts(statistics: RunStatistics, engine: str) -> dict[str, str]:
    facts = {"lines": f"{statistics.rows_read:,} read, {statistics.rows_kept:,} kept"}
    if parts := statistics.parts:
        why = f" (all read, as {parts.why_all})" if parts.why_all else ""
        facts[f"{PART_NOUNS[engine]}s"] = f"{parts.read:,} read, {parts.kept:,} unchanged{why}"
    customers = formatting.format_count(statistics.customers, "customer")
    orders = formatting.format_count(statistics.orders, "order")
    facts["result"] = f"{customers}, {orders}, revenue {formatting.format_amount(statistics.revenue)}"
    if statistics.newest_order_date:
        facts["newest order"] = str(statistics.newest_order_date)
    return facts


def _exclusions(statistics: RunStatistics) -> Table:
    table = _table("Excluded", "Lines", "Amount")
    for excluded in statistics.exclusions:
        amount = "–" if excluded.amount is None else formatting.format_amount(excluded.amount)
        table.add_row(excluded.reason, f"{excluded.lines:,}", amount)
    amounts = [excluded.amount for excluded in statistics.exclusions if excluded.amount is not None]
    total = formatting.format_amount(exact_sum(amounts)) if amounts else "–"
    table.add_row("Total", f"{statistics.rows_read - statistics.rows_kept:,}", total, style="bold")
    return table


def _edges(record: RunRecord) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    ranges = [dict(descriptions.describe_edges(scores)) for scores in record.edges]
    table.add_column("score", style="dim")
    for scores in record.edges:
        table.add_column(scores.name, overflow="fold")
    for score in range(max(len(scores.customers) for scores in record.edges), 0, -1):
        table.add_row(str(score), *(by_score.get(score, "") for by_score in ranges))
    return table


def _segments(statistics: RunStatistics) -> Table:
    table = _table("Segment", "Customers", "Orders", "Revenue")
    for segment in statistics.segments:
        table.add_row(
            Text(segment.segment),
            f"{segment.customers:,}",
            f"{segment.orders:,}",
            formatting.format_amount(segment.revenue),
        )
    table.add_row(
        "Total",
        f"{statistics.customers:,}",
        f"{statistics.orders:,}",
        formatting.format_amount(statistics.revenue),
        style="bold",
    )
    return table


def _audits(record: RunRecord) -> Table:
    table = _table("Audit", "", "")
    styles = {"failed": "bold red", "warning": "yellow"}
    for audit in record.audits:
        status = Text(audit.status.replace("_", " "), style=styles.get(audit.status, ""))
        table.add_row(audit.name, status, Text(audit.detail))
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


def print_forgot(result: Forgot) -> None:
    """Print what was removed, and what still has the customers."""
    result = replace_unprintable_in(result)
    customers = formatting.format_count(result.customers, "customer")
    if result.status == "undone":
        text = Text.assemble(("Undone ", "green"), f"for {customers}: later runs read their lines again\n")
    else:
        done = ("Would remove ", "yellow") if result.run_id is None else ("Removed ", "green")
        rows = formatting.format_count(result.current, "row")
        dates = formatting.format_count(result.dates, "date")
        text = Text.assemble(
            done,
            f"{customers}: {rows} of the current result, {result.history:,} of the history as of {dates}\n",
        )
        if result.kept_results:
            text.append(f"Removed {formatting.format_count(result.kept_results, 'kept rejected result')}\n")
        text.append(
            "Not changed: output files, exports, reports, backups and the source. Later runs leave the lines"
            " out as forgotten\n"
        )
    text.append(f"{result.destination}, {result.left_out:,} left out in all", style="dim")
    if result.run_id:
        text.append(f"\nRun {result.run_id}", style="dim")
    console().print(text)
