"""Random histories of two as-of dates, whose scores and segments match the edges of both dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from rfm_pipeline.config.day_conditions import Rhythm
from rfm_pipeline.config.scoring import DimensionScoring
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.transitions import ScoredSnapshot
from rfm_pipeline.warehouse.bigquery.schema import COLUMN_TYPES

HISTORY = {name: COLUMN_TYPES[column.holds] for name, column in RESULT_COLUMNS.items()}
"""BigQuery's types of the columns."""


def score(
    dimension: DimensionScoring, scored: ScoredSnapshot, values: Mapping[str, Any], random: Random
) -> int:
    """Return a customer's score by the edges of a snapshot; a random one if the dimension has ranks."""
    edges, value = scored.edges[dimension.name], values[dimension.name]
    if edges is None:
        return random.randrange(1, dimension.bins + 1)
    is_recency = dimension.name == "recency"
    return 1 + sum(bool(value <= edge if is_recency else value > edge) for edge in edges)


def rhythm(scored: ScoredSnapshot, orders: Mapping[str, Any]) -> Rhythm:
    """Return the days of a customer, whose gaps between the orders are all as long as the mean gap."""
    days = (orders["last_order_date"] - orders["first_order_date"]).days
    twice_gap = 2 * days // (orders["frequency"] - 1) if orders["frequency"] > 1 else 0
    return Rhythm(
        (scored.as_of - orders["first_order_date"]).days,
        (scored.as_of - orders["last_order_date"]).days,
        twice_gap or None,
    )


def random_history(
    earlier: ScoredSnapshot, later: ScoredSnapshot, customers: int, random: Random
) -> list[dict[str, Any]]:
    """Return rows of both dates, and of a date between them that is not compared.

    The scores match the edges, and the segments match the scores.
    """
    rows: list[dict[str, Any]] = []
    for number in range(customers):
        kept: Mapping[str, Any] | None = None
        for scored in (earlier, earlier, later):
            between = scored is earlier and kept is not None
            if random.random() < 0.15 and not between:
                continue
            first = earlier.as_of - timedelta(days=random.randrange(200))
            orders: dict[str, Any] = {
                "frequency": random.randrange(1, 8),
                "monetary": Decimal(random.randrange(1, 40_000)) / 100,
                "first_order_date": first,
                "last_order_date": min(first + timedelta(days=random.randrange(150)), scored.as_of),
            }
            if kept and random.random() < 0.6:
                orders = {name: kept[name] for name in orders}
            values = {"recency": (scored.as_of - orders["last_order_date"]).days, **orders}
            r, f, m = (score(dimension, scored, values, random) for dimension in scored.dimensions)
            kept = {
                "customer_id": f"c{number}",
                **orders,
                "recency_days": values["recency"],
                "r_score": r,
                "f_score": f,
                "m_score": m,
                "segment": scored.segment_map.segment_of(r, f, m, rhythm(scored, orders)),
                "as_of_date": scored.as_of + timedelta(days=7 if between else 0),
            }
            rows.append(kept)
    return rows
