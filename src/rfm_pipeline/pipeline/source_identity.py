"""Whether a run reads the source of the current result, or another one that must not replace it by accident.

A source is another one if its kind, the export that it was recognised as, or its mapped columns differ, or if
fewer than one in ten of the customers of the current result occur in it. The name of a file does not matter:
files are named after months and dates.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING

from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config import presets
from rfm_pipeline.config.column_mapping import normalize_name
from rfm_pipeline.config.questions import question_texts
from rfm_pipeline.config.source_location import BigQueryTable, DuckDBTable, SqlFile
from rfm_pipeline.errors import OtherSourceError
from rfm_pipeline.results.run_history import previous_date
from rfm_pipeline.results.run_record import RunRecord, SourceIdentity

if TYPE_CHECKING:
    from rfm_pipeline.pipeline.plan import Plan
    from rfm_pipeline.results.statistics import Excluded

_MIN_CUSTOMERS = 20
"""Results with fewer customers are told apart by their columns only."""
_MIN_SHARE = 10
"""One in this many customers of the current result has to occur in the source."""
_MAX_DIFFERENCES = 3
_KINDS = {
    "files": "files",
    "query": "an SQL query",
    "duckdb": "a DuckDB table",
    "bigquery": "a BigQuery table",
    "frame": "a data frame",
}


def source_identity(plan: Plan) -> SourceIdentity:
    """Return what identifies the source of a plan, as its run is recorded."""
    exports = (name for name in plan.settings.preset if presets.info(name).kind == "source")
    return SourceIdentity(
        kind=_kind(plan),
        export=plan.recognised or ", ".join(exports) or None,
        columns={role: column.name for role, column in plan.mapping.roles().items()},
    )


def _kind(plan: Plan) -> str:
    location = plan.settings.source
    if location is None:
        return "frame"
    if isinstance(location, SqlFile):
        return "query"
    if isinstance(location, DuckDBTable):
        return "duckdb"
    return "bigquery" if isinstance(location, BigQueryTable) else "files"


def refuse_other_columns(plan: Plan) -> None:
    """Raise if kind, export or columns of the source are not those of the source of the current result.

    Raises:
        OtherSourceError: If they differ, unless the plan replaces the source.
    """
    record = _current_record(plan)
    if record is None or record.identity is None or plan.replaces_source:
        return
    if found := differences(record.identity, source_identity(plan)):
        raise _other_source(plan, "; ".join(found[:_MAX_DIFFERENCES]))


def differences(before: SourceIdentity, now: SourceIdentity) -> list[str]:
    """Return how the columns of a source differ from those of another one, one clause each."""
    found = []
    if before.kind != now.kind:
        found.append(
            f"it was read from {_KINDS.get(before.kind, before.kind)}, and now from {_KINDS[now.kind]}"
        )
    if before.export != now.export:
        old, new = (identity.export or "no known export" for identity in (before, now))
        found.append(f"it was recognised as {old}, and now as {new}")
    for role in dict.fromkeys([*before.columns, *now.columns]):
        names = [identity.columns.get(role) for identity in (before, now)]
        if len({name and normalize_name(name) for name in names}) > 1:
            old, new = (f"`{name}`" if name else "no column" for name in names)
            found.append(f"{role} was {old}, and is now {new}")
    return found


def has_other_customers(
    plan: Plan, as_of: date | None, customers: int, excluded: Collection[Excluded]
) -> bool:
    """Return whether fewer than one in ten of the customers of the current result occur in the staged one.

    Customers may be missing from the staged result because a window or an exclusion left out all their lines.
    If there are such lines, the staged customers have to be unknown to the current result too.

    Args:
        plan: The plan, whose result is staged.
        as_of: As-of date of the staged result; None if it is empty.
        customers: Number of customers of the staged result.
        excluded: The lines that were excluded.

    Raises:
        OtherSourceError: If they are other customers, unless the plan replaces the source.
    """
    record, published = _current_record(plan), plan.state.customers
    if record is None or record.identity is None or as_of is None or published < _MIN_CUSTOMERS:
        return False
    assert record.as_of_date is not None  # a current result has a date
    earlier, later = sorted((record.as_of_date, as_of))
    if plan.settings.window and plan.settings.window.first_day(later) > earlier:
        return False  # The windows have no day in common, so the customers may well differ.
    known = _known_customers(plan, as_of)
    is_other = known * _MIN_SHARE < published
    left_out = {"outside_window", "future_dated", "forgotten", *plan.settings.skip, *plan.settings.exclude}
    if any(reason.reason in left_out and reason.lines for reason in excluded):
        is_other = is_other and customers >= _MIN_CUSTOMERS and known * _MIN_SHARE < customers
    if is_other and not plan.replaces_source:
        occurring = format_count(known, "occurs", "occur") if known else "none occurs"
        raise _other_source(
            plan, f"of the {published:,} customers of the current result, {occurring} in this source"
        )
    return is_other


def _known_customers(plan: Plan, as_of: date) -> int:
    """Count the customers of the current result that are in the staged result, whose as-of date is given."""
    destination, staged = plan.warehouse.destination, plan.warehouse.table(StagingTable.RESULT)
    if "history" in plan.state.tables and previous_date(plan.state.dates, as_of) == plan.state.as_of:
        # The staged rows were joined with the current ones already, to find each earlier segment.
        (row,) = plan.warehouse.rows(f"SELECT COUNT(previous_segment) AS customers\nFROM {staged}")
        return int(row["customers"])
    with destination.open_for_reading():
        (row,) = plan.warehouse.rows(
            f"SELECT COUNT(*) AS customers\nFROM {destination.table('current')}\n"
            f"WHERE customer_id IN (SELECT customer_id FROM {staged})"
        )
    return int(row["customers"])


def unrecorded_notes(plan: Plan) -> tuple[str, ...]:
    """Return a note if the run of the current result is not on record; none if it is, or there is none."""
    current = plan.state.as_of
    if current is None or current in plan.state.dates:
        return ()
    if "runs" not in plan.state.tables:
        lost = "customers that `rfm forget` removed are no longer left out"
        return (
            f"the table of the runs is missing: earlier results are not compared with this one, and {lost}",
        )
    return (
        f"the run of the current result, as of {current}, is not on record: it is not compared with this one",
    )


def last_run(plan: Plan, as_of: date | None, *, has_other_customers: bool) -> tuple[RunRecord | None, bool]:
    """Return the run of the newest date up to `as_of`, and whether it read another source.

    Args:
        plan: The plan.
        as_of: As-of date of the staged result; None if it is empty.
        has_other_customers: Whether the staged result has other customers than the current one.
    """
    active = plan.state.dates
    days = [day for day in active if as_of and day <= as_of]
    if not days:
        return None, False
    last = active[max(days)]
    if last.identity is None:
        # Recorded by a version that knew the source by its name only.
        return last, last.source != plan.settings.source_name
    is_current = last.as_of_date == plan.state.as_of
    return last, bool(differences(last.identity, source_identity(plan))) or (
        is_current and has_other_customers
    )


def _current_record(plan: Plan) -> RunRecord | None:
    """Return the run that wrote the current result; None if there is no current result."""
    return plan.state.dates.get(plan.state.as_of) if plan.state.as_of else None


def _other_source(plan: Plan, difference: str) -> OtherSourceError:
    destination = plan.warehouse.destination.label
    return OtherSourceError(*question_texts("other_source", destination=destination, difference=difference))
