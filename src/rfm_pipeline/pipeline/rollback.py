"""`rfm rollback`: make an earlier result the current one again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.checksums import refuse_edited
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_records import RunStart, new_run_id, now
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.json_values import to_plain
from rfm_pipeline.results.run_history import DestinationState, previous_date, read_state, tables_of
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.statistics import Usage
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.publish import record_sql, restore_sql, unchanged_sql
from rfm_pipeline.warehouse.factory import open_destination


class RolledBack(Struct, frozen=True):
    """The outcome of a rollback.

    Attributes:
        run_id: Id of the rollback, which is on record as a run.
        restored_run_id: Id of the run whose result is the current one again.
        as_of: As-of date of the restored result.
        before: As-of date of the result that was current before the rollback; None if there was none.
        customers, revenue: Totals of the restored result.
        destination: Label of the destination.
        is_checked: Whether a checksum showed that the rows are those that the run published; an earlier
            version of rfm published no checksum.
    """

    run_id: str
    restored_run_id: str
    as_of: date
    before: date | None
    customers: int
    revenue: Decimal
    destination: str
    is_checked: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `rfm rollback --json` prints them."""
        return {
            "status": "published",
            **to_plain(self),
        }


def rollback(configuration: Configuration, run_id: str | None, observer: RunObserver) -> RolledBack:
    """Make an earlier result the current one, and record that, in one transaction.

    The history is not changed; the dates after the restored one become inactive.

    Args:
        configuration: All layers of settings; only the destination is used.
        run_id: Id of the run to restore; None for the run of the active date before the current one.
        observer: Receives the progress.

    Raises:
        UsageError: If the history has no such result.
        LockedError: If another run holds the destination's lease.
    """
    settings = configuration.settings
    start = RunStart(new_run_id(), "rollback")
    observer.begin(start.run_id)
    observer.step("Looking at the history")
    with open_destination(settings, start.run_id) as destination, destination.lease(start.run_id):
        state = read_state(destination)
        target = _target(state, run_id, destination.label)
        assert target.as_of_date is not None  # a result in the history has a date
        if "history" not in state.tables:
            raise _no_rows_error(target)
        customers, revenue = _check_history(destination, target)
        restored = replace(
            target,
            run_id=start.run_id,
            kind=start.kind,
            status="published",
            started_at=start.started_at,
            finished_at=now(),
            restored_run_id=target.run_id,
            usage=Usage(),
            history_from=None,
        )
        observer.step("Publishing")
        tables, dialect = tables_of(destination), dialect_of(destination.engine)
        unchanged = unchanged_sql(tables, start.run_id, state.published_runs, dialect)
        changes = [unchanged, *restore_sql(tables, target.as_of_date, dialect)]
        destination.apply([*changes, *record_sql(tables, restored.to_row(), dialect)], "rollback")
    return RolledBack(
        run_id=start.run_id,
        restored_run_id=target.run_id,
        as_of=target.as_of_date,
        before=state.as_of,
        customers=customers,
        revenue=revenue,
        destination=destination.label,
        is_checked=target.checksum is not None,
    )


def _target(state: DestinationState, run_id: str | None, label: str) -> RunRecord:
    dates, current = state.dates, state.as_of
    if run_id is None:
        before = previous_date(dates, current) if current else None
        if before is None:
            raise UsageError(
                f"{label} has no earlier result to go back to.", "`rfm runs` lists what was published."
            )
        return dates[before]
    target = next((record for record in state.records if record.run_id == run_id), None)
    if target is None:
        raise UsageError(f"{label} has no run {run_id}.", "`rfm runs` lists the runs on record.")
    if not target.is_in_history:
        why = {"rejected": "an audit rejected its result", "calibrated": "it was a calibration"}
        what = (
            "was a rollback itself"
            if target.kind == "rollback"
            else f"published nothing: {why.get(target.status, 'it failed')}"
        )
        raise UsageError(
            f"The run {run_id} {what}.", "name one whose status is published, as `rfm runs` says."
        )
    return target


def _check_history(destination: Destination, target: RunRecord) -> tuple[int, Decimal]:
    """Return the customers and the revenue of the rows that the run wrote.

    Raises:
        UsageError: If the history no longer holds these rows.
    """
    (row,) = destination.rows(
        "SELECT COUNT(*) AS customers, SUM(monetary) AS revenue, MIN(run_id) AS first_run,"
        " MAX(run_id) AS last_run\n"
        f"FROM {destination.table('history')}\n"
        f"WHERE as_of_date = {dialect_of(destination.engine).literal(target.as_of_date or date.min)}"
    )
    if row["customers"] == 0:
        raise _no_rows_error(target)
    if {row["first_run"], row["last_run"]} != {target.run_id}:
        raise UsageError(
            f"The rows of the run {target.run_id} were replaced by those of {row['last_run']}, for the same"
            f" as-of date, {target.as_of_date}.",
            f"go back to that one: rfm rollback {row['last_run']}.",
        )
    refuse_edited(destination, [target])
    if target.checksum is None and row["customers"] != target.customers:
        raise UsageError(
            f"The history has {row['customers']:,} rows as of {target.as_of_date}, and the run"
            f" {target.run_id} wrote {target.customers or 0:,}: the rows were edited.",
            f"compute them again: rfm run --as-of {target.as_of_date}.",
        )
    return row["customers"], Decimal(row["revenue"])


def _no_rows_error(target: RunRecord) -> UsageError:
    return UsageError(
        f"The history has no rows as of {target.as_of_date} any more.",
        f"compute them again: rfm run --as-of {target.as_of_date}.",
    )
