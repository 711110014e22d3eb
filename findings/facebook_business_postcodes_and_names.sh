#!/usr/bin/env bash
# facebook_business 26.0.3, Meta's own SDK, cuts every postcode at its dash and keeps punctuation in names.
#
# Expected: the normalization that Meta publishes for hashed customer information ("Customer Information Parameters",
# developers.facebook.com/documentation/ads-commerce/conversions-api/parameters/customer-information-parameters):
# a postcode has no blanks and no dash, and is cut to five digits for the US only; a name has no punctuation.
# Seen: `Normalize` makes `00` of Warsaw's 00-950, `100` of Tokyo's 100-0001 and `01310` of 01310-100 in Brazil, so that
# customers of whole regions share one hash; `o'neil` keeps its apostrophe, and `jr.` its dot.
# In rfm: audiences/normalization.py follows the page, and is compared with the SDK where both agree.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check facebook_business==26.0.3
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from facebook_business.adobjects.serverside.normalize import Normalize

assert version("facebook_business") == "26.0.3", version("facebook_business")
seen = {
    (field, value): Normalize.normalize_field_skip_hashing(field, value)
    for field, value in [
        ("zp", "94035-1234"), ("zp", "00-950"), ("zp", "100-0001"), ("zp", "01310-100"),
        ("ln", "O'Neil"), ("ln", "King, Jr."),
    ]
}
for (field, value), normalized in seen.items():
    print(f"{field} {value!r}: {normalized!r}")
assert seen["zp", "94035-1234"] == "94035", "the behaviour has changed"
assert [seen["zp", value] for value in ("00-950", "100-0001", "01310-100")] == ["00", "100", "01310"], (
    "the behaviour has changed"
)
assert [seen["ln", value] for value in ("O'Neil", "King, Jr.")] == ["o'neil", "king, jr."], (
    "the behaviour has changed"
)
PYTHON
