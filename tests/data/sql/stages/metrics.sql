-- The stage metrics: lines are aggregated to orders, and orders to customers.
-- Each case: a question in TOML, then the expected SQL. CTEs that are the same as in the first case, or the same in
-- both dialects, are written once. tests/support/golden_queries.py describes the keys of a question. To regenerate
-- the SQL below the questions:
-- RFM_UPDATE_GOLDEN=1 uv run pytest tests/unit/sql/test_golden.py

/*
name = "defaults"
*/
-- duckdb
WITH
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
)

SELECT *
FROM metrics;

-- bigquery; as in duckdb: orders, as_of
WITH
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
)

SELECT *
FROM metrics;

/*
name = "net-returns"

[settings]
returns = "net"
*/
-- duckdb; as in the first case: as_of, metrics
WITH
-- One row per order; excluded lines have one row per reason, with the reason as order_id.
orders AS (
  SELECT
    CASE WHEN reason IS NULL THEN customer_id END AS customer_id,
    COALESCE(reason, order_id) AS order_id,
    MIN(CASE WHEN amount > 0 THEN order_date END) AS first_order_date,
    MAX(CASE WHEN amount > 0 THEN order_date END) AS last_order_date,
    SUM(amount) AS amount,
    COUNT(*) AS lines
  FROM clean
  GROUP BY 1, 2
),

-- One row per customer; excluded lines have one row per reason.
balances AS (
  SELECT
    CAST(customer_id AS VARCHAR) AS customer_id,
    CASE WHEN customer_id IS NULL THEN order_id END AS reason,
    MIN(CASE WHEN amount > 0 THEN first_order_date END) AS first_order_date,
    MAX(CASE WHEN amount > 0 THEN last_order_date END) AS last_order_date,
    CAST(COUNT(CASE WHEN amount > 0 THEN 1 END) AS BIGINT) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS BIGINT) AS lines,
    MIN(CASE WHEN SUFFIX(order_id, '1') THEN order_id END) AS first_order,
    COUNT(CASE WHEN (last_order_date - first_order_date) > 31 THEN 1 END) AS long_orders
  FROM orders
  GROUP BY 1, 2
),

-- One row per row of balances; a customer without a positive order is excluded: no_positive_order.
customers AS (
  SELECT
    CASE WHEN reason IS NULL AND frequency = 0 THEN 'no_positive_order' ELSE reason END AS reason,
    customer_id,
    first_order_date,
    last_order_date,
    frequency,
    monetary,
    lines,
    first_order,
    long_orders
  FROM balances
)

SELECT *
FROM metrics;

-- bigquery; as in the first case: as_of, metrics; as in duckdb: orders, customers
WITH
-- One row per customer; excluded lines have one row per reason.
balances AS (
  SELECT
    CAST(customer_id AS STRING) AS customer_id,
    CASE WHEN customer_id IS NULL THEN order_id END AS reason,
    MIN(CASE WHEN amount > 0 THEN first_order_date END) AS first_order_date,
    MAX(CASE WHEN amount > 0 THEN last_order_date END) AS last_order_date,
    CAST(COUNT(CASE WHEN amount > 0 THEN 1 END) AS INT64) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS INT64) AS lines,
    MIN(CASE WHEN ENDS_WITH(order_id, '1') THEN order_id END) AS first_order,
    COUNT(CASE WHEN DATE_DIFF(last_order_date, first_order_date, DAY) > 31 THEN 1 END) AS long_orders
  FROM orders
  GROUP BY 1, 2
)

SELECT *
FROM metrics;

/*
name = "moving-window"

[settings]
window = "24 months"
*/
-- duckdb; as in the first case: customers, metrics
WITH
-- One row per order and date, because the window ends on the newest order; excluded lines have one row per reason.
order_days AS (
  SELECT
    reason,
    CASE WHEN reason IS NULL THEN late_reason END AS late_reason,
    CASE WHEN reason IS NULL THEN order_date END AS order_date,
    CASE WHEN reason IS NULL AND (late_reason IS NULL OR late_reason IN ('non_positive_quantity', 'non_positive_price')) THEN customer_id END AS customer_id,
    CASE WHEN reason IS NULL AND late_reason IS NULL THEN order_id END AS order_id,
    COUNT(1) AS purchases,
    SUM(amount) AS amount,
    COUNT(*) AS lines
  FROM clean
  GROUP BY 1, 2, 3, 4, 5
),

-- One row: the as-of date, from which recency is counted.
as_of AS (
  SELECT MAX(order_date) AS as_of_date
  FROM order_days
  WHERE reason IS NULL AND late_reason IS NULL AND purchases > 0
),

-- One row per row of order_days; orders before the window are excluded as outside_window.
windowed AS (
  SELECT
    customer_id,
    order_id,
    order_date,
    purchases,
    amount,
    lines,
    CASE
      WHEN reason IS NOT NULL THEN reason
      WHEN order_date <= CAST(as_of_date - INTERVAL 24 MONTH AS DATE) THEN 'outside_window'
      ELSE late_reason
    END AS reason
  FROM order_days
  CROSS JOIN as_of
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
    SUM(lines) AS lines
  FROM windowed
  GROUP BY 1, 2
)

SELECT *
FROM metrics;

-- bigquery; as in the first case: customers, metrics; as in duckdb: order_days, as_of, orders
WITH
-- One row per row of order_days; orders before the window are excluded as outside_window.
windowed AS (
  SELECT
    customer_id,
    order_id,
    order_date,
    purchases,
    amount,
    lines,
    CASE
      WHEN reason IS NOT NULL THEN reason
      WHEN order_date <= DATE_SUB(as_of_date, INTERVAL 24 MONTH) THEN 'outside_window'
      ELSE late_reason
    END AS reason
  FROM order_days
  CROSS JOIN as_of
)

SELECT *
FROM metrics;

/*
name = "moving-window-net-returns"

[settings]
window = "24 months"
returns = "net"
*/
-- duckdb; as in the first case: metrics
WITH
-- One row per order and date, because the window ends on the newest order; excluded lines have one row per reason.
order_days AS (
  SELECT
    reason,
    CASE WHEN reason IS NULL THEN late_reason END AS late_reason,
    CASE WHEN reason IS NULL THEN order_date END AS order_date,
    CASE WHEN reason IS NULL AND late_reason IS NULL THEN customer_id END AS customer_id,
    CASE WHEN reason IS NULL AND late_reason IS NULL THEN order_id END AS order_id,
    COUNT(CASE WHEN amount > 0 THEN 1 END) AS purchases,
    SUM(amount) AS amount,
    COUNT(*) AS lines
  FROM clean
  GROUP BY 1, 2, 3, 4, 5
),

-- One row: the as-of date, from which recency is counted.
as_of AS (
  SELECT MAX(last_order_date) AS as_of_date
  FROM (
    SELECT MAX(CASE WHEN purchases > 0 THEN order_date END) AS last_order_date
    FROM order_days
    WHERE reason IS NULL AND late_reason IS NULL
    GROUP BY customer_id, order_id
    HAVING SUM(amount) > 0
  ) AS bought
),

-- One row per row of order_days; orders before the window are excluded as outside_window.
windowed AS (
  SELECT
    customer_id,
    order_id,
    order_date,
    purchases,
    amount,
    lines,
    CASE
      WHEN reason IS NOT NULL THEN reason
      WHEN order_date <= CAST(as_of_date - INTERVAL 24 MONTH AS DATE) THEN 'outside_window'
      ELSE late_reason
    END AS reason
  FROM order_days
  CROSS JOIN as_of
),

-- One row per order; excluded lines have one row per reason, with the reason as order_id.
orders AS (
  SELECT
    CASE WHEN reason IS NULL THEN customer_id END AS customer_id,
    COALESCE(reason, order_id) AS order_id,
    MIN(CASE WHEN purchases > 0 THEN order_date END) AS first_order_date,
    MAX(CASE WHEN purchases > 0 THEN order_date END) AS last_order_date,
    SUM(amount) AS amount,
    SUM(lines) AS lines
  FROM windowed
  GROUP BY 1, 2
),

-- One row per customer; excluded lines have one row per reason.
balances AS (
  SELECT
    CAST(customer_id AS VARCHAR) AS customer_id,
    CASE WHEN customer_id IS NULL THEN order_id END AS reason,
    MIN(CASE WHEN amount > 0 THEN first_order_date END) AS first_order_date,
    MAX(CASE WHEN amount > 0 THEN last_order_date END) AS last_order_date,
    CAST(COUNT(CASE WHEN amount > 0 THEN 1 END) AS BIGINT) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS BIGINT) AS lines,
    MIN(CASE WHEN SUFFIX(order_id, '1') THEN order_id END) AS first_order,
    COUNT(CASE WHEN (last_order_date - first_order_date) > 31 THEN 1 END) AS long_orders,
    COUNT(CASE WHEN amount < 0 THEN 1 END) AS refunds
  FROM orders
  GROUP BY 1, 2
),

-- One row per row of balances; a customer without a positive order is excluded: no_positive_order.
customers AS (
  SELECT
    CASE WHEN reason IS NULL AND frequency = 0 THEN 'no_positive_order' ELSE reason END AS reason,
    customer_id,
    first_order_date,
    last_order_date,
    frequency,
    monetary,
    lines,
    first_order,
    long_orders,
    refunds
  FROM balances
)

SELECT *
FROM metrics;

-- bigquery; as in the first case: metrics; as in duckdb: order_days, as_of, orders, customers
WITH
-- One row per row of order_days; orders before the window are excluded as outside_window.
windowed AS (
  SELECT
    customer_id,
    order_id,
    order_date,
    purchases,
    amount,
    lines,
    CASE
      WHEN reason IS NOT NULL THEN reason
      WHEN order_date <= DATE_SUB(as_of_date, INTERVAL 24 MONTH) THEN 'outside_window'
      ELSE late_reason
    END AS reason
  FROM order_days
  CROSS JOIN as_of
),

-- One row per customer; excluded lines have one row per reason.
balances AS (
  SELECT
    CAST(customer_id AS STRING) AS customer_id,
    CASE WHEN customer_id IS NULL THEN order_id END AS reason,
    MIN(CASE WHEN amount > 0 THEN first_order_date END) AS first_order_date,
    MAX(CASE WHEN amount > 0 THEN last_order_date END) AS last_order_date,
    CAST(COUNT(CASE WHEN amount > 0 THEN 1 END) AS INT64) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS INT64) AS lines,
    MIN(CASE WHEN ENDS_WITH(order_id, '1') THEN order_id END) AS first_order,
    COUNT(CASE WHEN DATE_DIFF(last_order_date, first_order_date, DAY) > 31 THEN 1 END) AS long_orders,
    COUNT(CASE WHEN amount < 0 THEN 1 END) AS refunds
  FROM orders
  GROUP BY 1, 2
)

SELECT *
FROM metrics;

/*
name = "moving-window-no-orders-net-returns"
columns = { customer_id = "STRING", ordered_at = "DATE", amount = "NUMERIC" }

[settings]
window = "24 months"
returns = "net"
*/
-- duckdb; as in the first case: metrics
WITH
-- One row per customer and date, because the window ends on the newest order; excluded lines have one row per reason.
order_days AS (
  SELECT
    reason,
    CASE WHEN reason IS NULL THEN late_reason END AS late_reason,
    CASE WHEN reason IS NULL THEN order_date END AS order_date,
    CASE WHEN reason IS NULL AND late_reason IS NULL THEN customer_id END AS customer_id,
    COUNT(CASE WHEN amount > 0 THEN 1 END) AS purchases,
    SUM(amount) AS amount,
    COUNT(*) AS lines
  FROM clean
  GROUP BY 1, 2, 3, 4
),

-- One row: the as-of date, from which recency is counted.
as_of AS (
  SELECT MAX(order_date) AS as_of_date
  FROM order_days
  WHERE reason IS NULL AND late_reason IS NULL AND purchases > 0
),

-- One row per row of order_days; orders before the window are excluded as outside_window.
windowed AS (
  SELECT
    customer_id,
    order_date,
    purchases,
    amount,
    lines,
    CASE
      WHEN reason IS NOT NULL THEN reason
      WHEN order_date <= CAST(as_of_date - INTERVAL 24 MONTH AS DATE) THEN 'outside_window'
      ELSE late_reason
    END AS reason
  FROM order_days
  CROSS JOIN as_of
),

-- One row per customer; excluded lines have one row per reason.
balances AS (
  SELECT
    CASE WHEN reason IS NULL THEN customer_id END AS customer_id,
    reason,
    MIN(CASE WHEN purchases > 0 THEN order_date END) AS first_order_date,
    MAX(CASE WHEN purchases > 0 THEN order_date END) AS last_order_date,
    CAST(SUM(purchases) AS BIGINT) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS BIGINT) AS lines
  FROM windowed
  GROUP BY 1, 2
),

-- One row per row of balances; a customer without a positive order is excluded: no_positive_order.
customers AS (
  SELECT
    CASE WHEN reason IS NULL AND frequency = 0 THEN 'no_positive_order' ELSE reason END AS reason,
    customer_id,
    first_order_date,
    last_order_date,
    frequency,
    monetary,
    lines
  FROM balances
)

SELECT *
FROM metrics;

-- bigquery; as in the first case: metrics; as in duckdb: order_days, as_of, customers
WITH
-- One row per row of order_days; orders before the window are excluded as outside_window.
windowed AS (
  SELECT
    customer_id,
    order_date,
    purchases,
    amount,
    lines,
    CASE
      WHEN reason IS NOT NULL THEN reason
      WHEN order_date <= DATE_SUB(as_of_date, INTERVAL 24 MONTH) THEN 'outside_window'
      ELSE late_reason
    END AS reason
  FROM order_days
  CROSS JOIN as_of
),

-- One row per customer; excluded lines have one row per reason.
balances AS (
  SELECT
    CASE WHEN reason IS NULL THEN customer_id END AS customer_id,
    reason,
    MIN(CASE WHEN purchases > 0 THEN order_date END) AS first_order_date,
    MAX(CASE WHEN purchases > 0 THEN order_date END) AS last_order_date,
    CAST(SUM(purchases) AS INT64) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS INT64) AS lines
  FROM windowed
  GROUP BY 1, 2
)

SELECT *
FROM metrics;

/*
name = "fixed-as-of-date"

[settings]
as_of = "2024-12-31"
*/
-- duckdb; as in the first case: orders, customers, metrics
WITH
-- One row: the as-of date, from which recency is counted.
as_of AS (
  SELECT DATE '2024-12-31' AS as_of_date
)

SELECT *
FROM metrics;

-- bigquery; as in the first case: orders, customers, metrics; as in duckdb: as_of

/*
name = "unreadable-text"
columns = { email = "STRING", order_id = "STRING", order_date = "STRING", total = "STRING", refunded = "STRING", status = "STRING" }

[settings]
date_format = ["iso", "%d.%m.%Y %H:%M"]
decimal = ","
timezone = "Europe/Berlin"
columns.refund = "refunded"
skip.no_total = { column = "total", blank = true }
exclude.test_order = "email LIKE '%@example.com' OR status = 'test'"
*/
-- duckdb; as in the first case: as_of, metrics
WITH
-- One row per order; excluded lines have one row per reason, with the reason as order_id.
orders AS (
  SELECT
    CASE
      WHEN reason IS NULL THEN customer_id
      WHEN reason IN ('non_positive_amount') THEN customer_id
    END AS customer_id,
    CASE
      WHEN reason IS NULL THEN order_id
      WHEN reason IN ('non_positive_amount') THEN ' ' || reason
      ELSE reason
    END AS order_id,
    MIN(order_date) AS first_order_date,
    MAX(order_date) AS last_order_date,
    SUM(amount) AS amount,
    COUNT(*) AS lines,
    MIN(written) AS written
  FROM clean
  GROUP BY 1, 2
),

-- One row per customer; excluded lines have one row per reason, and per customer for want of a positive amount.
customers AS (
  SELECT
    customer_id AS customer_id,
    CASE
      WHEN order_id < '!' THEN CASE
        WHEN order_id = ' non_positive_amount' THEN 'non_positive_amount'
      END
      WHEN customer_id IS NULL THEN order_id
    END AS reason,
    MIN(first_order_date) AS first_order_date,
    MAX(last_order_date) AS last_order_date,
    CAST(COUNT(*) AS BIGINT) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS BIGINT) AS lines,
    MIN(CASE WHEN SUFFIX(order_id, '1') THEN order_id END) AS first_order,
    COUNT(CASE WHEN (last_order_date - first_order_date) > 31 THEN 1 END) AS long_orders,
    MIN(written) AS written
  FROM orders
  GROUP BY 1, 2
)

SELECT *
FROM metrics;

-- bigquery; as in the first case: as_of, metrics; as in duckdb: orders
WITH
-- One row per customer; excluded lines have one row per reason, and per customer for want of a positive amount.
customers AS (
  SELECT
    customer_id AS customer_id,
    CASE
      WHEN order_id < '!' THEN CASE
        WHEN order_id = ' non_positive_amount' THEN 'non_positive_amount'
      END
      WHEN customer_id IS NULL THEN order_id
    END AS reason,
    MIN(first_order_date) AS first_order_date,
    MAX(last_order_date) AS last_order_date,
    CAST(COUNT(*) AS INT64) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS INT64) AS lines,
    MIN(CASE WHEN ENDS_WITH(order_id, '1') THEN order_id END) AS first_order,
    COUNT(CASE WHEN DATE_DIFF(last_order_date, first_order_date, DAY) > 31 THEN 1 END) AS long_orders,
    MIN(written) AS written
  FROM orders
  GROUP BY 1, 2
)

SELECT *
FROM metrics;

/*
name = "unreadable-text-no-orders"
columns = { customer_id = "STRING", ordered_at = "DATE", quantity = "STRING", price = "STRING" }
*/
-- duckdb; as in the first case: as_of, metrics
WITH
-- One row per customer; excluded lines have one row per reason, and per customer for want of a positive amount.
customers AS (
  SELECT
    CASE WHEN reason IS NULL OR reason IN ('non_positive_quantity', 'non_positive_price') THEN customer_id END AS customer_id,
    reason,
    MIN(order_date) AS first_order_date,
    MAX(order_date) AS last_order_date,
    CAST(COUNT(1) AS BIGINT) AS frequency,
    SUM(amount) AS monetary,
    CAST(COUNT(*) AS BIGINT) AS lines,
    MIN(written) AS written
  FROM clean
  GROUP BY 1, 2
)

SELECT *
FROM metrics;

-- bigquery; as in the first case: as_of, metrics
WITH
-- One row per customer; excluded lines have one row per reason, and per customer for want of a positive amount.
customers AS (
  SELECT
    CASE WHEN reason IS NULL OR reason IN ('non_positive_quantity', 'non_positive_price') THEN customer_id END AS customer_id,
    reason,
    MIN(order_date) AS first_order_date,
    MAX(order_date) AS last_order_date,
    CAST(COUNT(1) AS INT64) AS frequency,
    SUM(amount) AS monetary,
    CAST(COUNT(*) AS INT64) AS lines,
    MIN(written) AS written
  FROM clean
  GROUP BY 1, 2
)

SELECT *
FROM metrics;

/*
name = "no-orders"
columns = { customer_id = "STRING", ordered_at = "DATE", amount = "NUMERIC" }
*/
-- duckdb; as in the first case: as_of, metrics
WITH
-- One row per customer; excluded lines have one row per reason, and per customer for want of a positive amount.
customers AS (
  SELECT
    CASE WHEN reason IS NULL OR reason IN ('non_positive_amount') THEN customer_id END AS customer_id,
    reason,
    MIN(order_date) AS first_order_date,
    MAX(order_date) AS last_order_date,
    CAST(COUNT(1) AS BIGINT) AS frequency,
    SUM(amount) AS monetary,
    CAST(COUNT(*) AS BIGINT) AS lines
  FROM clean
  GROUP BY 1, 2
)

SELECT *
FROM metrics;

-- bigquery; as in the first case: as_of, metrics
WITH
-- One row per customer; excluded lines have one row per reason, and per customer for want of a positive amount.
customers AS (
  SELECT
    CASE WHEN reason IS NULL OR reason IN ('non_positive_amount') THEN customer_id END AS customer_id,
    reason,
    MIN(order_date) AS first_order_date,
    MAX(order_date) AS last_order_date,
    CAST(COUNT(1) AS INT64) AS frequency,
    SUM(amount) AS monetary,
    CAST(COUNT(*) AS INT64) AS lines
  FROM clean
  GROUP BY 1, 2
)

SELECT *
FROM metrics;

/*
name = "numeric-order-ids"
columns = { customer_id = "STRING", order_id = "INT64", ordered_at = "DATE", amount = "NUMERIC" }
*/
-- duckdb; as in the first case: as_of, metrics
WITH
-- One row per order; excluded lines have one row per reason.
orders AS (
  SELECT
    CASE
      WHEN reason IS NULL THEN customer_id
      WHEN reason IN ('non_positive_amount') THEN customer_id
    END AS customer_id,
    CASE WHEN reason IS NULL THEN order_id END AS order_id,
    reason,
    MIN(order_date) AS first_order_date,
    MAX(order_date) AS last_order_date,
    SUM(amount) AS amount,
    COUNT(*) AS lines
  FROM clean
  GROUP BY 1, 2, 3
),

-- One row per customer; excluded lines have one row per reason, and per customer for want of a positive amount.
customers AS (
  SELECT
    customer_id AS customer_id,
    reason,
    MIN(first_order_date) AS first_order_date,
    MAX(last_order_date) AS last_order_date,
    CAST(COUNT(*) AS BIGINT) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS BIGINT) AS lines,
    MIN(order_id) AS first_order,
    COUNT(CASE WHEN (last_order_date - first_order_date) > 31 THEN 1 END) AS long_orders
  FROM orders
  GROUP BY 1, 2
)

SELECT *
FROM metrics;

-- bigquery; as in the first case: as_of, metrics; as in duckdb: orders
WITH
-- One row per customer; excluded lines have one row per reason, and per customer for want of a positive amount.
customers AS (
  SELECT
    customer_id AS customer_id,
    reason,
    MIN(first_order_date) AS first_order_date,
    MAX(last_order_date) AS last_order_date,
    CAST(COUNT(*) AS INT64) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS INT64) AS lines,
    MIN(order_id) AS first_order,
    COUNT(CASE WHEN DATE_DIFF(last_order_date, first_order_date, DAY) > 31 THEN 1 END) AS long_orders
  FROM orders
  GROUP BY 1, 2
)

SELECT *
FROM metrics;

/*
name = "gaps between orders"
preset = "lifecycle"
*/
-- duckdb; as in the first case: as_of
WITH
-- One row per order; excluded lines have one row per reason.
orders AS (
  SELECT
    CASE
      WHEN reason IS NULL THEN customer_id
      WHEN reason IN ('non_positive_quantity', 'non_positive_price') THEN customer_id
    END AS customer_id,
    CASE WHEN reason IS NULL THEN order_id END AS order_id,
    reason,
    MIN(order_date) AS first_order_date,
    MAX(order_date) AS last_order_date,
    SUM(amount) AS amount,
    COUNT(*) AS lines
  FROM clean
  GROUP BY 1, 2, 3
),

-- One row per row of orders, with the days since the customer's order day before it.
gaps AS (
  SELECT
    *,
    CASE WHEN reason IS NULL THEN NULLIF((last_order_date - LAG(last_order_date) OVER (PARTITION BY customer_id, reason ORDER BY last_order_date)), 0) END AS gap
  FROM orders
),

-- One row per row of gaps, with the rank of the gap among the customer's gaps.
ranked_gaps AS (
  SELECT
    *,
    COUNT(gap) OVER (PARTITION BY customer_id, reason) AS gaps_of_customer,
    COUNT(gap) OVER (PARTITION BY customer_id, reason ORDER BY gap ROWS UNBOUNDED PRECEDING) AS gap_rank
  FROM gaps
),

-- One row per customer; excluded lines have one row per reason, and per customer for want of a positive amount.
customers AS (
  SELECT
    CAST(customer_id AS VARCHAR) AS customer_id,
    reason,
    MIN(first_order_date) AS first_order_date,
    MAX(last_order_date) AS last_order_date,
    CAST(COUNT(*) AS BIGINT) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS BIGINT) AS lines,
    CAST(SUM(CASE
      WHEN 2 * gap_rank = gaps_of_customer + 1 THEN 2 * gap
      WHEN 2 * gap_rank IN (gaps_of_customer, gaps_of_customer + 2) THEN gap
    END) AS BIGINT) AS twice_median_gap,
    MIN(CASE WHEN SUFFIX(order_id, '1') THEN order_id END) AS first_order,
    COUNT(CASE WHEN (last_order_date - first_order_date) > 31 THEN 1 END) AS long_orders
  FROM ranked_gaps
  GROUP BY 1, 2
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
    (as_of_date - first_order_date) AS first_order_days,
    twice_median_gap,
    as_of_date
  FROM customers
  CROSS JOIN as_of
  WHERE reason IS NULL
)

SELECT *
FROM metrics;

-- bigquery; as in the first case: as_of; as in duckdb: orders, ranked_gaps
WITH
-- One row per row of orders, with the days since the customer's order day before it.
gaps AS (
  SELECT
    *,
    CASE WHEN reason IS NULL THEN NULLIF(DATE_DIFF(last_order_date, LAG(last_order_date) OVER (PARTITION BY customer_id, reason ORDER BY last_order_date), DAY), 0) END AS gap
  FROM orders
),

-- One row per customer; excluded lines have one row per reason, and per customer for want of a positive amount.
customers AS (
  SELECT
    CAST(customer_id AS STRING) AS customer_id,
    reason,
    MIN(first_order_date) AS first_order_date,
    MAX(last_order_date) AS last_order_date,
    CAST(COUNT(*) AS INT64) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS INT64) AS lines,
    CAST(SUM(CASE
      WHEN 2 * gap_rank = gaps_of_customer + 1 THEN 2 * gap
      WHEN 2 * gap_rank IN (gaps_of_customer, gaps_of_customer + 2) THEN gap
    END) AS INT64) AS twice_median_gap,
    MIN(CASE WHEN ENDS_WITH(order_id, '1') THEN order_id END) AS first_order,
    COUNT(CASE WHEN DATE_DIFF(last_order_date, first_order_date, DAY) > 31 THEN 1 END) AS long_orders
  FROM ranked_gaps
  GROUP BY 1, 2
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
    DATE_DIFF(as_of_date, first_order_date, DAY) AS first_order_days,
    twice_median_gap,
    as_of_date
  FROM customers
  CROSS JOIN as_of
  WHERE reason IS NULL
)

SELECT *
FROM metrics;

/*
name = "gaps between lines without order ids, net of returns"
preset = "lifecycle"
settings = { returns = "net", columns = { order_id = "none" } }
*/
-- duckdb; as in the first case: as_of
WITH
-- One row per customer and date; excluded lines have one row per reason.
customer_days AS (
  SELECT
    reason,
    CASE WHEN reason IS NULL THEN order_date END AS order_date,
    CASE WHEN reason IS NULL THEN customer_id END AS customer_id,
    COUNT(CASE WHEN amount > 0 THEN 1 END) AS purchases,
    SUM(amount) AS amount,
    COUNT(*) AS lines
  FROM clean
  GROUP BY 1, 2, 3
),

-- One row per row of customer_days, with the day of a purchase; NULL for what was returned.
order_dates AS (
  SELECT
    *,
    CASE WHEN purchases > 0 THEN order_date END AS order_day
  FROM customer_days
),

-- One row per row of order_dates, with the days since the customer's order day before it.
gaps AS (
  SELECT
    *,
    CASE WHEN reason IS NULL THEN NULLIF((order_day - LAG(order_day) OVER (PARTITION BY customer_id, reason ORDER BY order_day)), 0) END AS gap
  FROM order_dates
),

-- One row per row of gaps, with the rank of the gap among the customer's gaps.
ranked_gaps AS (
  SELECT
    *,
    COUNT(gap) OVER (PARTITION BY customer_id, reason) AS gaps_of_customer,
    COUNT(gap) OVER (PARTITION BY customer_id, reason ORDER BY gap ROWS UNBOUNDED PRECEDING) AS gap_rank
  FROM gaps
),

-- One row per customer; excluded lines have one row per reason.
balances AS (
  SELECT
    CASE WHEN reason IS NULL THEN CAST(customer_id AS VARCHAR) END AS customer_id,
    reason,
    MIN(CASE WHEN purchases > 0 THEN order_date END) AS first_order_date,
    MAX(CASE WHEN purchases > 0 THEN order_date END) AS last_order_date,
    CAST(SUM(purchases) AS BIGINT) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS BIGINT) AS lines,
    CAST(SUM(CASE
      WHEN 2 * gap_rank = gaps_of_customer + 1 THEN 2 * gap
      WHEN 2 * gap_rank IN (gaps_of_customer, gaps_of_customer + 2) THEN gap
    END) AS BIGINT) AS twice_median_gap
  FROM ranked_gaps
  GROUP BY 1, 2
),

-- One row per row of balances; a customer without a positive order is excluded: no_positive_order.
customers AS (
  SELECT
    CASE WHEN reason IS NULL AND frequency = 0 THEN 'no_positive_order' ELSE reason END AS reason,
    customer_id,
    first_order_date,
    last_order_date,
    frequency,
    monetary,
    lines,
    twice_median_gap
  FROM balances
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
    (as_of_date - first_order_date) AS first_order_days,
    twice_median_gap,
    as_of_date
  FROM customers
  CROSS JOIN as_of
  WHERE reason IS NULL
)

SELECT *
FROM metrics;

-- bigquery; as in the first case: as_of; as in duckdb: customer_days, order_dates, ranked_gaps, customers
WITH
-- One row per row of order_dates, with the days since the customer's order day before it.
gaps AS (
  SELECT
    *,
    CASE WHEN reason IS NULL THEN NULLIF(DATE_DIFF(order_day, LAG(order_day) OVER (PARTITION BY customer_id, reason ORDER BY order_day), DAY), 0) END AS gap
  FROM order_dates
),

-- One row per customer; excluded lines have one row per reason.
balances AS (
  SELECT
    CASE WHEN reason IS NULL THEN CAST(customer_id AS STRING) END AS customer_id,
    reason,
    MIN(CASE WHEN purchases > 0 THEN order_date END) AS first_order_date,
    MAX(CASE WHEN purchases > 0 THEN order_date END) AS last_order_date,
    CAST(SUM(purchases) AS INT64) AS frequency,
    SUM(amount) AS monetary,
    CAST(SUM(lines) AS INT64) AS lines,
    CAST(SUM(CASE
      WHEN 2 * gap_rank = gaps_of_customer + 1 THEN 2 * gap
      WHEN 2 * gap_rank IN (gaps_of_customer, gaps_of_customer + 2) THEN gap
    END) AS INT64) AS twice_median_gap
  FROM ranked_gaps
  GROUP BY 1, 2
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
    DATE_DIFF(as_of_date, first_order_date, DAY) AS first_order_days,
    twice_median_gap,
    as_of_date
  FROM customers
  CROSS JOIN as_of
  WHERE reason IS NULL
)

SELECT *
FROM metrics;
