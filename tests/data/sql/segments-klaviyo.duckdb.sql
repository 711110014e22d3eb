WITH
-- One row per customer: the result.
segments AS (
  SELECT
    customer_id,
    recency_days,
    frequency,
    monetary,
    avg_order_value,
    first_order_date,
    last_order_date,
    r_score,
    f_score,
    m_score,
    CONCAT(CAST(r_score AS VARCHAR), CAST(f_score AS VARCHAR), CAST(m_score AS VARCHAR)) AS rfm_score,
    CASE
      WHEN (r_score = 3 AND f_score = 3 AND m_score = 3)
          OR (r_score = 3 AND f_score = 3 AND m_score = 2)
          OR (r_score = 3 AND f_score = 2 AND m_score = 3) THEN 'Champions'
      WHEN (r_score = 3 AND f_score = 3 AND m_score = 1)
          OR (r_score = 3 AND f_score = 2 AND m_score = 2)
          OR (r_score = 3 AND f_score = 2 AND m_score = 1)
          OR (r_score = 2 AND f_score = 3 AND m_score = 3)
          OR (r_score = 2 AND f_score = 3 AND m_score = 2) THEN 'Loyal'
      WHEN (r_score = 3 AND f_score = 1 AND m_score = 3)
          OR (r_score = 3 AND f_score = 1 AND m_score = 2)
          OR (r_score = 3 AND f_score = 1 AND m_score = 1)
          OR (r_score = 2 AND f_score = 2 AND m_score = 3)
          OR (r_score = 2 AND f_score = 2 AND m_score = 2) THEN 'Recent'
      WHEN (r_score = 2 AND f_score = 2 AND m_score = 1)
          OR (r_score = 2 AND f_score = 1 AND m_score = 3)
          OR (r_score = 1 AND f_score = 3 AND m_score = 3)
          OR (r_score = 1 AND f_score = 3 AND m_score = 2)
          OR (r_score = 1 AND f_score = 2 AND m_score = 3) THEN 'Needs Attention'
      WHEN (r_score = 2 AND f_score = 3 AND m_score = 1)
          OR (r_score = 2 AND f_score = 1 AND m_score = 2)
          OR (r_score = 2 AND f_score = 1 AND m_score = 1)
          OR (r_score = 1 AND f_score = 3 AND m_score = 1)
          OR (r_score = 1 AND f_score = 2 AND m_score = 2) THEN 'At Risk'
      WHEN (r_score = 1 AND f_score = 2 AND m_score = 1)
          OR (r_score = 1 AND f_score = 1 AND m_score = 3)
          OR (r_score = 1 AND f_score = 1 AND m_score = 2)
          OR (r_score = 1 AND f_score = 1 AND m_score = 1) THEN 'Inactive'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments
