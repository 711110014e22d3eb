#!/usr/bin/env bash
# rfm 1.0.9 of PyPI gives equal customers all five scores, and counts two equal orders of one day once.
#
# Expected: customers who did the same get the same score; a second order of the same amount on the same day counts.
# Seen: values are ranked with `rank(method="first")` before they are cut into fifths, so that 100 customers with one equal
# order each get five scores in each dimension, by the alphabetical order of their ids. Equal rows are dropped before
# orders are counted. Lines without a customer id are left out without a word; a return counts as an order.
# The order of the rows changes no score, and every customer has a segment.
# In rfm: equal values get equal scores, and lines that are left out are counted by reason with their money.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rfm==1.0.9 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import pandas as pd
from rfm.rfm import RFM

assert version("rfm") == "1.0.9", version("rfm")
DAY = pd.Timestamp("2024-01-01")


def scored(rows):
    frame = pd.DataFrame(rows, columns=["customer", "order_date", "amount"])
    table = RFM(frame, customer_id="customer", transaction_date="order_date", amount="amount").rfm_table
    return table.set_index("customer").sort_index()


equal = [(f"c{number:03}", DAY, 20) for number in range(100)]
table = scored(equal)
print("customers by frequency score:", table["f"].value_counts().sort_index().to_dict())
assert table["f"].value_counts().to_dict() == {1: 20, 2: 20, 3: 20, 4: 20, 5: 20}, "the behaviour has changed"
assert table["f"].is_monotonic_increasing, "the behaviour has changed"
assert table["segment"].nunique() > 1, "the behaviour has changed"
assert scored(equal[::-1])["rfm_score"].equals(table["rfm_score"]), "the behaviour has changed"

twice = scored([*equal[:9], ("twice", DAY, 20), ("twice", DAY, 20)]).loc["twice"]
print("two orders of 20 on one day:", twice["frequency"], "order,", twice["monetary_value"])
assert (twice["frequency"], twice["monetary_value"]) == (1, 20), "the behaviour has changed"

returned = scored([*equal[:9], ("r", DAY, 20), ("r", DAY + pd.Timedelta(days=9), -20), (None, DAY, 50)])
print("an order and its return:", returned.loc["r", ["recency", "frequency", "monetary_value"]].to_dict())
assert tuple(returned.loc["r", ["recency", "frequency", "monetary_value"]]) == (0, 2, 0), "the behaviour has changed"
assert len(returned) == 10, "the behaviour has changed"
assert returned["segment"].notna().all(), "the behaviour has changed"
PYTHON
