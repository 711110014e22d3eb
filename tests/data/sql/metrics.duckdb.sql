WITH
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
  SELECT MAX(last_order_date) AS as_of_date
  FROM customers
  WHERE reason IS NULL
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
)

SELECT *
FROM metrics
