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
      WHEN r_score <= 2 AND f_score <= 2 THEN 'Hibernating'
      WHEN r_score <= 2 AND f_score BETWEEN 3 AND 4 THEN 'At Risk'
      WHEN r_score <= 2 AND f_score = 5 THEN 'Can''t Lose Them'
      WHEN r_score = 3 AND f_score <= 2 THEN 'About to Sleep'
      WHEN r_score = 3 AND f_score = 3 THEN 'Need Attention'
      WHEN r_score BETWEEN 3 AND 4 AND f_score >= 4 THEN 'Loyal Customers'
      WHEN r_score = 4 AND f_score = 1 THEN 'Promising'
      WHEN r_score = 5 AND f_score = 1 THEN 'New Customers'
      WHEN r_score >= 4 AND f_score BETWEEN 2 AND 3 THEN 'Potential Loyalists'
      WHEN r_score = 5 AND f_score >= 4 THEN 'Champions'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments
