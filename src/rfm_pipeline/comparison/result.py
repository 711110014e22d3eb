"""Results of a comparison: customers and money by the segments of both sides, and columns that differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from rfm_pipeline.common.customer_mask import mask_addresses
from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.comparison.agreement import cohens_kappa
from rfm_pipeline.results.json_values import money

NO_SEGMENT = "(no segment)"
"""Name of the customers without a segment."""


class SideTotals(Struct, frozen=True):
    """One side of a comparison.

    Attributes:
        name: Name of the table or of the configuration.
        as_of: The as-of date; None if it is unknown.
        customers: Number of customers.
        revenue: Sum of their monetary values; None if the side has none.
    """

    name: str
    as_of: date | None
    customers: int
    revenue: Decimal | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "name": self.name,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "customers": self.customers,
            "revenue": _money(self.revenue),
        }


class Flow(Struct, frozen=True):
    """The customers who are in one segment on side A, and in one on side B.

    Attributes:
        a: The segment on side A; None for customers who are not there.
        b: The segment on side B, by its name on side A; None for customers who are not there.
        customers: Number of customers.
        revenue_a, revenue_b: Sums of their monetary values on each side; None if the side has none.
    """

    a: str | None
    b: str | None
    customers: int
    revenue_a: Decimal | None = None
    revenue_b: Decimal | None = None

    @property
    def is_both(self) -> bool:
        """Whether the customers are on both sides."""
        return self.a is not None and self.b is not None

    @property
    def is_move(self) -> bool:
        """Whether the customers are on both sides, in segments of two names."""
        return self.is_both and self.a != self.b

    @property
    def revenue(self) -> Decimal | None:
        """The money on side A; that on side B if side A has none, or not these customers."""
        return self.revenue_b if self.revenue_a is None else self.revenue_a

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "a": self.a,
            "b": self.b,
            "customers": self.customers,
            "revenue_a": _money(self.revenue_a),
            "revenue_b": _money(self.revenue_b),
        }


class SegmentComparison(Struct, frozen=True):
    """The result of `rfm compare`. Each customer of either side is in exactly one flow.

    Attributes:
        a, b: The two sides.
        engine: The engine that compared them: `duckdb` or `bigquery`.
        segments: The segments of both sides, as far as their maps are known from best to worst.
        flows: The flows in the order of the segments; customers of one side only come last.
        columns: Number of customers of both sides whose values differ, by column.
        notes: Facts about the sides, one phrase each.
        customers: The customers that were asked for, one row each.
    """

    a: SideTotals
    b: SideTotals
    engine: str
    segments: tuple[str, ...]
    flows: tuple[Flow, ...]
    columns: Mapping[str, int]
    notes: tuple[str, ...] = ()
    customers: tuple[dict[str, Any], ...] = ()

    def __repr__(self) -> str:
        sides = f"{self.a.name} and {self.b.name}"
        return f"<SegmentComparison: {sides}, {self.same:,} of {self.both:,} customers in the same segment>"

    @property
    def both(self) -> int:
        """Number of customers of both sides."""
        return sum(flow.customers for flow in self.flows if flow.is_both)

    @property
    def only_a(self) -> int:
        """Number of customers of side A only."""
        return self.a.customers - self.both

    @property
    def only_b(self) -> int:
        """Number of customers of side B only."""
        return self.b.customers - self.both

    @property
    def same(self) -> int:
        """Number of customers who are in the segment of the same name on both sides."""
        return sum(flow.customers for flow in self.flows if flow.is_both and flow.a == flow.b)

    @property
    def moved(self) -> int:
        """Number of customers who are on both sides, in segments of two names."""
        return self.both - self.same

    @property
    def share(self) -> float | None:
        """The share of the customers of both sides who are in the same segment; None without any."""
        return self.same / self.both if self.both else None

    @property
    def common_segments(self) -> tuple[str, ...]:
        """The names that segments of both sides have."""
        names_b = {flow.b for flow in self.flows}
        names_a = {flow.a for flow in self.flows}
        return tuple(name for name in self.segments if name in names_a & names_b)

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa of the customers of both sides; None if no name occurs on both, or no other one."""
        if not self.common_segments:
            return None
        pairs = {(str(flow.a), str(flow.b)): flow.customers for flow in self.flows if flow.is_both}
        return cohens_kappa(pairs)

    @property
    def is_equal(self) -> bool:
        """Whether both sides have the same customers, in the same segments, with equal values."""
        return self.both == count_customers(self.flows) and not any(self.columns.values())

    def segment_totals(self, name: str) -> tuple[SegmentSide, SegmentSide]:
        """Return the customers and the money of a segment on side A and on side B."""
        on_a = [flow for flow in self.flows if flow.a == name]
        on_b = [flow for flow in self.flows if flow.b == name]
        return (
            SegmentSide(count_customers(on_a), total(flow.revenue_a for flow in on_a)),
            SegmentSide(count_customers(on_b), total(flow.revenue_b for flow in on_b)),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per pair of segments, for a data frame."""
        return [
            {
                "segment_a": flow.a,
                "segment_b": flow.b,
                "customers": flow.customers,
                "revenue_a": flow.revenue_a,
                "revenue_b": flow.revenue_b,
            }
            for flow in self.flows
        ]

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `rfm compare --json` prints them: no customer is named."""
        segments = []
        for name in self.segments:
            on_a, on_b = self.segment_totals(name)
            segments.append({"segment": name, "a": on_a.to_json(), "b": on_b.to_json()})
        return {
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "engine": self.engine,
            "equal": self.is_equal,
            "customers": {"both": self.both, "only_a": self.only_a, "only_b": self.only_b},
            "agreement": {
                "same_segment": self.same,
                "share": self.share,
                "kappa": self.kappa,
                "common_segments": list(self.common_segments),
            },
            "columns": dict(self.columns),
            "segments": segments,
            "flows": [flow.to_json() for flow in self.flows],
            "notes": list(self.notes),
        }

    def to_csv(self) -> list[list[str]]:
        """Return the flows as rows of text, the header first."""
        rows = [["segment_a", "segment_b", "customers", "revenue_a", "revenue_b"]]
        for flow in self.flows:
            revenues = [_money(revenue) or "" for revenue in (flow.revenue_a, flow.revenue_b)]
            rows.append([flow.a or "", flow.b or "", str(flow.customers), *revenues])
        return rows


class SegmentSide(Struct, frozen=True):
    """A segment on one side.

    Attributes:
        customers: Number of customers.
        revenue: Sum of their monetary values; None if the side has none, or no such customer.
    """

    customers: int
    revenue: Decimal | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"customers": self.customers, "revenue": _money(self.revenue)}


def count_customers(flows: Iterable[Flow]) -> int:
    """Return the number of customers of some flows."""
    return sum(flow.customers for flow in flows)


def total(revenues: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum of amounts; None if there is none."""
    known = [revenue for revenue in revenues if revenue is not None]
    return exact_sum(known) if known else None


def combine_flows(
    pairs: Sequence[Mapping[str, Any]], names: Mapping[str, str], order: Sequence[str]
) -> tuple[tuple[Flow, ...], tuple[str, ...]]:
    """Return the flows, and the names of the segments in their order.

    Args:
        pairs: Rows of `pairs_sql`.
        names: Segments of side B that have another name on side A, each with that name.
        order: Known names, each once, in their order; others follow, those with the most money per customer
            first.
    """
    flows: dict[tuple[str | None, str | None], Flow] = {}
    for row in pairs:
        a, b = _shown(row["segment_a"]), _shown(names.get(row["segment_b"], row["segment_b"]))
        flow = Flow(a, b, int(row["customers"]), row["revenue_a"], row["revenue_b"])
        if before := flows.get((a, b)):
            flow = Flow(
                a,
                b,
                before.customers + flow.customers,
                total([before.revenue_a, flow.revenue_a]),
                total([before.revenue_b, flow.revenue_b]),
            )
        flows[a, b] = flow
    sides = [_ordered([(pair[side], flow) for pair, flow in flows.items()], side, order) for side in (0, 1)]
    last = {name: len(order) for name in (*sides[0], *sides[1])}
    positions = {**last, **{name: position for position, name in enumerate(order)}}
    segments = tuple(sorted(last, key=lambda name: positions[name]))
    place: dict[str | None, int] = {name: number for number, name in enumerate(segments)}
    place[None] = len(place)
    ordered = sorted(flows, key=lambda pair: (None in pair, place[pair[0]], place[pair[1]]))
    return tuple(flows[pair] for pair in ordered), segments


def _ordered(flows: Sequence[tuple[str | None, Flow]], side: int, order: Sequence[str]) -> list[str]:
    """Return the segments of a side: those of a known order, then those with the most money per customer."""
    positions = {name: position for position, name in enumerate(dict.fromkeys(order))}
    keys: dict[str, tuple[int, Decimal]] = {}
    for name in {name for name, _ in flows if name is not None}:
        members = [flow for other, flow in flows if other == name]
        revenue = total(flow.revenue_b if side else flow.revenue_a for flow in members) or Decimal(0)
        keys[name] = (positions.get(name, len(positions)), -revenue / count_customers(members))
    return sorted(keys, key=lambda name: (keys[name], name))


def _shown(segment: str | None) -> str | None:
    """Return the name of a segment: any text of another program's table, but no address of a customer."""
    return NO_SEGMENT if segment == "" else segment and mask_addresses(segment)


def _money(revenue: Decimal | None) -> str | None:
    return None if revenue is None else money(revenue)
