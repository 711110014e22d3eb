"""Statistics of a staged result that passes all audits, and statistics changed from others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from rfm_pipeline.pipeline.audits.statistics import AuditInput
from rfm_pipeline.results.statistics import DimensionScores, Excluded, RunStatistics, SegmentFigures

EMPTY = RunStatistics(
    rows_read=0,
    rows_kept=0,
    amount_kept=Decimal(0),
    exclusions=(),
    customers=0,
    orders=0,
    revenue=Decimal(0),
    newest_order_date=None,
    edges=(),
    segments=(),
)
"""The statistics of a run over a source without lines."""


def segments(customers: Mapping[str, int]) -> tuple[SegmentFigures, ...]:
    """Return segments with these numbers of customers, and without orders."""
    return tuple(SegmentFigures(name, count, 0, Decimal(0)) for name, count in customers.items())


def changed(run: AuditInput, **changes: Any) -> AuditInput:
    """Return the input of the audits with some values of the input or of its statistics replaced."""
    names = RunStatistics.__struct_fields__
    statistics = {name: value for name, value in changes.items() if name in names}
    others = {name: value for name, value in changes.items() if name not in names}
    return replace(run, statistics=replace(run.statistics, **statistics), **others)


PASSING = AuditInput(
    statistics=RunStatistics(
        rows_read=10,
        rows_kept=7,
        amount_kept=Decimal("163.4999"),
        exclusions=(Excluded("missing_customer", 2), Excluded("invalid_date", 1)),
        customers=4,
        orders=6,
        revenue=Decimal("163.4999"),
        newest_order_date=date(2024, 3, 1),
        edges=(DimensionScores("recency", "quantile", (Decimal(3),), (2, 2)),),
        segments=segments({"Champions": 1, "Lost": 3}),
    ),
    rows_declared=10,
    customers_kept=4,
    staged_rows=4,
    source="orders.csv",
    oldest_order_date=date(2023, 12, 31),
    up_to=date(2024, 3, 4),
)
"""What audits see of a small result in which nothing is wrong."""
