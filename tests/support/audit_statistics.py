"""Statistics of a staged result that passes all audits."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from rfm_pipeline.pipeline.audits.statistics import RunStatistics
from rfm_pipeline.results.run_result import DimensionScores, Excluded

WELL = RunStatistics(
    rows_declared=10,
    rows_read=10,
    rows_kept=7,
    amount_kept=Decimal("163.4999"),
    excluded=(Excluded("missing_customer", 2), Excluded("invalid_date", 1, None, "2024-02-30")),
    customers_kept=4,
    rows=4,
    customers=4,
    monetary=Decimal("163.4999"),
    without_segment=0,
    out_of_range=0,
    dimensions=(DimensionScores("recency", "quantile", (Decimal(3),), (2, 2)),),
    source="orders.csv",
    orders=6,
    oldest=date(2023, 12, 31),
    newest=date(2024, 3, 1),
    segments={"Champions": 1, "Lost": 3},
    up_to=date(2024, 3, 4),
)
