"""The record of runs: what each did, and which results stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from msgspec import Struct

from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.tables import RUN_COLUMNS, Tables


class DestinationState(Struct, frozen=True):
    """What stands at a destination.

    Attributes:
        as_of: The as-of date of the current result; None where there is none.
        customers: How many customers it has.
        records: The runs on record, the oldest first.
        tables: Which of the three tables there are.
    """

    as_of: date | None = None
    customers: int = 0
    records: tuple[RunRecord, ...] = ()
    tables: frozenset[str] = frozenset()

    @property
    def dates(self) -> dict[date, RunRecord]:
        """As `active_results_by_date` of its records."""
        return active_results_by_date(self.records)


def read_state(destination: Destination) -> DestinationState:
    """Looks up what stands at a destination.

    Raises:
        DestinationError: There are tables of these names, and they are not ours.
        LockedError: Another process holds the destination, and went on holding it.
    """
    with destination.open_for_reading():
        tables = destination.existing_tables()
        records = read_records(destination) if "runs" in tables else ()
        if "current" not in tables:
            return DestinationState(records=records, tables=tables)
        (row,) = destination.rows(
            f"SELECT MAX(as_of_date) AS as_of_date, COUNT(*) AS customers FROM {destination.table('current')}"
        )
    return DestinationState(row["as_of_date"], row["customers"], records, tables)


def read_records(destination: Destination) -> tuple[RunRecord, ...]:
    """The runs on record, the oldest first; the table has to be there."""
    rows = destination.rows(
        f"SELECT {', '.join(RUN_COLUMNS)} FROM {destination.table('runs')} ORDER BY finished_at, run_id"
    )
    return tuple(map(RunRecord.from_row, rows))


def tables_of(destination: Destination) -> Tables:
    """The tables of a destination, as they stand behind FROM."""
    return Tables(*(destination.table(name) for name in ("current", "history", "runs")))


def active_results_by_date(records: Iterable[RunRecord]) -> dict[date, RunRecord]:
    """The as-of dates whose results stand, in order, each with the run that wrote it last.

    A rollback withdraws the dates after the one that it goes back to, and brings back those up to it. What is
    withdrawn stays in the history, and stands again once it is published again; what retention has dropped is
    gone.
    """
    written: dict[date, RunRecord] = {}
    withdrawn: set[date] = set()
    for record in sorted(records, key=lambda record: (record.finished_at, record.run_id)):
        day = record.as_of_date
        if day is None or record.status not in {"published", "history_only"}:
            continue
        if record.kind == "rollback":
            withdrawn = {other for other in written if other > day}
        else:
            written[day] = record
            withdrawn.discard(day)
        if oldest := record.history_from:
            written = {other: run for other, run in written.items() if other >= oldest}
    return {day: run for day, run in sorted(written.items()) if day not in withdrawn}


def previous_date(standing: Mapping[date, RunRecord], as_of: date) -> date | None:
    """The standing as-of date before another; None where there is none."""
    return max((day for day in standing if day < as_of), default=None)
