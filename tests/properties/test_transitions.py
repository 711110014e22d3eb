"""Properties of the causes of moves between segments, in random shops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.transitions import CAUSES, ScoredSnapshot, transitions_sql
from support.engines import TABLES, Answer, Question, Row, ask_duckdb, connected, fill, rows_of
from support.generated import preset
from support.lanes import max_examples

COLUMNS = {"customer_id": "STRING", "order_id": "STRING", "ordered_at": "DATE", "amount": "NUMERIC"}
START, EARLIER = date(2024, 1, 1), date(2024, 6, 1)
QUANTILES: Mapping[str, Any] = {**preset("classic"), "window": "120 days"}
Orders = Sequence[tuple[int, int, int]]
"""For each order: the customer, the days since START, and the amount."""

order = st.tuples(st.integers(0, 11), st.integers(0, 210), st.integers(1, 60))
orders = st.lists(order, min_size=8, max_size=50)
days = st.integers(1, 58)


@dataclass(frozen=True)
class Counted:
    """Numbers of customers at each date, and the rows of `transitions_sql`."""

    earlier: int
    later: int
    customers: int
    rows: Sequence[Row]

    def by_cause(self) -> dict[str | None, int]:
        return {
            cause: sum(row["customers"] for row in self.rows if row["cause"] == cause)
            for cause in (None, *CAUSES)
        }


def question(made: Orders, as_of: date, **options: Any) -> Question:
    lines = [
        {
            "customer_id": f"c{customer}",
            "order_id": f"o{number}",
            "ordered_at": START + timedelta(days=day),
            "amount": Decimal(amount),
        }
        for number, (customer, day, amount) in enumerate(made)
    ]
    return Question(COLUMNS, lines, {**QUANTILES, **options, "as_of": as_of.isoformat()})


def scored(answered: Question, answer: Answer) -> ScoredSnapshot:
    """Return the snapshot of an answered question, with its edges in the order of `[scoring]`."""
    spec = answered.spec("duckdb")
    (row,) = answer.tables["edges"]
    edges: dict[str, tuple[Decimal, ...] | None] = {}
    for dimension in spec.settings.scoring.dimensions:
        initial = dimension.name[0]
        if dimension.method == "ntile":
            edges[dimension.name] = None
            continue
        values = [Decimal(row[f"{initial}_edge_{k}"]) for k in range(1, dimension.bins)]
        edges[dimension.name] = tuple(reversed(values) if initial == "r" else values)
    bins = spec.settings.scoring.bins_by_dimension
    return ScoredSnapshot(
        date.fromisoformat(answered.settings["as_of"]),
        spec.settings.scoring.dimensions,
        edges,
        SegmentMap.from_config(spec.settings.segments, bins),
    )


def between(first: Question, last: Question, *, frozen: bool = False) -> Counted | None:
    """Return the transitions between two dates; None if there are no customers at one of them."""
    answer = ask_duckdb(first, steps=True)
    if not answer.segments:
        return None
    earlier = scored(first, answer)
    if frozen:
        last = replace(last, frozen={name: edges or () for name, edges in earlier.edges.items()})
    other = ask_duckdb(last, steps=True)
    if not other.segments:
        return None
    later = scored(last, other)
    rows = [*answer.segments, *other.segments]
    with connected(first) as connection:
        fill(connection, "history", TABLES["segments"], rows)
        text = transitions_sql("history", earlier, later, dialect_of("duckdb"))
        counted = rows_of(connection.execute(text))
    customers = len({row["customer_id"] for row in rows})
    return Counted(len(answer.segments), len(other.segments), customers, counted)


def assert_accounted_for(counted_moves: Counted) -> None:
    new = sum(row["customers"] for row in counted_moves.rows if row["earlier_segment"] is None)
    lapsed = sum(row["customers"] for row in counted_moves.rows if row["later_segment"] is None)
    assert counted_moves.later == counted_moves.earlier + new - lapsed
    assert sum(row["customers"] for row in counted_moves.rows) == counted_moves.customers
    for row in counted_moves.rows:
        pair = {row["earlier_segment"], row["later_segment"]}
        assert (row["cause"] in CAUSES) == (None not in pair and len(pair) == 2)


@max_examples(15)
@given(
    orders,
    days,
    st.sampled_from(["classic", "grid", "r-rfm", "lifecycle"]),
    st.sampled_from(["quantile", "ntile"]),
)
def test_every_customer_is_counted_once_and_a_move_has_one_cause(
    made: Orders, later: int, name: str, method: str
) -> None:
    options = {**preset(name)}
    options["scoring"] = {**options["scoring"], "method": method}
    ends = (question(made, day, **options) for day in (EARLIER, EARLIER + timedelta(days=later)))
    if counted_moves := between(*ends):
        assert_accounted_for(counted_moves)
        assert counted_moves.by_cause()["rules"] == 0


@max_examples(15)
@given(orders, days, st.sampled_from(["classic", "lifecycle"]))
def test_without_orders_no_move_is_due_to_behaviour(made: Orders, later: int, name: str) -> None:
    """Between the dates, orders leave the time window, which is an effect of time."""
    old = [(customer, day % 152, amount) for customer, day, amount in made]
    ends = (question(old, day, **preset(name)) for day in (EARLIER, EARLIER + timedelta(days=later)))
    if counted_moves := between(*ends):
        assert_accounted_for(counted_moves)
        causes = counted_moves.by_cause()
        assert (causes["behaviour"], causes["rules"]) == (0, 0)


@max_examples(15)
@given(orders, days, st.sampled_from(["classic", "lifecycle"]))
def test_with_frozen_edges_no_move_is_due_to_edges(made: Orders, later: int, name: str) -> None:
    ends = (question(made, day, **preset(name)) for day in (EARLIER, EARLIER + timedelta(days=later)))
    if counted_moves := between(*ends, frozen=True):
        assert_accounted_for(counted_moves)
        causes = counted_moves.by_cause()
        assert (causes["edges"], causes["rules"]) == (0, 0)


@max_examples(15)
@given(orders, days, st.sampled_from(["grid", "r-rfm", "klaviyo"]))
def test_moves_between_ntile_scores_with_other_bins_are_due_to_rules(
    made: Orders, later: int, name: str
) -> None:
    ranks = {**preset("classic"), "scoring": {"bins": 4, "method": "ntile"}}
    bins = preset(name)["scoring"]["bins"]
    finer = {**preset(name), "scoring": {"bins": bins, "method": "ntile"}}
    ends = question(made, EARLIER, **ranks), question(made, EARLIER + timedelta(days=later), **finer)
    if counted_moves := between(*ends):
        assert_accounted_for(counted_moves)
        causes = counted_moves.by_cause()
        assert (causes["time"], causes["behaviour"], causes["edges"]) == (0, 0, 0)


def test_a_move_by_the_usual_gap_alone_is_due_to_time() -> None:
    """Customer 0 orders every ten days and then stops, customer 1 starts to order again."""
    rhythm = [(0, day, 10) for day in range(100, 150, 10)]
    steady = [(customer, day, 20) for customer in range(2, 8) for day in range(97 + customer, 210, 9)]
    made = [*rhythm, (1, 90, 10), (1, 100, 10), (1, 160, 10), *steady]
    ends = [question(made, START + timedelta(days=day), **preset("lifecycle")) for day in (150, 165)]
    counted_moves = between(*ends)
    assert counted_moves is not None
    causes = counted_moves.by_cause()
    assert (causes["time"], causes["edges"], causes["rules"]) == (1, 0, 0)
    assert causes["behaviour"] >= 1
    moved = {
        row["cause"]: (row["earlier_segment"], row["later_segment"])
        for row in counted_moves.rows
        if row["cause"]
    }
    assert moved["time"] == ("Active", "Slipping")


def moves(made: Orders, **options: Any) -> dict[tuple[str | None, str | None, str | None], int]:
    """Return the customers by segments and cause, from EARLIER, day 152, to day 182.

    A customer is in `New` up to 60 days after the first order in the window of 120 days; of the others, those
    with the upper frequency score are in `Often`.
    """
    new = {"segment": "New", "first_order_days": "<=60"}
    segments = {"rules": [new, {"segment": "Often", "f": 2}], "fallback": "Seldom"}
    ends = (
        question(made, day, segments=segments, window="120 days", **options)
        for day in (EARLIER, EARLIER + timedelta(days=30))
    )
    counted_moves = between(*ends)
    assert counted_moves is not None
    return {
        (row["earlier_segment"], row["later_segment"], row["cause"]): row["customers"]
        for row in counted_moves.rows
    }


def test_of_customers_who_ordered_those_moved_by_it_who_would_not_have_moved_without() -> None:
    edges = {"recency": [30], "frequency": [2], "monetary": [1000]}
    fixed = {"bins": 2, "method": "fixed", **{name: {"edges": values} for name, values in edges.items()}}
    orders_of = {
        # The third order moves customer 0; without it, customer 1 would be in Seldom in place of Often.
        0: [70, 80, 170],
        1: [100, 101, 170],
        # Customer 2 orders and would have ceased to be New without.
        2: [100, 170],
        # Customer 3 ceases to be New without an order.
        3: [100, 110],
        # Three orders of customer 4 leave the window. The history has totals only, so that a customer who
        # ordered as well moved by behaviour.
        4: [40, 45, 50, 100, 170],
    }
    made = [(customer, day, 10) for customer, days in orders_of.items() for day in days]
    assert moves(made, scoring=fixed) == {
        ("Seldom", "Often", "behaviour"): 1,
        ("New", "Often", "behaviour"): 1,
        ("New", "Seldom", "time"): 2,
        ("Often", "Seldom", "behaviour"): 1,
    }


def test_a_customer_who_ordered_less_than_others_moved_by_edges() -> None:
    """Customer 0 has most orders and orders again; then four others have more, and the edge is higher."""
    made = [(0, day, 10) for day in (70, 110, 120, 170)]
    made += [(customer, day, 10) for customer in range(1, 5) for day in (70, 160, 161, 162, 163, 164)]
    assert moves(made, scoring={"bins": 2, "method": "quantile"}) == {
        ("Seldom", "Often", "behaviour"): 4,
        ("Often", "Seldom", "edges"): 1,
    }
