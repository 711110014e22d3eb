"""Figures in words agree with the scores that they describe, to the day and the order."""

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


def scored(name: str, edges: list[int] | list[str]) -> dict[int, str]:
    limits = tuple(Decimal(edge) for edge in edges)
    told = descriptions.describe_edges(DimensionScores(name, "fixed", limits, (1,) * (len(limits) + 1)))
    assert [score for score, _ in told] == list(range(len(limits) + 1, 0, -1))
    return dict(told)


def includes(phrase: str, value: int) -> bool:
    """Whether a phrase such as `3 to 5 orders` takes a value."""
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


# Quantile edges repeat where bins collapse; -1 is what an edge at today's orders is in days.
DAYS = st.lists(st.integers(-1, 1_200), min_size=1, max_size=9).map(sorted)
ORDERS = st.lists(st.integers(0, 60), min_size=1, max_size=9).map(sorted)


@given(edges=DAYS, days=st.integers(0, 1_300))
def test_each_recency_is_in_the_words_of_its_score_alone(edges: list[int], days: int) -> None:
    told = scored("recency", edges)
    score = 1 + sum(days <= edge for edge in edges)
    assert [described for described, phrase in told.items() if includes(phrase, days)] == [score]


@given(edges=ORDERS, orders=st.integers(1, 70))
def test_each_frequency_is_in_the_words_of_its_score_alone(edges: list[int], orders: int) -> None:
    told = scored("frequency", edges)
    score = 1 + sum(orders > edge for edge in edges)
    assert [described for described, phrase in told.items() if includes(phrase, orders)] == [score]


@pytest.mark.parametrize(
    ("name", "edges", "told"),
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
        ("monetary", ["255", "381.5"], ["above 381.50", "up to 381.50", "up to 255.00"]),
        ("monetary", ["9.99", "9.99"], ["above 9.99", "no customer", "up to 9.99"]),
        ("monetary", ["-5", "1234567.895"], ["above 1,234,567.90", "up to 1,234,567.90", "up to -5.00"]),
    ],
)
def test_edges_in_words_from_the_best_score_down(
    name: str, edges: list[int] | list[str], told: list[str]
) -> None:
    assert list(scored(name, edges).values()) == told


@pytest.mark.parametrize(
    ("bins", "part"), [(2, "half"), (3, "third"), (4, "quarter"), (5, "fifth"), (9, "ninth"), (10, "tenth")]
)
def test_ntile_is_told_as_the_part_of_the_customers_that_a_score_takes(bins: int, part: str) -> None:
    told = descriptions.describe_edges(DimensionScores("frequency", "ntile", None, (1,) * bins))
    assert told == [(score, f"a {part} of the customers") for score in range(bins, 0, -1)]


@pytest.mark.parametrize(
    ("value", "told", "exact"),
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
def test_money_is_rounded_for_people_and_exact_for_machines(value: str, told: str, exact: str) -> None:
    assert formatting.format_amount(Decimal(value)) == told
    assert money(Decimal(value)) == exact


def test_a_share_of_nothing_is_none() -> None:
    assert (formatting.format_percent(0, 0), share(0, 0)) == ("–", None)
    assert (formatting.format_percent(1, 8), share(1, 8)) == ("12.5 %", 0.125)
    assert (formatting.format_percent(397_884, 541_909), share(397_884, 541_909)) == ("73.4 %", 0.7342)
    assert (formatting.format_percent(Decimal(-5), Decimal(20)), share(2, 3)) == ("-25.0 %", 0.6667)
