"""Checksums of the history: whether the rows of an as-of date are those that a run published."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.errors import UsageError
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.run_history import DestinationState
from rfm_pipeline.results.run_record import Checksum, RunRecord
from rfm_pipeline.sql.checksums import checksums_sql
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.dialects.registry import dialect_of


def compute_checksums(
    rows: Callable[[str], Sequence[Mapping[str, Any]]],
    table: str,
    dialect: Dialect,
    days: Collection[date] = (),
    condition: str = "",
) -> dict[date, Checksum]:
    """Compute the checksum of each as-of date of a table.

    Args:
        rows: Function that runs a SELECT.
        table: A table with the columns of the published result.
        dialect: The SQL dialect of the engine.
        days: As for `checksums_sql`.
        condition: As for `checksums_sql`.
    """
    select = checksums_sql(table, dialect, days, condition)
    return {row["as_of_date"]: Checksum(row["customers"], row["checksum"]) for row in rows(select)}


def edited_dates(
    destination: Destination, records: Iterable[RunRecord], table: str = "history"
) -> dict[date, str]:
    """Return the as-of dates whose rows were edited, each with a sentence that says so.

    Results without a checksum, which an earlier version published, are not checked.

    Args:
        destination: The destination.
        records: Runs that wrote the rows of an as-of date each.
        table: The existing table that has the rows: `history` or `current`.
    """
    checked = {
        record.as_of_date: (record.run_id, record.checksum)
        for record in records
        if record.as_of_date and record.checksum
    }
    if not checked:
        return {}
    dialect = dialect_of(destination.engine)
    found = compute_checksums(destination.rows, destination.table(table), dialect, checked)
    name = {"history": "history", "current": "current result"}[table]
    edited = {}
    for day, (run_id, before) in checked.items():
        now = found.get(day, Checksum(0, ""))
        if now.customers != before.customers:
            edited[day] = (
                f"The {name} has {format_count(now.customers, 'row')} as of {day}, and the run {run_id}"
                f" wrote {before.customers:,}: the rows were edited."
            )
        elif now.rows != before.rows:
            edited[day] = (
                f"The checksum of the {name}'s {format_count(now.customers, 'row')} as of {day} is not that"
                f" of the run {run_id}: the rows were edited."
            )
    return edited


def refuse_edited(destination: Destination, records: Iterable[RunRecord]) -> None:
    """Raise if somebody edited the history's rows of a run.

    Args:
        destination: The destination, whose history exists.
        records: Runs that wrote the rows of an as-of date each.

    Raises:
        UsageError: If the rows of a date are not those that its run published.
    """
    _refuse(edited_dates(destination, records))


def edited_results(
    destination: Destination, state: DestinationState, days: Iterable[date]
) -> dict[date, str]:
    """Return the active as-of dates whose rows readers see edited: in the current result or in the history.

    Args:
        destination: The destination.
        state: Its state.
        days: Active as-of dates.
    """
    records = {day: state.dates[day] for day in days}
    current = [record for day, record in records.items() if day == state.as_of]
    others = [record for day, record in records.items() if day != state.as_of]
    found = edited_dates(destination, current, "current") if "current" in state.tables else {}
    return found | (edited_dates(destination, others) if "history" in state.tables else {})


def refuse_edited_results(destination: Destination, state: DestinationState, days: Iterable[date]) -> None:
    """Raise if somebody edited the rows of active as-of dates, in the current result or in the history.

    Args:
        destination: The destination.
        state: Its state.
        days: Active as-of dates.

    Raises:
        UsageError: If the rows of a date are not those that its run published.
    """
    _refuse(edited_results(destination, state, days))


def _refuse(edited: Mapping[date, str]) -> None:
    for day, sentence in edited.items():
        raise UsageError(sentence, f"compute them again: rfm run --as-of {day}.")
