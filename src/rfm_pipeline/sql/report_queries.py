"""What the report asks of a result: sums over customers, and the few that it names.

Nothing here gives a row per customer but the query of those that are named, and nothing is ranked before it
is narrowed down to a few: a window over all customers would run on one worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from rfm_pipeline.sql.dialects.base import Dialect, cases

_MOST_ORDERS = 1000
# Three leading digits: below each of these amounts, money is grouped in steps of a thousandth of it.
_DECADES = tuple(10**power for power in range(1, 15))


def cells_sql(result: str) -> str:
    """The SELECT of customers with the same segment and scores: how many, their orders and their money."""
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
  MIN(as_of_date) AS as_of_date,
  MIN(run_id) AS run_id
FROM {result}
GROUP BY segment, r_score, f_score, m_score
ORDER BY segment, r_score, f_score, m_score"""


def values_sql(result: str, dialect: Dialect) -> str:
    """The SELECT of how values are distributed: customers with (nearly) the same value, by dimension.

    Days are exact; orders too, up to a thousand; money is grouped by its three leading digits, and each group
    has its exact sum and its smallest value.
    """
    step = cases([(f"ABS(monetary) < {most}", str(most / 1000)) for most in _DECADES])
    place = dialect.cast(f"FLOOR(monetary / COALESCE({step}, {_DECADES[-1] / 1000}))", "integer")

    def counted(dimension: str, value: str, grouped: str) -> str:
        return f"""\
SELECT
  '{dimension}' AS dimension,
  segment,
  {value} AS low,
  COUNT(*) AS customers,
  SUM(monetary) AS revenue
FROM customers
GROUP BY segment, {grouped}"""

    parts = "\nUNION ALL\n".join(
        [
            # Money as it is: it has its decimals, which not every engine keeps in a cast.
            counted("monetary", "MIN(monetary)", "step, place"),
            counted("recency", dialect.cast("recency_days", "money"), "recency_days"),
            counted("frequency", dialect.cast("orders", "money"), "orders"),
        ]
    )
    return f"""\
-- One row per customer.
WITH customers AS (
  SELECT
    segment,
    recency_days,
    LEAST(frequency, {_MOST_ORDERS}) AS orders,
    monetary,
    {step} AS step,
    {place} AS place
  FROM {result}
)
{parts}"""


def moves_sql(result: str) -> str:
    """The SELECT of how many customers went from which segment to which; NULL had none before."""
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
    """The SELECT of the customers of an earlier date that the result does not have, by segment."""
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


def top_sql(result: str, at_least: Mapping[str, Decimal], most: int, dialect: Dialect) -> str:
    """The SELECT of the customers of each segment who spent the most.

    Args:
        result: The result, as it stands behind FROM.
        at_least: By segment, an amount that enough customers reach; only those are ranked.
        most: How many of each.
        dialect: The engine's words.
    """
    reached = "\n    OR ".join(
        f"(segment = {dialect.literal(segment)} AND monetary >= {dialect.money(amount)})"
        for segment, amount in at_least.items()
    )
    return f"""\
-- One row per customer who may be among the first.
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
  WHERE {reached}
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
WHERE place <= {most}
ORDER BY segment, place"""
