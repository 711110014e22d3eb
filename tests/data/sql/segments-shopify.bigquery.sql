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
    CONCAT(CAST(r_score AS STRING), CAST(f_score AS STRING), CAST(m_score AS STRING)) AS rfm_score,
    CASE
      WHEN r_score = 5 AND CAST(CEIL((f_score + m_score) / 2.0) AS INT64) >= 4 THEN 'Champions'
      WHEN r_score BETWEEN 3 AND 4 AND CAST(CEIL((f_score + m_score) / 2.0) AS INT64) >= 4 THEN 'Loyal'
      WHEN r_score >= 4 AND CAST(CEIL((f_score + m_score) / 2.0) AS INT64) BETWEEN 2 AND 3 THEN 'Active'
      WHEN r_score = 5 AND CAST(CEIL((f_score + m_score) / 2.0) AS INT64) = 1 THEN 'New'
      WHEN r_score = 4 AND CAST(CEIL((f_score + m_score) / 2.0) AS INT64) = 1 THEN 'Promising'
      WHEN r_score = 3 AND CAST(CEIL((f_score + m_score) / 2.0) AS INT64) = 3 THEN 'Needs Attention'
      WHEN r_score = 3 AND CAST(CEIL((f_score + m_score) / 2.0) AS INT64) <= 2 THEN 'Almost Lost'
      WHEN r_score <= 2 AND CAST(CEIL((f_score + m_score) / 2.0) AS INT64) BETWEEN 3 AND 4 THEN 'At Risk'
      WHEN r_score <= 2 AND CAST(CEIL((f_score + m_score) / 2.0) AS INT64) = 5 THEN 'Previously Loyal'
      WHEN r_score <= 2 AND CAST(CEIL((f_score + m_score) / 2.0) AS INT64) <= 2 THEN 'Dormant'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments
