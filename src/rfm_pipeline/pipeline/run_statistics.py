"""What the staged tables come to: counted once, for the audits and for what is told of the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal, localcontext
from typing import Any

from msgspec import Struct

from rfm_pipeline.config.scoring import Dimension
from rfm_pipeline.pipeline.audits.statistics import RunStatistics
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.run_result import DimensionScores, Drift, Excluded, SegmentResult
from rfm_pipeline.sql.edge_drift import edge_drift_sql
from rfm_pipeline.sql.stages.clean import has_example
from rfm_pipeline.sql.stages.scores import edge_names, recomputed_edge_names


class LineCounts(Struct, frozen=True):
    """What the lines came to.

    Attributes:
        customers: Customers with kept lines.
        kept: Kept lines.
        amount: Their money.
        excluded: The others, by reason, the most first.
    """

    customers: int
    kept: int
    amount: Decimal
    excluded: tuple[Excluded, ...]


def count_lines(plan: Plan) -> LineCounts:
    """What `customers` says of the lines."""
    example = "MIN(written)" if has_example(plan.spec) else plan.spec.dialect.cast("NULL", "text")
    rows = plan.warehouse.rows(
        "SELECT reason, COUNT(*) AS customers, SUM(lines) AS lines, SUM(monetary) AS amount,"
        f" {example} AS example FROM {plan.warehouse.table('customers')} GROUP BY reason"
        " ORDER BY lines DESC, reason"
    )
    excluded = tuple(
        Excluded(row["reason"], int(row["lines"]), row["amount"], row["example"])
        for row in rows
        if row["reason"] is not None
    )
    for row in rows:
        if row["reason"] is None:
            return LineCounts(row["customers"], int(row["lines"]), Decimal(row["amount"]), excluded)
    return LineCounts(0, 0, Decimal(0), excluded)


class ScoreCell(Struct, frozen=True):
    """The staged customers of one segment with the same three scores.

    Attributes:
        segment: Its name; None is a fault that an audit finds.
        scores: Recency, frequency and monetary score.
        customers, orders, revenue: How many, their orders and their money.
        as_of: The date from which their recency is counted.
    """

    segment: str | None
    scores: tuple[int | None, int | None, int | None]
    customers: int
    orders: int
    revenue: Decimal
    as_of: date

    def in_range(self, bins: Sequence[int]) -> bool:
        """Whether each score lies from 1 to the bins of its dimension."""
        return all(
            score is not None and 1 <= score <= most for score, most in zip(self.scores, bins, strict=True)
        )


def count_score_cells(plan: Plan, table: str = "result") -> tuple[ScoreCell, ...]:
    """Staged customers with their scores, counted in one pass; what is told of them adds these up."""
    rows = plan.warehouse.rows(
        "SELECT segment, r_score, f_score, m_score, COUNT(*) AS customers, SUM(frequency) AS orders,"
        " SUM(monetary) AS revenue, MIN(as_of_date) AS as_of_date"
        f" FROM {plan.warehouse.table(table)} GROUP BY segment, r_score, f_score, m_score"
    )
    return tuple(
        ScoreCell(
            row["segment"],
            (row["r_score"], row["f_score"], row["m_score"]),
            row["customers"],
            int(row["orders"]),
            Decimal(row["revenue"]),
            row["as_of_date"],
        )
        for row in rows
    )


def collect_statistics(
    plan: Plan, lines: LineCounts, cells: Sequence[ScoreCell], last: RunRecord | None = None
) -> RunStatistics:
    """What the audits look at; `last` is the run to compare this one with."""
    (counted,) = plan.warehouse.rows(
        "SELECT COUNT(DISTINCT customer_id) AS customers, MIN(first_order_date) AS oldest,"
        f" MAX(last_order_date) AS newest FROM {plan.warehouse.table('result')}"
    )
    held = Counter[str | None]()
    for cell in cells:
        held[cell.segment] += cell.customers
    today = plan.spec.today
    bins = plan.settings.scoring.bins_by_dimension
    return RunStatistics(
        rows_declared=plan.source.rows,
        rows_read=lines.kept + sum(reason.lines for reason in lines.excluded),
        rows_kept=lines.kept,
        amount_kept=lines.amount,
        excluded=lines.excluded,
        customers_kept=lines.customers,
        rows=sum(cell.customers for cell in cells),
        customers=counted["customers"],
        monetary=_total(cell.revenue for cell in cells),
        without_segment=sum(cell.customers for cell in cells if cell.segment is None),
        out_of_range=sum(cell.customers for cell in cells if not cell.in_range(bins)),
        dimensions=dimension_scores(plan, cells),
        source=plan.source.label,
        drift=_drift(plan),
        orders=sum(cell.orders for cell in cells),
        oldest=counted["oldest"],
        newest=counted["newest"],
        has_order_ids=plan.mapping.order_id is not None,
        segments={segment.name: held[segment.name] for segment in plan.spec.segment_map.segments},
        unasked=frozenset({"future_dated", "outside_window", *plan.settings.skip}),
        up_to=min(plan.spec.as_of or today, today),
        config_hash=plan.settings.config_hash,
        last=last,
    )


def segment_results(plan: Plan, cells: Sequence[ScoreCell]) -> tuple[SegmentResult, ...]:
    """Every segment of the map, the empty ones too, in the order of the map."""
    return tuple(
        SegmentResult(
            segment.name,
            segment.description,
            segment.action,
            sum(cell.customers for cell in held),
            sum(cell.orders for cell in held),
            _total(cell.revenue for cell in held),
        )
        for segment in plan.spec.segment_map.segments
        for held in ([cell for cell in cells if cell.segment == segment.name],)
    )


def _total(amounts: Iterable[Decimal]) -> Decimal:
    # Decimals add up in 28 digits unless they are told otherwise; an engine's have 38.
    with localcontext(prec=76):
        return sum(amounts, Decimal(0))


def dimension_scores(plan: Plan, cells: Sequence[ScoreCell]) -> tuple[DimensionScores, ...]:
    """The edges of each dimension, and how many customers have each score."""
    (edges,) = plan.warehouse.rows(f"SELECT * FROM {plan.warehouse.table('edges')}")
    found = []
    for place, dimension in enumerate(plan.settings.scoring.dimensions):
        frozen = plan.frozen if dimension.name in plan.spec.frozen else None
        customers = tuple(
            sum(cell.customers for cell in cells if cell.scores[place] == score)
            for score in range(1, dimension.bins + 1)
        )
        found.append(
            DimensionScores(
                dimension.name,
                dimension.method,
                _known(edges, dimension, edge_names(dimension)),
                customers,
                frozen.run_id if frozen else None,
                _known(edges, dimension, recomputed_edge_names(plan.spec, dimension)) if frozen else None,
            )
        )
    return tuple(found)


def _known(
    edges: Mapping[str, Any], dimension: Dimension, names: Sequence[str]
) -> tuple[Decimal, ...] | None:
    """Some edges of a dimension as results report them, which is best first in days; None for `ntile`."""
    if not names:
        return None
    values = [edges[name] for name in (reversed(names) if dimension.name == "recency" else names)]
    return tuple(Decimal(value) for value in values if value is not None)


def _drift(plan: Plan) -> Drift | None:
    if plan.frozen is None:
        return None
    table = plan.warehouse.table
    (counted,) = plan.warehouse.rows(edge_drift_sql(plan.spec, table("result"), table("edges")))
    return Drift(plan.frozen.run_id, plan.frozen.as_of_date, counted["customers"])
