#!/usr/bin/env bash
# DuckDB 2.0.0 reads a pandas column of Decimal objects by a sample of 1,000 of them.
#
# Expected: a sum over 8,002 Decimal objects is their sum, whatever their order, since each value fits DECIMAL(38, 2).
# Seen: the type of the column is inferred from every eighth value, as DECIMAL(3,2). One value of 123456.01 that the
# sample misses makes each query over the frame fail. With `SET pandas_analyze_sample = 8002` the sum is right.
# In rfm: source/dataframe.py raises the sample to the whole frame where a column holds Decimal objects.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0 pandas==3.1.1
"$folder/venv/bin/python" - <<'PYTHON'
from decimal import Decimal

import duckdb
import pandas as pd

assert duckdb.__version__ == "2.0.0", duckdb.__version__
values = [Decimal("1.00")] * 5_001 + [Decimal("123456.01")] + [Decimal("2.50")] * 3_000
frame = pd.DataFrame({"amount": values})
query = "SELECT typeof(amount), SUM(amount) FROM frame GROUP BY ALL"

try:
    seen = f"no error: {duckdb.connect().execute(query).fetchall()}"
except duckdb.InvalidInputException as error:
    seen = str(error)
print("by default:", seen)
assert 'Casting value "123456.01" to type DECIMAL(3,2) failed' in seen, "the behaviour has changed"

connection = duckdb.connect()
connection.execute(f"SET pandas_analyze_sample = {len(frame)}")
((kind, total),) = connection.execute(query).fetchall()
print("with the whole column analysed:", kind, total)
assert (kind, total) == ("DECIMAL(8,2)", sum(values)), "the behaviour has changed"
PYTHON
