#!/usr/bin/env bash
# rfm_segments of pymc-marketing 0.19.2 gives the best frequency score to nobody where most customers ordered once.
#
# Expected: the customers with the most orders have the score 4, which the names of the segments assume.
# Seen: quartiles that are equal are merged, and the scores that are left count from 1. Where 60 of 100 customers ordered
# once, the best frequency score is 2: customers with six orders, the highest mean value and an order on the last day
# are Top Spender with the score 424, and nobody is Premium Customer or Repeat Customer. A warning says that the score
# will not exceed 2. Equal customers get equal scores, and the order of the rows changes nothing.
# 0.19.2 is the last version for Python 3.11. In rfm: the best value that occurs scores best, however many share it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pymc-marketing==0.19.2 pandas==3.1.1
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import pandas as pd
from pymc_marketing.clv import rfm_segments

assert version("pymc-marketing") == "0.19.2", version("pymc-marketing")
LAST_DAY = pd.Timestamp("2024-12-31")
ORDERS = [1] * 60 + [2] * 20 + [3] * 15 + [6] * 5
lines = pd.DataFrame(
    [
        (f"c{number:03}", LAST_DAY - pd.Timedelta(days=3 * (99 - number) + 7 * order), 20.0 + number)
        for number, orders in enumerate(ORDERS)
        for order in range(orders)
    ],
    columns=["customer", "day", "amount"],
)


def segments(frame):
    return rfm_segments(frame, "customer", "day", "amount").set_index("customer_id").sort_index()


table = segments(lines)
frequency_scores = table["rfm_score"].str[1].value_counts().sort_index().to_dict()
print("customers by frequency score:", frequency_scores)
print(table.loc["c099"].to_dict())
print("customers by segment:", table["segment"].value_counts().to_dict())
assert frequency_scores == {"1": 80, "2": 20}, "the behaviour has changed"
assert tuple(table.loc["c099", ["frequency", "recency", "rfm_score", "segment"]]) == (6, 0, "424", "Top Spender"), (
    "the behaviour has changed"
)
assert not {"Premium Customer", "Repeat Customer"} & set(table["segment"]), "the behaviour has changed"
assert segments(lines.sample(frac=1, random_state=1)).equals(table), "the behaviour has changed"
assert table.groupby("frequency")["rfm_score"].agg(lambda scores: scores.str[1].nunique()).eq(1).all()
PYTHON
