#!/usr/bin/env bash
# rfm 1.0.9 of PyPI cuts the last two characters off each amount whose text has ".0" in it: 10.05 becomes 10, 9.09 becomes 9.
#
# Expected: the monetary value of a customer is the sum of the customer's amounts.
# Seen: `produce_rfm_dateset` turns every column into text and takes ".0" anywhere in it for the ending of a whole number,
# so that amounts with a zero behind the point lose their decimals. Of the sum 10.05 + 9.09 + 0.01 = 19.15, 19.0 is left.
# In rfm: amounts are exact decimals from the text of the source on (docs/concepts.md, "Exact numbers").
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
orders = pd.DataFrame({
    "customer": ["a", "b", "c", "d", "e", "e", "e"],
    "order_date": pd.to_datetime([f"2024-01-0{day}" for day in (1, 2, 3, 4, 5, 6, 7)]),
    "amount": [19.95, 20.5, 30.1, 40.25, 10.05, 9.09, 0.01],
})
expected = orders.groupby("customer")["amount"].sum().round(2).to_dict()
table = RFM(orders.copy(), customer_id="customer", transaction_date="order_date", amount="amount").rfm_table
seen = table.set_index("customer")["monetary_value"].to_dict()
for customer in sorted(seen):
    print(f"{customer}: {expected[customer]} bought, monetary_value {seen[customer]}")
assert expected["e"] == 19.15
assert seen == {**expected, "e": 19.0}, "the behaviour has changed"
PYTHON
