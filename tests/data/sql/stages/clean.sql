-- The stage clean: values are converted to their types, and lines are excluded.
-- Each case: a question in TOML, then the expected SQL. CTEs that are the same as in the first case, or the same in
-- both dialects, are written once. tests/support/golden_queries.py describes the keys of a question. To regenerate
-- the SQL below the questions:
-- RFM_UPDATE_GOLDEN=1 uv run pytest tests/unit/sql/test_golden.py

/*
name = "defaults"
*/
-- duckdb
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
      WHEN order_id BETWEEN '!' AND '~' THEN order_id
      WHEN NOT (REGEXP_FULL_MATCH(order_id, '[\t-\r\x{85}\p{Z}]*')) THEN order_id
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
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS reason
  FROM lines
)

SELECT *
FROM clean;

-- bigquery
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
      WHEN order_id BETWEEN '!' AND '~' THEN order_id
      WHEN NOT (TRIM(order_id) = '') THEN order_id
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
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS reason
  FROM lines
)

SELECT *
FROM clean;

/*
name = "excluded-value"

[settings]
exclude.other_country = { column = "Country", not_equals = ["Germany"] }
*/
-- duckdb
WITH
-- One row per source line: the columns that the query uses.
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

-- One row per source line, with typed values; NULL is a missing or unreadable value.
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
FROM clean;

-- bigquery
WITH
-- One row per source line: the columns that the query uses.
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

-- One row per source line, with typed values; NULL is a missing or unreadable value.
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
FROM clean;

/*
name = "net-returns"

[settings]
returns = "net"
timezone = "Europe/Berlin"
exclude.other_country = { column = "Country", not_equals = ["Germany"] }
*/
-- duckdb
WITH
-- One row per source line: the columns that the query uses.
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

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    customer_id AS customer_id,
    CASE
      WHEN order_id BETWEEN '!' AND '~' THEN order_id
      WHEN NOT (REGEXP_FULL_MATCH(order_id, '[\t-\r\x{85}\p{Z}]*')) THEN order_id
    END AS order_id,
    CAST(TIMEZONE('Europe/Berlin', CASE WHEN ISFINITE(ordered_at) THEN ordered_at END) AS DATE) AS order_date,
    TRY_CAST(quantity AS DECIMAL(12, 3)) AS quantity,
    TRY_CAST(unit_price AS DECIMAL(18, 6)) AS unit_price,
    exclude_reason
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
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN exclude_reason IS NOT NULL THEN exclude_reason
    END AS reason
  FROM lines
)

SELECT *
FROM clean;

-- bigquery
WITH
-- One row per source line: the columns that the query uses.
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

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    customer_id AS customer_id,
    CASE
      WHEN order_id BETWEEN '!' AND '~' THEN order_id
      WHEN NOT (TRIM(order_id) = '') THEN order_id
    END AS order_id,
    DATE(ordered_at, 'Europe/Berlin') AS order_date,
    CASE WHEN ABS(ROUND(SAFE_CAST(quantity AS BIGNUMERIC), 3)) < 1e9 THEN CAST(ROUND(SAFE_CAST(quantity AS BIGNUMERIC), 3) AS NUMERIC) END AS quantity,
    CASE WHEN ABS(ROUND(SAFE_CAST(unit_price AS BIGNUMERIC), 6)) < 1e12 THEN CAST(ROUND(SAFE_CAST(unit_price AS BIGNUMERIC), 6) AS NUMERIC) END AS unit_price,
    exclude_reason
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
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN exclude_reason IS NOT NULL THEN exclude_reason
    END AS reason
  FROM lines
)

SELECT *
FROM clean;

/*
name = "moving-window"

[settings]
window = "24 months"
*/
-- duckdb; as in the first case: source, lines
WITH
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
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
    END AS reason,
    CASE
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS late_reason
  FROM lines
)

SELECT *
FROM clean;

-- bigquery; as in the first case: source, lines
WITH
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
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
    END AS reason,
    CASE
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS late_reason
  FROM lines
)

SELECT *
FROM clean;

/*
name = "moving-window-net-returns"

[settings]
window = "24 months"
returns = "net"
*/
-- duckdb; as in the first case: source, lines
WITH
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
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
    END AS reason,
    CAST(NULL AS VARCHAR) AS late_reason
  FROM lines
)

SELECT *
FROM clean;

-- bigquery; as in the first case: source, lines
WITH
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
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
    END AS reason,
    CAST(NULL AS STRING) AS late_reason
  FROM lines
)

SELECT *
FROM clean;

/*
name = "fixed-window"

[settings]
as_of = "2024-12-31"
window = "365 days"
*/
-- duckdb; as in the first case: source, lines
WITH
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
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2024-12-31' THEN 'future_dated'
      WHEN order_date <= CAST(DATE '2024-12-31' - INTERVAL 365 DAY AS DATE) THEN 'outside_window'
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS reason
  FROM lines
)

SELECT *
FROM clean;

-- bigquery; as in the first case: source, lines
WITH
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
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2024-12-31' THEN 'future_dated'
      WHEN order_date <= DATE_SUB(DATE '2024-12-31', INTERVAL 365 DAY) THEN 'outside_window'
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS reason
  FROM lines
)

SELECT *
FROM clean;

/*
name = "since"

[settings]
since = "2024-01-01"
*/
-- duckdb; as in the first case: source, lines
WITH
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
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN order_date < DATE '2024-01-01' THEN 'outside_window'
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS reason
  FROM lines
)

SELECT *
FROM clean;

-- bigquery; as in the first case: source, lines
WITH
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
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN order_date < DATE '2024-01-01' THEN 'outside_window'
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS reason
  FROM lines
)

SELECT *
FROM clean;

/*
name = "text-columns"
columns = { email = "STRING", order_id = "STRING", order_date = "STRING", total = "STRING", refunded = "STRING", status = "STRING" }

[settings]
date_format = ["iso", "%d.%m.%Y %H:%M"]
decimal = ","
timezone = "Europe/Berlin"
columns.refund = "refunded"
skip.no_total = { column = "total", blank = true }
exclude.test_order = "email LIKE '%@example.com' OR status = 'test'"
*/
-- duckdb
WITH
-- One row per source line: the columns that the query uses.
source AS (
  SELECT
    "email" AS customer_id,
    "order_id" AS order_id,
    CASE WHEN "order_date" BETWEEN '!' AND '~' AND "order_date"[-1] BETWEEN '!' AND '~' THEN "order_date" ELSE TRIM("order_date", E' \t\n\r' || CHR(160)) END AS ordered_at,
    "total" AS amount,
    "refunded" AS refund,
    CASE
      WHEN ("total" IS NULL OR REGEXP_FULL_MATCH("total", '[\t-\r\x{85}\p{Z}]*')) THEN 'no_total'
    END AS skip_reason,
    CASE
      WHEN (email LIKE '%@example.com' OR status = 'test') THEN 'test_order'
    END AS exclude_reason
  FROM "source"
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    CASE
      WHEN customer_id BETWEEN ':' AND '~' THEN customer_id
      WHEN SUFFIX(customer_id, '.0') THEN REGEXP_REPLACE(customer_id, '^([0-9]+)\.0$', '\1')
      WHEN customer_id BETWEEN '!' AND '~' THEN customer_id
      WHEN NOT (REGEXP_FULL_MATCH(customer_id, '[\t-\r\x{85}\p{Z}]*')) THEN customer_id
    END AS customer_id,
    CASE
      WHEN order_id BETWEEN '!' AND '~' THEN order_id
      WHEN NOT (REGEXP_FULL_MATCH(order_id, '[\t-\r\x{85}\p{Z}]*')) THEN order_id
    END AS order_id,
    CASE
      WHEN REGEXP_MATCHES(ordered_at, '^[12][0-9]{3}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?)?$') THEN TRY_CAST(LEFT(ordered_at, 10) AS DATE)
      WHEN REGEXP_MATCHES(ordered_at, '^[12][0-9]{3}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?(Z| UTC| ?[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?))$') THEN CAST(TIMEZONE('Europe/Berlin', TRY_CAST(REGEXP_REPLACE(REGEXP_REPLACE(ordered_at, '^(.{10}).(.{5})[:.0-9]*', '\1 \2:00'), ' ?([+-][0-9]{2}):?([0-9]{2})$', '\1:\2') AS TIMESTAMPTZ)) AS DATE)
      WHEN REGEXP_MATCHES(ordered_at, '^[0-9]{1,2}\.[0-9]{1,2}\.[12][0-9]{3} +[0-9]{1,2}:[0-5]?[0-9]$') THEN CAST(TRY_STRPTIME(ordered_at, '%d.%m.%Y %H:%M') AS DATE)
    END AS order_date,
    CASE WHEN REGEXP_MATCHES(amount, '^\s*[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]*)?\s*$') THEN TRY_CAST(REPLACE(REPLACE(amount, '.', ''), ',', '.') AS DECIMAL(30, 9)) END AS amount,
    CASE WHEN REGEXP_MATCHES(refund, '^\s*[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]*)?\s*$') THEN TRY_CAST(REPLACE(REPLACE(refund, '.', ''), ',', '.') AS DECIMAL(30, 9)) END AS refund,
    (refund IS NULL OR REGEXP_FULL_MATCH(refund, '[\t-\r\x{85}\p{Z}]*')) AS no_refund,
    ordered_at AS written_date,
    amount AS written_amount,
    refund AS written_refund,
    skip_reason,
    exclude_reason
  FROM source
),

-- One row per source line, with the first reason to exclude it; NULL means that it is kept.
clean AS (
  SELECT
    customer_id,
    order_id,
    order_date,
    amount - CASE WHEN no_refund THEN 0 ELSE refund END AS amount,
    CASE
      WHEN skip_reason IS NOT NULL THEN skip_reason
      WHEN customer_id IS NULL THEN 'missing_customer'
      WHEN order_id IS NULL THEN 'missing_order'
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN amount IS NULL OR (refund IS NULL AND NOT no_refund) THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN exclude_reason IS NOT NULL THEN exclude_reason
      WHEN amount - CASE WHEN no_refund THEN 0 ELSE refund END <= 0 THEN 'non_positive_amount'
    END AS reason,
    CASE
      WHEN order_date IS NULL THEN written_date
      WHEN amount IS NULL THEN written_amount
      WHEN refund IS NULL THEN written_refund
    END AS written
  FROM lines
)

SELECT *
FROM clean;

-- bigquery; as in duckdb: clean
WITH
-- One row per source line: the columns that the query uses.
source AS (
  SELECT
    `email` AS customer_id,
    `order_id` AS order_id,
    TRIM(`order_date`, CONCAT(' \t\n\r', CHR(160))) AS ordered_at,
    `total` AS amount,
    `refunded` AS refund,
    CASE
      WHEN (`total` IS NULL OR TRIM(`total`) = '') THEN 'no_total'
    END AS skip_reason,
    CASE
      WHEN (email LIKE '%@example.com' OR status = 'test') THEN 'test_order'
    END AS exclude_reason
  FROM `source`
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    CASE
      WHEN customer_id BETWEEN ':' AND '~' THEN customer_id
      WHEN ENDS_WITH(customer_id, '.0') THEN REGEXP_REPLACE(customer_id, '^([0-9]+)\\.0$', '\\1')
      WHEN customer_id BETWEEN '!' AND '~' THEN customer_id
      WHEN NOT (TRIM(customer_id) = '') THEN customer_id
    END AS customer_id,
    CASE
      WHEN order_id BETWEEN '!' AND '~' THEN order_id
      WHEN NOT (TRIM(order_id) = '') THEN order_id
    END AS order_id,
    CASE
      WHEN REGEXP_CONTAINS(ordered_at, '^[12][0-9]{3}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?)?$') THEN SAFE_CAST(SUBSTR(ordered_at, 1, 10) AS DATE)
      WHEN REGEXP_CONTAINS(ordered_at, '^[12][0-9]{3}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z| UTC| ?[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?))$') THEN DATE(SAFE_CAST(REGEXP_REPLACE(REGEXP_REPLACE(ordered_at, '^(.{10}).(.{5})[:.0-9]*', '\\1 \\2:00'), ' ?([+-][0-9]{2}):?([0-9]{2})$', '\\1:\\2') AS TIMESTAMP), 'Europe/Berlin')
      WHEN REGEXP_CONTAINS(ordered_at, '^[0-9]{1,2}\\.[0-9]{1,2}\\.[12][0-9]{3} +[0-9]{1,2}:[0-5]?[0-9]$') THEN DATE(SAFE.PARSE_DATETIME('%d.%m.%Y %H:%M', ordered_at))
    END AS order_date,
    CASE WHEN REGEXP_CONTAINS(amount, '^\\s*[+-]?([0-9]+|[0-9]{1,3}(\\.[0-9]{3})+)(,[0-9]*)?\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(REPLACE(REPLACE(amount, '.', ''), ',', '.') AS BIGNUMERIC), 9)) < 1e21 THEN CAST(ROUND(SAFE_CAST(REPLACE(REPLACE(amount, '.', ''), ',', '.') AS BIGNUMERIC), 9) AS NUMERIC) END END AS amount,
    CASE WHEN REGEXP_CONTAINS(refund, '^\\s*[+-]?([0-9]+|[0-9]{1,3}(\\.[0-9]{3})+)(,[0-9]*)?\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(REPLACE(REPLACE(refund, '.', ''), ',', '.') AS BIGNUMERIC), 9)) < 1e21 THEN CAST(ROUND(SAFE_CAST(REPLACE(REPLACE(refund, '.', ''), ',', '.') AS BIGNUMERIC), 9) AS NUMERIC) END END AS refund,
    (refund IS NULL OR TRIM(refund) = '') AS no_refund,
    ordered_at AS written_date,
    amount AS written_amount,
    refund AS written_refund,
    skip_reason,
    exclude_reason
  FROM source
)

SELECT *
FROM clean;

/*
name = "text-numbers"
columns = { customer_id = "STRING", ordered_at = "DATE", quantity = "STRING", price = "STRING" }
*/
-- duckdb
WITH
-- One row per source line: the columns that the query uses.
source AS (
  SELECT
    "customer_id" AS customer_id,
    "ordered_at" AS ordered_at,
    "quantity" AS quantity,
    "price" AS unit_price
  FROM "source"
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    CASE
      WHEN customer_id BETWEEN ':' AND '~' THEN customer_id
      WHEN SUFFIX(customer_id, '.0') THEN REGEXP_REPLACE(customer_id, '^([0-9]+)\.0$', '\1')
      WHEN customer_id BETWEEN '!' AND '~' THEN customer_id
      WHEN NOT (REGEXP_FULL_MATCH(customer_id, '[\t-\r\x{85}\p{Z}]*')) THEN customer_id
    END AS customer_id,
    CASE WHEN ISFINITE(ordered_at) THEN ordered_at END AS order_date,
    COALESCE(CASE
      WHEN NOT (CONTAINS(quantity, 'e') OR CONTAINS(quantity, 'E') OR CONTAINS(quantity, '_')) THEN TRY_CAST(quantity AS DECIMAL(12, 3))
      WHEN REGEXP_MATCHES(quantity, '^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+\s*$') THEN TRY_CAST(TRY_CAST(quantity AS DOUBLE) AS DECIMAL(12, 3))
    END, CASE WHEN REGEXP_MATCHES(quantity, '^\s*[+-]?[0-9]{1,3},[0-9]{3}(\.[0-9]+|(,[0-9]{3})+(\.[0-9]+)?)\s*$') THEN TRY_CAST(REPLACE(quantity, ',', '') AS DECIMAL(12, 3)) END) AS quantity,
    COALESCE(CASE
      WHEN NOT (CONTAINS(unit_price, 'e') OR CONTAINS(unit_price, 'E') OR CONTAINS(unit_price, '_')) THEN TRY_CAST(unit_price AS DECIMAL(18, 6))
      WHEN REGEXP_MATCHES(unit_price, '^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+\s*$') THEN TRY_CAST(TRY_CAST(unit_price AS DOUBLE) AS DECIMAL(18, 6))
    END, CASE WHEN REGEXP_MATCHES(unit_price, '^\s*[+-]?[0-9]{1,3},[0-9]{3}(\.[0-9]+|(,[0-9]{3})+(\.[0-9]+)?)\s*$') THEN TRY_CAST(REPLACE(unit_price, ',', '') AS DECIMAL(18, 6)) END) AS unit_price,
    quantity AS written_quantity,
    unit_price AS written_unit_price
  FROM source
),

-- One row per source line, with the first reason to exclude it; NULL means that it is kept.
clean AS (
  SELECT
    customer_id,
    order_date,
    CAST(quantity AS DECIMAL(38, 3)) * unit_price AS amount,
    CASE
      WHEN customer_id IS NULL THEN 'missing_customer'
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS reason,
    CASE
      WHEN quantity IS NULL THEN written_quantity
      WHEN unit_price IS NULL THEN written_unit_price
    END AS written
  FROM lines
)

SELECT *
FROM clean;

-- bigquery
WITH
-- One row per source line: the columns that the query uses.
source AS (
  SELECT
    `customer_id` AS customer_id,
    `ordered_at` AS ordered_at,
    `quantity` AS quantity,
    `price` AS unit_price
  FROM `source`
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    CASE
      WHEN customer_id BETWEEN ':' AND '~' THEN customer_id
      WHEN ENDS_WITH(customer_id, '.0') THEN REGEXP_REPLACE(customer_id, '^([0-9]+)\\.0$', '\\1')
      WHEN customer_id BETWEEN '!' AND '~' THEN customer_id
      WHEN NOT (TRIM(customer_id) = '') THEN customer_id
    END AS customer_id,
    ordered_at AS order_date,
    COALESCE(CASE
      WHEN NOT REGEXP_CONTAINS(quantity, '[eE_]') THEN CASE WHEN ABS(ROUND(SAFE_CAST(quantity AS BIGNUMERIC), 3)) < 1e9 THEN CAST(ROUND(SAFE_CAST(quantity AS BIGNUMERIC), 3) AS NUMERIC) END
      WHEN REGEXP_CONTAINS(quantity, '^\\s*[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)[eE][+-]?[0-9]+\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(quantity AS FLOAT64) * 1e3)) < 1e12 THEN CAST(CAST(ROUND(SAFE_CAST(quantity AS FLOAT64) * 1e3) AS BIGNUMERIC) / 1e3 AS NUMERIC) END
    END, CASE WHEN REGEXP_CONTAINS(quantity, '^\\s*[+-]?[0-9]{1,3},[0-9]{3}(\\.[0-9]+|(,[0-9]{3})+(\\.[0-9]+)?)\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(REPLACE(quantity, ',', '') AS BIGNUMERIC), 3)) < 1e9 THEN CAST(ROUND(SAFE_CAST(REPLACE(quantity, ',', '') AS BIGNUMERIC), 3) AS NUMERIC) END END) AS quantity,
    COALESCE(CASE
      WHEN NOT REGEXP_CONTAINS(unit_price, '[eE_]') THEN CASE WHEN ABS(ROUND(SAFE_CAST(unit_price AS BIGNUMERIC), 6)) < 1e12 THEN CAST(ROUND(SAFE_CAST(unit_price AS BIGNUMERIC), 6) AS NUMERIC) END
      WHEN REGEXP_CONTAINS(unit_price, '^\\s*[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)[eE][+-]?[0-9]+\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(unit_price AS FLOAT64) * 1e6)) < 1e18 THEN CAST(CAST(ROUND(SAFE_CAST(unit_price AS FLOAT64) * 1e6) AS BIGNUMERIC) / 1e6 AS NUMERIC) END
    END, CASE WHEN REGEXP_CONTAINS(unit_price, '^\\s*[+-]?[0-9]{1,3},[0-9]{3}(\\.[0-9]+|(,[0-9]{3})+(\\.[0-9]+)?)\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(REPLACE(unit_price, ',', '') AS BIGNUMERIC), 6)) < 1e12 THEN CAST(ROUND(SAFE_CAST(REPLACE(unit_price, ',', '') AS BIGNUMERIC), 6) AS NUMERIC) END END) AS unit_price,
    quantity AS written_quantity,
    unit_price AS written_unit_price
  FROM source
),

-- One row per source line, with the first reason to exclude it; NULL means that it is kept.
clean AS (
  SELECT
    customer_id,
    order_date,
    quantity * unit_price AS amount,
    CASE
      WHEN customer_id IS NULL THEN 'missing_customer'
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN quantity IS NULL OR unit_price IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN quantity <= 0 THEN 'non_positive_quantity'
      WHEN unit_price <= 0 THEN 'non_positive_price'
    END AS reason,
    CASE
      WHEN quantity IS NULL THEN written_quantity
      WHEN unit_price IS NULL THEN written_unit_price
    END AS written
  FROM lines
)

SELECT *
FROM clean;

/*
name = "text-thousands"
columns = { customer_id = "STRING", ordered_at = "DATE", amount = "STRING" }

[settings]
thousands = ","
*/
-- duckdb
WITH
-- One row per source line: the columns that the query uses.
source AS (
  SELECT
    "customer_id" AS customer_id,
    "ordered_at" AS ordered_at,
    "amount" AS amount
  FROM "source"
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    CASE
      WHEN customer_id BETWEEN ':' AND '~' THEN customer_id
      WHEN SUFFIX(customer_id, '.0') THEN REGEXP_REPLACE(customer_id, '^([0-9]+)\.0$', '\1')
      WHEN customer_id BETWEEN '!' AND '~' THEN customer_id
      WHEN NOT (REGEXP_FULL_MATCH(customer_id, '[\t-\r\x{85}\p{Z}]*')) THEN customer_id
    END AS customer_id,
    CASE WHEN ISFINITE(ordered_at) THEN ordered_at END AS order_date,
    COALESCE(CASE
      WHEN NOT (CONTAINS(amount, 'e') OR CONTAINS(amount, 'E') OR CONTAINS(amount, '_')) THEN TRY_CAST(amount AS DECIMAL(30, 9))
      WHEN REGEXP_MATCHES(amount, '^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+\s*$') THEN TRY_CAST(TRY_CAST(amount AS DOUBLE) AS DECIMAL(30, 9))
    END, CASE WHEN REGEXP_MATCHES(amount, '^\s*[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?\s*$') THEN TRY_CAST(REPLACE(amount, ',', '') AS DECIMAL(30, 9)) END) AS amount,
    amount AS written_amount
  FROM source
),

-- One row per source line, with the first reason to exclude it; NULL means that it is kept.
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
    END AS reason,
    CASE
      WHEN amount IS NULL THEN written_amount
    END AS written
  FROM lines
)

SELECT *
FROM clean;

-- bigquery; as in duckdb: clean
WITH
-- One row per source line: the columns that the query uses.
source AS (
  SELECT
    `customer_id` AS customer_id,
    `ordered_at` AS ordered_at,
    `amount` AS amount
  FROM `source`
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    CASE
      WHEN customer_id BETWEEN ':' AND '~' THEN customer_id
      WHEN ENDS_WITH(customer_id, '.0') THEN REGEXP_REPLACE(customer_id, '^([0-9]+)\\.0$', '\\1')
      WHEN customer_id BETWEEN '!' AND '~' THEN customer_id
      WHEN NOT (TRIM(customer_id) = '') THEN customer_id
    END AS customer_id,
    ordered_at AS order_date,
    COALESCE(CASE
      WHEN NOT REGEXP_CONTAINS(amount, '[eE_]') THEN CASE WHEN ABS(ROUND(SAFE_CAST(amount AS BIGNUMERIC), 9)) < 1e21 THEN CAST(ROUND(SAFE_CAST(amount AS BIGNUMERIC), 9) AS NUMERIC) END
      WHEN REGEXP_CONTAINS(amount, '^\\s*[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)[eE][+-]?[0-9]+\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(amount AS FLOAT64) * 1e9)) < 1e30 THEN CAST(CAST(ROUND(SAFE_CAST(amount AS FLOAT64) * 1e9) AS BIGNUMERIC) / 1e9 AS NUMERIC) END
    END, CASE WHEN REGEXP_CONTAINS(amount, '^\\s*[+-]?[0-9]{1,3}(,[0-9]{3})+(\\.[0-9]+)?\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(REPLACE(amount, ',', '') AS BIGNUMERIC), 9)) < 1e21 THEN CAST(ROUND(SAFE_CAST(REPLACE(amount, ',', '') AS BIGNUMERIC), 9) AS NUMERIC) END END) AS amount,
    amount AS written_amount
  FROM source
)

SELECT *
FROM clean;

/*
name = "no-orders"
columns = { customer_id = "STRING", ordered_at = "DATE", amount = "NUMERIC" }
*/
-- duckdb
WITH
-- One row per source line: the columns that the query uses.
source AS (
  SELECT
    "customer_id" AS customer_id,
    "ordered_at" AS ordered_at,
    "amount" AS amount
  FROM "source"
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    CASE
      WHEN customer_id BETWEEN ':' AND '~' THEN customer_id
      WHEN SUFFIX(customer_id, '.0') THEN REGEXP_REPLACE(customer_id, '^([0-9]+)\.0$', '\1')
      WHEN customer_id BETWEEN '!' AND '~' THEN customer_id
      WHEN NOT (REGEXP_FULL_MATCH(customer_id, '[\t-\r\x{85}\p{Z}]*')) THEN customer_id
    END AS customer_id,
    CASE WHEN ISFINITE(ordered_at) THEN ordered_at END AS order_date,
    TRY_CAST(amount AS DECIMAL(30, 9)) AS amount
  FROM source
),

-- One row per source line, with the first reason to exclude it; NULL means that it is kept.
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
)

SELECT *
FROM clean;

-- bigquery; as in duckdb: clean
WITH
-- One row per source line: the columns that the query uses.
source AS (
  SELECT
    `customer_id` AS customer_id,
    `ordered_at` AS ordered_at,
    `amount` AS amount
  FROM `source`
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
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
)

SELECT *
FROM clean;
