"""The two as-of dates that `rfm transitions` and `rfm movers` compare: their runs, scoring and checksums."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct

from rfm_pipeline.common import formatting
from rfm_pipeline.common.merged_order import merge_orders
from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.checksums import refuse_edited
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.run_history import DestinationState, previous_date
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.scored_snapshot import scored_snapshot
from rfm_pipeline.sql.transitions import ScoredSnapshot

_NEAREST = 4
"""How many dates a message lists."""


class ComparedDates(Struct, frozen=True):
    """Two active as-of dates of a history.

    Attributes:
        earlier, later: Records of the runs that wrote the rows of the two dates.
        before, now: Scoring and segment map of the earlier and of the later date.
    """

    earlier: RunRecord
    later: RunRecord
    before: ScoredSnapshot
    now: ScoredSnapshot

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments of both maps from best to worst; those of the later map have its order."""
        now, before = self.now.segment_map, self.before.segment_map
        return merge_orders(*([segment.name for segment in known.segments] for known in (now, before)))

    @property
    def unchecked(self) -> tuple[date, ...]:
        """The dates without a checksum, which an earlier version published."""
        ends = ((self.earlier, self.before), (self.later, self.now))
        return tuple(scored.as_of for record, scored in ends if record.checksum is None)

    def refuse_edited(self, destination: Destination) -> None:
        """Raise if somebody edited the history's rows of a date.

        Of dates without a checksum, the number of customers and their revenue are compared.

        Raises:
            UsageError: If the rows of a date are not those that its run wrote.
        """
        refuse_edited(destination, (self.earlier, self.later))
        if not self.unchecked:
            return
        dialect = dialect_of(destination.engine)
        totals = {
            row["as_of_date"]: (row["customers"], Decimal(row["revenue"]))
            for row in destination.rows(
                "SELECT as_of_date, COUNT(*) AS customers, SUM(monetary) AS revenue"
                f" FROM {destination.table('history')}"
                f" WHERE as_of_date IN ({', '.join(map(dialect.literal, self.unchecked))})"
                " GROUP BY as_of_date"
            )
        }
        for record in (self.earlier, self.later):
            if record.checksum is None and record.as_of_date is not None:
                _refuse_other_totals(record, *totals.get(record.as_of_date, (0, Decimal(0))))


def compare_dates(
    state: DestinationState,
    earlier: date | None,
    later: date | None,
    label: str,
    *,
    takes_first_date: bool = False,
) -> ComparedDates:
    """Choose two active as-of dates.

    Args:
        state: State of the destination.
        earlier: The earlier date; None for the active date before the later one.
        later: The later date; None for that of the current result.
        label: Label of the destination, for messages.
        takes_first_date: Whether a date without an earlier one is compared with itself.

    Raises:
        UsageError: If a date has no result, or the dates are in the wrong order.
    """
    dates = state.dates if "history" in state.tables else {}
    if not dates:
        raise UsageError(
            f"{label} has no history to compare.", "`rfm run` publishes a result there; --to names it."
        )
    last = later or max(dates)
    first = earlier or previous_date(dates, last) or (last if takes_first_date else None)
    if first is None:
        raise UsageError(
            f"{label} has no result before {last} to compare with.",
            "publish another date, or fill the history: rfm backfill SOURCE --from DATE --until DATE.",
        )
    for day in (first, last):
        if day not in dates:
            near = sorted(sorted(dates, key=lambda other: abs(other - day))[:_NEAREST])
            raise UsageError(
                f"{label} has no result as of {day}.",
                f"the nearest dates with a result are {', '.join(map(str, near))}.",
            )
    if earlier and first >= last:
        raise UsageError(
            f"--from is {first}, which is not before the later date, {last}.",
            f"give --from a date before {last}.",
        )
    before, now = dates[first], dates[last]
    return ComparedDates(before, now, scored_snapshot(before), scored_snapshot(now))


def _refuse_other_totals(record: RunRecord, customers: int, revenue: Decimal) -> None:
    statistics = record.statistics
    assert statistics is not None  # an active result has some
    if (customers, revenue) == (statistics.customers, statistics.revenue):
        return
    counted = _totals(customers, revenue)
    recorded = _totals(statistics.customers, statistics.revenue)
    raise UsageError(
        f"The history has {counted} as of {record.as_of_date}, and the run {record.run_id} wrote {recorded}:"
        " the rows were edited.",
        f"compute them again: rfm run --as-of {record.as_of_date}.",
    )


def _totals(customers: int, revenue: Decimal) -> str:
    return f"{formatting.format_count(customers, 'customer')} with {formatting.format_amount(revenue)}"
