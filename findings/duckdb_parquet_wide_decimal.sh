#!/usr/bin/env bash
# DuckDB 2.0.0 reads a Parquet decimal of more than 38 digits as a DOUBLE that is not the nearest one.
#
# Expected: 78845510.90 in a column of DECIMAL(76, 38), as BigQuery exports a BIGNUMERIC, is 78845510.9, the nearest
# DOUBLE, since no DECIMAL of DuckDB is wide enough.
# Seen: it is 78845510.89999999. Of 5,000 amounts in cents some 600 are another DOUBLE.
# In rfm: source/parquet.py gives such columns a kind that no role accepts, so that they are refused by name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0 pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

assert duckdb.__version__ == "2.0.0", duckdb.__version__
amount = Decimal("78845510.90")
pq.write_table(pa.table({"amount": pa.array([amount], pa.decimal256(76, 38))}), "wide.parquet")
((type_, value),) = duckdb.connect().execute("SELECT TYPEOF(amount), amount FROM 'wide.parquet'").fetchall()
print(type_, repr(value), "nearest:", float(amount))
assert type_ == "DOUBLE", "the behaviour has changed"
assert value == 78845510.89999999, "the behaviour has changed"
PYTHON
