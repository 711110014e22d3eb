#!/usr/bin/env bash
# RFMSegmentation of openretailscience 0.48.1 gives equal customers all ten scores, by the order of their ids.
#
# Expected: customers who did the same get the same score.
# Seen: scores are NTILE(10) with the customer's id as tie-break, so that 100 customers with one equal order each get the
# scores 0 to 9 in each dimension. The tie-break makes the result independent of the order of the rows. A list of cut
# points in place of the number of bins does the same, as its PERCENT_RANK has the same tie-break.
# In rfm: equal values get equal scores.
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
orders = pd.DataFrame({
    "customer_id": range(100),
    "transaction_id": range(100),
    "transaction_date": pd.Timestamp("2024-01-01"),
    "unit_spend": 20.0,
})


def scores(frame, bins):
    found = RFMSegmentation(frame, current_date="2024-01-31", r_segments=bins, f_segments=bins, m_segments=bins).df
    return found.sort_index()["f_score"]


seen = scores(orders, 10)
print("customers by frequency score:", seen.value_counts().sort_index().to_dict())
assert seen.value_counts().to_dict() == dict.fromkeys(range(10), 10), "the behaviour has changed"
assert seen.is_monotonic_increasing, "the behaviour has changed"
assert scores(orders[::-1], 10).equals(seen), "the behaviour has changed"
assert scores(orders, [0.25, 0.5, 0.75]).nunique() == 4, "the behaviour has changed"
PYTHON
