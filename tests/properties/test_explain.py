"""What `rfm explain` says is so: it agrees with the table, and what it promises comes true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import UsageError
from rfm_pipeline.explain.explain import explain
from rfm_pipeline.explain.result import Explanation
from rfm_pipeline.explain.what_if import MoreOrders
from rfm_pipeline.pipeline.plan import open_plan
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.results.run_result import DimensionScores
from rfm_pipeline.sql.dialects.base import Dialect
from support.generated import scorings
from support.generated_shop import SETTINGS, TODAY, Line, folder, rules, run_source, shop, write

DAY, CENT = timedelta(days=1), Decimal("0.01")
seeds = st.integers(0, 2**32)


@dataclass(frozen=True)
class Shop:
    """Lines in a folder of their own, under some settings."""

    place: Path
    lines: Sequence[Line]
    asked: Mapping[str, Any]

    def source(self, more: Sequence[Line] = ()) -> Path:
        return write(self.place / "orders.csv", [*self.lines, *more])

    def configuration(self, more: Sequence[Line] = (), **asked: Any) -> Configuration:
        return Configuration(flags={**SETTINGS, "source": str(self.source(more)), **self.asked, **asked})

    def explain(self, customer: str) -> Explanation:
        return explain(self.configuration(), customer, NullObserver(), newest=None, today=TODAY)

    def rows(self, more: Sequence[Line] = (), **asked: Any) -> dict[str, dict[str, Any]]:
        """Customer -> the row that a run publishes."""
        published = run_source(self.source(more), self.place, **self.asked, **asked)
        return {row["customer_id"]: row for row in published.rows}

    def held(
        self, edges: Sequence[DimensionScores], as_of: date, more: Sequence[Line] = ()
    ) -> dict[str, str]:
        """Customer -> segment, by a run as of a date whose edges are those of another."""
        with open_plan(self.configuration(more, as_of=as_of), today=TODAY, publishes=False) as plan:
            for step in plan.pipeline.steps(plan.warehouse.table):
                same = edges_sql(edges, plan.spec.dialect)
                plan.warehouse.materialize(step.name, same if step.name == "edges" else step.select)
            rows = plan.warehouse.rows("SELECT customer_id, segment FROM segments")
            return {row["customer_id"]: row["segment"] for row in rows}


@contextmanager
def opened(seed: int, asked: Mapping[str, Any], **sizes: int) -> Iterator[Shop]:
    with folder() as place:
        yield Shop(place, shop(seed, **{"customers": 60, "orders": 220, **sizes}), asked)


def edges_sql(edges: Sequence[DimensionScores], dialect: Dialect) -> str:
    """The table of edges, in the form that the steps after it read."""
    columns = []
    for scores in edges:
        assert scores.edges is not None
        values = scores.edges[::-1] if scores.name == "recency" else scores.edges
        kind = "money" if scores.name == "monetary" else "integer"
        for k, value in enumerate(values, start=1):
            columns.append(f"{dialect.cast(dialect.literal(value), kind)} AS {scores.name[0]}_edge_{k}")
    return f"SELECT {', '.join(columns)}"


def ordered(way: MoreOrders, customer: str, as_of: date, random: Random) -> tuple[list[Line], date]:
    """Orders as a promise asks for them, and the day of the last: the rest of it is drawn."""
    most = way.at_most if way.at_most is not None else way.at_least + random.choice([0, 1, 1000])
    cents = random.choice(
        [way.at_least, most, random.randint(int(way.at_least * 100), int(most * 100)) * CENT]
    )
    last = way.by or as_of + 200 * DAY
    days = [as_of + random.randint(1, (last - as_of).days) * DAY for _ in range(way.orders)]
    # The last day may decide.
    days[0] = random.choice([days[0], last])
    amounts = [CENT] * (way.orders - 1) + [Decimal(cents) - CENT * (way.orders - 1)]
    lines = [
        {
            "customer_id": customer,
            "order_id": f"new {number}",
            "ordered_at": day.isoformat(),
            "quantity": "1",
            "unit_price": str(amount),
            "status": "paid",
        }
        for number, (day, amount) in enumerate(zip(days, amounts, strict=True))
    ]
    return lines, max(days)


# It agrees with the table


@settings(max_examples=4)
@given(seeds, rules(), scorings())
def test_it_says_what_a_run_publishes(seed: int, asked: dict[str, Any], scored: dict[str, Any]) -> None:
    with opened(seed, {**asked, **scored}) as some:
        rows = some.rows()
        for customer in Random(seed).sample(sorted({line["customer_id"] for line in some.lines}), k=8):
            if customer not in rows:
                with pytest.raises(UsageError):
                    some.explain(customer)
                continue
            found = some.explain(customer)
            assert {name: rows[customer][name] for name in found.row} == found.row
            assert found.lines + sum(excluded.lines for excluded in found.excluded) == sum(
                line["customer_id"] == customer for line in some.lines
            )
            counted = [order for order in found.orders if order.reason is None]
            assert sum(order.amount or 0 for order in counted) == found.row["monetary"] == found.amount
            assert sum(order.lines for order in counted) == found.lines
            assert found.left_out == 0


# What it promises comes true


@settings(max_examples=8)
@given(seeds, rules(), scorings(methods=("quantile", "quantile", "fixed")))
def test_more_orders_lead_where_they_are_said_to(
    seed: int, asked: dict[str, Any], scored: dict[str, Any]
) -> None:
    random = Random(seed)
    with opened(seed, {**asked, **scored}) as some:
        customers = sorted(some.rows())
        for customer in random.sample(customers, k=3):
            found = some.explain(customer)
            assert found.changes.why_none is None or "will count from then on" in found.changes.why_none
            for way in random.sample(found.changes.more_orders, k=min(3, len(found.changes.more_orders))):
                event("more orders")
                lines, day = ordered(way, customer, found.row["as_of_date"], random)
                assert some.held(found.dimensions, day, lines)[customer] == way.segment, (way, lines)


@settings(max_examples=8)
@given(seeds, rules(), scorings(methods=("quantile", "quantile", "fixed")))
def test_time_leads_where_it_is_said_to(seed: int, asked: dict[str, Any], scored: dict[str, Any]) -> None:
    random = Random(seed)
    with opened(seed, {**asked, **scored}) as some:
        for customer in random.sample(sorted(some.rows()), k=2):
            found = some.explain(customer)
            now = found.row["segment"]
            for change in random.sample(found.changes.no_order, k=min(3, len(found.changes.no_order))):
                event("no order" if change.segment else "no row")
                assert some.held(found.dimensions, change.on).get(customer) == change.segment
            if found.changes.no_order and found.row["as_of_date"] + DAY < found.changes.no_order[0].on:
                before = some.held(found.dimensions, found.changes.no_order[0].on - DAY)
                assert before[customer] == now, "nothing changes before the day that is named"


@settings(max_examples=4)
@given(seeds, rules(), scorings(methods=("quantile",)))
def test_nothing_less_leads_there(seed: int, asked: dict[str, Any], scored: dict[str, Any]) -> None:
    """A cent less in as many orders is not enough: what is asked for is no more than it takes."""
    random = Random(seed)
    with opened(seed, {**asked, **scored}) as some:
        for customer in random.sample(sorted(some.rows()), k=3):
            found = some.explain(customer)
            as_of = found.row["as_of_date"]
            for way in found.changes.more_orders[:2]:
                if way.at_least <= CENT * way.orders:
                    continue
                event("a cent less")
                less = MoreOrders(
                    way.segment, way.orders, way.at_least - CENT, way.at_least - CENT, as_of + DAY
                )
                lines, day = ordered(less, customer, as_of, random)
                assert some.held(found.dimensions, day, lines)[customer] != way.segment


def test_edges_that_are_held_are_the_edges_of_the_run() -> None:
    """The checks above stand on this: with its own edges, a run gives what it gave."""
    with opened(7, {}) as some:
        rows = some.rows()
        found = some.explain(next(iter(rows)))
        assert some.held(found.dimensions, found.row["as_of_date"]) == {
            customer: row["segment"] for customer, row in rows.items()
        }
