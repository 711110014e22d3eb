"""Statistics of scores and outcomes, from counts: no customer is compared with another.

All counts are integers, so that the figures are equal on every engine, to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

from msgspec import Struct

Interval = tuple[float, float]
"""Lower and upper end of a 95 % confidence interval."""

_Z = NormalDist().inv_cdf(0.975)


class Counts(Struct, frozen=True):
    """Customers who have the same scores.

    Attributes:
        scores: Value of one score or of several; a higher one stands for a better customer.
        bought: Number of these customers who bought again.
        others: Number of the others.
    """

    scores: tuple[Any, ...]
    bought: int
    others: int


class Auc(Struct, frozen=True):
    """Area under the ROC curve.

    Attributes:
        value: Probability that a customer who bought again has the higher score than one who did not, with
            half of the ties: 0.5 if the score says nothing.
        interval: Its 95 % interval; None if it can't be estimated.
    """

    value: float
    interval: Interval | None

    @property
    def gini(self) -> float:
        """The Gini coefficient, or accuracy ratio: 2 AUC - 1."""
        return 2 * self.value - 1


def wilson_interval(successes: int, trials: int) -> Interval:
    """Return the 95 % interval of a share, by Wilson's score method without continuity correction.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927; method 3 of
    Newcombe, "Two-sided confidence intervals for the single proportion", 1998.

    >>> [round(end, 4) for end in wilson_interval(81, 263)]
    [0.2553, 0.3662]
    """
    share, square = successes / trials, _Z**2
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = _Z / (1 + square / trials) * math.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    return (
        max(0.0, middle - half) if successes else 0.0,
        min(1.0, middle + half) if successes < trials else 1.0,
    )


def auc(counts: Sequence[Counts], score: int = 0) -> Auc | None:
    """Return the AUC of a score; None if all customers bought again, or none did.

    Args:
        counts: The customers by scores.
        score: Position of the score in `Counts.scores`.
    """
    areas = _Areas.of(counts, [score])
    return None if areas is None else Auc(areas.values[0], areas.interval([1.0]))


class AucDifference(Struct, frozen=True):
    """AUC of one score less that of another, for the same customers.

    Attributes:
        value: The difference.
        interval: Its 95 % interval; None if it can't be estimated, as for scores in the same order.
    """

    value: float
    interval: Interval | None

    @property
    def sign(self) -> int:
        """1 or -1 if the interval is above or below 0, else 0."""
        if self.interval is None:
            return 0
        return (self.interval[0] > 0) - (self.interval[1] < 0)


def auc_difference(counts: Sequence[Counts]) -> AucDifference | None:
    """Return the AUC of the first of two scores less that of the second; None without both outcomes."""
    areas = _Areas.of(counts, [0, 1])
    if areas is None:
        return None
    return AucDifference(areas.values[0] - areas.values[1], areas.interval([1.0, -1.0]))


class _Areas(Struct, frozen=True):
    """AUCs of scores of the same customers, with the covariance of the estimates.

    Source: DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver
    operating characteristic curves: a nonparametric approach", 1988. Their structural components depend on
    the value of the score only, so they are computed per value.

    Attributes:
        values: The AUCs.
        covariance: Covariance matrix of the estimates; None with fewer than two customers of an outcome.
    """

    values: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...] | None

    @classmethod
    def of(cls, counts: Sequence[Counts], positions: Sequence[int]) -> _Areas | None:
        bought, others = sum(count.bought for count in counts), sum(count.others for count in counts)
        if not bought or not others:
            return None
        placements = [_placements(counts, position) for position in positions]
        doubled = [
            sum(count.bought * placed[count.scores[position]][0] for count in counts)
            for position, placed in zip(positions, placements, strict=True)
        ]
        values = tuple(area / (2 * bought * others) for area in doubled)
        if bought < 2 or others < 2:
            return cls(values, None)
        # Deviations of each customer's components from their mean, by outcome.
        deviations = [
            [
                (
                    placed[count.scores[position]][0] / (2 * others) - value,
                    placed[count.scores[position]][1] / (2 * bought) - value,
                )
                for count in counts
            ]
            for position, placed, value in zip(positions, placements, values, strict=True)
        ]
        covariance = tuple(
            tuple(
                math.fsum(count.bought * a[0] * b[0] for count, a, b in zip(counts, one, other, strict=True))
                / ((bought - 1) * bought)
                + math.fsum(
                    count.others * a[1] * b[1] for count, a, b in zip(counts, one, other, strict=True)
                )
                / ((others - 1) * others)
                for other in deviations
            )
            for one in deviations
        )
        return cls(values, covariance)

    def interval(self, factors: Sequence[float]) -> Interval | None:
        """Return the 95 % interval of a linear combination of the AUCs; None if no variance is estimated."""
        if self.covariance is None:
            return None
        variance = math.fsum(
            a * b * self.covariance[i][j] for i, a in enumerate(factors) for j, b in enumerate(factors)
        )
        # Rounding leaves a little of a variance that is 0.
        if variance <= 1e-18:
            return None
        value = math.fsum(factor * area for factor, area in zip(factors, self.values, strict=True))
        half = _Z * math.sqrt(variance)
        lowest = 0.0 if len(factors) == 1 else -1.0
        return max(lowest, value - half), min(1.0, value + half)


def _placements(counts: Iterable[Counts], position: int) -> dict[Hashable, tuple[int, int]]:
    """Return by value of a score twice the number of customers that it is right about, if it is a tie half.

    The first number is of the customers who did not buy, below the value; the second of those who did, above.
    """
    by_value: dict[Any, list[int]] = {}
    for count in counts:
        totals = by_value.setdefault(count.scores[position], [0, 0])
        totals[0] += count.bought
        totals[1] += count.others
    all_bought = sum(bought for bought, _ in by_value.values())
    placed: dict[Hashable, tuple[int, int]] = {}
    bought_below = others_below = 0
    for value in sorted(by_value):
        bought, others = by_value[value]
        placed[value] = (2 * others_below + others, 2 * (all_bought - bought_below) - bought)
        bought_below += bought
        others_below += others
    return placed


def spearman(by_score: Mapping[Any, tuple[int, int]], ties: Mapping[int, int]) -> float | None:
    """Return Spearman's rank correlation between a score and another value, with mean ranks for ties.

    It is Pearson's correlation of the ranks (Kendall and Gibbons, "Rank correlation methods", 1990,
    chapter 3). None if all customers have one score or one value.

    Args:
        by_score: Number of customers, and the sum of twice the rank of their other value, by score.
        ties: Number of values that so many customers have, by that number of customers.
    """
    customers = sum(count for count, _ in by_score.values())
    below, products, squares = 0, 0, 0
    for score in sorted(by_score):
        count, rank_sum = by_score[score]
        doubled_rank = 2 * below + count + 1
        products += doubled_rank * rank_sum
        squares += count * doubled_rank**2
        below += count
    of_means = customers * (customers + 1) ** 2
    of_values = (customers**3 - customers - sum(number * (n**3 - n) for n, number in ties.items())) // 3
    of_scores = squares - of_means
    if of_scores == 0 or of_values == 0:
        return None
    return (products - of_means) / (math.sqrt(of_scores) * math.sqrt(of_values))
