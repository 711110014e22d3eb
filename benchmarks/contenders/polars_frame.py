# /// script
# requires-python = ">=3.11"
# dependencies = ["polars==2.1.0"]
# ///
"""The usual query in Polars: `polars_frame.py SOURCE.parquet RESULT.parquet`.

Lazy, on the streaming engine. Lines are grouped by order before customer, which is faster than counting
distinct ids.
"""

from __future__ import annotations

import sys

import polars as pl

BINS = 4


def quartile(value: str) -> pl.Expr:
    """Return four groups of about equal size, as `NTILE(4)` does: 1 for the smallest values."""
    return ((pl.col(value).rank("ordinal") * BINS - 1) // pl.len() + 1).cast(pl.Int8)


def run(source: str, result: str) -> None:
    """Write the customers of `source`, scored and segmented, to `result`."""
    customers = (
        pl.scan_parquet(source)
        .filter(pl.col("CustomerID").is_not_null(), pl.col("Quantity") > 0, pl.col("UnitPrice") > 0)
        .group_by("CustomerID", "InvoiceNo")
        .agg(ordered_at=pl.col("InvoiceDate").max(), amount=(pl.col("Quantity") * pl.col("UnitPrice")).sum())
        .group_by(customer_id="CustomerID")
        .agg(
            last_order_date=pl.col("ordered_at").max().dt.date(),
            frequency=pl.len(),
            monetary=pl.col("amount").sum(),
        )
        .collect(engine="streaming")
    )
    newest = pl.col("last_order_date").max()
    r, f, m = pl.col("r"), pl.col("f"), pl.col("m")
    customers.with_columns(
        recency_days=(newest - pl.col("last_order_date")).dt.total_days(),
        r=quartile("last_order_date"),
        f=quartile("frequency"),
        m=quartile("monetary"),
    ).with_columns(
        rfm_score=pl.concat_str("r", "f", "m"),
        segment=pl.when((r == 4) & (f == 4) & (m == 4))
        .then(pl.lit("Champions"))
        .when((r == 4) & (f == 4))
        .then(pl.lit("Loyal Customers"))
        .when((r >= 3) & (f >= 3))
        .then(pl.lit("Potential Loyalists"))
        .when(r == 4)
        .then(pl.lit("New Customers"))
        .when(r == 3)
        .then(pl.lit("Promising"))
        .when((r == 2) & (f >= 3))
        .then(pl.lit("Needs Attention"))
        .when(r == 2)
        .then(pl.lit("About to Sleep"))
        .when(f >= 3)
        .then(pl.lit("At-Risk"))
        .when(f == 2)
        .then(pl.lit("Hibernating"))
        .otherwise(pl.lit("Lost")),
    ).write_parquet(result)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
