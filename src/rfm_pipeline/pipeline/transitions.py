"""Who moved from which segment to which between two as-of dates, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from rfm_pipeline.common import formatting
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.scoring import Scoring
from rfm_pipeline.config.segment_map import SegmentMap, SegmentsConfig
from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.run_records import new_run_id
from rfm_pipeline.results.json_values import money
from rfm_pipeline.results.run_history import DestinationState, previous_date, read_state
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.transitions import CAUSES, Scored, transitions_sql
from rfm_pipeline.warehouse.factory import open_destination

_NEAREST = 4


class End(Struct, frozen=True):
    """One of the two dates.

    Attributes:
        as_of: The date.
        run_id: The run that wrote its rows.
        customers: How many there were.
        revenue: What they had spent.
    """

    as_of: date
    run_id: str
    customers: int
    revenue: Decimal

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "as_of": self.as_of.isoformat(),
            "run_id": self.run_id,
            "customers": self.customers,
            "revenue": money(self.revenue),
        }


class Flow(Struct, frozen=True):
    """The customers who went from one segment to another, or stayed in it.

    Attributes:
        earlier: The segment at the earlier date; None for new customers.
        later: The segment at the later date; None for lapsed customers.
        customers: How many.
        revenue_before: What they had spent at the earlier date.
        revenue: What they had spent at the later date.
        causes: Of a move, how many moved for each cause.
    """

    earlier: str | None
    later: str | None
    customers: int
    revenue_before: Decimal
    revenue: Decimal
    causes: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_move(self) -> bool:
        """Whether these customers were there at both dates, in two segments."""
        return self.earlier is not None and self.later is not None and self.earlier != self.later

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
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
        destination: Whose history it is, as a person writes it.
        earlier, later: The two dates.
        segments: The segments in the order of the later map, then those that only the earlier one had.
        flows: From where to where, in the order of the segments; new and lapsed customers last.
    """

    destination: str
    earlier: End
    later: End
    segments: tuple[str, ...]
    flows: tuple[Flow, ...]

    @property
    def moved(self) -> int:
        """How many customers were there at both dates, in two segments."""
        return sum(flow.customers for flow in self.flows if flow.is_move)

    @property
    def new(self) -> int:
        """How many were not there at the earlier date."""
        return sum(flow.customers for flow in self.flows if flow.earlier is None)

    @property
    def lapsed(self) -> int:
        """How many are not there any more at the later date."""
        return sum(flow.customers for flow in self.flows if flow.later is None)

    @property
    def stayed(self) -> int:
        """How many were there at both dates, in one segment."""
        return sum(flow.customers for flow in self.flows if flow.earlier == flow.later)

    @property
    def causes(self) -> dict[str, int]:
        """How many moved for each cause: `time`, `behaviour`, `edges`, `rules`."""
        return {cause: sum(flow.causes.get(cause, 0) for flow in self.flows) for cause in CAUSES}

    def to_json(self) -> dict[str, Any]:
        """One object with plain values, as `rfm transitions --json` prints it."""
        return {
            "destination": self.destination,
            "from": self.earlier.to_json(),
            "to": self.later.to_json(),
            "stayed": self.stayed,
            "moved": self.moved,
            "new": self.new,
            "lapsed": self.lapsed,
            "causes": self.causes,
            "segments": list(self.segments),
            "flows": [flow.to_json() for flow in self.flows],
        }

    def to_csv(self) -> list[list[str]]:
        """The flows as rows of text, below a row of headings."""
        rows = [["from", "to", "customers", "revenue_before", "revenue", *CAUSES]]
        for flow in self.flows:
            causes = [str(flow.causes.get(cause, 0)) if flow.is_move else "" for cause in CAUSES]
            revenue = [money(flow.revenue_before), money(flow.revenue)]
            rows.append([flow.earlier or "", flow.later or "", str(flow.customers), *revenue, *causes])
        return rows


def transitions(
    configuration: Configuration, earlier: date | None = None, later: date | None = None
) -> Transitions:
    """The movements between two as-of dates whose results stand.

    Args:
        configuration: All layers of settings; only the destination's matter.
        earlier: The earlier date; None is the one that stands before the later.
        later: The later date; None is that of the current result.

    Raises:
        UsageError: There is no result of one of them, its rows were changed since, or they are in the wrong
            order.
        RfmError: The destination can't be read.
    """
    with open_destination(configuration.settings, new_run_id()) as destination:
        standing, label = read_state(destination), destination.label
        first, last = _ends(standing, earlier, later, label)
        dialect = dialect_of(destination.engine)
        scored, rescored = _scored(first), _scored(last)
        with destination.open_for_reading():
            rows = destination.rows(transitions_sql(destination.table("history"), scored, rescored, dialect))
    maps = (rescored.segment_map, scored.segment_map)
    order = tuple(dict.fromkeys(segment.name for known in maps for segment in known.segments))
    flows = _flows(rows, order)
    before = _end(first, flows, lambda flow: (flow.earlier, flow.revenue_before))
    now = _end(last, flows, lambda flow: (flow.later, flow.revenue))
    for record, end in ((first, before), (last, now)):
        _check_counted(record, end)
    return Transitions(label, before, now, order, flows)


def _ends(
    standing: DestinationState, earlier: date | None, later: date | None, label: str
) -> tuple[RunRecord, RunRecord]:
    """The runs that wrote the two dates, the earlier one first."""
    dates = standing.dates if "history" in standing.tables else {}
    if not dates:
        raise UsageError(
            f"{label} has no history to compare.", "`rfm run` publishes a result there; --to names it."
        )
    last = later or max(dates)
    first = earlier or previous_date(dates, last)
    if first is None:
        raise UsageError(
            f"{label} has no result before {last} to compare with.",
            "publish another date, or fill the history: rfm backfill --from DATE --to DATE.",
        )
    for day in (first, last):
        if day not in dates:
            near = sorted(sorted(dates, key=lambda known: abs(known - day))[:_NEAREST])
            raise UsageError(
                f"{label} has no result as of {day}.",
                f"the nearest that stand are as of {', '.join(map(str, near))}.",
            )
    if first >= last:
        raise UsageError(
            f"From {first} to {last} is no way forward.",
            "give the earlier date to --from, the later to --to.",
        )
    return dates[first], dates[last]


def _scored(record: RunRecord) -> Scored:
    """How a run scored and segmented, from what is on record of it."""
    assert record.as_of_date is not None  # what stands has a date
    scoring = Scoring.of(_given(record.rules["scoring"]))
    segments = SegmentsConfig.of(_given(record.rules["segments"]))
    return Scored(
        record.as_of_date,
        scoring.dimensions,
        {scores.name: scores.edges for scores in record.edges},
        SegmentMap.from_config(segments, scoring.bins_by_dimension),
    )


def _given(value: Any) -> Any:
    """Plain values without those that were not given, which a configuration leaves out."""
    if isinstance(value, Mapping):
        return {name: _given(one) for name, one in value.items() if one is not None}
    return [_given(one) for one in value] if isinstance(value, list) else value


def _flows(rows: Iterable[Mapping[str, Any]], order: Sequence[str]) -> tuple[Flow, ...]:
    """One flow for each pair of segments, of the rows for each cause."""
    found: dict[tuple[str | None, str | None], Flow] = {}
    for row in rows:
        pair = row["earlier_segment"], row["later_segment"]
        flow = found.get(pair, Flow(*pair, 0, Decimal(0), Decimal(0)))
        causes = {row["cause"]: row["customers"]} if row["cause"] else {}
        found[pair] = Flow(
            *pair,
            flow.customers + row["customers"],
            flow.revenue_before + (row["earlier_monetary"] or 0),
            flow.revenue + (row["later_monetary"] or 0),
            {**flow.causes, **causes},
        )
    places: dict[str | None, int] = {segment: place for place, segment in enumerate(order)}
    # A segment that neither map has is one that somebody wrote into the history.
    last = len(places)
    return tuple(
        found[pair] for pair in sorted(found, key=lambda pair: [places.get(name, last) for name in pair])
    )


def _end(record: RunRecord, flows: Sequence[Flow], told: Callable[[Flow], tuple[str | None, Decimal]]) -> End:
    there = [(flow.customers, told(flow)[1]) for flow in flows if told(flow)[0] is not None]
    assert record.as_of_date is not None  # what stands has a date
    customers = sum(customers for customers, _ in there)
    return End(record.as_of_date, record.run_id, customers, sum((spent for _, spent in there), Decimal(0)))


def _check_counted(record: RunRecord, end: End) -> None:
    """What was counted has to be what the run wrote: no causes are told of rows that somebody made up."""
    statistics = record.statistics
    assert statistics is not None  # an active result has some
    if (end.customers, end.revenue) == (statistics.customers, statistics.revenue):
        return
    found = _in_words(end.customers, end.revenue)
    wrote = _in_words(statistics.customers, statistics.revenue)
    raise UsageError(
        f"The history has {found} as of {end.as_of}, and the run {end.run_id} wrote {wrote}: somebody"
        " changed them.",
        f"compute them again: rfm run --as-of {end.as_of}.",
    )


def _in_words(customers: int, revenue: Decimal) -> str:
    return f"{formatting.format_count(customers, 'customer')} with {formatting.format_amount(revenue)}"
