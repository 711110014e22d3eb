"""Bootstrap intervals, against the same draws in numpy."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from rfm_pipeline.evaluation.bootstrap import (
    MIN_BUYERS,
    REPLICATES,
    GroupTotals,
    SegmentIntervals,
    draw_weights,
    segment_intervals,
)

GROUPS = 16


def totals(seed: int, *, rate: float = 0.5) -> GroupTotals:
    random = Random(seed)
    customers = [random.randint(0, 9) for _ in range(GROUPS)]
    bought = [sum(random.random() < rate for _ in range(count)) for count in customers]
    orders = [count + random.randint(0, count) for count in bought]
    return GroupTotals(customers, bought, orders, [round(count * 12.34, 2) for count in orders])


def test_each_replicate_draws_as_many_groups_as_there_are_and_always_the_same() -> None:
    weights = draw_weights(GROUPS)
    assert len(weights) == REPLICATES
    assert {sum(drawn) for drawn in weights} == {GROUPS}
    assert weights == draw_weights(GROUPS)
    mean = np.array(weights).mean(axis=0)
    assert np.abs(mean - 1).max() < 0.15


def test_intervals_are_percentiles_of_the_replicates() -> None:
    segments = {"Best": totals(1, rate=0.8), "Rest": totals(2, rate=0.3)}
    weights = np.array(draw_weights(GROUPS))
    drawn = {
        name: [
            weights @ np.array(values, dtype=float)
            for values in (g.customers, g.bought_again, g.orders, g.revenue)
        ]
        for name, g in segments.items()
    }
    all_customers, all_bought, _, all_revenue = (
        drawn["Best"][position] + drawn["Rest"][position] for position in range(4)
    )
    for name, found in segment_intervals(segments, draw_weights(GROUPS)).items():
        customers, bought, orders, revenue = drawn[name]
        expected = SegmentIntervals(
            *(
                tuple(np.percentile(values, [2.5, 97.5]))
                for values in (
                    orders / customers,
                    revenue / customers,
                    (bought / customers) / (all_bought / all_customers),
                    revenue / all_revenue,
                )
            )
        )
        for attribute in ("orders", "revenue", "lift", "revenue_share"):
            assert getattr(found, attribute) == pytest.approx(getattr(expected, attribute), abs=1e-12)


def test_few_buyers_give_no_interval() -> None:
    few = [1] * (MIN_BUYERS - 1) + [0] * (GROUPS - MIN_BUYERS + 1)
    segments = {
        "Few": GroupTotals([2] * GROUPS, few, few, [float(count) for count in few]),
        "Many": totals(1),
    }
    found = segment_intervals(segments, draw_weights(GROUPS))
    assert found["Few"] == SegmentIntervals()
    assert found["Many"].orders is not None


def test_a_segment_whose_customers_are_in_few_groups_may_be_missing_from_a_replicate() -> None:
    lonely = GroupTotals([9, *[0] * 15], [5, *[0] * 15], [7, *[0] * 15], [70.0, *[0.0] * 15])
    found = segment_intervals({"Lonely": lonely, "Many": totals(1)}, draw_weights(GROUPS))
    assert found["Lonely"].orders is None, "one group shows no spread"
    assert found["Lonely"].revenue_share is not None
    assert found["Lonely"].revenue_share[0] == 0
