# /// script
# requires-python = ">=3.11"
# dependencies = ["openretailscience==0.48.1", "pandas==2.3.3", "pyarrow==25.0.1", "duckdb==1.5.6"]
# ///
"""`RFMSegmentation` of openretailscience: `openretailscience_segments.py SOURCE.parquet RESULT.parquet`.

Its input is a table of Ibis, which DuckDB computes. Its result has no date of the last order, and a number in
place of a named segment. The reference date is that of the newest order, which takes another read of dates.
"""

from __future__ import annotations

import sys

import ibis
from openretailscience.segmentation.rfm import RFMSegmentation


def run(source: str, result: str) -> None:
    """Write the customers of `source`, scored, to `result`."""
    lines = ibis.duckdb.connect().read_parquet(source)
    lines = lines.filter(lines.CustomerID.notnull(), lines.Quantity > 0, lines.UnitPrice > 0)
    lines = lines.select(
        customer_id=lines.CustomerID,
        transaction_id=lines.InvoiceNo,
        transaction_date=lines.InvoiceDate,
        unit_spend=lines.Quantity * lines.UnitPrice,
    )
    newest = lines.transaction_date.max().cast("date").execute()
    RFMSegmentation(lines, current_date=str(newest)[:10]).table.to_parquet(result)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
