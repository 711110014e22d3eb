WITH
-- One row per line of the source: the columns that play a role.
source AS (
  SELECT
    `Customer ID` AS customer_id,
    `Invoice` AS order_id,
    `InvoiceDate` AS ordered_at,
    `Quantity` AS quantity,
    `Price` AS unit_price,
    CASE
      WHEN COALESCE(`Country` NOT IN ('Germany'), TRUE) THEN 'other_country'
    END AS exclude_reason
  FROM `source`
),

-- One row per line, each value typed; NULL is what can't be read.
lines AS (
  SELECT
    customer_id AS customer_id,
    CASE
      WHEN order_id BETWEEN '!' AND '~' THEN order_id
      WHEN NOT (TRIM(order_id) = '') THEN order_id
    END AS order_id,
    DATE(ordered_at, 'UTC') AS order_date,
    CASE WHEN ABS(ROUND(SAFE_CAST(quantity AS BIGNUMERIC), 3)) < 1e9 THEN CAST(ROUND(SAFE_CAST(quantity AS BIGNUMERIC), 3) AS NUMERIC) END AS quantity,
    CASE WHEN ABS(ROUND(SAFE_CAST(unit_price AS BIGNUMERIC), 6)) < 1e12 THEN CAST(ROUND(SAFE_CAST(unit_price AS BIGNUMERIC), 6) AS NUMERIC) END AS unit_price,
    exclude_reason
  FROM source
),

-- One row per line, with the first reason to exclude it; NULL keeps it.
clean AS (
  SELECT
    customer_id,
    order_id,
    order_date,
    quantity * unit_price AS amount,
    CASE
      WHEN customer_id IS NULL THEN 'missing_customer'
      WHEN order_id IS NULL THEN 'missing_order'
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN exclude_reason IS NOT NULL THEN exclude_reason
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS reason
  FROM lines
)

SELECT *
FROM clean
