-- The stage segments: each customer's segment, by the rules of the segment map.
-- Each case: a question in TOML, then the expected SQL. CTEs that are the same as in the first case, or the same in
-- both dialects, are written once. tests/support/golden_queries.py describes the keys of a question. To regenerate
-- the SQL below the questions:
-- RFM_UPDATE_GOLDEN=1 uv run pytest tests/unit/sql/test_golden.py

/*
name = "classic"
preset = "classic"
*/
-- duckdb
WITH
-- One row per customer: the metrics, the scores and the segment.
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
      WHEN r_score = 4 AND f_score = 4 AND m_score = 4 THEN 'Champions'
      WHEN r_score = 4 AND f_score = 4 THEN 'Loyal Customers'
      WHEN r_score >= 3 AND f_score >= 3 THEN 'Potential Loyalists'
      WHEN r_score = 4 AND f_score <= 2 THEN 'New Customers'
      WHEN r_score = 3 AND f_score <= 2 THEN 'Promising'
      WHEN r_score = 2 AND f_score >= 3 THEN 'Needs Attention'
      WHEN r_score = 2 AND f_score <= 2 THEN 'About to Sleep'
      WHEN r_score = 1 AND f_score >= 3 THEN 'At-Risk'
      WHEN r_score = 1 AND f_score = 2 THEN 'Hibernating'
      WHEN r_score = 1 AND f_score = 1 THEN 'Lost'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments;

-- bigquery
WITH
-- One row per customer: the metrics, the scores and the segment.
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
      WHEN r_score = 4 AND f_score = 4 AND m_score = 4 THEN 'Champions'
      WHEN r_score = 4 AND f_score = 4 THEN 'Loyal Customers'
      WHEN r_score >= 3 AND f_score >= 3 THEN 'Potential Loyalists'
      WHEN r_score = 4 AND f_score <= 2 THEN 'New Customers'
      WHEN r_score = 3 AND f_score <= 2 THEN 'Promising'
      WHEN r_score = 2 AND f_score >= 3 THEN 'Needs Attention'
      WHEN r_score = 2 AND f_score <= 2 THEN 'About to Sleep'
      WHEN r_score = 1 AND f_score >= 3 THEN 'At-Risk'
      WHEN r_score = 1 AND f_score = 2 THEN 'Hibernating'
      WHEN r_score = 1 AND f_score = 1 THEN 'Lost'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments;

/*
name = "grid"
preset = "grid"
*/
-- duckdb
WITH
-- One row per customer: the metrics, the scores and the segment.
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
FROM segments;

-- bigquery
WITH
-- One row per customer: the metrics, the scores and the segment.
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
      WHEN r_score <= 2 AND f_score <= 2 THEN 'Hibernating'
      WHEN r_score <= 2 AND f_score BETWEEN 3 AND 4 THEN 'At Risk'
      WHEN r_score <= 2 AND f_score = 5 THEN 'Can\'t Lose Them'
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
FROM segments;

/*
name = "klaviyo"
preset = "klaviyo"
*/
-- duckdb
WITH
-- One row per customer: the metrics, the scores and the segment.
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
FROM segments;

-- bigquery
WITH
-- One row per customer: the metrics, the scores and the segment.
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
FROM segments;

/*
name = "pymc"
preset = "pymc"
*/
-- duckdb
WITH
-- One row per customer: the metrics, the scores and the segment.
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
FROM segments;

-- bigquery
WITH
-- One row per customer: the metrics, the scores and the segment.
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
FROM segments;

/*
name = "r-rfm"
preset = "r-rfm"
*/
-- duckdb
WITH
-- One row per customer: the metrics, the scores and the segment.
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
      WHEN r_score = 5 AND f_score = 5 AND m_score = 5 THEN 'Champions'
      WHEN r_score >= 3 AND f_score >= 3 AND m_score >= 2 THEN 'Potential Loyalist'
      WHEN r_score BETWEEN 2 AND 4 AND f_score BETWEEN 2 AND 4 AND m_score BETWEEN 2 AND 4 THEN 'Loyal Customers'
      WHEN r_score BETWEEN 3 AND 4 AND f_score <= 3 AND m_score >= 3 THEN 'Promising'
      WHEN r_score >= 4 AND f_score <= 3 AND m_score >= 1 THEN 'New Customers'
      WHEN r_score <= 2 AND f_score BETWEEN 3 AND 4 AND m_score >= 4 THEN 'Can''t Lose Them'
      WHEN r_score <= 2 AND f_score >= 2 AND m_score >= 4 THEN 'At Risk'
      WHEN r_score <= 3 AND f_score >= 3 AND m_score >= 3 THEN 'Need Attention'
      WHEN r_score BETWEEN 2 AND 3 AND f_score <= 3 AND m_score <= 4 THEN 'About To Sleep'
      WHEN r_score = 1 AND f_score >= 1 AND m_score >= 1 THEN 'Lost'
      ELSE 'Others'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments;

-- bigquery
WITH
-- One row per customer: the metrics, the scores and the segment.
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
      WHEN r_score = 5 AND f_score = 5 AND m_score = 5 THEN 'Champions'
      WHEN r_score >= 3 AND f_score >= 3 AND m_score >= 2 THEN 'Potential Loyalist'
      WHEN r_score BETWEEN 2 AND 4 AND f_score BETWEEN 2 AND 4 AND m_score BETWEEN 2 AND 4 THEN 'Loyal Customers'
      WHEN r_score BETWEEN 3 AND 4 AND f_score <= 3 AND m_score >= 3 THEN 'Promising'
      WHEN r_score >= 4 AND f_score <= 3 AND m_score >= 1 THEN 'New Customers'
      WHEN r_score <= 2 AND f_score BETWEEN 3 AND 4 AND m_score >= 4 THEN 'Can\'t Lose Them'
      WHEN r_score <= 2 AND f_score >= 2 AND m_score >= 4 THEN 'At Risk'
      WHEN r_score <= 3 AND f_score >= 3 AND m_score >= 3 THEN 'Need Attention'
      WHEN r_score BETWEEN 2 AND 3 AND f_score <= 3 AND m_score <= 4 THEN 'About To Sleep'
      WHEN r_score = 1 AND f_score >= 1 AND m_score >= 1 THEN 'Lost'
      ELSE 'Others'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments;

/*
name = "shopify"
preset = "shopify"
*/
-- duckdb
WITH
-- One row per customer: the metrics, the scores and the segment.
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
      WHEN r_score = 5 AND CAST(CEIL((f_score + m_score) / 2.0) AS BIGINT) >= 4 THEN 'Champions'
      WHEN r_score BETWEEN 3 AND 4 AND CAST(CEIL((f_score + m_score) / 2.0) AS BIGINT) >= 4 THEN 'Loyal'
      WHEN r_score >= 4 AND CAST(CEIL((f_score + m_score) / 2.0) AS BIGINT) BETWEEN 2 AND 3 THEN 'Active'
      WHEN r_score = 5 AND CAST(CEIL((f_score + m_score) / 2.0) AS BIGINT) = 1 THEN 'New'
      WHEN r_score = 4 AND CAST(CEIL((f_score + m_score) / 2.0) AS BIGINT) = 1 THEN 'Promising'
      WHEN r_score = 3 AND CAST(CEIL((f_score + m_score) / 2.0) AS BIGINT) = 3 THEN 'Needs Attention'
      WHEN r_score = 3 AND CAST(CEIL((f_score + m_score) / 2.0) AS BIGINT) <= 2 THEN 'Almost Lost'
      WHEN r_score <= 2 AND CAST(CEIL((f_score + m_score) / 2.0) AS BIGINT) BETWEEN 3 AND 4 THEN 'At Risk'
      WHEN r_score <= 2 AND CAST(CEIL((f_score + m_score) / 2.0) AS BIGINT) = 5 THEN 'Previously Loyal'
      WHEN r_score <= 2 AND CAST(CEIL((f_score + m_score) / 2.0) AS BIGINT) <= 2 THEN 'Dormant'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments;

-- bigquery
WITH
-- One row per customer: the metrics, the scores and the segment.
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
FROM segments;

/*
name = "two-rules"

[settings.scoring]
bins = 3
frequency = { method = "fixed", edges = [1, 2] }
monetary.bins = 2

[settings.segments]
fallback = "Others"
rules = [{ segment = "Best", r = 3, m = 2 }]
*/
-- duckdb
WITH
-- One row per customer: the metrics, the scores and the segment.
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
      WHEN r_score = 3 AND m_score = 2 THEN 'Best'
      ELSE 'Others'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments;

-- bigquery
WITH
-- One row per customer: the metrics, the scores and the segment.
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
      WHEN r_score = 3 AND m_score = 2 THEN 'Best'
      ELSE 'Others'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments;

/*
name = "ten-bins"

[settings]
scoring.bins = 10

[settings.segments]
fallback = "Others"
rules = [{ segment = "Best", r = ">=9", fm = 10 }]
*/
-- duckdb
WITH
-- One row per customer: the metrics, the scores and the segment.
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
    CONCAT(CAST(r_score AS VARCHAR), '-', CAST(f_score AS VARCHAR), '-', CAST(m_score AS VARCHAR)) AS rfm_score,
    CASE
      WHEN r_score >= 9 AND CAST(CEIL((f_score + m_score) / 2.0) AS BIGINT) = 10 THEN 'Best'
      ELSE 'Others'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments;

-- bigquery
WITH
-- One row per customer: the metrics, the scores and the segment.
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
    CONCAT(CAST(r_score AS STRING), '-', CAST(f_score AS STRING), '-', CAST(m_score AS STRING)) AS rfm_score,
    CASE
      WHEN r_score >= 9 AND CAST(CEIL((f_score + m_score) / 2.0) AS INT64) = 10 THEN 'Best'
      ELSE 'Others'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments;

/*
name = "lifecycle"
preset = "lifecycle"
*/
-- duckdb
WITH
-- One row per customer: the metrics, the scores and the segment.
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
      WHEN first_order_days <= 30 THEN 'New'
      WHEN twice_median_gap IS NULL THEN 'One-time'
      WHEN f_score = 4 AND m_score = 4 AND 2 * recency_days <= twice_median_gap THEN 'Champions'
      WHEN f_score >= 3 AND 2 * recency_days <= twice_median_gap THEN 'Loyal'
      WHEN 2 * recency_days <= twice_median_gap THEN 'Active'
      WHEN recency_days <= twice_median_gap THEN 'Due'
      WHEN recency_days <= 2 * twice_median_gap THEN 'Slipping'
      WHEN r_score >= 3 THEN 'Slipping'
      WHEN r_score = 2 THEN 'Dormant'
      WHEN r_score = 1 THEN 'Lost'
    END AS segment,
    first_order_days,
    twice_median_gap,
    as_of_date
  FROM scores
)

SELECT *
FROM segments;

-- bigquery
WITH
-- One row per customer: the metrics, the scores and the segment.
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
      WHEN first_order_days <= 30 THEN 'New'
      WHEN twice_median_gap IS NULL THEN 'One-time'
      WHEN f_score = 4 AND m_score = 4 AND 2 * recency_days <= twice_median_gap THEN 'Champions'
      WHEN f_score >= 3 AND 2 * recency_days <= twice_median_gap THEN 'Loyal'
      WHEN 2 * recency_days <= twice_median_gap THEN 'Active'
      WHEN recency_days <= twice_median_gap THEN 'Due'
      WHEN recency_days <= 2 * twice_median_gap THEN 'Slipping'
      WHEN r_score >= 3 THEN 'Slipping'
      WHEN r_score = 2 THEN 'Dormant'
      WHEN r_score = 1 THEN 'Lost'
    END AS segment,
    first_order_days,
    twice_median_gap,
    as_of_date
  FROM scores
)

SELECT *
FROM segments;
