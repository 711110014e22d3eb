# /// script
# requires-python = ">=3.11"
# dependencies = ["pymc-marketing==0.19.2", "pandas==3.1.1", "pyarrow==26.0.1"]
# ///
"""`rfm_segments` of pymc-marketing: `pymc_marketing_segments.py SOURCE.parquet RESULT.parquet`.

Its frequency counts days with a purchase, and its monetary value is the average per purchase. An argument
states that the lines are in the order of time, as they are here; otherwise it would sort them first.
"""

from __future__ import annotations

import sys

import pandas as pd
from pymc_marketing.clv import rfm_segments

COLUMNS = ["CustomerID", "InvoiceDate", "Quantity", "UnitPrice"]


def run(source: str, result: str) -> None:
    """Write the customers of `source`, scored and segmented, to `result`."""
    lines = pd.read_parquet(source, columns=COLUMNS)
    lines = lines[lines["CustomerID"].notna() & (lines["Quantity"] > 0) & (lines["UnitPrice"] > 0)]
    lines = lines.assign(amount=lines["Quantity"] * lines["UnitPrice"])
    rfm_segments(lines, "CustomerID", "InvoiceDate", "amount", sort_transactions=False).to_parquet(result)


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
