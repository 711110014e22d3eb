"""Statistics of the staged tables, counted once for the audits, the result and the record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from rfm_pipeline.common.customer_mask import mask_addresses
from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.scoring import DimensionScoring
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.pipeline.frozen_edges import FrozenEdges
from rfm_pipeline.pipeline.key_counts import (
    KeyCounts,
    key_columns,
    key_counts,
    refuse_unlikely_zero,
    zero_columns,
)
from rfm_pipeline.results.statistics import DimensionScores, Drift, Excluded, RunStatistics, SegmentFigures
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.edge_drift import edge_drift_sql
from rfm_pipeline.sql.mean_gap import at_risk_columns
from rfm_pipeline.sql.query_spec import QuerySpec
from rfm_pipeline.sql.stages.clean import has_example
from rfm_pipeline.sql.stages.scores import edge_names, recomputed_edge_names
from rfm_pipeline.warehouse.base import Warehouse


class LineCounts(Struct, frozen=True):
    """Counts of the lines that were read.

    Attributes:
        customers: Distinct customers of the kept lines.
        kept: Number of kept lines.
        amount: Sum of the amounts of the kept lines.
        excluded: The other lines by reason, the most frequent reason first.
        keys: Counts of the keys of the kept lines.
    """

    customers: int
    kept: int
    amount: Decimal
    excluded: tuple[Excluded, ...]
    keys: KeyCounts = KeyCounts()


def count_lines(warehouse: Warehouse, spec: QuerySpec) -> LineCounts:
    """Count kept and excluded lines in the staged table `customers`."""
    example = "MIN(written)" if has_example(spec) else spec.dialect.cast("NULL", "text")
    keys = "".join(f" {aggregate} AS {name}," for name, aggregate in key_columns(spec).items())
    rows = warehouse.rows(
        "SELECT reason, COUNT(*) AS customers, SUM(lines) AS lines, SUM(monetary) AS amount,"
        f"{keys} {example} AS example FROM {warehouse.table(StagingTable.CUSTOMERS)} GROUP BY reason"
        " ORDER BY lines DESC, reason"
    )
    unreadable = spec.reading.unreadable
    excluded = tuple(
        Excluded(
            row["reason"],
            int(row["lines"]),
            row["amount"],
            # A row that is shifted can have an address in any column.
            mask_addresses(row["example"]) if row["example"] else row["example"],
            tuple(map(mask_addresses, unreadable.get(row["reason"], ()))),
        )
        for row in rows
        if row["reason"] is not None
    )
    counts = key_counts(warehouse, spec, rows)
    for row in rows:
        if row["reason"] is None:
            return LineCounts(row["customers"], int(row["lines"]), Decimal(row["amount"]), excluded, counts)
    return LineCounts(0, 0, Decimal(0), excluded, counts)


class ScoreCell(Struct, frozen=True):
    """The staged customers of one segment that have the same three scores.

    Attributes:
        segment: Name of the segment; None is a fault that an audit reports.
        scores: Recency, frequency and monetary score.
        customers, orders, revenue: Number of customers, their orders and their monetary value.
        as_of: The as-of date of the result.
        due, revenue_at_risk: Number of customers who are due, and their monetary value.
    """

    segment: str | None
    scores: tuple[int | None, int | None, int | None]
    customers: int
    orders: int
    revenue: Decimal
    as_of: date
    due: int = 0
    revenue_at_risk: Decimal = Decimal(0)

    def in_range(self, bins: Sequence[int]) -> bool:
        """Return whether each score lies from 1 to the bins of its dimension."""
        return all(
            score is not None and 1 <= score <= highest
            for score, highest in zip(self.scores, bins, strict=True)
        )


def count_score_cells(
    warehouse: Warehouse, table: StagingTable = StagingTable.RESULT
) -> tuple[ScoreCell, ...]:
    """Count the staged customers of `table` per segment and scores, in one pass over the table."""
    at_risk = at_risk_columns(dialect_of(warehouse.engine))
    rows = warehouse.rows(
        "SELECT segment, r_score, f_score, m_score, COUNT(*) AS customers, SUM(frequency) AS orders,"
        f" SUM(monetary) AS revenue, MIN(as_of_date) AS as_of_date, {', '.join(at_risk)}"
        f" FROM {warehouse.table(table)} GROUP BY segment, r_score, f_score, m_score"
    )
    return tuple(
        ScoreCell(
            row["segment"],
            (row["r_score"], row["f_score"], row["m_score"]),
            row["customers"],
            int(row["orders"]),
            Decimal(row["revenue"]),
            row["as_of_date"],
            int(row["due"]),
            Decimal(row["revenue_at_risk"]),
        )
        for row in rows
    )


class StagedCounts(Struct, frozen=True):
    """Counts over the staging tables of a run.

    Attributes:
        lines: Counts of the lines that were read.
        cells: The staged customers by segment and scores.
        customers: Distinct customers of the staged result.
        oldest_order_date, newest_order_date: Dates of the first and the last order; None if there is none.
        largest_customer: Orders of the customer with the most; 0 if there is none.
    """

    lines: LineCounts
    cells: tuple[ScoreCell, ...]
    customers: int
    oldest_order_date: date | None
    newest_order_date: date | None
    largest_customer: int = 0

    @property
    def as_of(self) -> date | None:
        """The as-of date of the result; None if it has no customers."""
        return self.cells[0].as_of if self.cells else None


def count_staged(warehouse: Warehouse, spec: QuerySpec) -> StagedCounts:
    """Count the staging tables `customers` and `result`.

    Raises:
        ColumnError: If customer 0 has more orders than any other, and may be the mark of a missing customer.
    """
    lines, cells = count_lines(warehouse, spec), count_score_cells(warehouse)
    zero = "".join(f" {aggregate} AS {name}," for name, aggregate in zero_columns(spec).items())
    (row,) = warehouse.rows(
        f"SELECT COUNT(DISTINCT customer_id) AS customers,{zero} MAX(frequency) AS largest,"
        " MIN(first_order_date) AS oldest,"
        f" MAX(last_order_date) AS newest FROM {warehouse.table(StagingTable.RESULT)}"
    )
    refuse_unlikely_zero(row, spec.reading)
    largest = row["largest"] or 0
    return StagedCounts(lines, cells, row["customers"], row["oldest"], row["newest"], largest)


def collect_statistics(
    warehouse: Warehouse, spec: QuerySpec, counts: StagedCounts, frozen: FrozenEdges | None
) -> RunStatistics:
    """Combine the counts of the staging tables and the edges into the statistics of the run."""
    lines, cells = counts.lines, counts.cells
    return RunStatistics(
        rows_read=lines.kept + sum(reason.lines for reason in lines.excluded),
        rows_kept=lines.kept,
        amount_kept=lines.amount,
        exclusions=lines.excluded,
        customers=counts.customers,
        orders=sum(cell.orders for cell in cells),
        revenue=exact_sum(cell.revenue for cell in cells),
        newest_order_date=counts.newest_order_date,
        edges=dimension_scores(warehouse, spec, cells, frozen),
        segments=segment_figures(spec.segment_map, cells),
        largest_customer=counts.largest_customer,
        repeated_total=lines.keys.repeated_total,
        unscored=lines.keys.unscored,
        due=sum(cell.due for cell in cells),
        revenue_at_risk=exact_sum(cell.revenue_at_risk for cell in cells),
    )


def segment_figures(segment_map: SegmentMap, cells: Sequence[ScoreCell]) -> tuple[SegmentFigures, ...]:
    """Add the cells up to the segments of the map, in its order; segments without customers are included."""
    customers, orders = Counter[str | None](), Counter[str | None]()
    for cell in cells:
        customers[cell.segment] += cell.customers
        orders[cell.segment] += cell.orders
    return tuple(
        SegmentFigures(
            segment.name,
            customers[segment.name],
            orders[segment.name],
            exact_sum(cell.revenue for cell in cells if cell.segment == segment.name),
        )
        for segment in segment_map.segments
    )


def dimension_scores(
    warehouse: Warehouse, spec: QuerySpec, cells: Sequence[ScoreCell], frozen: FrozenEdges | None
) -> tuple[DimensionScores, ...]:
    """Read the edges of each dimension, and count the customers of each score."""
    (edges,) = warehouse.rows(f"SELECT * FROM {warehouse.table(StagingTable.EDGES)}")
    scored = []
    for position, dimension in enumerate(spec.settings.scoring.dimensions):
        is_frozen = dimension.name in spec.frozen
        customers = tuple(
            sum(cell.customers for cell in cells if cell.scores[position] == score)
            for score in range(1, dimension.bins + 1)
        )
        recomputed = _edges(edges, dimension, recomputed_edge_names(spec, dimension)) if is_frozen else None
        scored.append(
            DimensionScores(
                dimension.name,
                dimension.method,
                _edges(edges, dimension, edge_names(dimension)),
                customers,
                frozen.run_id if frozen and is_frozen else None,
                recomputed,
            )
        )
    return tuple(scored)


def _edges(
    row: Mapping[str, Any], dimension: DimensionScoring, names: Sequence[str]
) -> tuple[Decimal, ...] | None:
    """Return edges of a dimension as results report them: best first in days; None for `ntile`."""
    if not names:
        return None
    values = [row[name] for name in (reversed(names) if dimension.name == "recency" else names)]
    return tuple(Decimal(value) for value in values if value is not None)


def measure_drift(warehouse: Warehouse, spec: QuerySpec, frozen: FrozenEdges | None) -> Drift | None:
    """Count the customers whose scores would differ with recomputed edges; None if no edges are frozen."""
    if frozen is None:
        return None
    (row,) = warehouse.rows(
        edge_drift_sql(spec, warehouse.table(StagingTable.RESULT), warehouse.table(StagingTable.EDGES))
    )
    return Drift(frozen.run_id, frozen.as_of_date, row["customers"])
