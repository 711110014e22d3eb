"""The state of a destination: the current result, the runs on record, and the active results by date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from msgspec import Struct

from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.forgotten import Forgotten, forgotten_customers, renew_checksums
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.tables import (
    PUBLISHED_STATUSES,
    RUN_COLUMNS,
    UNPUBLISHED_STATUSES,
    Tables,
)


class DestinationState(Struct, frozen=True):
    """Snapshot of a destination.

    Attributes:
        as_of: As-of date of the current result; None if there is no current result.
        customers: Number of customers of the current result.
        records: The runs on record, oldest first.
        tables: The tables that exist: `current`, `history`, `runs`.
    """

    as_of: date | None = None
    customers: int = 0
    records: tuple[RunRecord, ...] = ()
    tables: frozenset[str] = frozenset()

    @property
    def forgotten(self) -> Forgotten:
        """The customers that runs leave out."""
        return forgotten_customers(self.records)

    @property
    def dates(self) -> dict[date, RunRecord]:
        """The active as-of dates, each with the last run that wrote it, in ascending order."""
        return active_results_by_date(self.records)

    @property
    def published_runs(self) -> int:
        """Number of runs that published, restored or removed rows."""
        return sum(record.status not in UNPUBLISHED_STATUSES for record in self.records)


def read_state(destination: Destination) -> DestinationState:
    """Read the state of a destination.

    Raises:
        DestinationError: If tables with these names exist that rfm did not create.
        LockedError: If another process holds the destination for longer than the lock timeout.
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
    """Return the runs on record, oldest first; the runs table has to exist."""
    rows = destination.rows(
        f"SELECT {', '.join(RUN_COLUMNS)} FROM {destination.table('runs')} ORDER BY finished_at, run_id"
    )
    return renew_checksums(map(RunRecord.from_row, rows))


def recorded_sources(destination: Destination) -> list[str]:
    """Return the distinct sources of the runs on record, as users typed them; none without a runs table."""
    if "runs" not in destination.existing_tables():
        return []
    select = f"SELECT DISTINCT source FROM {destination.table('runs')} WHERE source IS NOT NULL"
    return [row["source"] for row in destination.rows(select)]


def tables_of(destination: Destination) -> Tables:
    """Return the SQL identifiers of the tables of a destination."""
    return Tables(**{role: destination.table(role) for role in destination.layout.suffixes})


def active_results_by_date(records: Iterable[RunRecord]) -> dict[date, RunRecord]:
    """Return each as-of date with valid history rows, in ascending order, and the last run that wrote it.

    A rollback to a date deactivates the dates after it until they are published again, and reactivates the
    dates up to it. Dates older than a run's `history_from` have been deleted by retention.
    """
    written: dict[date, RunRecord] = {}
    inactive: set[date] = set()
    for record in sorted(records, key=lambda record: (record.finished_at, record.run_id)):
        day = record.as_of_date
        if day is None or record.status not in PUBLISHED_STATUSES:
            continue
        if record.kind == "rollback":
            inactive = {other for other in written if other > day}
        else:
            written[day] = record
            inactive.discard(day)
        if oldest := record.history_from:
            written = {other: run for other, run in written.items() if other >= oldest}
    return {day: run for day, run in sorted(written.items()) if day not in inactive}


def previous_date(active: Mapping[date, RunRecord], as_of: date) -> date | None:
    """Return the active as-of date before `as_of`; None if there is none."""
    return max((day for day in active if day < as_of), default=None)
