"""What a page shows at a time: all customers, or those of one segment."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property

from msgspec import Struct

from rfm_pipeline.config.segment_map import Segment
from rfm_pipeline.report.data import CustomerGroup, ReportData, SegmentMove, TopCustomer, Value, total
from rfm_pipeline.results.run_record import RunRecord


class SegmentTotals(Struct, frozen=True):
    """Some customers together.

    Attributes:
        customers, orders, revenue: How many, their orders, their money.
        recency_days: The sum of their days since the last order.
        scores: The sum of their three scores each.
    """

    customers: int = 0
    orders: int = 0
    revenue: Decimal = Decimal(0)
    recency_days: int = 0
    scores: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def of(cls, cells: list[CustomerGroup]) -> SegmentTotals:
        """Cells together."""
        return cls(
            sum(cell.customers for cell in cells),
            sum(cell.orders for cell in cells),
            total(cell.revenue for cell in cells),
            sum(cell.recency_days for cell in cells),
            (
                sum(cell.r * cell.customers for cell in cells),
                sum(cell.f * cell.customers for cell in cells),
                sum(cell.m * cell.customers for cell in cells),
            ),
        )

    def mean(self, place: int) -> float:
        """The mean recency (0), frequency (1) or monetary (2) score; 0 without customers."""
        return self.scores[place] / self.customers if self.customers else 0.0


class SegmentView(Struct, frozen=True, dict=True):
    """The figures of a report, seen through a segment.

    Attributes:
        figures: All of them.
        segment: The segment's name; None shows all customers.
    """

    figures: ReportData
    segment: str | None = None

    def shows(self, segment: str | None) -> bool:
        """Whether a segment is among those that are shown."""
        return self.segment is None or segment == self.segment

    @property
    def title(self) -> str:
        """Whom it shows."""
        return self.segment or "All customers"

    @cached_property
    def cells(self) -> list[CustomerGroup]:
        """The cells that are shown."""
        return [cell for cell in self.figures.cells if self.shows(cell.segment)]

    @cached_property
    def sum(self) -> SegmentTotals:
        """The customers that are shown."""
        return SegmentTotals.of(self.cells)

    @cached_property
    def by_segment(self) -> dict[str, SegmentTotals]:
        """Every segment, shown or not, in the order of the map."""
        held: dict[str, list[CustomerGroup]] = {segment.name: [] for segment in self.figures.segments}
        for cell in self.figures.cells:
            held[cell.segment].append(cell)
        return {name: SegmentTotals.of(cells) for name, cells in held.items()}

    @property
    def segments(self) -> list[Segment]:
        """The segments that are shown, in the order of the map."""
        return [segment for segment in self.figures.segments if self.shows(segment.name)]

    def values(self, dimension: str) -> list[Value]:
        """How the values of a dimension are distributed among those that are shown."""
        return [
            value
            for value in self.figures.values
            if value.dimension == dimension and self.shows(value.segment)
        ]

    @property
    def moves(self) -> list[SegmentMove]:
        """The moves into the segment or out of it."""
        return [move for move in self.figures.moves if self.shows(move.before) or self.shows(move.after)]

    def named(self, segment: str) -> list[TopCustomer]:
        """The customers of a segment that are named."""
        return [named for named in self.figures.named if named.segment == segment]

    def course(self) -> Iterator[tuple[RunRecord, int, Decimal]]:
        """Each standing result, with the customers that are shown and their money."""
        for record in self.figures.trend:
            if self.segment is None:
                yield record, record.customers or 0, record.revenue or Decimal(0)
                continue
            found = [figures for figures in record.segments if figures.segment == self.segment]
            customers = sum(figures.customers for figures in found)
            yield record, customers, total(figures.revenue for figures in found)

    @cached_property
    def standing(self) -> dict[str | None, float]:
        """How good each segment is: the mean of all scores of its customers now; no customer is 0."""
        return {None: 0.0, **{name: sum(map(held.mean, range(3))) for name, held in self.by_segment.items()}}
