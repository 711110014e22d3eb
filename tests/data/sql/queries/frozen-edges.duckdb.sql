WITH
-- One row per source line: the columns that the query uses.
source AS (
  SELECT
    "Customer ID" AS customer_id,
    "Invoice" AS order_id,
    "InvoiceDate" AS ordered_at,
    "Quantity" AS quantity,
    "Price" AS unit_price
  FROM "source"
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    customer_id AS customer_id,
    CASE
      WHEN order_id BETWEEN '!' AND '~' AND NOT SUFFIX(order_id, ' ') THEN order_id
      ELSE NULLIF(REGEXP_REPLACE(order_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g'), '')
    END AS order_id,
    CAST(TIMEZONE('UTC', CASE WHEN ISFINITE(ordered_at) THEN ordered_at END) AS DATE) AS order_date,
    TRY_CAST(quantity AS DECIMAL(12, 3)) AS quantity,
    TRY_CAST(unit_price AS DECIMAL(18, 6)) AS unit_price
  FROM source
),

-- One row per source line, with the first reason to exclude it; NULL means that it is kept.
clean AS (
  SELECT
    customer_id,
    order_id,
    order_date,
    CAST(quantity AS DECIMAL(38, 3)) * unit_price AS amount,
    CASE
      WHEN customer_id IS NULL THEN 'missing_customer'
      WHEN order_id IS NULL THEN 'missing_order'
      WHEN order_id < ':' AND CONTAINS(order_id, '+') AND REGEXP_MATCHES(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_order'
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS reason
  FROM lines
),

-- One row per order; excluded lines have one row per reason, with the reason as order_id.
orders AS (
  SELECT
    CASE
      WHEN reason IS NULL THEN customer_id
      WHEN reason IN ('non_positive_quantity', 'non_positive_price') THEN customer_id
    END AS customer_id,
    CASE
      WHEN reason IS NULL THEN order_id
      WHEN reason IN ('non_positive_quantity', 'non_positive_price') THEN ' ' || reason
      ELSE reason
    END AS order_id,
    MIN(order_date) AS first_order_date,
    MAX(order_date) AS last_order_date,
    SUM(amount) AS amount,
    COUNT(*) AS lines
  FROM clean
  GROUP BY 1, 2
),

-- One row per customer; excluded lines have one row per reason, and per customer for want of a positive amount.
customers AS (
  SELECT
    CAST(customer_id AS VARCHAR) AS customer_id,
    CASE
      WHEN order_id < '!' THEN CASE
        WHEN order_id = ' non_positive_quantity' THEN 'non_positive_quantity'
        WHEN order_id = ' non_positive_price' THEN 'non_positive_price'
      END
      WHEN customer_id IS NULL THEN order_id
    END AS reason,
    MIN(first_order_date) AS first_order_date,
    MAX(last_order_date) AS last_order_date,
    CAST(COUNT(*) AS BIGINT) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS BIGINT) AS lines,
    MIN(CASE WHEN SUFFIX(order_id, '1') THEN order_id END) AS first_order,
    COUNT(CASE WHEN (last_order_date - first_order_date) > 31 THEN 1 END) AS long_orders
  FROM orders
  GROUP BY 1, 2
),

-- One row: the as-of date, from which recency is counted.
as_of AS (
  SELECT MAX(last_order_date) AS as_of_date
  FROM customers
  WHERE reason IS NULL
),

-- One row per customer, with recency, frequency and monetary value on the as-of date.
metrics AS (
  SELECT
    customer_id,
    (as_of_date - last_order_date) AS recency_days,
    frequency,
    monetary,
    CASE
      WHEN ABS(monetary) < 2000000 THEN CAST((2 * CAST(ROUND(CAST(monetary AS DOUBLE) * 1e9) AS BIGINT) + SIGN(monetary) * frequency) // (2 * frequency) AS DECIMAL(38, 0)) * 0.000000001
      WHEN ABS(monetary) < 1e20 THEN CAST((2 * CAST(monetary * 1000000000 AS HUGEINT) + SIGN(monetary) * frequency) // (2 * frequency) AS DECIMAL(38, 0)) * 0.000000001
      WHEN TRUE THEN CAST(CAST(monetary AS DOUBLE) / frequency AS DECIMAL(38, 9))
    END AS avg_order_value,
    first_order_date,
    last_order_date,
    as_of_date
  FROM customers
  CROSS JOIN as_of
  WHERE reason IS NULL
),

-- One row per recency value, with its number of customers.
recency_histogram AS (
  SELECT
    recency_days AS value,
    COUNT(*) AS customers_here
  FROM metrics
  GROUP BY 1
),

-- One row per recency value, with the customers below it, up to it and in total.
recency_cumulative AS (
  SELECT
    value,
    SUM(customers_here) OVER (ORDER BY value) - customers_here AS below,
    SUM(customers_here) OVER (ORDER BY value) AS up_to,
    SUM(customers_here) OVER () AS customers
  FROM recency_histogram
),

-- One row per recency value, with the number of thresholds below it.
recency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 2
      WHEN (3 * up_to) // customers - (3 * below) // customers >= 2 THEN (3 * (below + up_to) - 1) // (2 * customers)
      ELSE (3 * below) // customers
    END AS step
  FROM recency_cumulative
),

-- One row: the edges of recency.
recency_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS r_recomputed_2,
    MAX(CASE WHEN step < 2 THEN value END) AS r_recomputed_1
  FROM recency_steps
),

-- One row per coarse monetary value, with its highest value and its number of customers.
monetary_coarse AS (
  SELECT
    FLOOR(CAST(monetary AS DOUBLE)) AS coarse,
    MAX(monetary) AS highest,
    COUNT(*) AS customers_here
  FROM metrics
  GROUP BY 1
),

-- One row per coarse monetary value, with the customers below it, up to it and in total.
monetary_ranges AS (
  SELECT
    coarse,
    highest,
    SUM(customers_here) OVER (ORDER BY coarse) - customers_here AS below,
    SUM(customers_here) OVER (ORDER BY coarse) AS up_to,
    SUM(customers_here) OVER () AS customers
  FROM monetary_coarse
),

-- One row per monetary value in a coarse value that contains a threshold or the highest value.
monetary_histogram AS (
  SELECT
    monetary AS value,
    coarse,
    below AS below_coarse,
    customers,
    COUNT(*) AS customers_here
  FROM metrics
  JOIN monetary_ranges
    ON FLOOR(CAST(monetary AS DOUBLE)) = coarse
  WHERE (2 * up_to) // customers > (2 * below) // customers
  GROUP BY 1, 2, 3, 4
),

-- One row per monetary value that can be an edge, with the customers below, up to it and in total.
monetary_cumulative AS (
  SELECT
    value,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) - customers_here AS below,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to,
    customers
  FROM monetary_histogram
  UNION ALL
  SELECT
    highest AS value,
    below,
    up_to,
    customers
  FROM monetary_ranges
  WHERE (2 * up_to) // customers = (2 * below) // customers
),

-- One row per monetary value, with the number of thresholds below it.
monetary_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 1
      WHEN (2 * up_to) // customers - (2 * below) // customers >= 2 THEN (2 * (below + up_to) - 1) // (2 * customers)
      ELSE (2 * below) // customers
    END AS step
  FROM monetary_cumulative
),

-- One row: the edges of monetary.
monetary_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS m_recomputed_1
  FROM monetary_steps
),

-- One row: the edges between scores, frozen from an earlier run, and the recomputed ones. A recency edge is the most days of its score.
edges AS (
  SELECT
    CAST(47 AS BIGINT) AS r_edge_1,
    CAST(-1 AS BIGINT) AS r_edge_2,
    r_recomputed_1,
    r_recomputed_2,
    CAST(1 AS BIGINT) AS f_edge_1,
    CAST(2 AS BIGINT) AS f_edge_2,
    CAST(123456789012.123456789 AS DECIMAL(38, 9)) AS m_edge_1,
    m_recomputed_1
  FROM recency_edges
  CROSS JOIN monetary_edges
),

-- One row per customer, scored from 1 (worst) to the number of bins.
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
      WHEN recency_days <= r_edge_2 THEN 3
      WHEN recency_days <= r_edge_1 THEN 2
      ELSE 1
    END AS r_score,
    CASE
      WHEN frequency > f_edge_2 THEN 3
      WHEN frequency > f_edge_1 THEN 2
      ELSE 1
    END AS f_score,
    CASE
      WHEN monetary > m_edge_1 THEN 2
      ELSE 1
    END AS m_score,
    as_of_date
  FROM metrics
  CROSS JOIN edges
),

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
FROM segments
ORDER BY customer_id
