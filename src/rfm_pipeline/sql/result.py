"""The result as it is published: the segments, with where each customer came from."""

from __future__ import annotations

from rfm_pipeline.sql.dialect import Dialect


def result_sql(segments: str, previous: str | None, run_id: str, dialect: Dialect) -> str:
    """The SELECT of the published rows.

    `previous_segment` is the customer's segment at the as-of date before this one, and `segment_since` the
    as-of date since which the segment has been the same. A rerun for the same date finds both as they were.

    Args:
        segments: The staged segments, as they stand behind FROM.
        previous: The current result, likewise; None where there is none.
        run_id: The run's id.
        dialect: The engine's words.
    """
    if previous is None:
        before, since, join = dialect.cast("NULL", "text"), "s.as_of_date", ""
    else:
        before = (
            "CASE\n"
            "    WHEN p.as_of_date < s.as_of_date THEN p.segment\n"
            "    WHEN p.as_of_date = s.as_of_date THEN p.previous_segment\n"
            "  END"
        )
        since = (
            "CASE\n"
            "    WHEN p.as_of_date <= s.as_of_date AND p.segment = s.segment THEN p.segment_since\n"
            "    ELSE s.as_of_date\n"
            "  END"
        )
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
