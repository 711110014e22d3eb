"""Queries of the rows to publish: the segments, and each customer's segment at the previous as-of date."""

from __future__ import annotations

from datetime import date

from rfm_pipeline.sql.dialects.base import Dialect


def previous_sql(history: str, as_of: date, dialect: Dialect) -> str:
    """Return the SELECT of each customer's segment at an earlier as-of date."""
    return f"""\
SELECT
  customer_id,
  segment,
  segment_since
FROM {history}
WHERE as_of_date = {dialect.literal(as_of)}"""


def result_sql(segments: str, previous: str | None, run_id: str, dialect: Dialect) -> str:
    """Return the SELECT of the rows to publish.

    `previous_segment` is the customer's segment at the previous as-of date; `segment_since` is the first
    as-of date of the customer's unbroken time in the current segment.

    Args:
        segments: The segments as SQL that can follow FROM: a table, or a SELECT in parentheses.
        previous: The rows of `previous_sql` as SQL that can follow FROM; None if there is no earlier date.
        run_id: The run's id.
        dialect: The SQL dialect.
    """
    before, since, join = dialect.cast("NULL", "text"), "s.as_of_date", ""
    if previous is not None:
        before = "p.segment"
        since = "CASE WHEN p.segment = s.segment THEN p.segment_since ELSE s.as_of_date END"
        join = f"\nLEFT JOIN {previous} AS p\n  ON p.customer_id = s.customer_id"
    return f"""\
SELECT
  s.customer_id,
  s.recency_days,
  s.frequency,
  s.monetary,
  s.avg_order_value,
  s.first_order_date,
  s.last_order_date,
  s.r_score,
  s.f_score,
  s.m_score,
  s.rfm_score,
  s.segment,
  {before} AS previous_segment,
  {since} AS segment_since,
  s.as_of_date,
  {dialect.literal(run_id)} AS run_id
FROM {segments} AS s{join}"""
