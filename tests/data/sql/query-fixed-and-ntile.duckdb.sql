WITH
-- One row per line of the source: the columns that play a role.
source AS (
  SELECT
    "Customer ID" AS customer_id,
    "Invoice" AS order_id,
    "InvoiceDate" AS ordered_at,
    "Quantity" AS quantity,
    "Price" AS unit_price
  FROM "source"
),

-- One row per line, each value typed; NULL is what can't be read.
lines AS (
  SELECT
    customer_id AS customer_id,
    CASE
      WHEN order_id BETWEEN '!' AND '~' THEN order_id
      WHEN NOT (REGEXP_FULL_MATCH(order_id, '[\t-\r\x{85}\p{Z}]*')) THEN order_id
    END AS order_id,
    CAST(TIMEZONE('UTC', CASE WHEN ISFINITE(ordered_at) THEN ordered_at END) AS DATE) AS order_date,
    TRY_CAST(quantity AS DECIMAL(12, 3)) AS quantity,
    TRY_CAST(unit_price AS DECIMAL(18, 6)) AS unit_price
  FROM source
),

-- One row per line, with the first reason to exclude it; NULL keeps it.
clean AS (
  SELECT
    customer_id,
    order_id,
    order_date,
    CAST(quantity AS DECIMAL(38, 3)) * unit_price AS amount,
    CASE
      WHEN customer_id IS NULL THEN 'missing_customer'
      WHEN order_id IS NULL THEN 'missing_order'
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2024-12-31' THEN 'future_dated'
      WHEN order_date <= CAST(DATE '2024-12-31' - INTERVAL 365 DAY AS DATE) THEN 'outside_window'
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS reason
  FROM lines
),

-- One row per order; excluded lines are one row per reason, which stands in place of the order.
orders AS (
  SELECT
    CASE WHEN reason IS NULL THEN customer_id END AS customer_id,
    COALESCE(reason, order_id) AS order_id,
    MIN(order_date) AS first_order_date,
    MAX(order_date) AS last_order_date,
    SUM(amount) AS amount,
    COUNT(*) AS lines
  FROM clean
  GROUP BY 1, 2
),

-- One row per customer; excluded lines are one row per reason, with no customer.
customers AS (
  SELECT
    CAST(customer_id AS VARCHAR) AS customer_id,
    CASE WHEN customer_id IS NULL THEN order_id END AS reason,
    MIN(first_order_date) AS first_order_date,
    MAX(last_order_date) AS last_order_date,
    CAST(COUNT(*) AS BIGINT) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS BIGINT) AS lines
  FROM orders
  GROUP BY 1, 2
),

-- One row: the date from which recency is counted.
as_of AS (
  SELECT DATE '2024-12-31' AS as_of_date
),

-- One row per customer, measured on the as-of date.
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

-- One row: the edges between scores. A recency edge is the most days for its score.
edges AS (
  SELECT
    CAST(365 AS BIGINT) AS r_edge_1,
    CAST(90 AS BIGINT) AS r_edge_2,
    CAST(30 AS BIGINT) AS r_edge_3,
    CAST(50 AS DECIMAL(38, 9)) AS m_edge_1,
    CAST(250.5 AS DECIMAL(38, 9)) AS m_edge_2,
    CAST(1000 AS DECIMAL(38, 9)) AS m_edge_3
),

-- One row per customer, scored 1 (worst) to the number of bins. NTILE gives equal customers different scores, and is for comparison with older pipelines only.
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
    NTILE(4) OVER (ORDER BY frequency, customer_id) AS f_score,
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
