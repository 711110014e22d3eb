"""Queries of the report over a result.

They return aggregates, and single customers only for the lists of top customers. Those are filtered before
they are ranked, because a window function over all customers would run on one worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from rfm_pipeline.sql.dialects.base import Dialect, case_expression
from rfm_pipeline.sql.mean_gap import at_risk_columns, is_due

_MAX_ORDERS = 1000
# Money is grouped by its three leading digits: below each of these amounts in steps of a thousandth of it.
_DECADES = tuple(10**power for power in range(1, 15))


def cells_sql(result: str, dialect: Dialect) -> str:
    """Return the SELECT of the totals of customers by segment and scores, and of those who are due."""
    at_risk = ",\n  ".join(at_risk_columns(dialect))
    return f"""\
SELECT
  segment,
  r_score,
  f_score,
  m_score,
  COUNT(*) AS customers,
  SUM(frequency) AS orders,
  SUM(monetary) AS revenue,
  SUM(recency_days) AS recency_days,
  {at_risk},
  SUM(CASE WHEN {is_due(dialect)} THEN recency_days ELSE 0 END) AS due_days,
  MIN(as_of_date) AS as_of_date,
  MIN(run_id) AS run_id
FROM {result}
GROUP BY segment, r_score, f_score, m_score
ORDER BY segment, r_score, f_score, m_score"""


def values_sql(result: str, dialect: Dialect) -> str:
    """Return the SELECT of the histograms of the three dimensions, by segment.

    Days are exact, as are orders up to a thousand. Money is grouped by its three leading digits; each group
    has its exact sum and its smallest value, `low`.
    """
    step = case_expression([(f"ABS(monetary) < {limit}", str(limit / 1000)) for limit in _DECADES])
    group = dialect.cast(f"FLOOR(monetary / COALESCE({step}, {_DECADES[-1] / 1000}))", "integer")

    def histogram(dimension: str, value: str, keys: str) -> str:
        return f"""\
SELECT
  '{dimension}' AS dimension,
  segment,
  {value} AS low,
  COUNT(*) AS customers,
  SUM(monetary) AS revenue
FROM customers
GROUP BY segment, {keys}"""

    parts = "\nUNION ALL\n".join(
        [
            # Money is not cast, because not every engine keeps its decimals in a cast.
            histogram("monetary", "MIN(monetary)", "step, place"),
            histogram("recency", dialect.cast("recency_days", "money"), "recency_days"),
            histogram("frequency", dialect.cast("orders", "money"), "orders"),
        ]
    )
    return f"""\
-- One row per customer.
WITH customers AS (
  SELECT
    segment,
    recency_days,
    LEAST(frequency, {_MAX_ORDERS}) AS orders,
    monetary,
    {step} AS step,
    {group} AS place
  FROM {result}
)
{parts}"""


def moves_sql(result: str) -> str:
    """Return the SELECT of the customers by previous and current segment.

    `previous_segment` is NULL for customers without a previous segment.
    """
    return f"""\
SELECT
  previous_segment,
  segment,
  COUNT(*) AS customers,
  SUM(monetary) AS revenue
FROM {result}
GROUP BY previous_segment, segment
ORDER BY customers DESC, previous_segment, segment"""


def lapsed_sql(result: str, history: str, before: date, dialect: Dialect) -> str:
    """Return the SELECT of the customers of an earlier date that the result lacks, by their segment then."""
    return f"""\
SELECT
  h.segment,
  COUNT(*) AS customers,
  SUM(h.monetary) AS revenue
FROM {history} AS h
LEFT JOIN {result} AS c
  ON c.customer_id = h.customer_id
WHERE h.as_of_date = {dialect.literal(before)}
  AND c.customer_id IS NULL
GROUP BY h.segment
ORDER BY h.segment"""


def earlier_totals_sql(history: str, day: date, dialect: Dialect) -> str:
    """Return the SELECT of the totals of all customers of an earlier date, and of those who were due."""
    at_risk = ",\n  ".join(at_risk_columns(dialect))
    return f"""\
SELECT
  COUNT(*) AS customers,
  SUM(monetary) AS revenue,
  {at_risk}
FROM {history}
WHERE as_of_date = {dialect.literal(day)}"""


def top_sql(result: str, at_least: Mapping[str, Decimal], limit: int, dialect: Dialect) -> str:
    """Return the SELECT of the customers of each segment with the highest monetary value.

    Args:
        result: SQL identifier of the result.
        at_least: Minimum monetary value by segment; only customers who reach it are ranked. At least `limit`
            customers of the segment must reach it, or all of them.
        limit: Maximum number of customers of each segment.
        dialect: The SQL dialect.
    """
    reaches_minimum = "\n    OR ".join(
        f"(segment = {dialect.literal(segment)} AND monetary >= {dialect.money(amount)})"
        for segment, amount in at_least.items()
    )
    return f"""\
-- One row per customer who may be among the top customers of a segment.
WITH ranked AS (
  SELECT
    segment,
    customer_id,
    recency_days,
    frequency,
    monetary,
    last_order_date,
    rfm_score,
    ROW_NUMBER() OVER (PARTITION BY segment ORDER BY monetary DESC, customer_id) AS place
  FROM {result}
  WHERE {reaches_minimum}
)
SELECT
  segment,
  customer_id,
  recency_days,
  frequency,
  monetary,
  last_order_date,
  rfm_score
FROM ranked
WHERE place <= {limit}
ORDER BY segment, place"""
