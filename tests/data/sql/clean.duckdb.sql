WITH
-- One row per line of the source: the columns that play a role.
source AS (
  SELECT
    "Customer ID" AS customer_id,
    "Invoice" AS order_id,
    "InvoiceDate" AS ordered_at,
    "Quantity" AS quantity,
    "Price" AS unit_price,
    CASE
      WHEN COALESCE("Country" NOT IN ('Germany'), TRUE) THEN 'other_country'
    END AS exclude_reason
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
    TRY_CAST(unit_price AS DECIMAL(18, 6)) AS unit_price,
    exclude_reason
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
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN exclude_reason IS NOT NULL THEN exclude_reason
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS reason
  FROM lines
)

SELECT *
FROM clean
