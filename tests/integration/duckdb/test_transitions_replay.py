"""Transitions between any two days of a daily backfill equal those computed from two independent runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.presets import load_preset
from rfm_pipeline.config.segment_map import SegmentMap, SegmentsConfig
from rfm_pipeline.pipeline.backfill import as_of_dates, backfill
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import run
from rfm_pipeline.pipeline.transitions import Transitions, transitions
from rfm_pipeline.results.run_result import RunResult
from support import cdnow
from support.databases import database
from support.real_data import real_data

pytestmark = pytest.mark.xdist_group("replay")

MAP = SegmentMap.from_config(SegmentsConfig.of(load_preset("classic")["segments"]), (4, 4, 4))
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Replay:
    """A shop with one published result per day.

    Attributes:
        source: The file of its orders.
        file: DuckDB file of the destination.
        days: The as-of dates, ascending and without gaps.
        moves_by_cause: Each of the causes time, behaviour and edges moved more customers than this number.
    """

    source: Path
    file: Path
    days: Sequence[date]
    moves_by_cause: int

    def configuration(self, file: Path, **flags: Any) -> Configuration:
        return Configuration(flags={"source": str(self.source), "to": f"duckdb:{file}", **flags})

    def pairs(self) -> list[tuple[date, date]]:
        """Return the first and the last day, the last two days, and two random days."""
        first, second = sorted(Random(4).sample(self.days, 2))
        return [(self.days[0], self.days[-1]), (self.days[-2], self.days[-1]), (first, second)]


@pytest.fixture(scope="session", params=["cdnow", pytest.param("online retail", marks=pytest.mark.slow)])
def replayed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    folder = tmp_path_factory.mktemp("replay")
    if request.param == "cdnow":
        source = cdnow.write_csv(cdnow.sample(), folder / "orders.csv")
        last, count, moves = date(1997, 3, 31), 20, 10
    else:
        source = real_data("online_retail.parquet")
        last, count, moves = date(2011, 12, 9), 30, 50
    days = as_of_dates(last - timedelta(days=count - 1), last, "day")
    replay = Replay(source, folder / "daily.duckdb", days, moves)
    result = backfill(replay.configuration(replay.file), days, NullObserver(), lambda _: None)
    assert len(result.published) == len(days)
    return replay


def transitions_between(file: Path, days: Sequence[date]) -> Transitions:
    return transitions(Configuration(flags={"to": f"duckdb:{file}"}), *days)


def run_alone(replay: Replay, day: date, folder: Path) -> tuple[RunResult, dict[str, Row]]:
    """Return the result and the rows by customer id of a run as of a date into a new destination."""
    file = folder / f"{day}.duckdb"
    result = run(replay.configuration(file, as_of=day.isoformat()), NullObserver())
    with database(file) as connection:
        cursor = connection.execute("FROM rfm_segments")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return result, {row["customer_id"]: row for row in rows}


def segment_by_edges_of(recency: int, frequency: int, monetary: Decimal, result: RunResult) -> str:
    """Return the segment of a customer whose scores are computed in Python from the edges of a result."""
    edges = {scores.name: scores.edges or () for scores in result.statistics.edges}
    r = 1 + sum(recency <= edge for edge in edges["recency"])
    f = 1 + sum(frequency > edge for edge in edges["frequency"])
    m = 1 + sum(monetary > edge for edge in edges["monetary"])
    return MAP.segment_of(r, f, m)


def cause(earlier: Row, later: Row, results: tuple[RunResult, RunResult], days: int) -> str | None:
    """Return the cause of a customer's move; None if the customer did not move."""
    if earlier["segment"] == later["segment"]:
        return None
    aged = (earlier["recency_days"] + days, earlier["frequency"], earlier["monetary"])
    ordered = (
        later["last_order_date"] != earlier["last_order_date"] or later["monetary"] != earlier["monetary"]
    )
    if ordered and segment_by_edges_of(*aged, results[1]) != later["segment"]:
        return "behaviour"
    return "edges" if segment_by_edges_of(*aged, results[0]) == earlier["segment"] else "time"


@pytest.mark.slow
@pytest.mark.parametrize("index", range(3))
def test_transitions_between_stored_days_equal_those_of_independent_runs(
    index: int, replayed: Replay, tmp_path: Path
) -> None:
    days = replayed.pairs()[index]
    actual = transitions_between(replayed.file, days)
    (first, earlier), (last, later) = (run_alone(replayed, day, tmp_path) for day in days)
    expected: Counter[tuple[str | None, str | None, str | None]] = Counter()
    spent: Counter[tuple[str | None, str | None]] = Counter()
    for customer in earlier.keys() | later.keys():
        before, now = earlier.get(customer), later.get(customer)
        pair = (before["segment"] if before else None, now["segment"] if now else None)
        why = cause(before, now, (first, last), (days[1] - days[0]).days) if before and now else None
        expected[*pair, why] += 1
        spent[pair] += now["monetary"] if now else 0
    assert {(flow.earlier, flow.later): flow.revenue for flow in actual.flows} == spent
    counted: Counter[tuple[str | None, str | None, str | None]] = Counter()
    for flow in actual.flows:
        if flow.is_move:
            counted.update({(flow.earlier, flow.later, why): number for why, number in flow.causes.items()})
        else:
            counted[flow.earlier, flow.later, None] += flow.customers
    assert counted == expected


@pytest.mark.slow
def test_customer_counts_and_causes_add_up_on_every_day(replayed: Replay) -> None:
    moved: Counter[str] = Counter()
    for before, day in pairwise(replayed.days):
        actual = transitions_between(replayed.file, (before, day))
        assert actual.later.customers == actual.earlier.customers + actual.new - actual.lapsed
        assert actual.later.customers == actual.stayed + actual.moved + actual.new
        assert sum(actual.causes.values()) == actual.moved
        assert all(sum(flow.causes.values()) == flow.customers for flow in actual.flows if flow.is_move)
        assert actual.causes["rules"] == 0
        moved.update(actual.causes)
    assert min(moved["time"], moved["behaviour"], moved["edges"]) > replayed.moves_by_cause
