"""Properties of `rfm explain`: it agrees with the published table, and its predictions hold."""

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
from hypothesis import event, given
from hypothesis import strategies as st

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import UsageError
from rfm_pipeline.explain.explain import explain
from rfm_pipeline.explain.result import Explanation
from rfm_pipeline.explain.what_if import MoreOrders
from rfm_pipeline.pipeline.plan import open_plan
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.results.statistics import DimensionScores
from rfm_pipeline.sql.dialects.base import Dialect
from support.generated import scorings
from support.generated_shop import SETTINGS, TODAY, Line, folder, rules, run_source, shop, write
from support.lanes import max_examples

DAY, CENT = timedelta(days=1), Decimal("0.01")
seeds = st.integers(0, 2**32)


@dataclass(frozen=True)
class Shop:
    """Order lines in a folder of their own, with the settings of its runs."""

    folder: Path
    lines: Sequence[Line]
    flags: Mapping[str, Any]

    def source(self, more: Sequence[Line] = ()) -> Path:
        return write(self.folder / "orders.csv", [*self.lines, *more])

    def configuration(self, more: Sequence[Line] = (), **flags: Any) -> Configuration:
        return Configuration(flags={**SETTINGS, "source": str(self.source(more)), **self.flags, **flags})

    def explain(self, customer: str) -> Explanation:
        return explain(self.configuration(), customer, NullObserver(), newest=None, today=TODAY)

    def rows(self, more: Sequence[Line] = (), **flags: Any) -> dict[str, dict[str, Any]]:
        """Return the row that a run publishes, by customer."""
        published = run_source(self.source(more), self.folder, **self.flags, **flags)
        return {row["customer_id"]: row for row in published.rows}

    def segments_at(
        self, edges: Sequence[DimensionScores], as_of: date, more: Sequence[Line] = ()
    ) -> dict[str, str]:
        """Return the segment by customer, of a run as of a date with given edges."""
        with open_plan(self.configuration(more, as_of=as_of), today=TODAY, publishes=False) as plan:
            for step in plan.pipeline.steps(plan.warehouse.table):
                select = edges_sql(edges, plan.spec.dialect) if step.name == "edges" else step.select
                plan.warehouse.materialize(step.name, select)
            rows = plan.warehouse.rows("SELECT customer_id, segment FROM segments")
            return {row["customer_id"]: row["segment"] for row in rows}


@contextmanager
def open_shop(seed: int, flags: Mapping[str, Any], **sizes: int) -> Iterator[Shop]:
    with folder() as path:
        yield Shop(path, shop(seed, **{"customers": 60, "orders": 220, **sizes}), flags)


def edges_sql(edges: Sequence[DimensionScores], dialect: Dialect) -> str:
    """Return the SELECT of the `edges` table, in the form that the later steps read."""
    columns = []
    for scores in edges:
        assert scores.edges is not None
        values = scores.edges[::-1] if scores.name == "recency" else scores.edges
        kind = "money" if scores.name == "monetary" else "integer"
        for k, value in enumerate(values, start=1):
            columns.append(f"{dialect.cast(dialect.literal(value), kind)} AS {scores.name[0]}_edge_{k}")
    return f"SELECT {', '.join(columns)}"


def predicted_orders(way: MoreOrders, customer: str, as_of: date, random: Random) -> tuple[list[Line], date]:
    """Return random orders that satisfy a prediction, and the day of the last one."""
    limit = way.max_amount if way.max_amount is not None else way.min_amount + random.choice([0, 1, 1000])
    cents = random.choice(
        [way.min_amount, limit, random.randint(int(way.min_amount * 100), int(limit * 100)) * CENT]
    )
    last = way.last_day or as_of + 200 * DAY
    days = [as_of + random.randint(1, (last - as_of).days) * DAY for _ in range(way.orders)]
    # Include the last allowed day often, because predictions may fail there.
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


# Agreement with the published table


@pytest.mark.guarantee("explained")
@max_examples(4)
@given(seeds, rules(), scorings())
def test_explanations_equal_the_published_rows(
    seed: int, flags: dict[str, Any], scoring: dict[str, Any]
) -> None:
    with open_shop(seed, {**flags, **scoring}) as generated:
        rows = generated.rows()
        for customer in Random(seed).sample(sorted({line["customer_id"] for line in generated.lines}), k=8):
            if customer not in rows:
                with pytest.raises(UsageError):
                    generated.explain(customer)
                continue
            result = generated.explain(customer)
            assert {name: rows[customer][name] for name in result.row} == result.row
            assert result.counted_lines + sum(excluded.lines for excluded in result.excluded) == sum(
                line["customer_id"] == customer for line in generated.lines
            )
            counted = [order for order in result.orders if order.reason is None]
            assert (
                sum(order.amount or 0 for order in counted) == result.row["monetary"] == result.counted_amount
            )
            assert sum(order.lines for order in counted) == result.counted_lines
            assert result.omitted_orders == 0


# Predictions


@pytest.mark.guarantee("explained")
@max_examples(8)
@given(seeds, rules(), scorings(methods=("quantile", "quantile", "fixed")))
def test_predicted_orders_lead_to_the_segment(
    seed: int, flags: dict[str, Any], scoring: dict[str, Any]
) -> None:
    random = Random(seed)
    with open_shop(seed, {**flags, **scoring}) as generated:
        customers = sorted(generated.rows())
        for customer in random.sample(customers, k=3):
            result = generated.explain(customer)
            assert result.changes.why_none is None or "will count from then on" in result.changes.why_none
            for way in random.sample(result.changes.more_orders, k=min(3, len(result.changes.more_orders))):
                event("more orders")
                lines, day = predicted_orders(way, customer, result.row["as_of_date"], random)
                assert generated.segments_at(result.dimensions, day, lines)[customer] == way.segment, (
                    way,
                    lines,
                )


@max_examples(8)
@given(seeds, rules(), scorings(methods=("quantile", "quantile", "fixed")))
@pytest.mark.slow
def test_segments_without_orders_are_reached_on_the_predicted_date(
    seed: int, flags: dict[str, Any], scoring: dict[str, Any]
) -> None:
    random = Random(seed)
    with open_shop(seed, {**flags, **scoring}) as generated:
        for customer in random.sample(sorted(generated.rows()), k=2):
            result = generated.explain(customer)
            now = result.row["segment"]
            for change in random.sample(result.changes.no_order, k=min(3, len(result.changes.no_order))):
                event("no order" if change.segment else "no row")
                assert generated.segments_at(result.dimensions, change.as_of).get(customer) == change.segment
            if result.changes.no_order and result.row["as_of_date"] + DAY < result.changes.no_order[0].as_of:
                before = generated.segments_at(result.dimensions, result.changes.no_order[0].as_of - DAY)
                assert before[customer] == now, "the segment does not change before the predicted date"


@max_examples(4)
@given(seeds, rules(), scorings(methods=("quantile",)))
@pytest.mark.slow
def test_a_cent_less_does_not_lead_to_the_segment(
    seed: int, flags: dict[str, Any], scoring: dict[str, Any]
) -> None:
    """The predicted minimum amount is the smallest that leads to the segment."""
    random = Random(seed)
    with open_shop(seed, {**flags, **scoring}) as generated:
        for customer in random.sample(sorted(generated.rows()), k=3):
            result = generated.explain(customer)
            as_of = result.row["as_of_date"]
            for way in result.changes.more_orders[:2]:
                if way.min_amount <= CENT * way.orders:
                    continue
                event("a cent less")
                less = MoreOrders(
                    way.segment, way.orders, way.min_amount - CENT, way.min_amount - CENT, as_of + DAY
                )
                lines, day = predicted_orders(less, customer, as_of, random)
                assert generated.segments_at(result.dimensions, day, lines)[customer] != way.segment


def test_given_edges_reproduce_the_segments_of_their_run() -> None:
    """Checks the helper of the tests above: with its own edges, a run gives the same segments."""
    with open_shop(7, {}) as generated:
        rows = generated.rows()
        result = generated.explain(next(iter(rows)))
        assert generated.segments_at(result.dimensions, result.row["as_of_date"]) == {
            customer: row["segment"] for customer, row in rows.items()
        }
