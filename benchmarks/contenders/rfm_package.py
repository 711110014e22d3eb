# /// script
# requires-python = ">=3.11"
# dependencies = ["rfm==1.0.9", "pandas==2.3.3", "pyarrow==26.0.1"]
# ///
"""The package `rfm` of PyPI: `rfm_package.py SOURCE.parquet RESULT.parquet`.

Its input are orders, so lines are added up before. It removes the last two characters of values that contain
".0", so amounts are whole cents. The name of the column of dates must contain "date".
"""

from __future__ import annotations

import sys

import pandas as pd
from rfm.rfm import RFM

COLUMNS = ["CustomerID", "InvoiceNo", "InvoiceDate", "Quantity", "UnitPrice"]


def run(source: str, result: str) -> None:
    """Write the customers of `source`, scored and segmented, to `result`."""
    lines = pd.read_parquet(source, columns=COLUMNS)
    lines = lines[lines["CustomerID"].notna() & (lines["Quantity"] > 0) & (lines["UnitPrice"] > 0)]
    lines = lines.assign(cents=lines["Quantity"] * lines["UnitPrice"] * 100)
    orders = (
        lines.groupby(["CustomerID", "InvoiceNo"], sort=False)
        .agg(order_date=("InvoiceDate", "max"), cents=("cents", "sum"))
        .reset_index()
    )
    orders["cents"] = orders["cents"].round().astype("int64")
    RFM(orders, customer_id="CustomerID", transaction_date="order_date", amount="cents").rfm_table.to_parquet(
        result
    )


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
