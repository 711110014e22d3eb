"""The result as it is published: the segments, with where each customer came from."""

from __future__ import annotations

from datetime import date

from rfm_pipeline.sql.dialects.base import Dialect


def previous_sql(history: str, as_of: date, dialect: Dialect) -> str:
    """The SELECT of where each customer was at an earlier as-of date."""
    return f"""\
SELECT
  customer_id,
  segment,
  segment_since
FROM {history}
WHERE as_of_date = {dialect.literal(as_of)}"""


def result_sql(segments: str, previous: str | None, run_id: str, dialect: Dialect) -> str:
    """The SELECT of the published rows.

    `previous_segment` is the customer's segment at the as-of date before this one, and `segment_since` the
    as-of date since which the segment has been the same.

    Args:
        segments: The segments, as they stand behind FROM: a table, or a SELECT in parentheses.
        previous: The rows of `previous_sql`, likewise; None where there is no earlier date.
        run_id: The run's id.
        dialect: The engine's words.
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
