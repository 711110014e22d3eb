"""`rfm movers`: the customers to write to, and the revenue at risk, as of one date compared with another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct

from rfm_pipeline.common.customer_mask import mask_customer
from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.pipeline.compared_dates import ComparedDates, compare_dates
from rfm_pipeline.pipeline.mover_filter import MoverConditions, move_text
from rfm_pipeline.pipeline.output_paths import refuse_recorded_sources
from rfm_pipeline.pipeline.run_records import new_run_id
from rfm_pipeline.pipeline.scoring_rule import rescore_command
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.json_values import money, share
from rfm_pipeline.results.run_history import read_state
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.movers import REASONS, MoverFilter, mover_ids_sql, movers_sql
from rfm_pipeline.warehouse.factory import open_destination


class Mover(Struct, frozen=True):
    """A customer to write to, as of the later date.

    Attributes:
        customer_id: The customer.
        reasons: The reasons that hold, in the order of `sql.movers.REASONS`.
        from_segment: Segment at the earlier date; None for a new customer, and for one whose move has the
            cause `rules`.
        segment: Segment at the later date.
        cause: Cause of the move, as for `rfm transitions`; None if the customer did not move.
        monetary: Money at stake: the monetary value.
        frequency: Number of orders.
        recency_days: Days since the last order.
        first_order_date, last_order_date: Dates of the first and the last order.
    """

    customer_id: str
    reasons: tuple[str, ...]
    from_segment: str | None
    segment: str
    cause: str | None
    monetary: Decimal
    frequency: int
    recency_days: int
    first_order_date: date
    last_order_date: date

    @property
    def mean_gap_days(self) -> float | None:
        """Mean number of days between orders, to one decimal; None without two orders on different days."""
        days = (self.last_order_date - self.first_order_date).days
        return round(days / (self.frequency - 1), 1) if self.frequency > 1 and days else None

    def to_row(self) -> dict[str, Any]:
        """Return the values of the columns of a file, by name."""
        return {
            "customer_id": self.customer_id,
            "reasons": ", ".join(self.reasons),
            "from_segment": self.from_segment,
            "segment": self.segment,
            "cause": self.cause,
            "monetary": self.monetary,
            "frequency": self.frequency,
            "recency_days": self.recency_days,
            "last_order_date": self.last_order_date,
            "mean_gap_days": self.mean_gap_days,
        }


class Group(Struct, frozen=True):
    """Number of customers, and the sum of their monetary values."""

    customers: int = 0
    revenue: Decimal = Decimal(0)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Group:
        """Add up rows with totals."""
        counted = list(rows)
        return cls(
            sum(row["customers"] for row in counted), exact_sum(Decimal(row["monetary"]) for row in counted)
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"customers": self.customers, "revenue": money(self.revenue)}


class Movers(Struct, frozen=True):
    """The movers between two as-of dates, and the revenue at risk at the later one.

    Attributes:
        destination: Label of the destination.
        earlier: The earlier date; None if there is none, so that nobody has moved.
        later: The later date.
        conditions: Which customers were chosen.
        everybody: All customers of the later date.
        at_risk: The customers who are due, of any segment; their monetary value is the revenue at risk.
        chosen: The chosen customers.
        by_reason: The chosen customers by reason; a customer can have several.
        by_rules: Customers whose move would have been chosen, but is due to changed rules.
        listed: The chosen customers with the highest monetary values, highest first.
        unknown_segments: Segments of the earlier map that the later one does not have.
        unchecked: The dates without a checksum, which an earlier version published.
        rescore_command: The command that scores both dates by one rule.
    """

    destination: str
    earlier: date | None
    later: date
    conditions: MoverFilter
    everybody: Group
    at_risk: Group
    chosen: Group
    by_reason: Mapping[str, Group]
    by_rules: int
    listed: tuple[Mover, ...]
    unknown_segments: tuple[str, ...] = ()
    unchecked: tuple[date, ...] = ()
    rescore_command: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `rfm movers --json` prints them; customers are masked."""
        return {
            "destination": self.destination,
            "from": self.earlier.isoformat() if self.earlier else None,
            "to": self.later.isoformat(),
            **self.everybody.to_json(),
            "at_risk": {
                **self.at_risk.to_json(),
                "revenue_share": share(self.at_risk.revenue, self.everybody.revenue),
            },
            "moved": list(map(move_text, self.conditions.moves)),
            "reasons": list(self.conditions.reasons),
            "segments": list(self.conditions.segments),
            "chosen": self.chosen.to_json(),
            "by_reason": {reason: group.to_json() for reason, group in self.by_reason.items()},
            "left_out_by_rules": self.by_rules,
            "unknown_segments": list(self.unknown_segments),
            "unchecked": [day.isoformat() for day in self.unchecked],
            "movers": [_masked(mover) for mover in self.listed],
        }


def _masked(mover: Mover) -> dict[str, Any]:
    return {
        **mover.to_row(),
        "customer_id": mask_customer(mover.customer_id),
        "reasons": list(mover.reasons),
        "monetary": money(mover.monetary),
        "last_order_date": mover.last_order_date.isoformat(),
    }


def movers(
    configuration: Configuration,
    conditions: MoverConditions,
    earlier: date | None = None,
    later: date | None = None,
    *,
    limit: int | None = None,
    output: Path | None = None,
) -> Movers:
    """Find the customers to write to.

    Args:
        configuration: All layers of settings; only the destination is used.
        conditions: Which customers to choose.
        earlier: The earlier date; None for the active date before the later one.
        later: The later date; None for that of the current result.
        limit: Maximum number of listed customers; None for all.
        output: File that the list is going to be written to.

    Raises:
        ConfigurationError: If the output is a source of a run on record.
        UsageError: If a date has no result, its rows were edited, the dates are in the wrong order, or there
            is no such segment.
        RfmError: If the destination can't be read.
    """
    settings = configuration.settings
    with open_destination(settings, new_run_id()) as destination:
        state = read_state(destination)
        refuse_recorded_sources(
            [("output", output)] if output else [], (record.source for record in state.records)
        )
        dates = compare_dates(
            state,
            earlier,
            later,
            destination.label,
            takes_first_date=not conditions.moved,
        )
        with destination.open_for_reading():
            return _find(destination, dates, conditions, limit, settings)


class Audience(Struct, frozen=True):
    """The customers of an audience by movement or reason.

    Attributes:
        movers: The totals of these customers.
        ids_sql: SELECT of their ids.
    """

    movers: Movers
    ids_sql: str


def find_audience(
    destination: Destination, conditions: MoverConditions, earlier: date | None, settings: Settings
) -> Audience:
    """Find the movers of the current result.

    Args:
        destination: The destination.
        conditions: Which customers to choose.
        earlier: The earlier date; None for the active date before that of the current result.
        settings: Settings with the destination.

    Raises:
        RfmError: As for `movers`.
    """
    state = read_state(destination)
    dates = compare_dates(state, earlier, None, destination.label, takes_first_date=not conditions.moved)
    with destination.open_for_reading():
        found = _find(destination, dates, conditions, 1, settings)
    history, dialect = destination.table("history"), dialect_of(destination.engine)
    return Audience(found, mover_ids_sql(history, dates.before, dates.now, found.conditions, dialect))


def _find(
    destination: Destination,
    dates: ComparedDates,
    conditions: MoverConditions,
    limit: int | None,
    settings: Settings,
) -> Movers:
    chosen = conditions.resolve(dates.segments)
    dates.refuse_edited(destination)
    history, dialect = destination.table("history"), dialect_of(destination.engine)
    rows = destination.rows(movers_sql(history, dates.before, dates.now, chosen, dialect, limit=limit))
    totals = [row for row in rows if row["customer_id"] is None]
    matching = [row for row in totals if row["is_chosen"]]
    listed = [_mover(row) for row in rows if row["customer_id"] is not None]
    known = {segment.name for segment in dates.now.segment_map.segments}
    # Customers who are due are chosen however they moved, so that no move is left out.
    is_by_move = chosen.reasons != ("due",) or bool(chosen.moves)
    is_first = dates.before.as_of == dates.now.as_of
    return Movers(
        destination=destination.label,
        earlier=None if is_first else dates.before.as_of,
        later=dates.now.as_of,
        conditions=chosen,
        everybody=Group.of(totals),
        at_risk=Group.of(row for row in totals if row["due"]),
        chosen=Group.of(matching),
        by_reason={reason: Group.of(row for row in matching if row[reason]) for reason in REASONS},
        by_rules=sum(row["customers"] for row in totals if row["by_rules"]) if is_by_move else 0,
        listed=tuple(sorted(listed, key=lambda mover: (-mover.monetary, mover.customer_id))),
        unknown_segments=tuple(name for name in dates.segments if name not in known),
        unchecked=dates.unchecked,
        rescore_command=rescore_command(dates.later.source, settings),
    )


def _mover(row: Mapping[str, Any]) -> Mover:
    reasons: Sequence[str] = [reason for reason in REASONS if row[reason]]
    values = {name: row[name] for name in Mover.__struct_fields__ if name in row}
    return Mover(**values, reasons=tuple(reasons))
