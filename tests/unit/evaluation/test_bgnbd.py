"""BG/NBD: the published estimates of CDNOW, the exact gradient, and the expectation by another integral."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import beta

from rfm_pipeline.evaluation.bgnbd import (
    History,
    Model,
    data_of,
    expected_purchases,
    fit,
    log_likelihood,
)
from support import cdnow


@pytest.fixture(scope="module")
def histories() -> list[History]:
    """The published summary of the 1/10th sample of CDNOW, in days."""
    counted = Counter(
        (one.repeat_orders, round(one.weeks_to_last * 7), round(one.weeks_observed * 7))
        for one in cdnow.summaries().values()
    )
    return [History(*history, customers) for history, customers in sorted(counted.items())]


@pytest.fixture(scope="module")
def model(histories: list[History]) -> Model:
    found = fit(histories)
    assert found is not None
    return found


def test_the_estimates_are_the_published_ones(model: Model) -> None:
    # Fader, Hardie and Lee 2005, table 2.
    estimates = [round(value, 3) for value in (model.r, model.alpha, model.a, model.b)]
    assert estimates == [0.243, 4.414, 0.793, 2.426]
    assert round(model.log_likelihood, 1) == -9582.4
    assert model.customers == cdnow.SAMPLE_CUSTOMERS
    assert model.has_dropout


def test_the_expected_purchases_are_the_published_ones(model: Model) -> None:
    # Fader, Hardie and Lee, "Implementing the BG/NBD model in Excel", 2005: E[Y(39) | 2, 30.43, 38.86].
    published = Model(0.243, 4.414, 0.793, 2.426, 0.0, 0)
    (customer,) = [History(2, 213, 272, 1)]
    assert customer.recency / 7 == pytest.approx(30.43, abs=0.005)
    assert customer.age / 7 == pytest.approx(38.86, abs=0.005)
    for each in (model, published):
        (expected,) = expected_purchases(each, [customer], 39 * 7)
        assert expected == pytest.approx(1.226, abs=5e-4)


@pytest.mark.parametrize("parameters", [(0.243, 4.414, 0.793, 2.426), (1.5, 20.0, 0.01, 9.0), (0.6, 1, 3, 1)])
def test_the_gradient_is_exact(histories: list[History], parameters: tuple[float, ...]) -> None:
    data = data_of(histories)
    _, gradient = log_likelihood(parameters, data)
    for position, value in enumerate(parameters):
        step = value * 1e-6
        above, below = list(parameters), list(parameters)
        above[position] += step
        below[position] -= step
        numeric = (log_likelihood(above, data)[0] - log_likelihood(below, data)[0]) / (2 * step)
        assert gradient[position] == pytest.approx(numeric, rel=1e-6, abs=1e-4)


def by_integral(model: Model, history: History, days: int) -> float:
    """Return the expectation as the mean over the probability to stop, of a customer who is still alive."""
    x, last, age, horizon = history.repeats, history.recency / 7, history.age / 7, days / 7
    shape, rate = model.r + x, model.alpha + age

    def purchases(u: float) -> float:
        p = float(beta.ppf(u, model.a, model.b + x))
        return -math.expm1(-shape * math.log1p(p * horizon / rate)) / p if p else shape * horizon / rate

    mean, _ = integrate.quad(purchases, 0, 1, epsabs=1e-12, epsrel=1e-9, limit=200)
    dead = 0.0
    if x:
        dead = model.a / (model.b + x - 1) * ((model.alpha + age) / (model.alpha + last)) ** shape
    return float(mean) / (1 + dead)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        *((0.793, 2.426), (1.0, 2.4), (1.0000001, 2.4), (1.7, 0.3), (6.0, 2.0), (19.9, 900.0), (20.0, 0.5)),
        *((20.1, 1.0), (20.1, 900.0), (300.0, 3.0), (1_000.0, 1_000.0), (12.0, 1_000.0), (0.01, 5.0)),
    ],
)
@pytest.mark.parametrize("history", [(0, 0, 1), (0, 0, 100), (1, 30, 200), (7, 150, 160), (40, 300, 365)])
@pytest.mark.matrix
def test_the_expected_purchases_are_a_mean_over_the_probability_to_stop(
    a: float, b: float, history: tuple[int, int, int]
) -> None:
    model, one = Model(0.243, 1.4, a, b, 0.0, 0), History(*history, 1)
    (expected,) = expected_purchases(model, [one], 90)
    assert expected == pytest.approx(by_integral(model, one, 90), rel=1e-5 if a <= 20 else 5e-5)


def test_without_dropout_customers_go_on_at_their_rate() -> None:
    random = Random(5)
    counted: Counter[tuple[int, int, int]] = Counter()
    for _ in range(2_000):
        rate, day, days = random.gammavariate(2, 1 / 60), 0.0, 300
        bought: set[int] = set()
        while True:
            day += random.expovariate(rate)
            if day > days:
                break
            bought.add(int(day))
        bought.discard(0)
        counted[len(bought), max(bought, default=0), days] += 1
    histories = [History(*history, customers) for history, customers in sorted(counted.items())]
    found = fit(histories)
    assert found is not None
    assert not found.has_dropout
    assert found.r == pytest.approx(2, rel=0.2)
    expected = expected_purchases(found, histories, 90)
    at_rate = [(found.r + one.repeats) / (found.alpha + one.age / 7) * 90 / 7 for one in histories]
    assert expected == pytest.approx(at_rate, rel=0.02)


def test_a_shop_without_a_second_order_has_no_model() -> None:
    assert fit([History(0, 0, age, 3) for age in range(10)]) is None


def test_histories_without_time_have_finite_expectations(model: Model) -> None:
    extreme = [History(0, 0, 0, 1), History(900, 20, 4_000, 1), History(3_000, 3_999, 4_000, 1)]
    expected = np.array(expected_purchases(model, extreme, 90))
    assert np.isfinite(expected).all()
    assert (expected >= 0).all()
    assert expected[1] == pytest.approx(0, abs=1e-9)
    assert expected[2] == pytest.approx(3_000 / 4_000 * 90, rel=0.02)
