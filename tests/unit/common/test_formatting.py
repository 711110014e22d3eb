"""Descriptions of edges agree exactly with the scores; amounts and shares are rounded for people only."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.common import formatting
from rfm_pipeline.results import descriptions
from rfm_pipeline.results.json_values import money, share
from rfm_pipeline.results.statistics import DimensionScores


def phrases_by_score(name: str, edges: list[int] | list[str]) -> dict[int, str]:
    limits = tuple(Decimal(edge) for edge in edges)
    phrases = descriptions.describe_edges(DimensionScores(name, "fixed", limits, (1,) * (len(limits) + 1)))
    assert [score for score, _ in phrases] == list(range(len(limits) + 1, 0, -1))
    return dict(phrases)


def includes(phrase: str, value: int) -> bool:
    """Return whether a phrase such as `3 to 5 orders` includes a value."""
    numbers = [int(number.replace(",", "")) for number in re.findall(r"-?[\d,]+", phrase)]
    unit = r"(days?|orders?)"
    if phrase == "no customer":
        return False
    if re.fullmatch(rf"up to -?[\d,]+ {unit}", phrase):
        return value <= numbers[0]
    if re.fullmatch(rf"-?[\d,]+ to -?[\d,]+ {unit}", phrase):
        return numbers[0] <= value <= numbers[1]
    if re.fullmatch(rf"-?[\d,]+ {unit} and more", phrase):
        return value >= numbers[0]
    assert re.fullmatch(rf"-?[\d,]+ {unit}", phrase), phrase
    return value == numbers[0]


# Quantile edges repeat where bins collapse; a recency edge may be -1.
DAYS = st.lists(st.integers(-1, 1_200), min_size=1, max_size=9).map(sorted)
ORDERS = st.lists(st.integers(0, 60), min_size=1, max_size=9).map(sorted)


@given(edges=DAYS, days=st.integers(0, 1_300))
def test_each_recency_is_in_the_description_of_its_score_only(edges: list[int], days: int) -> None:
    phrases = phrases_by_score("recency", edges)
    score = 1 + sum(days <= edge for edge in edges)
    assert [candidate for candidate, phrase in phrases.items() if includes(phrase, days)] == [score]


@given(edges=ORDERS, orders=st.integers(1, 70))
def test_each_frequency_is_in_the_description_of_its_score_only(edges: list[int], orders: int) -> None:
    phrases = phrases_by_score("frequency", edges)
    score = 1 + sum(orders > edge for edge in edges)
    assert [candidate for candidate, phrase in phrases.items() if includes(phrase, orders)] == [score]


@pytest.mark.parametrize(
    ("name", "edges", "phrases"),
    [
        (
            "recency",
            [16, 49, 141],
            ["up to 16 days", "17 to 49 days", "50 to 141 days", "142 days and more"],
        ),
        ("recency", [0, 1], ["0 days", "1 day", "2 days and more"]),
        ("recency", [-1, 9, 9], ["no customer", "up to 9 days", "no customer", "10 days and more"]),
        ("recency", [999, 1000], ["up to 999 days", "1,000 days", "1,001 days and more"]),
        ("frequency", [1, 2, 5], ["6 orders and more", "3 to 5 orders", "2 orders", "1 order"]),
        ("frequency", [1, 1, 1], ["2 orders and more", "no customer", "no customer", "1 order"]),
        ("frequency", [0, 3], ["4 orders and more", "up to 3 orders", "no customer"]),
        ("monetary", ["255", "381.5"], ["above 381.50", "above 255.00 to 381.50", "up to 255.00"]),
        ("monetary", ["9.99", "9.99"], ["above 9.99", "no customer", "up to 9.99"]),
        (
            "monetary",
            ["-5", "1234567.895"],
            ["above 1,234,567.90", "above -5.00 to 1,234,567.90", "up to -5.00"],
        ),
        # More decimals where two would make different edges look equal.
        ("monetary", ["7.001", "7.004"], ["above 7.004", "above 7.001 to 7.004", "up to 7.001"]),
    ],
)
def test_edges_are_described_from_the_best_score_down(
    name: str, edges: list[int] | list[str], phrases: list[str]
) -> None:
    assert list(phrases_by_score(name, edges).values()) == phrases


@pytest.mark.parametrize(
    ("bins", "part"), [(2, "half"), (3, "third"), (4, "quarter"), (5, "fifth"), (9, "ninth"), (10, "tenth")]
)
def test_ntile_is_described_by_the_share_of_customers_per_score(bins: int, part: str) -> None:
    phrases = descriptions.describe_edges(DimensionScores("frequency", "ntile", None, (1,) * bins))
    assert phrases == [(score, f"a {part} of the customers") for score in range(bins, 0, -1)]


@pytest.mark.parametrize(
    ("value", "rounded", "exact"),
    [
        ("8911407.904", "8,911,407.90", "8911407.904"),
        ("0.005", "0.01", "0.005"),
        ("-611342.09", "-611,342.09", "-611342.09"),
        ("4310", "4,310.00", "4310.00"),
        ("1E+3", "1,000.00", "1000.00"),
        ("0.000000001", "0.00", "0.000000001"),
        ("12.500000000", "12.50", "12.50"),
        ("-0.000", "0.00", "0.00"),
        (
            "99999999999999999999.999999999",
            "100,000,000,000,000,000,000.00",
            "99999999999999999999.999999999",
        ),
    ],
)
def test_money_is_rounded_for_people_and_exact_for_machines(value: str, rounded: str, exact: str) -> None:
    assert formatting.format_amount(Decimal(value)) == rounded
    assert money(Decimal(value)) == exact


def test_a_share_of_zero_is_undefined() -> None:
    assert (formatting.format_percent(0, 0), share(0, 0)) == ("–", None)
    assert (formatting.format_percent(1, 8), share(1, 8)) == ("12.5 %", 0.125)
    assert (formatting.format_percent(397_884, 541_909), share(397_884, 541_909)) == ("73.4 %", 0.7342)
    assert (formatting.format_percent(Decimal(-5), Decimal(20)), share(2, 3)) == ("-25.0 %", 0.6667)
