"""The data of a report, filtered by one segment or not at all."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property

from msgspec import Struct

from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.config.segment_map import Segment
from rfm_pipeline.report.charts.svg import SEGMENT_COLOURS
from rfm_pipeline.report.data import CustomerGroup, ReportData, SegmentMove, TopCustomer, ValueGroup


class SegmentTotals(Struct, frozen=True):
    """Totals over a set of customers.

    Attributes:
        customers, orders: Number of customers and of their orders.
        revenue: Sum of their monetary values.
        recency_days: Sum of their days since the last order.
        scores: Sums of their recency, frequency and monetary scores.
        due: Number of customers who are due.
        revenue_at_risk: Sum of the monetary values of the customers who are due.
    """

    customers: int = 0
    orders: int = 0
    revenue: Decimal = Decimal(0)
    recency_days: int = 0
    scores: tuple[int, int, int] = (0, 0, 0)
    due: int = 0
    revenue_at_risk: Decimal = Decimal(0)

    @classmethod
    def of(cls, groups: list[CustomerGroup]) -> SegmentTotals:
        """Add up groups of customers."""
        return cls(
            sum(group.customers for group in groups),
            sum(group.orders for group in groups),
            exact_sum(group.revenue for group in groups),
            sum(group.recency_days for group in groups),
            (
                sum(group.r * group.customers for group in groups),
                sum(group.f * group.customers for group in groups),
                sum(group.m * group.customers for group in groups),
            ),
            sum(group.due for group in groups),
            exact_sum(group.revenue_at_risk for group in groups),
        )

    def mean_score(self, dimension: int) -> float:
        """Return the mean recency (0), frequency (1) or monetary (2) score; 0 without customers."""
        return self.scores[dimension] / self.customers if self.customers else 0.0


class SegmentView(Struct, frozen=True, dict=True):
    """The data of a report, filtered by a segment.

    Attributes:
        data: Data of the whole report.
        segment: Name of the segment; None for all customers.
    """

    data: ReportData
    segment: str | None = None

    def includes(self, segment: str | None) -> bool:
        """Return whether the view includes the customers of a segment."""
        return self.segment is None or segment == self.segment

    @property
    def title(self) -> str:
        """Title of the view: the segment's name, or 'All customers'."""
        return self.segment or "All customers"

    @cached_property
    def score_groups(self) -> list[CustomerGroup]:
        """The groups of customers in the view."""
        return [group for group in self.data.score_groups if self.includes(group.segment)]

    @cached_property
    def totals(self) -> SegmentTotals:
        """Totals over the customers in the view."""
        return SegmentTotals.of(self.score_groups)

    @cached_property
    def totals_by_segment(self) -> dict[str, SegmentTotals]:
        """Totals of every segment, in the view or not, from best to worst."""
        groups: dict[str, list[CustomerGroup]] = {segment.name: [] for segment in self.data.segments}
        for group in self.data.score_groups:
            groups[group.segment].append(group)
        return {name: SegmentTotals.of(members) for name, members in groups.items()}

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {segment.name: index for index, segment in enumerate(self.data.segments)}

    def position(self, segment: str | None) -> int | None:
        """Return the position of a segment, 0 for the best; None if the result's map does not have it."""
        return self._positions.get(segment) if segment is not None else None

    def colour_class(self, segment: str) -> str:
        """Return the CSS class of a segment's colour; that of other segments if the view is filtered."""
        position = self.position(segment)
        if position is None or not self.includes(segment):
            return "off"
        last = len(self.data.segments) - 1
        # More segments than colours share the colours of their neighbours.
        steps = max(last, SEGMENT_COLOURS - 1)
        return f"s{round(position * (SEGMENT_COLOURS - 1) / (last if last >= SEGMENT_COLOURS else steps))}"

    @property
    def segments(self) -> list[Segment]:
        """The segments in the view, from best to worst."""
        return [segment for segment in self.data.segments if self.includes(segment.name)]

    def values(self, dimension: str) -> list[ValueGroup]:
        """Return the distribution of a dimension's values over the customers in the view."""
        return [
            value
            for value in self.data.values
            if value.dimension == dimension and self.includes(value.segment)
        ]

    def median(self, dimension: str) -> Decimal | None:
        """Return the median of a dimension over the customers in the view; None without customers.

        It is exact for days and for up to 1,000 orders; money is that of a customer within 1 % of the median.
        """
        values = sorted(self.values(dimension), key=lambda value: value.low)
        customers = sum(value.customers for value in values)
        if not customers:
            return None
        middle = [self._value_at(values, rank) for rank in ((customers - 1) // 2, customers // 2)]
        return exact_sum(middle) / 2

    @staticmethod
    def _value_at(values: list[ValueGroup], rank: int) -> Decimal:
        for value in values:
            rank -= value.customers
            if rank < 0:
                return value.low
        raise AssertionError(rank)

    @property
    def moves(self) -> list[SegmentMove]:
        """The moves into or out of the view's segment, and those within it."""
        return [move for move in self.data.moves if self.includes(move.before) or self.includes(move.after)]

    def top_customers(self, segment: str) -> list[TopCustomer]:
        """Return the customers of a segment that the report lists by id, highest spend first."""
        return [customer for customer in self.data.top_customers if customer.segment == segment]

    @cached_property
    def mean_score_sums(self) -> dict[str | None, float]:
        """Sum of the three mean scores by segment, to rank segments; 0 without customers, and for None."""
        return {
            None: 0.0,
            **{
                name: sum(map(totals.mean_score, range(3))) for name, totals in self.totals_by_segment.items()
            },
        }
