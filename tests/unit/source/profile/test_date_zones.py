"""A zone's abbreviation beside a date proves the order of day and month."""

from __future__ import annotations

import pytest

from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.dates import detect_date_formats


@pytest.mark.parametrize(
    ("values", "zones", "expected"),
    [
        (["06/01/2026", "06/03/2026"], ["PDT", "PDT"], "%m/%d/%Y"),
        (["01/06/2026", "03/06/2026"], ["BST", "BST"], "%d/%m/%Y"),
        (["01.06.2026", "03.06.2026"], ["CEST", "CEST"], "%d.%m.%Y"),
        # One row of summer time among unknown zones is enough.
        (["06/01/2026", "05/02/2026"], ["PDT", "XYZ"], "%m/%d/%Y"),
    ],
)
def test_daylight_saving_time_proves_the_order(values: list[str], zones: list[str], expected: str) -> None:
    assert detect_date_formats(values, zones=zones).formats == (expected,)


@pytest.mark.parametrize("zones", [[], ["XYZ", "XYZ"], ["EST", "EST"], ["GMT", "GMT"]])
def test_without_a_proof_the_order_is_a_question(zones: list[str]) -> None:
    # 1 February and 2 January are both in winter.
    with pytest.raises(ColumnError, match="read in two ways"):
        detect_date_formats(["01/02/2026", "02/01/2026"], zones=zones)
