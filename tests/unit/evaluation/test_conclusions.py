"""Conclusions claim what the intervals of all dates show."""

from __future__ import annotations

from datetime import date

import pytest

from rfm_pipeline.evaluation.conclusions import conclusions
from rfm_pipeline.evaluation.result import Comparison, DateEvaluation, Outcome
from rfm_pipeline.evaluation.statistics import AucDifference

BETTER, WORSE = AucDifference(0.1, (0.05, 0.15)), AucDifference(-0.1, (-0.15, -0.05))
EQUAL, UNKNOWN = AucDifference(0.1, (-0.01, 0.2)), AucDifference(0.0, None)


def evaluation(number: int, difference: AucDifference | None) -> DateEvaluation:
    day = date(2025, 1, 1 + number)
    return DateEvaluation(day, 90, "classic", Outcome(), Outcome(), (), {}, difference, None)


@pytest.mark.parametrize(
    ("differences", "sentence"),
    [
        (
            [BETTER, BETTER],
            "The map of x separates those who bought again better than that of classic on each of 2 dates.",
        ),
        (
            [WORSE],
            "The map of x separates those who bought again worse than that of classic on the one date.",
        ),
        (
            [EQUAL, UNKNOWN],
            "No difference is shown between the map of x and that of classic on any of 2 dates.",
        ),
        ([EQUAL], "No difference is shown between the map of x and that of classic on the one date."),
        (
            [BETTER, EQUAL, WORSE],
            (
                "The map of x against that of classic: better on 1, worse on 1, no difference shown on 1 of 3"
                " dates, which may be chance."
            ),
        ),
        (
            [None, BETTER, None],
            (
                "The map of x separates those who bought again better than that of classic on the one date"
                " with figures (2 dates without)."
            ),
        ),
        (
            [WORSE, None, WORSE],
            (
                "The map of x separates those who bought again worse than that of classic on each of 2 dates"
                " with figures (1 date without)."
            ),
        ),
        (
            [None, EQUAL, UNKNOWN],
            (
                "No difference is shown between the map of x and that of classic on any of 2 dates with"
                " figures (1 date without)."
            ),
        ),
        (
            [BETTER, None, WORSE],
            (
                "The map of x against that of classic: better on 1, worse on 1 of 2 dates with figures"
                " (1 date without), which may be chance."
            ),
        ),
        ([None], "The map of x is not compared with that of classic: no date has the figures for it."),
    ],
)
def test_a_difference_on_every_date_is_a_difference(
    differences: list[AucDifference | None], sentence: str
) -> None:
    dates = [evaluation(number, EQUAL) for number in range(len(differences))]
    comparisons = [
        Comparison("x", one.as_of, difference) for one, difference in zip(dates, differences, strict=True)
    ]
    assert conclusions(dates, comparisons)[0] == sentence


def test_each_map_is_compared_with_the_sum_of_its_scores() -> None:
    (sentence,) = conclusions([evaluation(0, WORSE), evaluation(1, WORSE)], [])
    assert sentence == (
        "The map of classic separates those who bought again worse than its r + f + m on each of 2 dates."
    )
