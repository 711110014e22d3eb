"""What holds of frozen edges for every shop: they are their run's, and a score is its customer's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from rfm_pipeline.pipeline import plan
from rfm_pipeline.results.run_history import DestinationState
from rfm_pipeline.results.run_record import RunRecord
from support.generated import scorings
from support.generated_shop import Line, Published, examples, rules, run, seeds, shop

AS_OF = date(2024, 12, 31)
"""Recency is counted from here, whoever else is a customer."""

by_quantiles = scorings(methods=("quantile", "quantile", "quantile", "fixed")).filter(
    lambda scored: any(_method(scored["scoring"], name) == "quantile" for name in ("recency", "monetary"))
)


def _method(scoring: Mapping[str, Any], name: str) -> Any:
    return {"method": "quantile", **scoring, **scoring.get(name, {})}["method"]


def run_frozen(
    lines: Sequence[Line], calibration: Published, scored: Mapping[str, Any], **asked: Any
) -> Published:
    """Runs with the edges of an earlier run, as its record gives them."""
    found = calibration.result
    now = datetime.fromisoformat("2025-02-01T06:00")
    record = RunRecord(found.run_id, "run", "published", now, now, found.as_of, edges=found.dimensions)
    scoring = {**scored["scoring"], "edges": "frozen", "calibration": found.run_id}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            plan, "standing_at", lambda _: DestinationState(records=(RunRecord.from_row(record.to_row()),))
        )
        return run(lines, **asked, segments=scored["segments"], scoring=scoring)


@examples
@given(seeds, rules(), by_quantiles)
def test_frozen_to_its_own_edges_a_run_publishes_what_it_published(
    seed: int, asked: dict[str, Any], scored: dict[str, Any]
) -> None:
    lines = shop(seed)
    fresh = run(lines, **asked, **scored)
    frozen = run_frozen(lines, fresh, scored, **asked)
    assert frozen.rows == fresh.rows
    assert frozen.result.drift is not None
    assert frozen.result.drift.customers == 0
    for one, other in zip(frozen.result.dimensions, fresh.result.dimensions, strict=True):
        assert (one.edges, one.customers) == (other.edges, other.customers)
        assert one.recomputed == (other.edges if one.method == "quantile" else None)


@examples
@given(seeds, rules(), by_quantiles, st.integers(2, 5))
def test_by_frozen_edges_the_scores_of_a_customer_depend_on_that_customer_alone(
    seed: int, asked: dict[str, Any], scored: dict[str, Any], share: int
) -> None:
    """Others come and go, and nobody moves; by fresh edges they would."""
    asked = {**asked, "as_of": AS_OF}
    lines = shop(seed)
    calibration = run(shop(seed + 1), **asked, **scored)
    some = {customer for customer in customers(lines) if Random(f"{seed} {customer}").randrange(share) == 0}
    few = [line for line in lines if line["customer_id"] in some]
    assume(len(some) > 40)
    among_all, among_few = (run_frozen(found, calibration, scored, **asked) for found in (lines, few))
    assert among_few.rows == [row for row in among_all.rows if row["customer_id"] in some]
    for one, other in zip(among_few.result.dimensions, among_all.result.dimensions, strict=True):
        assert one.edges == other.edges


@examples
@given(seeds, rules(), by_quantiles)
def test_customers_rescored_are_those_whose_fresh_scores_are_others(
    seed: int, asked: dict[str, Any], scored: dict[str, Any]
) -> None:
    lines = shop(seed)
    calibration = run(shop(seed + 1, customers=120), **asked, **scored)
    fresh, frozen = run(lines, **asked, **scored), run_frozen(lines, calibration, scored, **asked)
    moved = sum(
        row[:3] != other[:3] for row, other in zip(fresh.scores.values(), frozen.scores.values(), strict=True)
    )
    event(f"a share of {round(moved / len(fresh.rows), 1)}")
    drift = frozen.result.drift
    assert drift is not None
    assert (drift.run_id, drift.as_of) == (calibration.result.run_id, calibration.result.as_of)
    assert drift.customers == moved


def customers(lines: Sequence[Line]) -> list[str]:
    return sorted({line["customer_id"] for line in lines if line["customer_id"].strip()})
