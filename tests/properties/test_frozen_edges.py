"""Properties of frozen edges: they equal those of their run, and scores do not depend on other customers."""

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
"""As-of date of the runs: it must not depend on the customers."""

by_quantiles = scorings(methods=("quantile", "quantile", "quantile", "fixed")).filter(
    lambda scored: any(_method(scored["scoring"], name) == "quantile" for name in ("recency", "monetary"))
)


def _method(scoring: Mapping[str, Any], name: str) -> Any:
    return {"method": "quantile", **scoring, **scoring.get(name, {})}["method"]


def run_frozen(
    lines: Sequence[Line], calibration: Published, scored: Mapping[str, Any], **options: Any
) -> Published:
    """Run with the edges of an earlier run, read from that run's record."""
    result = calibration.result
    now = datetime.fromisoformat("2025-02-01T06:00")
    record = RunRecord(
        result.run_id, "calibration", "calibrated", now, now, result.as_of, statistics=result.statistics
    )
    scoring = {**scored["scoring"], "edges": "frozen", "calibration": result.run_id}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            plan, "read_state", lambda _: DestinationState(records=(RunRecord.from_row(record.to_row()),))
        )
        return run(lines, **options, segments=scored["segments"], scoring=scoring)


@examples
@given(seeds, rules(), by_quantiles)
def test_a_run_frozen_to_its_own_edges_publishes_the_same_rows(
    seed: int, options: dict[str, Any], scored: dict[str, Any]
) -> None:
    lines = shop(seed)
    fresh = run(lines, **options, **scored)
    frozen = run_frozen(lines, fresh, scored, **options)
    assert frozen.rows == fresh.rows
    assert frozen.result.drift is not None
    assert frozen.result.drift.customers == 0
    for one, other in zip(frozen.result.statistics.edges, fresh.result.statistics.edges, strict=True):
        assert (one.edges, one.customers) == (other.edges, other.customers)
        assert one.recomputed == (other.edges if one.method == "quantile" else None)


@examples
@given(seeds, rules(), by_quantiles, st.integers(2, 5))
def test_scores_by_frozen_edges_do_not_depend_on_other_customers(
    seed: int, options: dict[str, Any], scored: dict[str, Any], share: int
) -> None:
    """Other customers come and go without a change of any score; by recomputed edges, scores would change."""
    options = {**options, "as_of": AS_OF}
    lines = shop(seed)
    calibration = run(shop(seed + 1), **options, **scored)
    some = {customer for customer in customers(lines) if Random(f"{seed} {customer}").randrange(share) == 0}
    few = [line for line in lines if line["customer_id"] in some]
    assume(len(some) > 40)
    among_all, among_few = (run_frozen(subset, calibration, scored, **options) for subset in (lines, few))
    assert among_few.rows == [row for row in among_all.rows if row["customer_id"] in some]
    for one, other in zip(among_few.result.statistics.edges, among_all.result.statistics.edges, strict=True):
        assert one.edges == other.edges


@examples
@given(seeds, rules(), by_quantiles)
def test_customers_rescored_are_those_whose_recomputed_scores_differ(
    seed: int, options: dict[str, Any], scored: dict[str, Any]
) -> None:
    lines = shop(seed)
    calibration = run(shop(seed + 1, customers=120), **options, **scored)
    fresh, frozen = run(lines, **options, **scored), run_frozen(lines, calibration, scored, **options)
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
