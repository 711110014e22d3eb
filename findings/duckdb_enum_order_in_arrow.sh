#!/usr/bin/env bash
# DuckDB 2.0.0 exports an ENUM to Arrow without the mark that its values are ordered.
#
# Expected: an ENUM is ordered (ORDER BY and < follow its values), and Arrow has a mark for such dictionaries, so that the
# exported type is ordered=1, as the Categorical of `.df()` is ordered.
# Seen: `.df()` returns an ordered Categorical, and the Arrow stream of the same relation a dictionary with ordered=0.
# In rfm: api/frames.py sets the mark on the Arrow tables of a result, and casts to an Enum for Polars.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0 pandas==3.1.1 pyarrow==26.0.1
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb
import pyarrow as pa

assert duckdb.__version__ == "2.0.0", duckdb.__version__
values = "(VALUES ('Best'), ('Lost')) AS known (segment)"
query = f"SELECT CAST(segment AS ENUM ('Lost', 'Best')) AS segment FROM {values}"

in_duckdb = duckdb.connect().execute(f"SELECT segment FROM ({query}) ORDER BY segment").fetchall()
print("DuckDB orders by the values of the ENUM:", in_duckdb)
assert in_duckdb == [("Lost",), ("Best",)]

pandas = duckdb.connect().sql(query).df()["segment"].cat.ordered
arrow = pa.RecordBatchReader.from_stream(duckdb.connect().sql(query)).schema.field("segment").type
print("pandas: ordered =", pandas)
print("Arrow:", arrow)
assert pandas is True, "the behaviour has changed"
assert arrow.ordered is False, "the behaviour has changed"
PYTHON
