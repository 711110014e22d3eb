"""Tests of the facts about a run: plain words, and numbers in the form of the page."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

import pytest

from rfm_pipeline.config.audits import Audits
from rfm_pipeline.config.base import field_types
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter
from rfm_pipeline.report.run_facts import _AUDIT_NAMES, _finding
from rfm_pipeline.results.run_record import RunRecord
from support.audit_statistics import PASSING

NOON = datetime.fromisoformat("2024-03-01T12:00")
RUN = RunRecord("r", "run", "published", NOON, NOON, statistics=PASSING.statistics)


def test_every_built_in_audit_has_a_name_in_words() -> None:
    assert _AUDIT_NAMES.keys() == field_types(Audits).keys() - {"queries"}
    assert not any(re.search(r"[_`]", name) for name in _AUDIT_NAMES.values())


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("1 line left out as invalid_date.", "1 line left out as “invalid date”."),
        (
            "92,000 of 1,440,000 lines (6.4 %) were excluded, 3 as missing_customer.",
            "92,000 of 1,440,000 lines (6.4\u00a0%) were excluded, 3 as “missing customer”.",
        ),
        ("`invalid_date_2` found 1,250 rows.", "`invalid_date_2` found 1,250 rows."),
    ],
)
def test_a_finding_has_no_names_of_settings_and_no_breaks_in_numbers(detail: str, expected: str) -> None:
    assert _finding(detail, RUN, NumberFormatter()).text == expected


def test_numbers_of_a_finding_follow_the_locale_and_values_of_the_source_do_not() -> None:
    detail = "1,234 lines (6.4 %), such as '1,234' and `2,345`; 1,234.50 in all, 5,678."
    parts = _finding(detail, RUN, NumberFormatter()).parts
    numbers = [(part.kind, part.value) for part in parts if isinstance(part, FormattedNumber)]
    assert numbers == [("count", "1234"), ("share", "0.064000"), ("count", "5678")]


def test_amounts_of_a_column_have_one_number_of_decimals() -> None:
    column = NumberFormatter().column
    mixed = [number.text for number in column([Decimal("999.5"), Decimal("12.34"), Decimal(-20000)])]
    assert mixed == ["1,000", "12", "−20,000"]
    assert [number.text for number in column([Decimal("999.5"), Decimal(0)])] == ["999.50", "0.00"]
    assert column([]) == []
