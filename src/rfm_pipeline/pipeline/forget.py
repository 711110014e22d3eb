"""`rfm forget`: remove customers from the results, and leave them out of later runs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import date
from typing import Any

from msgspec import Struct

from rfm_pipeline._version import __version__
from rfm_pipeline.common.customer_mask import mask_address
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.checksums import compute_checksums, edited_dates
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_records import RunStart, new_run_id, now
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.forgotten import FORGET, ForgetEntry, Forgotten, forget_rules
from rfm_pipeline.results.json_values import to_plain
from rfm_pipeline.results.run_history import DestinationState, read_state, tables_of
from rfm_pipeline.results.run_record import Checksum, RunRecord
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.forget import are_customers, forget_sql, normalized_ids_sql, rows_of_customers_sql
from rfm_pipeline.sql.publish import record_sql, unchanged_sql
from rfm_pipeline.warehouse.factory import open_destination

_MAX_CUSTOMERS = 1_000
_TABLES = ("current", "history")
"""The tables with rows of customers."""


class Forgot(Struct, frozen=True):
    """The outcome of `rfm forget`, in numbers.

    Attributes:
        run_id: Id of the run that is on record; None of a dry run.
        status: `forgotten`, `undone` or, of a dry run, `checked`.
        destination: Label of the destination.
        customers: Number of customers, each counted once.
        current, history, dates: Rows removed from the current result and from the history, and the number of
            as-of dates of the history that had them.
        kept_results: Number of kept rejected results, which were removed.
        left_out: Number of customers that later runs leave out, these included.
    """

    run_id: str | None
    status: str
    destination: str
    customers: int
    current: int
    history: int
    dates: int
    kept_results: int
    left_out: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `rfm forget --json` prints them."""
        plain: dict[str, Any] = to_plain(self)
        return plain


class _Found(Struct, frozen=True):
    """The rows of the customers at the destination.

    Attributes:
        ids: The customers that occur in a table.
        current, history: Numbers of rows.
        runs: Id of the run that wrote the rows of each as-of date of the history.
    """

    ids: frozenset[str]
    current: int
    history: int
    runs: Mapping[date, str]


def forget(
    configuration: Configuration,
    customers: Sequence[str],
    observer: RunObserver,
    *,
    undo: bool = False,
    dry_run: bool = False,
) -> Forgot:
    """Remove customers from the results in one transaction, with a record by which runs leave them out.

    Args:
        configuration: All layers of settings; only the destination is used.
        customers: Ids of the customers, in any form that a run reads as the id.
        observer: Receives the progress.
        undo: Whether later runs no longer leave the customers out; nothing is removed.
        dry_run: Whether nothing is changed.

    Raises:
        UsageError: If a customer occurs nowhere, or, to undo, was not forgotten.
        LockedError: If another run holds the destination's lease.
    """
    start = RunStart(new_run_id(), FORGET)
    observer.begin(start.run_id)
    observer.step("Looking for the customers")
    with open_destination(configuration.settings, start.run_id) as destination:
        destination.check()
        with nullcontext() if dry_run else destination.lease(start.run_id):
            return _forget(destination, start, customers, observer, undo=undo, dry_run=dry_run)


def _forget(
    destination: Destination,
    start: RunStart,
    customers: Sequence[str],
    observer: RunObserver,
    *,
    undo: bool,
    dry_run: bool,
) -> Forgot:
    dialect = dialect_of(destination.engine)
    with destination.open_for_reading():
        state = read_state(destination)
        if state.tables.isdisjoint(_TABLES):
            raise UsageError(f"{destination.label} has no result.", "--to names another destination.")
        ids = _normalized(destination, customers, dialect)
        found = _Found(frozenset(), 0, 0, {}) if undo else _find(destination, state, list(ids), dialect)
        known = state.forgotten if state.forgotten.salt else Forgotten(secrets.token_hex(16))
        _refuse_unknown(ids, found, known, destination.label, undo=undo)
        renewed = {} if dry_run else _renewed_checksums(destination, state, found, list(ids), dialect)
    hashes = tuple(map(known.hash_of, ids))
    entry = ForgetEntry(
        known.salt, hashes, found.current, found.history, len(found.runs), is_undone=undo, checksums=renewed
    )
    kept_results = 0
    if not dry_run:
        observer.step("Publishing")
        kept_results = 0 if undo else destination.remove_retained(start.run_id)
        _apply(destination, start, state, entry, list(ids))
    left_out = {*known.hashes} - {*hashes} if undo else {*known.hashes, *hashes}
    return Forgot(
        run_id=None if dry_run else start.run_id,
        status="checked" if dry_run else _status(entry),
        destination=destination.label,
        customers=len(ids),
        current=found.current,
        history=found.history,
        dates=len(found.runs),
        kept_results=kept_results,
        left_out=len(left_out),
    )


def _normalized(destination: Destination, customers: Sequence[str], dialect: Dialect) -> dict[str, str]:
    """Return the ids as a run publishes them, each with the text that was given.

    Raises:
        UsageError: If a text is no id, or there are too many.
    """
    if len(customers) > _MAX_CUSTOMERS:
        raise UsageError(
            f"{len(customers):,} customers are too many for one command.",
            f"name up to {_MAX_CUSTOMERS:,} at a time.",
        )
    ids = {}
    for row in destination.rows(normalized_ids_sql(customers, dialect)):
        typed = customers[row["position"]]
        if row["customer_id"] is None:
            raise UsageError(
                f"'{mask_address(typed)}' is no id of a customer.", "name ids as `rfm run` publishes them."
            )
        ids[row["customer_id"]] = typed
    return ids


def _find(destination: Destination, state: DestinationState, ids: Sequence[str], dialect: Dialect) -> _Found:
    current, history = (
        destination.rows(rows_of_customers_sql(destination.table(name), ids, dialect))
        if name in state.tables
        else ()
        for name in _TABLES
    )
    return _Found(
        frozenset(row["customer_id"] for row in (*current, *history)),
        sum(row["customers"] for row in current),
        sum(row["customers"] for row in history),
        {row["as_of_date"]: row["run_id"] for row in history},
    )


def _refuse_unknown(
    ids: Mapping[str, str], found: _Found, known: Forgotten, label: str, *, undo: bool
) -> None:
    """Raise if a customer has no row and is not left out already."""
    for customer_id, typed in ids.items():
        if customer_id in found.ids or known.hash_of(customer_id) in known.hashes:
            continue
        if undo:
            raise UsageError(
                f"The customer '{mask_address(typed)}' was not forgotten at {label}.",
                "name ids as `rfm forget` got them; nothing was changed.",
            )
        raise UsageError(
            f"The customer '{mask_address(typed)}' occurs neither in the current result nor in the history at"
            f" {label}.",
            "name ids as `rfm run` publishes them; nothing was changed.",
        )


def _renewed_checksums(
    destination: Destination,
    state: DestinationState,
    found: _Found,
    ids: Sequence[str],
    dialect: Dialect,
) -> dict[str, Checksum]:
    """Return the checksums of the rows that stay, by run id, of each result that loses rows.

    The checksum of rows that somebody edited before is kept, so that the edit is still found.
    """
    if not found.runs:
        return {}
    records = {record.run_id: record for record in state.records if record.is_in_history}
    touched = [records[run_id] for run_id in found.runs.values() if run_id in records]
    history = destination.table("history")
    edited = edited_dates(destination, touched)
    before = compute_checksums(destination.rows, history, dialect, found.runs)
    condition = f"NOT ({are_customers(ids, dialect)})"
    after = compute_checksums(destination.rows, history, dialect, found.runs, condition)
    return {
        record.run_id: after.get(record.as_of_date, Checksum(0, ""))
        for record in touched
        if record.as_of_date
        and record.as_of_date not in edited
        and (record.checksum or before[record.as_of_date].customers == record.customers)
    }


def _apply(
    destination: Destination, start: RunStart, state: DestinationState, entry: ForgetEntry, ids: Sequence[str]
) -> None:
    tables, dialect = tables_of(destination), dialect_of(destination.engine)
    record = RunRecord(
        run_id=start.run_id,
        kind=start.kind,
        status=_status(entry),
        started_at=start.started_at,
        finished_at=now(),
        engine=destination.engine,
        version=__version__,
        rules=forget_rules(entry),
    )
    deletes = [] if entry.is_undone else forget_sql(tables, ids, dialect)
    unchanged = unchanged_sql(tables, start.run_id, state.published_runs, dialect)
    destination.apply([unchanged, *deletes, *record_sql(tables, record.to_row(), dialect)], FORGET)


def _status(entry: ForgetEntry) -> str:
    return "undone" if entry.is_undone else "forgotten"
