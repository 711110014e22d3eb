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
      WHEN (r_score = 4 AND f_score = 4 AND m_score = 4)
          OR (r_score = 4 AND f_score = 4 AND m_score = 3)
          OR (r_score = 4 AND f_score = 3 AND m_score = 4)
          OR (r_score = 4 AND f_score = 3 AND m_score = 3)
          OR (r_score = 3 AND f_score = 4 AND m_score = 4)
          OR (r_score = 3 AND f_score = 4 AND m_score = 3)
          OR (r_score = 3 AND f_score = 3 AND m_score = 4)
          OR (r_score = 3 AND f_score = 3 AND m_score = 3) THEN 'Premium Customer'
      WHEN (r_score = 3 AND f_score = 3 AND m_score = 2)
          OR (r_score = 2 AND f_score = 4 AND m_score = 4)
          OR (r_score = 2 AND f_score = 4 AND m_score = 3)
          OR (r_score = 2 AND f_score = 3 AND m_score = 4)
          OR (r_score = 2 AND f_score = 3 AND m_score = 3)
          OR (r_score = 2 AND f_score = 3 AND m_score = 2)
          OR (r_score = 1 AND f_score = 4 AND m_score = 3) THEN 'Repeat Customer'
      WHEN (r_score = 4 AND f_score = 2 AND m_score = 4)
          OR (r_score = 4 AND f_score = 2 AND m_score = 3)
          OR (r_score = 4 AND f_score = 1 AND m_score = 4)
          OR (r_score = 4 AND f_score = 1 AND m_score = 3)
          OR (r_score = 3 AND f_score = 2 AND m_score = 4)
          OR (r_score = 3 AND f_score = 2 AND m_score = 3)
          OR (r_score = 3 AND f_score = 1 AND m_score = 4)
          OR (r_score = 3 AND f_score = 1 AND m_score = 3)
          OR (r_score = 2 AND f_score = 2 AND m_score = 4)
          OR (r_score = 1 AND f_score = 4 AND m_score = 4)
          OR (r_score = 1 AND f_score = 3 AND m_score = 4)
          OR (r_score = 1 AND f_score = 3 AND m_score = 3)
          OR (r_score = 1 AND f_score = 2 AND m_score = 4) THEN 'Top Spender'
      WHEN (r_score = 4 AND f_score = 2 AND m_score = 2)
          OR (r_score = 4 AND f_score = 1 AND m_score = 2)
          OR (r_score = 3 AND f_score = 2 AND m_score = 2)
          OR (r_score = 3 AND f_score = 1 AND m_score = 2)
          OR (r_score = 2 AND f_score = 2 AND m_score = 3)
          OR (r_score = 2 AND f_score = 2 AND m_score = 2)
          OR (r_score = 2 AND f_score = 1 AND m_score = 4)
          OR (r_score = 2 AND f_score = 1 AND m_score = 2)
          OR (r_score = 1 AND f_score = 3 AND m_score = 2)
          OR (r_score = 1 AND f_score = 2 AND m_score = 3)
          OR (r_score = 1 AND f_score = 2 AND m_score = 2) THEN 'At-Risk Customer'
      WHEN (r_score = 4 AND f_score = 1 AND m_score = 1)
          OR (r_score = 3 AND f_score = 1 AND m_score = 1)
          OR (r_score = 2 AND f_score = 1 AND m_score = 1)
          OR (r_score = 1 AND f_score = 1 AND m_score = 4)
          OR (r_score = 1 AND f_score = 1 AND m_score = 3)
          OR (r_score = 1 AND f_score = 1 AND m_score = 2)
          OR (r_score = 1 AND f_score = 1 AND m_score = 1) THEN 'Inactive Customer'
      ELSE 'Other'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments
