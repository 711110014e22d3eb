"""`rfm transitions`: movements between segments from one as-of date to another, with their causes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from rfm_pipeline.common import formatting
from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.config.base import SettingsError
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.scoring import Scoring
from rfm_pipeline.config.segment_map import SegmentMap, SegmentsConfig
from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.checksums import refuse_edited
from rfm_pipeline.pipeline.run_records import new_run_id
from rfm_pipeline.results.json_values import money, to_plain
from rfm_pipeline.results.run_history import DestinationState, previous_date, read_state
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.transitions import CAUSES, ScoredSnapshot, transitions_sql
from rfm_pipeline.warehouse.factory import open_destination

_NEAREST = 4
"""How many dates a message lists."""


class DateTotals(Struct, frozen=True):
    """The result of one of the two dates.

    Attributes:
        as_of: The as-of date.
        run_id: Id of the run that wrote its rows.
        customers: Number of customers.
        revenue: Sum of their monetary values.
    """

    as_of: date
    run_id: str
    customers: int
    revenue: Decimal


class Flow(Struct, frozen=True):
    """The customers who moved from one segment to another, or stayed in one.

    Attributes:
        earlier: The segment at the earlier date; None for new customers.
        later: The segment at the later date; None for lapsed customers.
        customers: Number of customers.
        revenue_before: Sum of their monetary values at the earlier date.
        revenue: Sum of their monetary values at the later date.
        causes: Number of movers by cause; empty if the customers did not move.
    """

    earlier: str | None
    later: str | None
    customers: int
    revenue_before: Decimal
    revenue: Decimal
    causes: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_move(self) -> bool:
        """Whether the customers are in the results of both dates, in two segments."""
        return self.earlier is not None and self.later is not None and self.earlier != self.later

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "from": self.earlier,
            "to": self.later,
            "customers": self.customers,
            "revenue_before": money(self.revenue_before),
            "revenue": money(self.revenue),
            "causes": dict(self.causes) if self.is_move else None,
        }


class Transitions(Struct, frozen=True):
    """All movements between two as-of dates. Each customer of either date is in exactly one flow.

    Attributes:
        destination: Label of the destination.
        earlier, later: The results of the two dates.
        segments: The segments of the later map in its order, then those that only the earlier map has.
        flows: The flows in the order of the segments; new and lapsed customers come last.
        unchecked: The dates without a checksum, which an earlier version published.
    """

    destination: str
    earlier: DateTotals
    later: DateTotals
    segments: tuple[str, ...]
    flows: tuple[Flow, ...]
    unchecked: tuple[date, ...] = ()

    @property
    def moved(self) -> int:
        """Number of customers who are in both results, in two segments."""
        return sum(flow.customers for flow in self.flows if flow.is_move)

    @property
    def new(self) -> int:
        """Number of customers who are not in the earlier result."""
        return sum(flow.customers for flow in self.flows if flow.earlier is None)

    @property
    def lapsed(self) -> int:
        """Number of customers who are no longer in the later result."""
        return sum(flow.customers for flow in self.flows if flow.later is None)

    @property
    def stayed(self) -> int:
        """Number of customers who are in both results, in one segment."""
        return sum(flow.customers for flow in self.flows if flow.earlier == flow.later)

    @property
    def causes(self) -> dict[str, int]:
        """Number of movers by cause: `time`, `behaviour`, `edges`, `rules`."""
        return {cause: sum(flow.causes.get(cause, 0) for flow in self.flows) for cause in CAUSES}

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `rfm transitions --json` prints them."""
        return {
            "destination": self.destination,
            "from": to_plain(self.earlier),
            "to": to_plain(self.later),
            "stayed": self.stayed,
            "moved": self.moved,
            "new": self.new,
            "lapsed": self.lapsed,
            "causes": self.causes,
            "segments": list(self.segments),
            "unchecked": to_plain(self.unchecked),
            "flows": [flow.to_json() for flow in self.flows],
        }

    def to_csv(self) -> list[list[str]]:
        """Return the flows as rows of text, the header first."""
        rows = [["from", "to", "customers", "revenue_before", "revenue", *CAUSES]]
        for flow in self.flows:
            causes = [str(flow.causes.get(cause, 0)) if flow.is_move else "" for cause in CAUSES]
            revenue = [money(flow.revenue_before), money(flow.revenue)]
            rows.append([flow.earlier or "", flow.later or "", str(flow.customers), *revenue, *causes])
        return rows


def transitions(
    configuration: Configuration, earlier: date | None = None, later: date | None = None
) -> Transitions:
    """Compare the results of two active as-of dates.

    Args:
        configuration: All layers of settings; only the destination is used.
        earlier: The earlier date; None for the active date before the later one.
        later: The later date; None for that of the current result.

    Raises:
        UsageError: If a date has no result, its rows were edited, or the dates are in the wrong order.
        RfmError: If the destination can't be read.
    """
    with open_destination(configuration.settings, new_run_id()) as destination:
        state, label = read_state(destination), destination.label
        first, last = _records(state, earlier, later, label)
        dialect = dialect_of(destination.engine)
        scored, rescored = _scored_snapshot(first), _scored_snapshot(last)
        with destination.open_for_reading():
            refuse_edited(destination, (first, last))
            rows = destination.rows(transitions_sql(destination.table("history"), scored, rescored, dialect))
    maps = (rescored.segment_map, scored.segment_map)
    order = tuple(dict.fromkeys(segment.name for known in maps for segment in known.segments))
    flows = _flows(rows, order)
    before = _end(first, flows, lambda flow: (flow.earlier, flow.revenue_before))
    now = _end(last, flows, lambda flow: (flow.later, flow.revenue))
    unchecked = []
    for record, end in ((first, before), (last, now)):
        if record.checksum is None:
            _check_counted(record, end)
            unchecked.append(end.as_of)
    return Transitions(label, before, now, order, flows, tuple(unchecked))


def _records(
    state: DestinationState, earlier: date | None, later: date | None, label: str
) -> tuple[RunRecord, RunRecord]:
    """Return the records of the runs that wrote the two dates, the earlier one first."""
    dates = state.dates if "history" in state.tables else {}
    if not dates:
        raise UsageError(
            f"{label} has no history to compare.", "`rfm run` publishes a result there; --to names it."
        )
    last = later or max(dates)
    first = earlier or previous_date(dates, last)
    if first is None:
        raise UsageError(
            f"{label} has no result before {last} to compare with.",
            "publish another date, or fill the history: rfm backfill --from DATE --until DATE.",
        )
    for day in (first, last):
        if day not in dates:
            near = sorted(sorted(dates, key=lambda other: abs(other - day))[:_NEAREST])
            raise UsageError(
                f"{label} has no result as of {day}.",
                f"the nearest dates with a result are {', '.join(map(str, near))}.",
            )
    if first >= last:
        raise UsageError(
            f"--from is {first}, and --until, {last}, is not after it.",
            "give the earlier date to --from, the later date to --until.",
        )
    return dates[first], dates[last]


def _scored_snapshot(record: RunRecord) -> ScoredSnapshot:
    """Return the scoring and the segment map of a run, as its record has them."""
    assert record.as_of_date is not None  # an active result has a date
    try:
        scoring = Scoring.of(_without_none(record.rules["scoring"]))
        segments = SegmentsConfig.of(_without_none(record.rules["segments"]))
    except SettingsError:
        raise UsageError(
            f"The rules of the run {record.run_id}, as of {record.as_of_date}, were recorded by another"
            " version of rfm, and this one can't read them.",
            f"compute the result again: rfm run --as-of {record.as_of_date}.",
        ) from None
    return ScoredSnapshot(
        record.as_of_date,
        scoring.dimensions,
        {scores.name: scores.edges for scores in record.edges},
        SegmentMap.from_config(segments, scoring.bins_by_dimension),
        record.scoring_version if scoring.depends_on_rule else None,
    )


def _without_none(value: Any) -> Any:
    """Return plain values without None: a configuration leaves out settings that are not set."""
    if isinstance(value, Mapping):
        return {name: _without_none(inner) for name, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list) else value


def _flows(rows: Iterable[Mapping[str, Any]], order: Sequence[str]) -> tuple[Flow, ...]:
    """Combine the rows, one per pair of segments and cause, to one flow per pair of segments."""
    flows: dict[tuple[str | None, str | None], Flow] = {}
    for row in rows:
        pair = row["earlier_segment"], row["later_segment"]
        flow = flows.get(pair, Flow(*pair, 0, Decimal(0), Decimal(0)))
        causes = {row["cause"]: row["customers"]} if row["cause"] else {}
        flows[pair] = Flow(
            *pair,
            flow.customers + row["customers"],
            flow.revenue_before + (row["earlier_monetary"] or 0),
            flow.revenue + (row["later_monetary"] or 0),
            {**flow.causes, **causes},
        )
    positions: dict[str | None, int] = {segment: position for position, segment in enumerate(order)}
    # Segments that neither map has were edited into the history.
    last = len(positions)
    return tuple(
        flows[pair] for pair in sorted(flows, key=lambda pair: [positions.get(name, last) for name in pair])
    )


def _end(
    record: RunRecord, flows: Sequence[Flow], side: Callable[[Flow], tuple[str | None, Decimal]]
) -> DateTotals:
    """Add up the flows at one date; `side` returns their segment and revenue at that date."""
    present = [(flow.customers, side(flow)[1]) for flow in flows if side(flow)[0] is not None]
    assert record.as_of_date is not None  # an active result has a date
    customers = sum(customers for customers, _ in present)
    return DateTotals(
        record.as_of_date, record.run_id, customers, exact_sum(revenue for _, revenue in present)
    )


def _check_counted(record: RunRecord, end: DateTotals) -> None:
    """Raise if the history's rows are not those that the run wrote: their causes would be wrong."""
    statistics = record.statistics
    assert statistics is not None  # an active result has some
    if (end.customers, end.revenue) == (statistics.customers, statistics.revenue):
        return
    counted = _totals(end.customers, end.revenue)
    recorded = _totals(statistics.customers, statistics.revenue)
    raise UsageError(
        f"The history has {counted} as of {end.as_of}, and the run {end.run_id} wrote {recorded}: the rows"
        " were edited.",
        f"compute them again: rfm run --as-of {end.as_of}.",
    )


def _totals(customers: int, revenue: Decimal) -> str:
    return f"{formatting.format_count(customers, 'customer')} with {formatting.format_amount(revenue)}"
