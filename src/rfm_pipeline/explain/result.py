"""The explanation of one customer's segment, and its JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from rfm_pipeline.config.day_conditions import Rhythm
from rfm_pipeline.explain.published_history import PublishedHistory
from rfm_pipeline.explain.what_if import MoreOrders, NoOrder
from rfm_pipeline.results.json_values import plain_edges, to_plain
from rfm_pipeline.results.statistics import DimensionScores, Excluded


class OrderLines(Struct, frozen=True):
    """The lines of one order with the same date and exclusion reason; a single line without order ids.

    Attributes:
        order_id: Id of the order; None if it is missing or the source has no order ids.
        day: Order date; None if it can't be read.
        lines: Number of lines.
        amount: Sum of their amounts; None if no amount can be read.
        reason: Why the lines were excluded; None if they counted.
        written: A value that can't be read, as written in the source; None if all can.
    """

    order_id: str | None
    day: date | None
    lines: int
    amount: Decimal | None
    reason: str | None
    written: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the values by JSON key."""
        return {
            "order_id": self.order_id,
            "order_date": self.day,
            "lines": self.lines,
            "amount": self.amount,
            "counted": self.reason is None,
            "reason": self.reason,
            "written": self.written,
        }


class MatchedRule(Struct, frozen=True):
    """The first rule of the segment map that matches a customer's scores.

    Attributes:
        number: Position of the rule in the map, from 1; None if the fallback applies.
        conditions: Conditions of the rule on the scores, such as `r 3-4, f 4`.
        description, action: Description and recommended action of the segment.
    """

    number: int | None
    conditions: str
    description: str
    action: str


class Changes(Struct, frozen=True):
    """What would lead to another segment if the edges and all other customers stay the same.

    Attributes:
        more_orders: Segments reached by further orders.
        no_order: Segments reached without any further order, by date.
        why_none: Why no prediction is possible; None if both lists are complete.
        until: Last day of the predictions, because later-dated lines exist; None without such lines.
        edges_are_fixed: Whether the edges are configured or frozen, so that later runs use the same ones.
    """

    more_orders: tuple[MoreOrders, ...] = ()
    no_order: tuple[NoOrder, ...] = ()
    why_none: str | None = None
    until: date | None = None
    edges_are_fixed: bool = False


class Explanation(Struct, frozen=True):
    """One customer's segment, and how it was derived.

    Attributes:
        row: The customer's row of the result by column, as a run would publish it.
        source: Name of the source, shown to users.
        engine: `duckdb` or `bigquery`.
        dimensions: How recency, frequency and monetary are scored, with their edges.
        matched_rule: The rule that gives the segment.
        counted_lines: Number of lines that counted.
        counted_amount: Sum of their amounts.
        excluded: The other lines by reason.
        orders: The newest orders, counted or not.
        omitted_orders: Number of further rows that `orders` leaves out.
        has_order_ids: Whether the source has order ids.
        changes: What would lead to another segment.
        config_hash: Hash of the rules.
        notes: Remarks on the source, one sentence each.
        published: The customer's published results.
        rhythm: The customer's days; None if the segment map has no conditions on days.
    """

    row: Mapping[str, Any]
    source: str
    engine: str
    dimensions: tuple[DimensionScores, ...]
    matched_rule: MatchedRule
    counted_lines: int
    counted_amount: Decimal
    excluded: tuple[Excluded, ...]
    orders: tuple[OrderLines, ...]
    omitted_orders: int
    has_order_ids: bool
    changes: Changes
    config_hash: str
    notes: tuple[str, ...] = ()
    published: PublishedHistory = field(default_factory=PublishedHistory)
    rhythm: Rhythm | None = None

    @property
    def values(self) -> tuple[int, int, Decimal]:
        """Recency in days, frequency, and monetary value."""
        return self.row["recency_days"], self.row["frequency"], self.row["monetary"]

    @property
    def scores(self) -> tuple[int, int, int]:
        """Recency, frequency and monetary score."""
        return self.row["r_score"], self.row["f_score"], self.row["m_score"]

    def to_json(self) -> dict[str, Any]:
        """Return the object that `rfm explain --json` prints, in plain values."""
        row = self.row
        explanation = {
            "customer_id": row["customer_id"],
            "as_of": row["as_of_date"],
            "source": self.source,
            "engine": self.engine,
            "config_hash": self.config_hash,
            "segment": row["segment"],
            "rule": self.matched_rule,
            "values": {
                "recency_days": row["recency_days"],
                "frequency": row["frequency"],
                "monetary": row["monetary"],
                "avg_order_value": row["avg_order_value"],
                "first_order_date": row["first_order_date"],
                "last_order_date": row["last_order_date"],
                **_days(self.rhythm),
            },
            "scores": {
                "r": row["r_score"],
                "f": row["f_score"],
                "m": row["m_score"],
                "rfm_score": row["rfm_score"],
            },
            "dimensions": [
                _dimension(scores, self.values[index], self.scores[index])
                for index, scores in enumerate(self.dimensions)
            ],
            "lines": {
                "counted": self.counted_lines,
                "amount": self.counted_amount,
                "excluded": {
                    excluded.reason: {
                        "lines": excluded.lines,
                        "amount": excluded.amount,
                        "example": excluded.example,
                    }
                    for excluded in self.excluded
                },
            },
            "orders": [order.to_json() for order in self.orders],
            "orders_left_out": self.omitted_orders,
            "changes": _changes(self.changes, row["avg_order_value"]),
            "published": self.published.current,
            "differences": list(self.published.differences(row, self.config_hash)),
            "history": self.published.history,
            "unread": self.published.read_error,
        }
        plain: dict[str, Any] = to_plain(explanation)
        return plain


def _days(rhythm: Rhythm | None) -> dict[str, Any]:
    """Return the values that conditions on days test; none if the segment map has no such conditions."""
    if rhythm is None:
        return {}
    gap = rhythm.gap
    return {
        "first_order_days": rhythm.first_order_days,
        "median_gap_days": None if rhythm.twice_median_gap is None else rhythm.twice_median_gap / 2,
        "gap": None if gap is None else round(float(gap), 4),
    }


def _dimension(scores: DimensionScores, value: Decimal | int, score: int) -> dict[str, Any]:
    return {
        "dimension": scores.name,
        "method": scores.method,
        "value": value,
        "score": score,
        "bins": len(scores.customers),
        "edges": plain_edges(scores.name, scores.edges),
        "customers_with_this_score": scores.customers[score - 1],
    }


def _changes(changes: Changes, average: Decimal) -> dict[str, Any]:
    return {
        "edges": "fixed" if changes.edges_are_fixed else "held",
        "why_none": changes.why_none,
        "until": changes.until,
        "more_orders": [
            {
                "segment": way.segment,
                "orders": way.orders,
                "amount_at_least": way.min_amount,
                "amount_at_most": way.max_amount,
                "by": way.last_day,
                "is_usual": way.covers(average * way.orders),
            }
            for way in changes.more_orders
        ],
        "no_order": changes.no_order,
    }
