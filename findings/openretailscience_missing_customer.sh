#!/usr/bin/env bash
# RFMSegmentation of openretailscience 0.48.1 scores all lines without a customer id as one customer.
#
# Expected: lines without a customer id belong to no customer.
# Seen: they are grouped as the other lines are, and become a customer with the id NULL, here the one with the most orders
# and the best scores, so that the others' scores move. Returns are subtracted, but count as transactions of their own.
# In rfm: such lines are excluded as `missing_customer`, and counted with their money.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openretailscience==0.48.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import pandas as pd
from openretailscience.segmentation.rfm import RFMSegmentation

assert version("openretailscience") == "0.48.1", version("openretailscience")
customers = [f"c{number}" for number in range(9)] + [None] * 5 + ["c0"]
orders = pd.DataFrame({
    "customer_id": customers,
    "transaction_id": range(len(customers)),
    "transaction_date": pd.Timestamp("2024-01-01"),
    "unit_spend": [20.0] * 14 + [-20.0],
})
seen = RFMSegmentation(orders, current_date="2024-01-31").df
unknown = seen[seen.index.isna()]
print(unknown[["frequency", "monetary", "f_score", "m_score"]].to_dict("records"))
assert unknown[["frequency", "monetary", "f_score", "m_score"]].to_dict("records") == [
    {"frequency": 5, "monetary": 100.0, "f_score": 9, "m_score": 9}
], "the behaviour has changed"
returned = seen.loc["c0", ["frequency", "monetary"]].to_dict()
print("an order and its return:", returned)
assert returned == {"frequency": 2, "monetary": 0.0}, "the behaviour has changed"
PYTHON
