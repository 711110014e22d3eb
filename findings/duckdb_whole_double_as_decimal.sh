#!/usr/bin/env bash
# DuckDB 2.0.0 casts the DOUBLE 1704067200000000, a whole number, to a DECIMAL that is not whole.
#
# Expected: a DOUBLE below 2^53 that is a whole number keeps its value in each DECIMAL that is wide enough.
# Seen: as DECIMAL(38, 9) it is 1704067199999999.945474048, since the double is multiplied by 10^9 as a double.
# Microseconds since 1970 (2024-01-01 here) then fall on the day before. DECIMAL(38, 0) and (38, 6) are right.
# In rfm: Dialect.date_text in sql/dialects/base.py rounds floats down first, and casts them to DECIMAL(38, 0).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0
"$folder/venv/bin/python" - <<'PYTHON'
from decimal import Decimal

import duckdb

assert duckdb.__version__ == "2.0.0", duckdb.__version__
number = 1_704_067_200_000_000
query = "SELECT CAST(v AS DECIMAL(38, 9)), CAST(v AS DECIMAL(38, 0)) FROM (SELECT CAST(? AS DOUBLE) AS v)"
((nine, none),) = duckdb.connect().execute(query, [number]).fetchall()
print("as DECIMAL(38, 9):", nine)
print("as DECIMAL(38, 0):", none)
assert nine == Decimal("1704067199999999.945474048"), "the behaviour has changed"
assert none == number, "the behaviour has changed"
PYTHON
