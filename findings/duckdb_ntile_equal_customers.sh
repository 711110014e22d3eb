#!/usr/bin/env bash
# NTILE gives customers with equal values different scores, and the order of the rows decides who gets which (DuckDB 2.0.0).
#
# Expected, of a score: customers who did the same get the same score, in whichever order their rows are stored.
# Seen: 100 customers with one order each get all four scores, 25 customers each; with the rows stored in the opposite
# order, more than half of them get another score. PERCENT_RANK gives all of them the same value in both cases.
# Both are as the SQL standard defines them: NTILE divides rows, not values. Most published RFM queries score by it.
# In rfm: thresholds are values, so that equal values get equal scores (sql/stages/scores.py); `method = "ntile"` is there
# for comparison, and breaks ties by the customer's id.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.0
"$folder/venv/bin/python" - <<'PYTHON'
from collections import Counter

import duckdb

assert duckdb.__version__ == "2.0.0", duckdb.__version__
connection = duckdb.connect()
connection.execute("CREATE TABLE stored AS SELECT i AS customer_id, 1 AS orders FROM range(100) AS t(i)")
connection.execute("CREATE TABLE opposite AS FROM stored ORDER BY customer_id DESC")


def scores(table, function):
    query = f"SELECT customer_id, {function} OVER (ORDER BY orders) FROM {table}"
    return dict(connection.execute(query).fetchall())


first, second = scores("stored", "NTILE(4)"), scores("opposite", "NTILE(4)")
changed = sum(first[customer] != second[customer] for customer in first)
print("customers by score of NTILE(4):", dict(sorted(Counter(first.values()).items())))
print("other scores with the rows in the opposite order:", changed)
assert Counter(first.values()) == {1: 25, 2: 25, 3: 25, 4: 25}, "the behaviour has changed"
assert changed > 50, "the behaviour has changed"

ranks = {*scores("stored", "PERCENT_RANK()").values(), *scores("opposite", "PERCENT_RANK()").values()}
print("different values of PERCENT_RANK:", len(ranks))
assert len(ranks) == 1, "the behaviour has changed"
PYTHON
