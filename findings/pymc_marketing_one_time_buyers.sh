#!/usr/bin/env bash
# rfm_segments of pymc-marketing 0.19.2 ends with a ValueError where more than three in four customers ordered once.
#
# Expected: segments, also for a shop whose customers mostly ordered once, as in many shops.
# Seen: with 76 of 100 such customers all quartiles of the frequency are 1, one bin is left of four, and pandas says "Bin
# labels must be one fewer than the number of bin edges". With 75 of 100 there is a result. Where there is one, a return
# counts as a purchase on its day, so that its customer was active the day before the last one; lines without a customer id
# are left out without a word.
# 0.19.2 is the last version for Python 3.11. In rfm: a dimension may have any number of equal values (docs/concepts.md).
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


def segments(once, *more):
    """Segment 100 customers, of whom the first `once` have one order, the last ten three, and the others two."""
    lines = [
        (f"c{number:03}", LAST_DAY - pd.Timedelta(days=99 - number + 7 * order), 20.0 + number)
        for number in range(100)
        for order in range(1 if number < once else 2 if number < 90 else 3)
    ]
    frame = pd.DataFrame([*lines, *more], columns=["customer", "day", "amount"])
    return rfm_segments(frame, "customer", "day", "amount").set_index("customer_id")


try:
    seen = f"{len(segments(76))} customers"
except ValueError as error:
    seen = str(error)
print("76 of 100 customers ordered once:", seen)
assert seen == "Bin labels must be one fewer than the number of bin edges", "the behaviour has changed"

before = segments(75)
after = segments(75, ("c001", LAST_DAY - pd.Timedelta(days=1), -21.0), (None, LAST_DAY, 50.0))
print("75 of 100 customers ordered once:", len(before), "customers")
for name, table in (("before a return", before), ("after it", after)):
    print(name, table.loc["c001", ["recency", "frequency", "monetary_value", "rfm_score"]].to_dict())
assert len(before) == len(after) == 100, "the behaviour has changed"
assert tuple(before.loc["c001", ["recency", "frequency"]]) == (98, 1), "the behaviour has changed"
assert tuple(after.loc["c001", ["recency", "frequency", "monetary_value"]]) == (1, 2, 0), "the behaviour has changed"
PYTHON
