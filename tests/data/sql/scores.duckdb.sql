WITH
-- One row per recency value.
recency_histogram AS (
  SELECT
    -recency_days AS value,
    COUNT(*) AS customers_here
  FROM metrics
  GROUP BY 1
),

-- One row per recency value, with the customers up to it and in all.
recency_cumulative AS (
  SELECT
    value,
    SUM(customers_here) OVER (ORDER BY value) AS up_to,
    SUM(customers_here) OVER () AS customers
  FROM recency_histogram
),

-- One row: the edges of recency.
recency_edges AS (
  SELECT
    -MIN(CASE WHEN up_to * 4 >= customers * 1 THEN value END) - 1 AS r_edge_1,
    -MIN(CASE WHEN up_to * 4 >= customers * 2 THEN value END) - 1 AS r_edge_2,
    -MIN(CASE WHEN up_to * 4 >= customers * 3 THEN value END) - 1 AS r_edge_3
  FROM recency_cumulative
),

-- One row per frequency value.
frequency_histogram AS (
  SELECT
    frequency AS value,
    COUNT(*) AS customers_here
  FROM metrics
  GROUP BY 1
),

-- One row per frequency value, with the customers up to it and in all.
frequency_cumulative AS (
  SELECT
    value,
    SUM(customers_here) OVER (ORDER BY value) AS up_to,
    SUM(customers_here) OVER () AS customers
  FROM frequency_histogram
),

-- One row: the edges of frequency.
frequency_edges AS (
  SELECT
    MIN(CASE WHEN up_to * 4 >= customers * 1 THEN value END) AS f_edge_1,
    MIN(CASE WHEN up_to * 4 >= customers * 2 THEN value END) AS f_edge_2,
    MIN(CASE WHEN up_to * 4 >= customers * 3 THEN value END) AS f_edge_3
  FROM frequency_cumulative
),

-- One row per coarse monetary value.
monetary_coarse AS (
  SELECT
    FLOOR(CAST(monetary AS DOUBLE)) AS coarse,
    COUNT(*) AS customers_here
  FROM metrics
  GROUP BY 1
),

-- One row per coarse monetary value, with the customers before it, up to it and in all.
monetary_ranges AS (
  SELECT
    coarse,
    SUM(customers_here) OVER (ORDER BY coarse) - customers_here AS before,
    SUM(customers_here) OVER (ORDER BY coarse) AS up_to,
    SUM(customers_here) OVER () AS customers
  FROM monetary_coarse
),

-- One row per coarse value that holds an edge.
monetary_holders AS (
  SELECT
    coarse,
    before,
    customers
  FROM monetary_ranges
  WHERE
    (before * 4 < customers * 1 AND up_to * 4 >= customers * 1)
    OR (before * 4 < customers * 2 AND up_to * 4 >= customers * 2)
    OR (before * 4 < customers * 3 AND up_to * 4 >= customers * 3)
),

-- One row per monetary value among those.
monetary_histogram AS (
  SELECT
    monetary AS value,
    coarse,
    before,
    customers,
    COUNT(*) AS customers_here
  FROM metrics
  JOIN monetary_holders
    ON FLOOR(CAST(monetary AS DOUBLE)) = coarse
  GROUP BY 1, 2, 3, 4
),

-- One row per monetary value among those, with the customers up to it and in all.
monetary_cumulative AS (
  SELECT
    value,
    before + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to,
    customers
  FROM monetary_histogram
),

-- One row: the edges of monetary.
monetary_edges AS (
  SELECT
    MIN(CASE WHEN up_to * 4 >= customers * 1 THEN value END) AS m_edge_1,
    MIN(CASE WHEN up_to * 4 >= customers * 2 THEN value END) AS m_edge_2,
    MIN(CASE WHEN up_to * 4 >= customers * 3 THEN value END) AS m_edge_3
  FROM monetary_cumulative
),

-- One row: the edges between scores. A recency edge is the most days for its score.
edges AS (
  SELECT
    r_edge_1,
    r_edge_2,
    r_edge_3,
    f_edge_1,
    f_edge_2,
    f_edge_3,
    m_edge_1,
    m_edge_2,
    m_edge_3
  FROM recency_edges
  CROSS JOIN frequency_edges
  CROSS JOIN monetary_edges
),

-- One row per customer, scored 1 (worst) to the number of bins.
scores AS (
  SELECT
    customer_id,
    recency_days,
    frequency,
    monetary,
    avg_order_value,
    first_order_date,
    last_order_date,
    CASE
      WHEN recency_days <= r_edge_3 THEN 4
      WHEN recency_days <= r_edge_2 THEN 3
      WHEN recency_days <= r_edge_1 THEN 2
      ELSE 1
    END AS r_score,
    CASE
      WHEN frequency > f_edge_3 THEN 4
      WHEN frequency > f_edge_2 THEN 3
      WHEN frequency > f_edge_1 THEN 2
      ELSE 1
    END AS f_score,
    CASE
      WHEN monetary > m_edge_3 THEN 4
      WHEN monetary > m_edge_2 THEN 3
      WHEN monetary > m_edge_1 THEN 2
      ELSE 1
    END AS m_score,
    as_of_date
  FROM metrics
  CROSS JOIN edges
)

SELECT *
FROM scores
