"""Why a customer is in a segment: what was found, for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from rfm_pipeline.explain.published_history import PastSegment, PublishedHistory
from rfm_pipeline.explain.what_if import MoreOrders, NoOrder
from rfm_pipeline.results.run_result import DimensionScores, Excluded, money


class OrderLines(Struct, frozen=True):
    """The lines of an order that share a date and a fate; a single line where there are no orders.

    Attributes:
        order_id: The order; None where it is missing, or no column tells orders apart.
        day: Its date; None where it can't be read.
        lines: How many lines.
        amount: Their money; None where it can't be read.
        reason: Why they did not count; None where they did.
        written: A value that could not be read, as it was written.
    """

    order_id: str | None
    day: date | None
    lines: int
    amount: Decimal | None
    reason: str | None
    written: str | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "order_id": self.order_id,
            "order_date": self.day.isoformat() if self.day else None,
            "lines": self.lines,
            "amount": None if self.amount is None else money(self.amount),
            "counted": self.reason is None,
            "reason": self.reason,
            "written": self.written,
        }


class MatchedRule(Struct, frozen=True):
    """The rule of the segment map that a customer's scores meet first.

    Attributes:
        number: Its place in the map, from 1; None where no rule fits, and the fallback takes the rest.
        conditions: What it asks of the scores, in words: `r 3-4, f 4`.
        description, action: Of its segment.
    """

    number: int | None
    conditions: str
    description: str
    action: str


class Changes(Struct, frozen=True):
    """What would lead to another segment, with the edges held, and all other customers as they are.

    Attributes:
        more_orders: What more orders lead to.
        no_order: What the passing of time leads to, with no order.
        why_none: Why nothing can be promised; None where both are complete.
        until: The last day that is looked at, because of lines that are dated later; None without such lines.
        edges_are_fixed: Whether the edges are configured or frozen, and stay where they are in any run.
    """

    more_orders: tuple[MoreOrders, ...] = ()
    no_order: tuple[NoOrder, ...] = ()
    why_none: str | None = None
    until: date | None = None
    edges_are_fixed: bool = False


class Explanation(Struct, frozen=True):
    """One customer's segment, and what it comes from.

    Attributes:
        row: The customer's row of the result, by column, as a run would publish it.
        source, engine: Where the lines came from, and what computed it.
        dimensions: How each dimension is scored, with its edges.
        fired: The rule.
        lines, amount: The lines that counted, and their money.
        excluded: Those that did not, by reason.
        orders: The newest orders with what became of them.
        left_out: How many there are besides.
        has_order_ids: Whether a column tells orders apart.
        changes: What would lead to another segment.
        config_hash: Changes when a rule changes.
        notes: What a person wants to know of the source.
        past: What was published of the customer.
    """

    row: Mapping[str, Any]
    source: str
    engine: str
    dimensions: tuple[DimensionScores, ...]
    fired: MatchedRule
    lines: int
    amount: Decimal
    excluded: tuple[Excluded, ...]
    orders: tuple[OrderLines, ...]
    left_out: int
    has_order_ids: bool
    changes: Changes
    config_hash: str
    notes: tuple[str, ...] = ()
    past: PublishedHistory = field(default_factory=PublishedHistory)

    @property
    def values(self) -> tuple[int, int, Decimal]:
        """Recency in days, frequency, monetary."""
        return self.row["recency_days"], self.row["frequency"], self.row["monetary"]

    @property
    def scores(self) -> tuple[int, int, int]:
        """The three scores."""
        return self.row["r_score"], self.row["f_score"], self.row["m_score"]

    def to_json(self) -> dict[str, Any]:
        """One object with plain values, as `rfm explain --json` prints it."""
        row = self.row
        return {
            "customer_id": row["customer_id"],
            "as_of": row["as_of_date"].isoformat(),
            "source": self.source,
            "engine": self.engine,
            "config_hash": self.config_hash,
            "segment": row["segment"],
            "rule": {
                "number": self.fired.number,
                "conditions": self.fired.conditions,
                "description": self.fired.description,
                "action": self.fired.action,
            },
            "values": {
                "recency_days": row["recency_days"],
                "frequency": row["frequency"],
                "monetary": money(row["monetary"]),
                "avg_order_value": money(row["avg_order_value"]),
                "first_order_date": row["first_order_date"].isoformat(),
                "last_order_date": row["last_order_date"].isoformat(),
            },
            "scores": {
                "r": row["r_score"],
                "f": row["f_score"],
                "m": row["m_score"],
                "rfm_score": row["rfm_score"],
            },
            "dimensions": [
                _dimension(scores, self.values[place], self.scores[place])
                for place, scores in enumerate(self.dimensions)
            ],
            "lines": {
                "counted": self.lines,
                "amount": money(self.amount),
                "excluded": {
                    excluded.reason: {
                        "lines": excluded.lines,
                        "amount": None if excluded.amount is None else money(excluded.amount),
                        "example": excluded.example,
                    }
                    for excluded in self.excluded
                },
            },
            "orders": [order.to_json() for order in self.orders],
            "orders_left_out": self.left_out,
            "changes": _changes(self.changes, row["avg_order_value"]),
            "published": _past(self.past.current) if self.past.current else None,
            "differences": list(self.past.differences(row, self.config_hash)),
            "history": [_past(segment) for segment in self.past.history],
            "unread": self.past.unread,
        }


def _dimension(scores: DimensionScores, value: Decimal | int, score: int) -> dict[str, Any]:
    is_money = scores.name == "monetary"
    known = [money(edge) if is_money else int(edge) for edge in scores.edges or ()]
    return {
        "dimension": scores.name,
        "method": scores.method,
        "value": money(Decimal(value)) if is_money else value,
        "score": score,
        "bins": len(scores.customers),
        "edges": None if scores.edges is None else known,
        "customers_with_this_score": scores.customers[score - 1],
    }


def _changes(changes: Changes, average: Decimal) -> dict[str, Any]:
    return {
        "edges": "fixed" if changes.edges_are_fixed else "held",
        "why_none": changes.why_none,
        "until": changes.until.isoformat() if changes.until else None,
        "more_orders": [
            {
                "segment": way.segment,
                "orders": way.orders,
                "amount_at_least": money(way.at_least),
                "amount_at_most": None if way.at_most is None else money(way.at_most),
                "by": way.by.isoformat() if way.by else None,
                "is_usual": way.covers(average * way.orders),
            }
            for way in changes.more_orders
        ],
        "no_order": [
            {"segment": change.segment, "as_of": change.on.isoformat()} for change in changes.no_order
        ],
    }


def _past(segment: PastSegment) -> dict[str, Any]:
    return {
        "as_of": segment.as_of.isoformat(),
        "segment": segment.segment,
        "rfm_score": segment.rfm_score,
        "run_id": segment.run_id,
    }
