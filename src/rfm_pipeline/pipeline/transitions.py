"""`rfm transitions`: movements between segments from one as-of date to another, with their causes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.pipeline.compared_dates import compare_dates
from rfm_pipeline.pipeline.run_records import new_run_id
from rfm_pipeline.results.json_values import money, to_plain
from rfm_pipeline.results.run_history import read_state
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.transitions import CAUSES, transitions_sql
from rfm_pipeline.warehouse.factory import open_destination


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
        segments: The segments of both maps from best to worst.
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
        label = destination.label
        dates = compare_dates(read_state(destination), earlier, later, label)
        history, dialect = destination.table("history"), dialect_of(destination.engine)
        with destination.open_for_reading():
            dates.refuse_edited(destination)
            rows = destination.rows(transitions_sql(history, dates.before, dates.now, dialect))
    flows = _flows(rows, dates.segments)
    before = _end(dates.earlier, flows, lambda flow: (flow.earlier, flow.revenue_before))
    now = _end(dates.later, flows, lambda flow: (flow.later, flow.revenue))
    return Transitions(label, before, now, dates.segments, flows, dates.unchecked)


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
