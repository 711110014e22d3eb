WITH
-- One row per line of the source: the columns that play a role.
source AS (
  SELECT
    `customer_id` AS customer_id,
    `ordered_at` AS ordered_at,
    `amount` AS amount
  FROM `source`
),

-- One row per line, each value typed; NULL is what can't be read.
lines AS (
  SELECT
    CASE
      WHEN customer_id BETWEEN ':' AND '~' THEN customer_id
      WHEN ENDS_WITH(customer_id, '.0') THEN REGEXP_REPLACE(customer_id, '^([0-9]+)\\.0$', '\\1')
      WHEN customer_id BETWEEN '!' AND '~' THEN customer_id
      WHEN NOT (TRIM(customer_id) = '') THEN customer_id
    END AS customer_id,
    ordered_at AS order_date,
    CASE WHEN ABS(ROUND(SAFE_CAST(amount AS BIGNUMERIC), 9)) < 1e21 THEN CAST(ROUND(SAFE_CAST(amount AS BIGNUMERIC), 9) AS NUMERIC) END AS amount
  FROM source
),

-- One row per line, with the first reason to exclude it; NULL keeps it.
clean AS (
  SELECT
    customer_id,
    order_date,
    amount AS amount,
    CASE
      WHEN customer_id IS NULL THEN 'missing_customer'
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN amount IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN amount <= 0 THEN 'non_positive_amount'
    END AS reason
  FROM lines
),

-- One row per customer; excluded lines are one row per reason, with no customer.
customers AS (
  SELECT
    CASE WHEN reason IS NULL THEN customer_id END AS customer_id,
    reason,
    MIN(order_date) AS first_order_date,
    MAX(order_date) AS last_order_date,
    CAST(COUNT(1) AS INT64) AS frequency,
    SUM(amount) AS monetary,
    CAST(COUNT(*) AS INT64) AS lines
  FROM clean
  GROUP BY 1, 2
),

-- One row: the date from which recency is counted.
as_of AS (
  SELECT MAX(last_order_date) AS as_of_date
  FROM customers
  WHERE reason IS NULL
),

-- One row per customer, measured on the as-of date.
metrics AS (
  SELECT
    customer_id,
    DATE_DIFF(as_of_date, last_order_date, DAY) AS recency_days,
    frequency,
    monetary,
    monetary / frequency AS avg_order_value,
    first_order_date,
    last_order_date,
    as_of_date
  FROM customers
  CROSS JOIN as_of
  WHERE reason IS NULL
),

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
    -MIN(CASE WHEN up_to * 10 >= customers * 1 THEN value END) - 1 AS r_edge_1,
    -MIN(CASE WHEN up_to * 10 >= customers * 2 THEN value END) - 1 AS r_edge_2,
    -MIN(CASE WHEN up_to * 10 >= customers * 3 THEN value END) - 1 AS r_edge_3,
    -MIN(CASE WHEN up_to * 10 >= customers * 4 THEN value END) - 1 AS r_edge_4,
    -MIN(CASE WHEN up_to * 10 >= customers * 5 THEN value END) - 1 AS r_edge_5,
    -MIN(CASE WHEN up_to * 10 >= customers * 6 THEN value END) - 1 AS r_edge_6,
    -MIN(CASE WHEN up_to * 10 >= customers * 7 THEN value END) - 1 AS r_edge_7,
    -MIN(CASE WHEN up_to * 10 >= customers * 8 THEN value END) - 1 AS r_edge_8,
    -MIN(CASE WHEN up_to * 10 >= customers * 9 THEN value END) - 1 AS r_edge_9
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
    MIN(CASE WHEN up_to * 10 >= customers * 1 THEN value END) AS f_edge_1,
    MIN(CASE WHEN up_to * 10 >= customers * 2 THEN value END) AS f_edge_2,
    MIN(CASE WHEN up_to * 10 >= customers * 3 THEN value END) AS f_edge_3,
    MIN(CASE WHEN up_to * 10 >= customers * 4 THEN value END) AS f_edge_4,
    MIN(CASE WHEN up_to * 10 >= customers * 5 THEN value END) AS f_edge_5,
    MIN(CASE WHEN up_to * 10 >= customers * 6 THEN value END) AS f_edge_6,
    MIN(CASE WHEN up_to * 10 >= customers * 7 THEN value END) AS f_edge_7,
    MIN(CASE WHEN up_to * 10 >= customers * 8 THEN value END) AS f_edge_8,
    MIN(CASE WHEN up_to * 10 >= customers * 9 THEN value END) AS f_edge_9
  FROM frequency_cumulative
),

-- One row per coarse monetary value.
monetary_coarse AS (
  SELECT
    monetary - MOD(monetary, CAST(CONCAT('1e', CAST(LENGTH(CAST(TRUNC(ABS(monetary)) AS STRING)) - 3 AS STRING)) AS NUMERIC)) AS coarse,
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
    (before * 10 < customers * 1 AND up_to * 10 >= customers * 1)
    OR (before * 10 < customers * 2 AND up_to * 10 >= customers * 2)
    OR (before * 10 < customers * 3 AND up_to * 10 >= customers * 3)
    OR (before * 10 < customers * 4 AND up_to * 10 >= customers * 4)
    OR (before * 10 < customers * 5 AND up_to * 10 >= customers * 5)
    OR (before * 10 < customers * 6 AND up_to * 10 >= customers * 6)
    OR (before * 10 < customers * 7 AND up_to * 10 >= customers * 7)
    OR (before * 10 < customers * 8 AND up_to * 10 >= customers * 8)
    OR (before * 10 < customers * 9 AND up_to * 10 >= customers * 9)
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
    ON monetary - MOD(monetary, CAST(CONCAT('1e', CAST(LENGTH(CAST(TRUNC(ABS(monetary)) AS STRING)) - 3 AS STRING)) AS NUMERIC)) = coarse
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
    MIN(CASE WHEN up_to * 10 >= customers * 1 THEN value END) AS m_edge_1,
    MIN(CASE WHEN up_to * 10 >= customers * 2 THEN value END) AS m_edge_2,
    MIN(CASE WHEN up_to * 10 >= customers * 3 THEN value END) AS m_edge_3,
    MIN(CASE WHEN up_to * 10 >= customers * 4 THEN value END) AS m_edge_4,
    MIN(CASE WHEN up_to * 10 >= customers * 5 THEN value END) AS m_edge_5,
    MIN(CASE WHEN up_to * 10 >= customers * 6 THEN value END) AS m_edge_6,
    MIN(CASE WHEN up_to * 10 >= customers * 7 THEN value END) AS m_edge_7,
    MIN(CASE WHEN up_to * 10 >= customers * 8 THEN value END) AS m_edge_8,
    MIN(CASE WHEN up_to * 10 >= customers * 9 THEN value END) AS m_edge_9
  FROM monetary_cumulative
),

-- One row: the edges between scores. A recency edge is the most days for its score.
edges AS (
  SELECT
    r_edge_1,
    r_edge_2,
    r_edge_3,
    r_edge_4,
    r_edge_5,
    r_edge_6,
    r_edge_7,
    r_edge_8,
    r_edge_9,
    f_edge_1,
    f_edge_2,
    f_edge_3,
    f_edge_4,
    f_edge_5,
    f_edge_6,
    f_edge_7,
    f_edge_8,
    f_edge_9,
    m_edge_1,
    m_edge_2,
    m_edge_3,
    m_edge_4,
    m_edge_5,
    m_edge_6,
    m_edge_7,
    m_edge_8,
    m_edge_9
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
      WHEN recency_days <= r_edge_9 THEN 10
      WHEN recency_days <= r_edge_8 THEN 9
      WHEN recency_days <= r_edge_7 THEN 8
      WHEN recency_days <= r_edge_6 THEN 7
      WHEN recency_days <= r_edge_5 THEN 6
      WHEN recency_days <= r_edge_4 THEN 5
      WHEN recency_days <= r_edge_3 THEN 4
      WHEN recency_days <= r_edge_2 THEN 3
      WHEN recency_days <= r_edge_1 THEN 2
      ELSE 1
    END AS r_score,
    CASE
      WHEN frequency > f_edge_9 THEN 10
      WHEN frequency > f_edge_8 THEN 9
      WHEN frequency > f_edge_7 THEN 8
      WHEN frequency > f_edge_6 THEN 7
      WHEN frequency > f_edge_5 THEN 6
      WHEN frequency > f_edge_4 THEN 5
      WHEN frequency > f_edge_3 THEN 4
      WHEN frequency > f_edge_2 THEN 3
      WHEN frequency > f_edge_1 THEN 2
      ELSE 1
    END AS f_score,
    CASE
      WHEN monetary > m_edge_9 THEN 10
      WHEN monetary > m_edge_8 THEN 9
      WHEN monetary > m_edge_7 THEN 8
      WHEN monetary > m_edge_6 THEN 7
      WHEN monetary > m_edge_5 THEN 6
      WHEN monetary > m_edge_4 THEN 5
      WHEN monetary > m_edge_3 THEN 4
      WHEN monetary > m_edge_2 THEN 3
      WHEN monetary > m_edge_1 THEN 2
      ELSE 1
    END AS m_score,
    as_of_date
  FROM metrics
  CROSS JOIN edges
),

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
    CONCAT(CAST(r_score AS STRING), '-', CAST(f_score AS STRING), '-', CAST(m_score AS STRING)) AS rfm_score,
    CASE
      WHEN r_score >= 9 AND CAST(CEIL((f_score + m_score) / 2.0) AS INT64) = 10 THEN 'Best'
      ELSE 'Others'
    END AS segment,
    as_of_date
  FROM scores
)

SELECT *
FROM segments
ORDER BY customer_id
