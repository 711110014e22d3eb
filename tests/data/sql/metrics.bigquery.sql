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
    CAST(customer_id AS STRING) AS customer_id,
    CASE WHEN customer_id IS NULL THEN order_id END AS reason,
    MIN(first_order_date) AS first_order_date,
    MAX(last_order_date) AS last_order_date,
    CAST(COUNT(*) AS INT64) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS INT64) AS lines
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
)

SELECT *
FROM metrics
