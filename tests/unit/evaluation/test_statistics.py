"""Wilson intervals, AUC with its interval, and Spearman: against published values, scipy and brute force."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from random import Random

import numpy as np
import pytest
from scipy import stats

from rfm_pipeline.evaluation.statistics import (
    Counts,
    auc,
    auc_difference,
    spearman,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_that_of_newcombe_1998(
    successes: int, trials: int, low: float, high: float
) -> None:
    # Newcombe, "Two-sided confidence intervals for the single proportion", table I, method 3.
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (7, 7), (3, 10), (499, 1_000)])
def test_wilsons_interval_is_that_of_scipy(successes: int, trials: int) -> None:
    wanted = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, trials) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def customers(seed: int, count: int) -> list[tuple[int, int, bool]]:
    """Return two scores with ties, and whether the customer bought again."""
    random = Random(seed)
    drawn = []
    for _ in range(count):
        one = random.randint(1, 5)
        other = max(1, min(9, one + random.randint(-2, 3)))
        drawn.append((one, other, random.random() < 0.1 + 0.12 * one))
    return drawn


def counts_of(drawn: list[tuple[int, int, bool]]) -> list[Counts]:
    bought = Counter((one, other) for one, other, again in drawn if again)
    others = Counter((one, other) for one, other, again in drawn if not again)
    return [Counts(scores, bought[scores], others[scores]) for scores in bought | others]


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_the_share_of_pairs_with_half_of_the_ties(seed: int) -> None:
    drawn = customers(seed, 60)
    for position in (0, 1):
        bought = [row[position] for row in drawn if row[2]]
        others = [row[position] for row in drawn if not row[2]]
        pairs = [(a > b) + 0.5 * (a == b) for a, b in itertools.product(bought, others)]
        area = auc(counts_of(drawn), position)
        assert area is not None
        assert area.value == pytest.approx(math.fsum(pairs) / len(pairs), abs=1e-15)
        statistic = stats.mannwhitneyu(bought, others).statistic
        assert area.value == pytest.approx(statistic / len(pairs), abs=1e-12)
        assert area.gini == pytest.approx(2 * area.value - 1)


@pytest.mark.parametrize("seed", range(5))
def test_intervals_are_delongs(seed: int) -> None:
    drawn = customers(seed, 80)
    components = []
    for position in (0, 1):
        bought = np.array([row[position] for row in drawn if row[2]])
        others = np.array([row[position] for row in drawn if not row[2]])
        kernel = (bought[:, None] > others) + 0.5 * (bought[:, None] == others)
        components.append((kernel.mean(axis=1), kernel.mean(axis=0), kernel.mean()))
    of_bought = np.cov([each[0] for each in components])
    of_others = np.cov([each[1] for each in components])
    covariance = of_bought / len(components[0][0]) + of_others / len(components[0][1])
    counts = counts_of(drawn)
    z = stats.norm.ppf(0.975)
    for position in (0, 1):
        area, half = auc(counts, position), z * math.sqrt(covariance[position, position])
        assert area is not None
        value = components[position][2]
        assert area.interval == pytest.approx((value - half, min(1.0, value + half)), abs=1e-9)
    difference = auc_difference(counts)
    assert difference is not None
    value = components[0][2] - components[1][2]
    half = z * math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert difference.interval == pytest.approx((value - half, value + half), abs=1e-9)


def test_nothing_is_claimed_without_both_outcomes_or_without_spread() -> None:
    assert auc([Counts((1,), 5, 0), Counts((2,), 3, 0)]) is None
    assert auc_difference([Counts((1, 1), 0, 5)]) is None
    perfect = auc([Counts((1,), 0, 5), Counts((2,), 3, 0)])
    assert perfect is not None
    assert (perfect.value, perfect.interval) == (1.0, None)
    single = auc([Counts((1,), 0, 5), Counts((2,), 1, 0)])
    assert single is not None
    assert single.interval is None
    same = auc_difference([Counts((1, 10), 2, 5), Counts((2, 30), 4, 3)])
    assert same is not None
    assert (same.value, same.interval, same.sign) == (0.0, None, 0)


def test_the_sign_of_a_difference_is_that_of_its_interval() -> None:
    better = auc_difference([Counts((1, 1), 10, 400), Counts((2, 1), 400, 10)])
    assert better is not None
    assert better.sign == 1
    worse = auc_difference([Counts((1, 1), 10, 400), Counts((1, 2), 400, 10)])
    assert worse is not None
    assert worse.sign == -1


@pytest.mark.parametrize("seed", range(5))
def test_spearman_is_that_of_scipy(seed: int) -> None:
    random = Random(seed)
    scores = [random.randint(3, 12) for _ in range(200)]
    values = [random.choice([0, 0, 0, score * random.randint(1, 30)]) for score in scores]
    ranks = stats.rankdata(values)
    by_score: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for score, rank in zip(scores, ranks, strict=True):
        by_score[score] = by_score[score][0] + 1, by_score[score][1] + round(2 * rank)
    ties = Counter(Counter(values).values())
    assert spearman(by_score, ties) == pytest.approx(stats.spearmanr(scores, values).statistic, abs=1e-12)


def test_spearman_needs_two_scores_and_two_values() -> None:
    assert spearman({3: (2, 6)}, {1: 2}) is None
    assert spearman({3: (1, 3), 4: (1, 3)}, {2: 1}) is None
