"""Going back: an earlier result becomes the current one again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_records import RunStart, new_run_id, now
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.json_values import money
from rfm_pipeline.results.run_history import DestinationState, previous_date, read_state, tables_of
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.statistics import Usage
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.publish import record_sql, restore_sql
from rfm_pipeline.warehouse.factory import open_destination


class RolledBack(Struct, frozen=True):
    """What a rollback did.

    Attributes:
        run_id: The rollback itself, as it is on record.
        restored_run_id: The run whose result is the current one again.
        as_of: Its as-of date.
        before: The as-of date of what was the current result.
        customers, revenue: What it has.
        destination: Where, as a person writes it.
    """

    run_id: str
    restored_run_id: str
    as_of: date
    before: date | None
    customers: int
    revenue: Decimal
    destination: str

    def to_json(self) -> dict[str, Any]:
        """One object with plain values, as `rfm rollback --json` prints it."""
        return {
            "run_id": self.run_id,
            "status": "published",
            "restored_run_id": self.restored_run_id,
            "as_of": self.as_of.isoformat(),
            "before": self.before.isoformat() if self.before else None,
            "customers": self.customers,
            "revenue": money(self.revenue),
            "destination": self.destination,
        }


def rollback(configuration: Configuration, wanted: str | None, watcher: RunObserver) -> RolledBack:
    """Makes an earlier result the current one, in one transaction, and puts that on record.

    The history stays as it is; dates after the one that is gone back to don't stand any more.

    Args:
        configuration: All layers of settings; only the destination's matter.
        wanted: The run whose result it is to be; None is that of the as-of date before the current one.
        watcher: Told what is going on.

    Raises:
        UsageError: There is no such result in the history.
        LockedError: A run is at work on the destination.
    """
    settings = configuration.settings
    begun = RunStart(new_run_id(), "rollback")
    watcher.begin(begun.run_id)
    watcher.step("Looking at the history")
    with open_destination(settings, begun.run_id) as destination, destination.lease(begun.run_id):
        standing = read_state(destination)
        target = _target(standing, wanted, destination.label)
        assert target.as_of_date is not None  # what is in the history has a date
        _check_history(destination, target)
        restored = replace(
            target,
            run_id=begun.run_id,
            kind=begun.kind,
            status="published",
            started_at=begun.started_at,
            finished_at=now(),
            restored_run_id=target.run_id,
            usage=Usage(),
            history_from=None,
        )
        watcher.step("Publishing")
        tables, dialect = tables_of(destination), dialect_of(destination.engine)
        changes = restore_sql(tables, target.as_of_date, dialect)
        destination.apply([*changes, *record_sql(tables, restored.to_row(), dialect)], "rollback")
    return RolledBack(
        run_id=begun.run_id,
        restored_run_id=target.run_id,
        as_of=target.as_of_date,
        before=standing.as_of,
        customers=target.customers or 0,
        revenue=target.statistics.revenue if target.statistics else Decimal(0),
        destination=destination.label,
    )


def _target(standing: DestinationState, wanted: str | None, label: str) -> RunRecord:
    dates, current = standing.dates, standing.as_of
    if wanted is None:
        before = previous_date(dates, current) if current else None
        if before is None:
            raise UsageError(
                f"{label} has no earlier result to go back to.", "`rfm runs` lists what was published."
            )
        return dates[before]
    found = next((record for record in standing.records if record.run_id == wanted), None)
    if found is None:
        raise UsageError(f"{label} knows of no run {wanted}.", "`rfm runs` lists the runs on record.")
    if not found.is_in_history:
        why = {"rejected": "an audit refused it", "calibrated": "it was a calibration"}
        what = (
            "was a rollback itself"
            if found.kind == "rollback"
            else f"published nothing: {why.get(found.status, 'it failed')}"
        )
        raise UsageError(
            f"The run {wanted} {what}.", "name one whose status is published, as `rfm runs` says."
        )
    return found


def _check_history(destination: Destination, target: RunRecord) -> None:
    """The rows have to be there, and to be the run's own."""
    (row,) = destination.rows(
        f"SELECT COUNT(*) AS customers, MIN(run_id) AS first_run, MAX(run_id) AS last_run\n"
        f"FROM {destination.table('history')}\n"
        f"WHERE as_of_date = {dialect_of(destination.engine).literal(target.as_of_date or date.min)}"
    )
    if row["customers"] == 0:
        raise UsageError(
            f"The history has no rows as of {target.as_of_date} any more.",
            f"compute them again: rfm run --as-of {target.as_of_date}.",
        )
    if {row["first_run"], row["last_run"]} != {target.run_id}:
        raise UsageError(
            f"The rows of the run {target.run_id} were replaced by those of {row['last_run']}, for the same"
            f" as-of date, {target.as_of_date}.",
            f"go back to that one: rfm rollback {row['last_run']}.",
        )
    if row["customers"] != target.customers:
        raise UsageError(
            f"The history has {row['customers']:,} rows as of {target.as_of_date}, and the run"
            f" {target.run_id} wrote {target.customers or 0:,}: somebody changed them.",
            f"compute them again: rfm run --as-of {target.as_of_date}.",
        )
