"""Agreement: names that match, and Cohen's kappa against published and independently computed values."""

from __future__ import annotations

from random import Random

import pandas as pd
import pytest

from rfm_pipeline.comparison.agreement import cohens_kappa, names_on_side_a
from rfm_pipeline.errors import UsageError


def test_kappa_of_the_psychiatric_diagnoses_of_fleiss() -> None:
    """Table 13.1 of Fleiss, "Statistical methods for rates and proportions", 1981: kappa 0.68."""
    names = ("psychotic", "neurotic", "organic")
    shares = ((75, 1, 4), (5, 4, 1), (0, 0, 10))
    table = {(a, b): shares[i][j] for i, a in enumerate(names) for j, b in enumerate(names)}
    assert cohens_kappa(table) == pytest.approx(0.6765, abs=5e-5)


@pytest.mark.parametrize("seed", range(20))
def test_kappa_is_that_of_a_computation_in_pandas(seed: int) -> None:
    random = Random(seed)
    names = [f"s{number}" for number in range(random.randint(2, 6))]
    rows = pd.DataFrame(
        [(a, a if random.random() < 0.5 else random.choice(names)) for a in random.choices(names, k=200)],
        columns=["a", "b"],
    )
    observed = (rows.a == rows.b).mean()
    shares_a, shares_b = (rows[side].value_counts(normalize=True) for side in "ab")
    expected = sum(shares_a.get(name, 0) * shares_b.get(name, 0) for name in names)
    counts = {(str(a), str(b)): int(number) for (a, b), number in rows.value_counts().items()}
    assert cohens_kappa(counts) == pytest.approx((observed - expected) / (1 - expected), abs=1e-12)


def test_kappa_is_undefined_where_chance_alone_gives_full_agreement() -> None:
    assert cohens_kappa({("Best", "Best"): 7}) is None
    assert cohens_kappa({}) is None
    assert cohens_kappa({("Best", "Lost"): 7}) == 0


def test_names_differ_in_case_blanks_and_punctuation_only_where_that_is_unambiguous() -> None:
    assert names_on_side_a(["At-Risk", "Can't Lose"], ["at risk", "Cant lose", "New"], {}) == {
        "at risk": "At-Risk",
        "Cant lose": "Can't Lose",
    }
    assert names_on_side_a(["At-Risk", "At Risk"], ["at risk"], {}) == {}
    assert names_on_side_a(["At-Risk"], ["at risk", "AT RISK"], {}) == {}
    assert names_on_side_a(["At-Risk"], ["At-Risk", "At Risk"], {}) == {}
    assert names_on_side_a(["!"], ["?"], {}) == {}


@pytest.mark.parametrize(
    ("renamed", "sentence"),
    [
        ({"Gold": "Best"}, "Side B has no segment 'Gold'."),
        ({"VIP": "Beast"}, "Side A has no segment 'Beast'."),
    ],
)
def test_a_renaming_of_a_segment_that_no_side_has_is_refused(renamed: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as raised:
        names_on_side_a(["Best"], ["VIP"], renamed)
    assert raised.value.hint is not None
    assert ("`VIP`" if "Gold" in renamed else "`Best`") in raised.value.hint
