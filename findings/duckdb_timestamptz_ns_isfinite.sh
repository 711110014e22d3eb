#!/usr/bin/env bash
# DuckDB 2.0.0 reads pandas' timestamps with a zone from Parquet as TIMESTAMPTZ_NS, which few functions accept.
#
# Expected: ISFINITE, YEAR and comparisons accept TIMESTAMPTZ_NS, as they accept TIMESTAMP_NS and TIMESTAMPTZ.
# Seen: "No function matches the given name and argument types 'isfinite(TIMESTAMPTZ_NS)'", and a comparison with
# a TIMESTAMPTZ is refused. The column has that type whenever pandas writes a timestamp[ns] with a zone.
# In rfm: DuckDB.column in sql/dialects/duckdb.py casts such a column to TIMESTAMPTZ.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import duckdb

assert duckdb.__version__ == "2.0.0", duckdb.__version__
connection = duckdb.connect()
path = f"{sys.argv[1]}/a.parquet"
connection.execute(f"COPY (SELECT CAST('2024-01-05 23:30:00+00' AS TIMESTAMPTZ_NS) AS moment) TO '{path}'")
((kind,),) = connection.execute(f"SELECT typeof(moment) FROM '{path}'").fetchall()
print("type of the column:", kind)
assert kind == "TIMESTAMPTZ_NS", "the behaviour has changed"
for expression in ("ISFINITE(moment)", "YEAR(moment)", "moment > TIMESTAMPTZ '2024-01-01'"):
    try:
        seen = f"no error: {connection.execute(f'SELECT {expression} FROM {path!r}').fetchall()}"
    except duckdb.BinderException as error:
        seen = str(error).splitlines()[0]
    print(f"{expression}: {seen}")
    assert seen.startswith("Binder Error"), "the behaviour has changed"
((finite,),) = connection.execute(f"SELECT ISFINITE(CAST(moment AS TIMESTAMPTZ)) FROM '{path}'").fetchall()
assert finite, "the behaviour has changed"
PYTHON
