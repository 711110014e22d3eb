#!/usr/bin/env bash
# DuckDB 2.0.0 writes one table to Parquet files of two schemas, by the rows that it happens to have.
#
# Expected: COPY writes a nullable column as OPTIONAL, as 1.5.5 does, so that the files of all days of a job have one
# schema, and pyarrow or another reader that compares schemas reads them together.
# Seen: a column is REQUIRED in a file whose rows have no NULL in it, and OPTIONAL in the next file. COPY has no option
# for it; without the optimizer that propagates statistics, each column is OPTIONAL.
# In rfm: _write_parquet in warehouse/duckdb/export.py disables that optimizer for the COPY.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0 pyarrow==26.0.1
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import duckdb
from pyarrow import parquet

assert duckdb.__version__ == "2.0.0", duckdb.__version__
folder, connection = sys.argv[1], duckdb.connect()


def nullable(name, rows):
    connection.execute("CREATE OR REPLACE TABLE daily (day DATE, segment VARCHAR)")
    connection.execute(f"INSERT INTO daily VALUES {rows}")
    connection.execute(f"COPY daily TO '{folder}/{name}.parquet' (FORMAT parquet)")
    return [field.nullable for field in parquet.read_schema(f"{folder}/{name}.parquet")]


monday = nullable("monday", "('2024-01-01', NULL)")
tuesday = nullable("tuesday", "('2024-01-02', 'Loyal')")
connection.execute("SET disabled_optimizers = 'statistics_propagation'")
wednesday = nullable("wednesday", "('2024-01-03', 'Loyal')")
print("nullable on Monday:", monday, "Tuesday:", tuesday, "without statistics:", wednesday)
assert (monday, tuesday) == ([False, True], [False, False]), "the behaviour has changed"
assert wednesday == [True, True], "the behaviour has changed"
PYTHON
