WITH
-- One row per source line: the columns that the query uses.
source AS (
  SELECT
    `Customer ID` AS customer_id,
    `Invoice` AS order_id,
    `InvoiceDate` AS ordered_at,
    `Quantity` AS quantity,
    `Price` AS unit_price
  FROM `source`
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    customer_id AS customer_id,
    CASE
      WHEN order_id BETWEEN '!' AND '~' AND NOT ENDS_WITH(order_id, ' ') THEN order_id
      ELSE NULLIF(TRIM(order_id), '')
    END AS order_id,
    DATE(ordered_at, 'UTC') AS order_date,
    CASE WHEN ABS(ROUND(SAFE_CAST(quantity AS BIGNUMERIC), 3)) < 1e9 THEN CAST(ROUND(SAFE_CAST(quantity AS BIGNUMERIC), 3) AS NUMERIC) END AS quantity,
    CASE WHEN ABS(ROUND(SAFE_CAST(unit_price AS BIGNUMERIC), 6)) < 1e12 THEN CAST(ROUND(SAFE_CAST(unit_price AS BIGNUMERIC), 6) AS NUMERIC) END AS unit_price
  FROM source
),

-- One row per source line, with the first reason to exclude it; NULL means that it is kept.
clean AS (
  SELECT
    customer_id,
    order_id,
    order_date,
    quantity * unit_price AS amount,
    CASE
      WHEN customer_id IS NULL THEN 'missing_customer'
      WHEN order_id IS NULL THEN 'missing_order'
      WHEN order_id < ':' AND STRPOS(order_id, '+') > 0 AND REGEXP_CONTAINS(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_order'
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
    CAST(customer_id AS STRING) AS customer_id,
    CASE
      WHEN order_id < '!' THEN CASE
        WHEN order_id = ' non_positive_quantity' THEN 'non_positive_quantity'
        WHEN order_id = ' non_positive_price' THEN 'non_positive_price'
      END
      WHEN customer_id IS NULL THEN order_id
    END AS reason,
    MIN(first_order_date) AS first_order_date,
    MAX(last_order_date) AS last_order_date,
    CAST(COUNT(*) AS INT64) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS INT64) AS lines,
    MIN(CASE WHEN ENDS_WITH(order_id, '1') THEN order_id END) AS first_order,
    COUNT(CASE WHEN DATE_DIFF(last_order_date, first_order_date, DAY) > 31 THEN 1 END) AS long_orders
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
      WHEN up_to = customers THEN 3
      WHEN DIV((4 * up_to), customers) - DIV((4 * below), customers) >= 2 THEN DIV((4 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((4 * below), customers)
    END AS step
  FROM recency_cumulative
),

-- One row: the edges of recency.
recency_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS r_edge_3,
    MAX(CASE WHEN step < 2 THEN value END) AS r_edge_2,
    MAX(CASE WHEN step < 3 THEN value END) AS r_edge_1
  FROM recency_steps
),

-- One row per frequency value, with its number of customers.
frequency_histogram AS (
  SELECT
    frequency AS value,
    COUNT(*) AS customers_here
  FROM metrics
  GROUP BY 1
),

-- One row per frequency value, with the customers below it, up to it and in total.
frequency_cumulative AS (
  SELECT
    value,
    SUM(customers_here) OVER (ORDER BY value) - customers_here AS below,
    SUM(customers_here) OVER (ORDER BY value) AS up_to,
    SUM(customers_here) OVER () AS customers
  FROM frequency_histogram
),

-- One row per frequency value, with the number of thresholds below it.
frequency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 3
      WHEN DIV((4 * up_to), customers) - DIV((4 * below), customers) >= 2 THEN DIV((4 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((4 * below), customers)
    END AS step
  FROM frequency_cumulative
),

-- One row: the edges of frequency.
frequency_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS f_edge_1,
    MAX(CASE WHEN step < 2 THEN value END) AS f_edge_2,
    MAX(CASE WHEN step < 3 THEN value END) AS f_edge_3
  FROM frequency_steps
),

-- One row per coarse monetary value, with its highest value and its number of customers.
monetary_coarse AS (
  SELECT
    monetary - MOD(monetary, CAST(CONCAT('1e', CAST(LENGTH(CAST(TRUNC(ABS(monetary)) AS STRING)) - 3 AS STRING)) AS NUMERIC)) AS coarse,
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
    ON monetary - MOD(monetary, CAST(CONCAT('1e', CAST(LENGTH(CAST(TRUNC(ABS(monetary)) AS STRING)) - 3 AS STRING)) AS NUMERIC)) = coarse
  WHERE DIV((4 * up_to), customers) > DIV((4 * below), customers)
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
  WHERE DIV((4 * up_to), customers) = DIV((4 * below), customers)
),

-- One row per monetary value, with the number of thresholds below it.
monetary_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 3
      WHEN DIV((4 * up_to), customers) - DIV((4 * below), customers) >= 2 THEN DIV((4 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((4 * below), customers)
    END AS step
  FROM monetary_cumulative
),

-- One row: the edges of monetary.
monetary_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS m_edge_1,
    MAX(CASE WHEN step < 2 THEN value END) AS m_edge_2,
    MAX(CASE WHEN step < 3 THEN value END) AS m_edge_3
  FROM monetary_steps
),

-- One row: the edges between scores. A recency edge is the most days of its score.
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
FROM segments
ORDER BY customer_id
