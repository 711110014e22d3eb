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
      WHEN order_id BETWEEN '!' AND '~' AND NOT SUFFIX(order_id, ' ') THEN order_id
      ELSE NULLIF(REGEXP_REPLACE(order_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g'), '')
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
      WHEN order_id < ':' AND CONTAINS(order_id, '+') AND REGEXP_MATCHES(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') AND exclude_reason IS NULL THEN 'scientific_order'
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
      WHEN order_id BETWEEN '!' AND '~' AND NOT ENDS_WITH(order_id, ' ') THEN order_id
      ELSE NULLIF(TRIM(order_id), '')
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
      WHEN order_id < ':' AND STRPOS(order_id, '+') > 0 AND REGEXP_CONTAINS(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') AND exclude_reason IS NULL THEN 'scientific_order'
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
      WHEN order_id BETWEEN '!' AND '~' AND NOT SUFFIX(order_id, ' ') THEN order_id
      ELSE NULLIF(REGEXP_REPLACE(order_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g'), '')
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
      WHEN order_id < ':' AND CONTAINS(order_id, '+') AND REGEXP_MATCHES(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') AND exclude_reason IS NULL THEN 'scientific_order'
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
      WHEN order_id BETWEEN '!' AND '~' AND NOT ENDS_WITH(order_id, ' ') THEN order_id
      ELSE NULLIF(TRIM(order_id), '')
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
      WHEN order_id < ':' AND STRPOS(order_id, '+') > 0 AND REGEXP_CONTAINS(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') AND exclude_reason IS NULL THEN 'scientific_order'
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
      WHEN order_id < ':' AND CONTAINS(order_id, '+') AND REGEXP_MATCHES(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_order'
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
      WHEN order_id < ':' AND STRPOS(order_id, '+') > 0 AND REGEXP_CONTAINS(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_order'
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
      WHEN order_id < ':' AND CONTAINS(order_id, '+') AND REGEXP_MATCHES(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_order'
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
      WHEN order_id < ':' AND STRPOS(order_id, '+') > 0 AND REGEXP_CONTAINS(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_order'
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
      WHEN order_id < ':' AND CONTAINS(order_id, '+') AND REGEXP_MATCHES(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_order'
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
      WHEN order_id < ':' AND STRPOS(order_id, '+') > 0 AND REGEXP_CONTAINS(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_order'
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
      WHEN order_id < ':' AND CONTAINS(order_id, '+') AND REGEXP_MATCHES(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_order'
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
      WHEN order_id < ':' AND STRPOS(order_id, '+') > 0 AND REGEXP_CONTAINS(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_order'
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
    CASE WHEN STRLEN("email") = LENGTH("email") THEN REVERSE("email") END AS reversed_customer,
    "order_id" AS order_id,
    CASE
      WHEN LENGTH("order_date") = 19 THEN CAST(TRY_STRPTIME("order_date", ['%Y-%m-%d %H:%M:%S', '%Y-%m-%dT%H:%M:%S']) AS DATE)
      WHEN LENGTH("order_date") = 16 THEN CAST(TRY_STRPTIME("order_date", ['%Y-%m-%d %H:%M', '%Y-%m-%dT%H:%M']) AS DATE)
      WHEN LENGTH("order_date") = 10 THEN CAST(TRY_STRPTIME("order_date", '%Y-%m-%d') AS DATE)
    END AS quick_date,
    "order_date" AS ordered_at,
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

-- One row per source line: dates in a usual form, and the text of others without blanks around it.
dates AS (
  SELECT
    * REPLACE (
      CASE WHEN quick_date BETWEEN DATE '1900-01-02' AND DATE '2999-12-31' THEN quick_date END AS quick_date,
      CASE WHEN quick_date BETWEEN DATE '1900-01-02' AND DATE '2999-12-31' THEN NULL ELSE CASE WHEN ordered_at BETWEEN '!' AND '~' AND NOT CONTAINS(E' \t\n\x0B\f\r' || CHR(160), ordered_at[-1]) THEN ordered_at ELSE TRIM(ordered_at, E' \t\n\x0B\f\r' || CHR(160)) END END AS ordered_at
    )
  FROM source
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    CASE
      WHEN customer_id BETWEEN '1' AND '~' AND reversed_customer BETWEEN '0/' AND '9~' THEN customer_id
      WHEN customer_id IS NULL THEN NULL
      WHEN reversed_customer BETWEEN 'a' AND 'z~' AND CONTAINS(customer_id, '@') AND customer_id BETWEEN '!' AND '~' THEN LOWER(customer_id)
      WHEN (LENGTH(customer_id) <= 19 OR NOT (customer_id BETWEEN '!' AND '~' AND customer_id[-1] BETWEEN '!' AND '~')) AND REGEXP_MATCHES(customer_id, '^[\t-\r\x{85}\p{Z}]*(?i:|null|nan|none|nil|na|n/a|n\.a\.|nat|undefined|missing|blank|empty|not set|not available|\(not set\)|\(none\)|\(null\)|\(blank\)|\(empty\)|<null>|<na>|\[null\]|\\n|#n/a|#null!|#ref!|#value!|#name\?|-|--|---|–|—|_|\.|\.\.\.|\?|\?\?|\?\?\?|/|\*|guest|guest user|guest customer|guest checkout|visitor|anonymous|anonymous user|anonymous customer|unknown|unknown customer|not registered|not logged in|walk-in|walk in|walk-in customer|no customer|cash customer|cash sale|gast|gastkunde|gastbestellung|anonym|unbekannt|unbekannter kunde|kein kunde|keine angabe|k\.a\.|laufkunde|laufkundschaft|invité|client invité|anonyme|client anonyme|inconnu|client inconnu|client de passage|sans client|non renseigné|invitado|anónimo|anonimo|desconocido|cliente desconocido|sin cliente|consumidor final|público en general|convidado|anônimo|desconhecido|sem cliente|não informado|ospite|sconosciuto|nessun cliente|cliente occasionale|anoniem|onbekend|geen klant|gość|anonim|anonimowy|nieznany|nieznany klient|brak|brak danych)[\t-\r\x{85}\p{Z}]*$') THEN NULL
      WHEN CONTAINS(customer_id, '@') AND REGEXP_MATCHES(customer_id, '(?s)@.*[^\x{0}-@\[-`\x{7b}-\x{a0}\p{Z}][\t-\r\x{85}\p{Z}]*$') THEN LOWER(REGEXP_REPLACE(customer_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g'))
      WHEN CONTAINS(customer_id, '.0') THEN REGEXP_REPLACE(REGEXP_REPLACE(customer_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g'), '^([0-9]+)\.0$', '\1')
      ELSE CASE WHEN customer_id BETWEEN '!' AND '~' AND customer_id[-1] BETWEEN '!' AND '~' THEN customer_id ELSE REGEXP_REPLACE(customer_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g') END
    END AS customer_id,
    CASE
      WHEN order_id BETWEEN '!' AND '~' AND NOT SUFFIX(order_id, ' ') THEN order_id
      ELSE NULLIF(REGEXP_REPLACE(order_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g'), '')
    END AS order_id,
    COALESCE(quick_date, CASE
      WHEN REGEXP_MATCHES(ordered_at, '^[12][0-9]{3}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?)?$') THEN TRY_CAST(LEFT(ordered_at, 10) AS DATE)
      WHEN REGEXP_MATCHES(ordered_at, '^[12][0-9]{3}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?(Z| UTC| ?[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?))$') THEN CAST(TIMEZONE('Europe/Berlin', TRY_CAST(REGEXP_REPLACE(REGEXP_REPLACE(ordered_at, '^(.{10}).(.{5})[:.0-9]*', '\1 \2:00'), ' ?([+-][0-9]{2}):?([0-9]{2})$', '\1:\2') AS TIMESTAMPTZ)) AS DATE)
      WHEN REGEXP_MATCHES(ordered_at, '^[12][0-9]{3}(?:-(?:1[0-2]|0?[1-9])-|/(?:1[0-2]|0?[1-9])/|[.](?:1[0-2]|0?[1-9])[.])(?:[12][0-9]|3[01]|0?[1-9])(?:(?:T|,?[\t-\r ]+(?:(?:-|at|um|à) +)?)(?:1[0-9]|2[0-3]|0?[0-9]):[0-5]?[0-9](?::[0-5]?[0-9](?:[.,][0-9]{1,9})?)?(?:[ \x{a0}\x{202f}]?[AaPp]\.?[Mm]\.?| Uhr)?)?$') THEN TRY_CAST(REGEXP_REPLACE(ordered_at, '(?s)^([0-9]+).([0-9]+).([0-9]+).*$', '\1-\2-\3') AS DATE)
      WHEN REGEXP_MATCHES(ordered_at, '^[12][0-9]{3}(?:-(?:1[0-2]|0?[1-9])-|/(?:1[0-2]|0?[1-9])/|[.](?:1[0-2]|0?[1-9])[.])(?:[12][0-9]|3[01]|0?[1-9])(?:T|,?[\t-\r ]+(?:(?:-|at|um|à) +)?)(?:1[0-9]|2[0-3]|0?[0-9]):[0-5]?[0-9](?::[0-5]?[0-9](?:[.,][0-9]{1,9})?)?(?:[ \x{a0}\x{202f}]?[AaPp]\.?[Mm]\.?| Uhr)? ?(?:Z|UTC|GMT|(?:UTC|GMT)?[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?))(?:\[[^\]]*\]| \([^)]*\))?$') THEN CAST(TIMEZONE('Europe/Berlin', TRY_CAST(CONCAT(CAST(TRY_CAST(REGEXP_REPLACE(ordered_at, '(?s)^([0-9]+).([0-9]+).([0-9]+).*$', '\1-\2-\3') AS DATE) AS VARCHAR), REGEXP_REPLACE(REGEXP_REPLACE(ordered_at, '(Z|UTC|GMT)( ?[\[(].*)?$', '+00:00'), '(?s)^.*?([0-9]{1,2}:[0-9]{1,2})[^+-]*([+-][0-9]{2}):?([0-9]{2})?.*$', ' \1:00\2\3')) AS TIMESTAMPTZ) + TO_HOURS(CASE WHEN REGEXP_MATCHES(ordered_at, '[^0-9](0?[1-9]|1[01]):[0-9:.,]+[^0-9+-]?[Pp]\.?[Mm]') THEN 12 WHEN REGEXP_MATCHES(ordered_at, '[^0-9]12:[0-9:.,]+[^0-9+-]?[Aa]\.?[Mm]') THEN -12 ELSE 0 END)) AS DATE)
      WHEN REGEXP_MATCHES(ordered_at, '^(?:[12][0-9]|3[01]|0?[1-9])\.(?:1[0-2]|0?[1-9])\.[12][0-9]{3} +(?:1[0-9]|2[0-3]|0?[0-9]):[0-5]?[0-9]$') THEN CAST(TRY_STRPTIME(ordered_at, '%d.%m.%Y %H:%M') AS DATE)
      WHEN REGEXP_MATCHES(ordered_at, '^(?:[12][0-9]|3[01]|0?[1-9])\.(?:1[0-2]|0?[1-9])\.[12][0-9]{3}(?:(?:T|,?[\t-\r ]+(?:(?:-|at|um|à) +)?)(?:1[0-9]|2[0-3]|0?[0-9]):[0-5]?[0-9](?::[0-5]?[0-9](?:[.,][0-9]{1,9})?)?(?:[ \x{a0}\x{202f}]?[AaPp]\.?[Mm]\.?| Uhr)?)?$') THEN CAST(TRY_STRPTIME(REGEXP_EXTRACT(ordered_at, '(^(?:[12][0-9]|3[01]|0?[1-9])\.(?:1[0-2]|0?[1-9])\.[12][0-9]{3})', 1), '%d.%m.%Y') AS DATE)
      WHEN REGEXP_MATCHES(ordered_at, '^(?:[12][0-9]|3[01]|0?[1-9])\.(?:1[0-2]|0?[1-9])\.[12][0-9]{3}(?:T|,?[\t-\r ]+(?:(?:-|at|um|à) +)?)(?:1[0-9]|2[0-3]|0?[0-9]):[0-5]?[0-9](?::[0-5]?[0-9](?:[.,][0-9]{1,9})?)?(?:[ \x{a0}\x{202f}]?[AaPp]\.?[Mm]\.?| Uhr)? ?(?:Z|UTC|GMT|(?:UTC|GMT)?[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?))(?:\[[^\]]*\]| \([^)]*\))?$') THEN CAST(TIMEZONE('Europe/Berlin', TRY_CAST(CONCAT(CAST(CAST(TRY_STRPTIME(REGEXP_EXTRACT(ordered_at, '(^(?:[12][0-9]|3[01]|0?[1-9])\.(?:1[0-2]|0?[1-9])\.[12][0-9]{3})', 1), '%d.%m.%Y') AS DATE) AS VARCHAR), REGEXP_REPLACE(REGEXP_REPLACE(ordered_at, '(Z|UTC|GMT)( ?[\[(].*)?$', '+00:00'), '(?s)^.*?([0-9]{1,2}:[0-9]{1,2})[^+-]*([+-][0-9]{2}):?([0-9]{2})?.*$', ' \1:00\2\3')) AS TIMESTAMPTZ) + TO_HOURS(CASE WHEN REGEXP_MATCHES(ordered_at, '[^0-9](0?[1-9]|1[01]):[0-9:.,]+[^0-9+-]?[Pp]\.?[Mm]') THEN 12 WHEN REGEXP_MATCHES(ordered_at, '[^0-9]12:[0-9:.,]+[^0-9+-]?[Aa]\.?[Mm]') THEN -12 ELSE 0 END)) AS DATE)
    END) AS order_date,
    COALESCE(CASE
      WHEN NOT (CONTAINS(amount, 'e') OR CONTAINS(amount, 'E') OR CONTAINS(amount, '_') OR CONTAINS(amount, '.')) THEN TRY_CAST(REPLACE(amount, ',', '.') AS DECIMAL(30, 9))
      WHEN REGEXP_MATCHES(amount, '^\s*[+-]?([0-9]+[,]?[0-9]*|[,][0-9]+)[eE][+-]?[0-9]+\s*$') THEN TRY_CAST(TRY_CAST(REPLACE(amount, ',', '.') AS DECIMAL(38, 9)) AS DECIMAL(30, 9))
    END, CASE WHEN REGEXP_MATCHES(amount, '^[\s\p{Z}]*''?[\s\p{Z}(+−–-]*([0-9]+([,]([0-9]*|[–-]+))?|[1-9][0-9]{0,2}(([\p{Z}][0-9]{3})+|([''’][0-9]{3})+)([,]([0-9]*|[–-]+))?|[,][0-9]+|[1-9][0-9]{0,2}([.][0-9]{3})+([,]([0-9]*|[–-]+))?)[\s\p{Z})−-]*$') THEN TRY_CAST(CASE
      WHEN REGEXP_MATCHES(amount, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_MATCHES(amount, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REPLACE(REGEXP_REPLACE(amount, '[^0-9,]', '', 'g'), ',', '.') AS DECIMAL(30, 9)) END) AS amount,
    COALESCE(CASE
      WHEN NOT (CONTAINS(refund, 'e') OR CONTAINS(refund, 'E') OR CONTAINS(refund, '_') OR CONTAINS(refund, '.')) THEN TRY_CAST(REPLACE(refund, ',', '.') AS DECIMAL(30, 9))
      WHEN REGEXP_MATCHES(refund, '^\s*[+-]?([0-9]+[,]?[0-9]*|[,][0-9]+)[eE][+-]?[0-9]+\s*$') THEN TRY_CAST(TRY_CAST(REPLACE(refund, ',', '.') AS DECIMAL(38, 9)) AS DECIMAL(30, 9))
    END, CASE WHEN REGEXP_MATCHES(refund, '^[\s\p{Z}]*''?[\s\p{Z}(+−–-]*([0-9]+([,]([0-9]*|[–-]+))?|[1-9][0-9]{0,2}(([\p{Z}][0-9]{3})+|([''’][0-9]{3})+)([,]([0-9]*|[–-]+))?|[,][0-9]+|[1-9][0-9]{0,2}([.][0-9]{3})+([,]([0-9]*|[–-]+))?)[\s\p{Z})−-]*$') THEN TRY_CAST(CASE
      WHEN REGEXP_MATCHES(refund, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_MATCHES(refund, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REPLACE(REGEXP_REPLACE(refund, '[^0-9,]', '', 'g'), ',', '.') AS DECIMAL(30, 9)) END) AS refund,
    (refund IS NULL OR REGEXP_FULL_MATCH(refund, '[\t-\r\x{85}\p{Z}]*')) AS no_refund,
    ordered_at AS written_date,
    amount AS written_amount,
    refund AS written_refund,
    skip_reason,
    exclude_reason
  FROM dates
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
      WHEN customer_id < ':' AND CONTAINS(customer_id, '+') AND REGEXP_MATCHES(customer_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') AND exclude_reason IS NULL THEN 'scientific_customer'
      WHEN order_id < ':' AND CONTAINS(order_id, '+') AND REGEXP_MATCHES(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') AND exclude_reason IS NULL THEN 'scientific_order'
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

-- bigquery
WITH
-- One row per source line: the columns that the query uses.
source AS (
  SELECT
    `email` AS customer_id,
    `order_id` AS order_id,
    TRIM(`order_date`, CONCAT(' \t\n\v\f\r', CHR(160))) AS ordered_at,
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
      WHEN REGEXP_CONTAINS(customer_id, '^[\\t-\\r\\x{85}\\p{Z}]*(?i:|null|nan|none|nil|na|n/a|n\\.a\\.|nat|undefined|missing|blank|empty|not set|not available|\\(not set\\)|\\(none\\)|\\(null\\)|\\(blank\\)|\\(empty\\)|<null>|<na>|\\[null\\]|\\\\n|#n/a|#null!|#ref!|#value!|#name\\?|-|--|---|–|—|_|\\.|\\.\\.\\.|\\?|\\?\\?|\\?\\?\\?|/|\\*|guest|guest user|guest customer|guest checkout|visitor|anonymous|anonymous user|anonymous customer|unknown|unknown customer|not registered|not logged in|walk-in|walk in|walk-in customer|no customer|cash customer|cash sale|gast|gastkunde|gastbestellung|anonym|unbekannt|unbekannter kunde|kein kunde|keine angabe|k\\.a\\.|laufkunde|laufkundschaft|invité|client invité|anonyme|client anonyme|inconnu|client inconnu|client de passage|sans client|non renseigné|invitado|anónimo|anonimo|desconocido|cliente desconocido|sin cliente|consumidor final|público en general|convidado|anônimo|desconhecido|sem cliente|não informado|ospite|sconosciuto|nessun cliente|cliente occasionale|anoniem|onbekend|geen klant|gość|anonim|anonimowy|nieznany|nieznany klient|brak|brak danych)[\\t-\\r\\x{85}\\p{Z}]*$') THEN NULL
      WHEN STRPOS(customer_id, '@') > 0 AND REGEXP_CONTAINS(customer_id, '(?s)@.*[^\\x{0}-@\\[-`\\x{7b}-\\x{a0}\\p{Z}][\\t-\\r\\x{85}\\p{Z}]*$') THEN LOWER(REPLACE(REPLACE(TRIM(customer_id), 'İ', 'i'), 'Σ', 'σ'))
      WHEN STRPOS(customer_id, '.0') > 0 THEN REGEXP_REPLACE(TRIM(customer_id), '^([0-9]+)\\.0$', '\\1')
      ELSE TRIM(customer_id)
    END AS customer_id,
    CASE
      WHEN order_id BETWEEN '!' AND '~' AND NOT ENDS_WITH(order_id, ' ') THEN order_id
      ELSE NULLIF(TRIM(order_id), '')
    END AS order_id,
    CASE
      WHEN REGEXP_CONTAINS(ordered_at, '^[12][0-9]{3}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?)?$') THEN SAFE_CAST(SUBSTR(ordered_at, 1, 10) AS DATE)
      WHEN REGEXP_CONTAINS(ordered_at, '^[12][0-9]{3}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z| UTC| ?[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?))$') THEN DATE(SAFE_CAST(REGEXP_REPLACE(REGEXP_REPLACE(ordered_at, '^(.{10}).(.{5})[:.0-9]*', '\\1 \\2:00'), ' ?([+-][0-9]{2}):?([0-9]{2})$', '\\1:\\2') AS TIMESTAMP), 'Europe/Berlin')
      WHEN REGEXP_CONTAINS(ordered_at, '^[12][0-9]{3}(?:-(?:1[0-2]|0?[1-9])-|/(?:1[0-2]|0?[1-9])/|[.](?:1[0-2]|0?[1-9])[.])(?:[12][0-9]|3[01]|0?[1-9])(?:(?:T|,?[\\t-\\r ]+(?:(?:-|at|um|à) +)?)(?:1[0-9]|2[0-3]|0?[0-9]):[0-5]?[0-9](?::[0-5]?[0-9](?:[.,][0-9]{1,9})?)?(?:[ \\x{a0}\\x{202f}]?[AaPp]\\.?[Mm]\\.?| Uhr)?)?$') THEN SAFE_CAST(REGEXP_REPLACE(ordered_at, '(?s)^([0-9]+).([0-9]+).([0-9]+).*$', '\\1-\\2-\\3') AS DATE)
      WHEN REGEXP_CONTAINS(ordered_at, '^[12][0-9]{3}(?:-(?:1[0-2]|0?[1-9])-|/(?:1[0-2]|0?[1-9])/|[.](?:1[0-2]|0?[1-9])[.])(?:[12][0-9]|3[01]|0?[1-9])(?:T|,?[\\t-\\r ]+(?:(?:-|at|um|à) +)?)(?:1[0-9]|2[0-3]|0?[0-9]):[0-5]?[0-9](?::[0-5]?[0-9](?:[.,][0-9]{1,9})?)?(?:[ \\x{a0}\\x{202f}]?[AaPp]\\.?[Mm]\\.?| Uhr)? ?(?:Z|UTC|GMT|(?:UTC|GMT)?[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?))(?:\\[[^\\]]*\\]| \\([^)]*\\))?$') THEN DATE(TIMESTAMP_ADD(SAFE_CAST(CONCAT(CAST(SAFE_CAST(REGEXP_REPLACE(ordered_at, '(?s)^([0-9]+).([0-9]+).([0-9]+).*$', '\\1-\\2-\\3') AS DATE) AS STRING), REGEXP_REPLACE(REGEXP_REPLACE(ordered_at, '(Z|UTC|GMT)( ?[\\[(].*)?$', '+00:00'), '(?s)^.*?([0-9]{1,2}:[0-9]{1,2})[^+-]*([+-][0-9]{2}):?([0-9]{2})?.*$', ' \\1:00\\2\\3')) AS TIMESTAMP), INTERVAL CASE WHEN REGEXP_CONTAINS(ordered_at, '[^0-9](0?[1-9]|1[01]):[0-9:.,]+[^0-9+-]?[Pp]\\.?[Mm]') THEN 12 WHEN REGEXP_CONTAINS(ordered_at, '[^0-9]12:[0-9:.,]+[^0-9+-]?[Aa]\\.?[Mm]') THEN -12 ELSE 0 END HOUR), 'Europe/Berlin')
      WHEN REGEXP_CONTAINS(ordered_at, '^(?:[12][0-9]|3[01]|0?[1-9])\\.(?:1[0-2]|0?[1-9])\\.[12][0-9]{3} +(?:1[0-9]|2[0-3]|0?[0-9]):[0-5]?[0-9]$') THEN DATE(SAFE.PARSE_DATETIME('%d.%m.%Y %H:%M', ordered_at))
      WHEN REGEXP_CONTAINS(ordered_at, '^(?:[12][0-9]|3[01]|0?[1-9])\\.(?:1[0-2]|0?[1-9])\\.[12][0-9]{3}(?:(?:T|,?[\\t-\\r ]+(?:(?:-|at|um|à) +)?)(?:1[0-9]|2[0-3]|0?[0-9]):[0-5]?[0-9](?::[0-5]?[0-9](?:[.,][0-9]{1,9})?)?(?:[ \\x{a0}\\x{202f}]?[AaPp]\\.?[Mm]\\.?| Uhr)?)?$') THEN DATE(SAFE.PARSE_DATETIME('%d.%m.%Y', REGEXP_EXTRACT(ordered_at, '(^(?:[12][0-9]|3[01]|0?[1-9])\\.(?:1[0-2]|0?[1-9])\\.[12][0-9]{3})')))
      WHEN REGEXP_CONTAINS(ordered_at, '^(?:[12][0-9]|3[01]|0?[1-9])\\.(?:1[0-2]|0?[1-9])\\.[12][0-9]{3}(?:T|,?[\\t-\\r ]+(?:(?:-|at|um|à) +)?)(?:1[0-9]|2[0-3]|0?[0-9]):[0-5]?[0-9](?::[0-5]?[0-9](?:[.,][0-9]{1,9})?)?(?:[ \\x{a0}\\x{202f}]?[AaPp]\\.?[Mm]\\.?| Uhr)? ?(?:Z|UTC|GMT|(?:UTC|GMT)?[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?))(?:\\[[^\\]]*\\]| \\([^)]*\\))?$') THEN DATE(TIMESTAMP_ADD(SAFE_CAST(CONCAT(CAST(DATE(SAFE.PARSE_DATETIME('%d.%m.%Y', REGEXP_EXTRACT(ordered_at, '(^(?:[12][0-9]|3[01]|0?[1-9])\\.(?:1[0-2]|0?[1-9])\\.[12][0-9]{3})'))) AS STRING), REGEXP_REPLACE(REGEXP_REPLACE(ordered_at, '(Z|UTC|GMT)( ?[\\[(].*)?$', '+00:00'), '(?s)^.*?([0-9]{1,2}:[0-9]{1,2})[^+-]*([+-][0-9]{2}):?([0-9]{2})?.*$', ' \\1:00\\2\\3')) AS TIMESTAMP), INTERVAL CASE WHEN REGEXP_CONTAINS(ordered_at, '[^0-9](0?[1-9]|1[01]):[0-9:.,]+[^0-9+-]?[Pp]\\.?[Mm]') THEN 12 WHEN REGEXP_CONTAINS(ordered_at, '[^0-9]12:[0-9:.,]+[^0-9+-]?[Aa]\\.?[Mm]') THEN -12 ELSE 0 END HOUR), 'Europe/Berlin')
    END AS order_date,
    COALESCE(CASE WHEN NOT REGEXP_CONTAINS(amount, '[eE_.]') OR REGEXP_CONTAINS(amount, '^\\s*[+-]?([0-9]+[,]?[0-9]*|[,][0-9]+)[eE][+-]?[0-9]+\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(REPLACE(amount, ',', '.') AS BIGNUMERIC), 9)) < 1e21 THEN CAST(ROUND(SAFE_CAST(REPLACE(amount, ',', '.') AS BIGNUMERIC), 9) AS NUMERIC) END END, CASE WHEN REGEXP_CONTAINS(amount, '^[\\s\\p{Z}]*\'?[\\s\\p{Z}(+−–-]*([0-9]+([,]([0-9]*|[–-]+))?|[1-9][0-9]{0,2}(([\\p{Z}][0-9]{3})+|([\'’][0-9]{3})+)([,]([0-9]*|[–-]+))?|[,][0-9]+|[1-9][0-9]{0,2}([.][0-9]{3})+([,]([0-9]*|[–-]+))?)[\\s\\p{Z})−-]*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(CASE
      WHEN REGEXP_CONTAINS(amount, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_CONTAINS(amount, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REPLACE(REGEXP_REPLACE(amount, '[^0-9,]', ''), ',', '.') AS BIGNUMERIC), 9)) < 1e21 THEN CAST(ROUND(SAFE_CAST(CASE
      WHEN REGEXP_CONTAINS(amount, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_CONTAINS(amount, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REPLACE(REGEXP_REPLACE(amount, '[^0-9,]', ''), ',', '.') AS BIGNUMERIC), 9) AS NUMERIC) END END) AS amount,
    COALESCE(CASE WHEN NOT REGEXP_CONTAINS(refund, '[eE_.]') OR REGEXP_CONTAINS(refund, '^\\s*[+-]?([0-9]+[,]?[0-9]*|[,][0-9]+)[eE][+-]?[0-9]+\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(REPLACE(refund, ',', '.') AS BIGNUMERIC), 9)) < 1e21 THEN CAST(ROUND(SAFE_CAST(REPLACE(refund, ',', '.') AS BIGNUMERIC), 9) AS NUMERIC) END END, CASE WHEN REGEXP_CONTAINS(refund, '^[\\s\\p{Z}]*\'?[\\s\\p{Z}(+−–-]*([0-9]+([,]([0-9]*|[–-]+))?|[1-9][0-9]{0,2}(([\\p{Z}][0-9]{3})+|([\'’][0-9]{3})+)([,]([0-9]*|[–-]+))?|[,][0-9]+|[1-9][0-9]{0,2}([.][0-9]{3})+([,]([0-9]*|[–-]+))?)[\\s\\p{Z})−-]*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(CASE
      WHEN REGEXP_CONTAINS(refund, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_CONTAINS(refund, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REPLACE(REGEXP_REPLACE(refund, '[^0-9,]', ''), ',', '.') AS BIGNUMERIC), 9)) < 1e21 THEN CAST(ROUND(SAFE_CAST(CASE
      WHEN REGEXP_CONTAINS(refund, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_CONTAINS(refund, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REPLACE(REGEXP_REPLACE(refund, '[^0-9,]', ''), ',', '.') AS BIGNUMERIC), 9) AS NUMERIC) END END) AS refund,
    (refund IS NULL OR TRIM(refund) = '') AS no_refund,
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
      WHEN customer_id < ':' AND STRPOS(customer_id, '+') > 0 AND REGEXP_CONTAINS(customer_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') AND exclude_reason IS NULL THEN 'scientific_customer'
      WHEN order_id < ':' AND STRPOS(order_id, '+') > 0 AND REGEXP_CONTAINS(order_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') AND exclude_reason IS NULL THEN 'scientific_order'
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
    CASE WHEN STRLEN("customer_id") = LENGTH("customer_id") THEN REVERSE("customer_id") END AS reversed_customer,
    "ordered_at" AS ordered_at,
    "quantity" AS quantity,
    "price" AS unit_price
  FROM "source"
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    CASE
      WHEN customer_id BETWEEN '1' AND '~' AND reversed_customer BETWEEN '0/' AND '9~' THEN customer_id
      WHEN customer_id IS NULL THEN NULL
      WHEN reversed_customer BETWEEN 'a' AND 'z~' AND CONTAINS(customer_id, '@') AND customer_id BETWEEN '!' AND '~' THEN LOWER(customer_id)
      WHEN (LENGTH(customer_id) <= 19 OR NOT (customer_id BETWEEN '!' AND '~' AND customer_id[-1] BETWEEN '!' AND '~')) AND REGEXP_MATCHES(customer_id, '^[\t-\r\x{85}\p{Z}]*(?i:|null|nan|none|nil|na|n/a|n\.a\.|nat|undefined|missing|blank|empty|not set|not available|\(not set\)|\(none\)|\(null\)|\(blank\)|\(empty\)|<null>|<na>|\[null\]|\\n|#n/a|#null!|#ref!|#value!|#name\?|-|--|---|–|—|_|\.|\.\.\.|\?|\?\?|\?\?\?|/|\*|guest|guest user|guest customer|guest checkout|visitor|anonymous|anonymous user|anonymous customer|unknown|unknown customer|not registered|not logged in|walk-in|walk in|walk-in customer|no customer|cash customer|cash sale|gast|gastkunde|gastbestellung|anonym|unbekannt|unbekannter kunde|kein kunde|keine angabe|k\.a\.|laufkunde|laufkundschaft|invité|client invité|anonyme|client anonyme|inconnu|client inconnu|client de passage|sans client|non renseigné|invitado|anónimo|anonimo|desconocido|cliente desconocido|sin cliente|consumidor final|público en general|convidado|anônimo|desconhecido|sem cliente|não informado|ospite|sconosciuto|nessun cliente|cliente occasionale|anoniem|onbekend|geen klant|gość|anonim|anonimowy|nieznany|nieznany klient|brak|brak danych)[\t-\r\x{85}\p{Z}]*$') THEN NULL
      WHEN CONTAINS(customer_id, '@') AND REGEXP_MATCHES(customer_id, '(?s)@.*[^\x{0}-@\[-`\x{7b}-\x{a0}\p{Z}][\t-\r\x{85}\p{Z}]*$') THEN LOWER(REGEXP_REPLACE(customer_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g'))
      WHEN CONTAINS(customer_id, '.0') THEN REGEXP_REPLACE(REGEXP_REPLACE(customer_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g'), '^([0-9]+)\.0$', '\1')
      ELSE CASE WHEN customer_id BETWEEN '!' AND '~' AND customer_id[-1] BETWEEN '!' AND '~' THEN customer_id ELSE REGEXP_REPLACE(customer_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g') END
    END AS customer_id,
    CASE WHEN ISFINITE(ordered_at) THEN ordered_at END AS order_date,
    CASE WHEN quantity LIKE '%.%' AND REGEXP_MATCHES(quantity, '(^|[^0-9.,])[1-9][0-9]{0,2}\.[0-9]{3}([^0-9.,]|$)') THEN NULL ELSE COALESCE(CASE
      WHEN NOT (CONTAINS(quantity, 'e') OR CONTAINS(quantity, 'E') OR CONTAINS(quantity, '_')) THEN TRY_CAST(quantity AS DECIMAL(12, 3))
      WHEN REGEXP_MATCHES(quantity, '^\s*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)[eE][+-]?[0-9]+\s*$') THEN TRY_CAST(TRY_CAST(quantity AS DECIMAL(38, 3)) AS DECIMAL(12, 3))
    END, CASE WHEN REGEXP_MATCHES(quantity, '^[\s\p{Z}]*''?[\s\p{Z}(+−–-]*([0-9]+([.]([0-9]*|[–-]+))?|[1-9][0-9]{0,2}(([\p{Z}][0-9]{3})+|([''’][0-9]{3})+)([.]([0-9]*|[–-]+))?|[.][0-9]+|[1-9][0-9]{0,2},[0-9]{3}((,[0-9]{3})+([.]([0-9]*|[–-]+))?|[.][0-9]+)|[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}([.]([0-9]*|[–-]+))?)[\s\p{Z})−-]*$') THEN TRY_CAST(CASE
      WHEN REGEXP_MATCHES(quantity, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_MATCHES(quantity, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REGEXP_REPLACE(quantity, '[^0-9.]', '', 'g') AS DECIMAL(12, 3)) END) END AS quantity,
    CASE WHEN unit_price LIKE '%.%' AND REGEXP_MATCHES(unit_price, '(^|[^0-9.,])[1-9][0-9]{0,2}\.[0-9]{3}([^0-9.,]|$)') THEN NULL ELSE COALESCE(CASE
      WHEN NOT (CONTAINS(unit_price, 'e') OR CONTAINS(unit_price, 'E') OR CONTAINS(unit_price, '_')) THEN TRY_CAST(unit_price AS DECIMAL(18, 6))
      WHEN REGEXP_MATCHES(unit_price, '^\s*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)[eE][+-]?[0-9]+\s*$') THEN TRY_CAST(TRY_CAST(unit_price AS DECIMAL(38, 6)) AS DECIMAL(18, 6))
    END, CASE WHEN REGEXP_MATCHES(unit_price, '^[\s\p{Z}]*''?[\s\p{Z}(+−–-]*([0-9]+([.]([0-9]*|[–-]+))?|[1-9][0-9]{0,2}(([\p{Z}][0-9]{3})+|([''’][0-9]{3})+)([.]([0-9]*|[–-]+))?|[.][0-9]+|[1-9][0-9]{0,2},[0-9]{3}((,[0-9]{3})+([.]([0-9]*|[–-]+))?|[.][0-9]+)|[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}([.]([0-9]*|[–-]+))?)[\s\p{Z})−-]*$') THEN TRY_CAST(CASE
      WHEN REGEXP_MATCHES(unit_price, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_MATCHES(unit_price, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REGEXP_REPLACE(unit_price, '[^0-9.]', '', 'g') AS DECIMAL(18, 6)) END) END AS unit_price,
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
      WHEN customer_id < ':' AND CONTAINS(customer_id, '+') AND REGEXP_MATCHES(customer_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_customer'
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
      WHEN REGEXP_CONTAINS(customer_id, '^[\\t-\\r\\x{85}\\p{Z}]*(?i:|null|nan|none|nil|na|n/a|n\\.a\\.|nat|undefined|missing|blank|empty|not set|not available|\\(not set\\)|\\(none\\)|\\(null\\)|\\(blank\\)|\\(empty\\)|<null>|<na>|\\[null\\]|\\\\n|#n/a|#null!|#ref!|#value!|#name\\?|-|--|---|–|—|_|\\.|\\.\\.\\.|\\?|\\?\\?|\\?\\?\\?|/|\\*|guest|guest user|guest customer|guest checkout|visitor|anonymous|anonymous user|anonymous customer|unknown|unknown customer|not registered|not logged in|walk-in|walk in|walk-in customer|no customer|cash customer|cash sale|gast|gastkunde|gastbestellung|anonym|unbekannt|unbekannter kunde|kein kunde|keine angabe|k\\.a\\.|laufkunde|laufkundschaft|invité|client invité|anonyme|client anonyme|inconnu|client inconnu|client de passage|sans client|non renseigné|invitado|anónimo|anonimo|desconocido|cliente desconocido|sin cliente|consumidor final|público en general|convidado|anônimo|desconhecido|sem cliente|não informado|ospite|sconosciuto|nessun cliente|cliente occasionale|anoniem|onbekend|geen klant|gość|anonim|anonimowy|nieznany|nieznany klient|brak|brak danych)[\\t-\\r\\x{85}\\p{Z}]*$') THEN NULL
      WHEN STRPOS(customer_id, '@') > 0 AND REGEXP_CONTAINS(customer_id, '(?s)@.*[^\\x{0}-@\\[-`\\x{7b}-\\x{a0}\\p{Z}][\\t-\\r\\x{85}\\p{Z}]*$') THEN LOWER(REPLACE(REPLACE(TRIM(customer_id), 'İ', 'i'), 'Σ', 'σ'))
      WHEN STRPOS(customer_id, '.0') > 0 THEN REGEXP_REPLACE(TRIM(customer_id), '^([0-9]+)\\.0$', '\\1')
      ELSE TRIM(customer_id)
    END AS customer_id,
    ordered_at AS order_date,
    CASE WHEN quantity LIKE '%.%' AND REGEXP_CONTAINS(quantity, '(^|[^0-9.,])[1-9][0-9]{0,2}\\.[0-9]{3}([^0-9.,]|$)') THEN NULL ELSE COALESCE(CASE WHEN NOT REGEXP_CONTAINS(quantity, '[eE_]') OR REGEXP_CONTAINS(quantity, '^\\s*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)[eE][+-]?[0-9]+\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(quantity AS BIGNUMERIC), 3)) < 1e9 THEN CAST(ROUND(SAFE_CAST(quantity AS BIGNUMERIC), 3) AS NUMERIC) END END, CASE WHEN REGEXP_CONTAINS(quantity, '^[\\s\\p{Z}]*\'?[\\s\\p{Z}(+−–-]*([0-9]+([.]([0-9]*|[–-]+))?|[1-9][0-9]{0,2}(([\\p{Z}][0-9]{3})+|([\'’][0-9]{3})+)([.]([0-9]*|[–-]+))?|[.][0-9]+|[1-9][0-9]{0,2},[0-9]{3}((,[0-9]{3})+([.]([0-9]*|[–-]+))?|[.][0-9]+)|[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}([.]([0-9]*|[–-]+))?)[\\s\\p{Z})−-]*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(CASE
      WHEN REGEXP_CONTAINS(quantity, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_CONTAINS(quantity, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REGEXP_REPLACE(quantity, '[^0-9.]', '') AS BIGNUMERIC), 3)) < 1e9 THEN CAST(ROUND(SAFE_CAST(CASE
      WHEN REGEXP_CONTAINS(quantity, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_CONTAINS(quantity, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REGEXP_REPLACE(quantity, '[^0-9.]', '') AS BIGNUMERIC), 3) AS NUMERIC) END END) END AS quantity,
    CASE WHEN unit_price LIKE '%.%' AND REGEXP_CONTAINS(unit_price, '(^|[^0-9.,])[1-9][0-9]{0,2}\\.[0-9]{3}([^0-9.,]|$)') THEN NULL ELSE COALESCE(CASE WHEN NOT REGEXP_CONTAINS(unit_price, '[eE_]') OR REGEXP_CONTAINS(unit_price, '^\\s*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)[eE][+-]?[0-9]+\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(unit_price AS BIGNUMERIC), 6)) < 1e12 THEN CAST(ROUND(SAFE_CAST(unit_price AS BIGNUMERIC), 6) AS NUMERIC) END END, CASE WHEN REGEXP_CONTAINS(unit_price, '^[\\s\\p{Z}]*\'?[\\s\\p{Z}(+−–-]*([0-9]+([.]([0-9]*|[–-]+))?|[1-9][0-9]{0,2}(([\\p{Z}][0-9]{3})+|([\'’][0-9]{3})+)([.]([0-9]*|[–-]+))?|[.][0-9]+|[1-9][0-9]{0,2},[0-9]{3}((,[0-9]{3})+([.]([0-9]*|[–-]+))?|[.][0-9]+)|[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}([.]([0-9]*|[–-]+))?)[\\s\\p{Z})−-]*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(CASE
      WHEN REGEXP_CONTAINS(unit_price, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_CONTAINS(unit_price, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REGEXP_REPLACE(unit_price, '[^0-9.]', '') AS BIGNUMERIC), 6)) < 1e12 THEN CAST(ROUND(SAFE_CAST(CASE
      WHEN REGEXP_CONTAINS(unit_price, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_CONTAINS(unit_price, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REGEXP_REPLACE(unit_price, '[^0-9.]', '') AS BIGNUMERIC), 6) AS NUMERIC) END END) END AS unit_price,
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
      WHEN customer_id < ':' AND STRPOS(customer_id, '+') > 0 AND REGEXP_CONTAINS(customer_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_customer'
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
    CASE WHEN STRLEN("customer_id") = LENGTH("customer_id") THEN REVERSE("customer_id") END AS reversed_customer,
    "ordered_at" AS ordered_at,
    "amount" AS amount
  FROM "source"
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    CASE
      WHEN customer_id BETWEEN '1' AND '~' AND reversed_customer BETWEEN '0/' AND '9~' THEN customer_id
      WHEN customer_id IS NULL THEN NULL
      WHEN reversed_customer BETWEEN 'a' AND 'z~' AND CONTAINS(customer_id, '@') AND customer_id BETWEEN '!' AND '~' THEN LOWER(customer_id)
      WHEN (LENGTH(customer_id) <= 19 OR NOT (customer_id BETWEEN '!' AND '~' AND customer_id[-1] BETWEEN '!' AND '~')) AND REGEXP_MATCHES(customer_id, '^[\t-\r\x{85}\p{Z}]*(?i:|null|nan|none|nil|na|n/a|n\.a\.|nat|undefined|missing|blank|empty|not set|not available|\(not set\)|\(none\)|\(null\)|\(blank\)|\(empty\)|<null>|<na>|\[null\]|\\n|#n/a|#null!|#ref!|#value!|#name\?|-|--|---|–|—|_|\.|\.\.\.|\?|\?\?|\?\?\?|/|\*|guest|guest user|guest customer|guest checkout|visitor|anonymous|anonymous user|anonymous customer|unknown|unknown customer|not registered|not logged in|walk-in|walk in|walk-in customer|no customer|cash customer|cash sale|gast|gastkunde|gastbestellung|anonym|unbekannt|unbekannter kunde|kein kunde|keine angabe|k\.a\.|laufkunde|laufkundschaft|invité|client invité|anonyme|client anonyme|inconnu|client inconnu|client de passage|sans client|non renseigné|invitado|anónimo|anonimo|desconocido|cliente desconocido|sin cliente|consumidor final|público en general|convidado|anônimo|desconhecido|sem cliente|não informado|ospite|sconosciuto|nessun cliente|cliente occasionale|anoniem|onbekend|geen klant|gość|anonim|anonimowy|nieznany|nieznany klient|brak|brak danych)[\t-\r\x{85}\p{Z}]*$') THEN NULL
      WHEN CONTAINS(customer_id, '@') AND REGEXP_MATCHES(customer_id, '(?s)@.*[^\x{0}-@\[-`\x{7b}-\x{a0}\p{Z}][\t-\r\x{85}\p{Z}]*$') THEN LOWER(REGEXP_REPLACE(customer_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g'))
      WHEN CONTAINS(customer_id, '.0') THEN REGEXP_REPLACE(REGEXP_REPLACE(customer_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g'), '^([0-9]+)\.0$', '\1')
      ELSE CASE WHEN customer_id BETWEEN '!' AND '~' AND customer_id[-1] BETWEEN '!' AND '~' THEN customer_id ELSE REGEXP_REPLACE(customer_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g') END
    END AS customer_id,
    CASE WHEN ISFINITE(ordered_at) THEN ordered_at END AS order_date,
    COALESCE(CASE
      WHEN NOT (CONTAINS(amount, 'e') OR CONTAINS(amount, 'E') OR CONTAINS(amount, '_')) THEN TRY_CAST(amount AS DECIMAL(30, 9))
      WHEN REGEXP_MATCHES(amount, '^\s*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)[eE][+-]?[0-9]+\s*$') THEN TRY_CAST(TRY_CAST(amount AS DECIMAL(38, 9)) AS DECIMAL(30, 9))
    END, CASE WHEN REGEXP_MATCHES(amount, '^[\s\p{Z}]*''?[\s\p{Z}(+−–-]*([0-9]+([.]([0-9]*|[–-]+))?|[1-9][0-9]{0,2}(([\p{Z}][0-9]{3})+|([''’][0-9]{3})+)([.]([0-9]*|[–-]+))?|[.][0-9]+|[1-9][0-9]{0,2}(,[0-9]{3})+([.]([0-9]*|[–-]+))?|[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}([.]([0-9]*|[–-]+))?)[\s\p{Z})−-]*$') THEN TRY_CAST(CASE
      WHEN REGEXP_MATCHES(amount, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_MATCHES(amount, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REGEXP_REPLACE(amount, '[^0-9.]', '', 'g') AS DECIMAL(30, 9)) END) AS amount,
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
      WHEN customer_id < ':' AND CONTAINS(customer_id, '+') AND REGEXP_MATCHES(customer_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_customer'
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

-- bigquery
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
      WHEN REGEXP_CONTAINS(customer_id, '^[\\t-\\r\\x{85}\\p{Z}]*(?i:|null|nan|none|nil|na|n/a|n\\.a\\.|nat|undefined|missing|blank|empty|not set|not available|\\(not set\\)|\\(none\\)|\\(null\\)|\\(blank\\)|\\(empty\\)|<null>|<na>|\\[null\\]|\\\\n|#n/a|#null!|#ref!|#value!|#name\\?|-|--|---|–|—|_|\\.|\\.\\.\\.|\\?|\\?\\?|\\?\\?\\?|/|\\*|guest|guest user|guest customer|guest checkout|visitor|anonymous|anonymous user|anonymous customer|unknown|unknown customer|not registered|not logged in|walk-in|walk in|walk-in customer|no customer|cash customer|cash sale|gast|gastkunde|gastbestellung|anonym|unbekannt|unbekannter kunde|kein kunde|keine angabe|k\\.a\\.|laufkunde|laufkundschaft|invité|client invité|anonyme|client anonyme|inconnu|client inconnu|client de passage|sans client|non renseigné|invitado|anónimo|anonimo|desconocido|cliente desconocido|sin cliente|consumidor final|público en general|convidado|anônimo|desconhecido|sem cliente|não informado|ospite|sconosciuto|nessun cliente|cliente occasionale|anoniem|onbekend|geen klant|gość|anonim|anonimowy|nieznany|nieznany klient|brak|brak danych)[\\t-\\r\\x{85}\\p{Z}]*$') THEN NULL
      WHEN STRPOS(customer_id, '@') > 0 AND REGEXP_CONTAINS(customer_id, '(?s)@.*[^\\x{0}-@\\[-`\\x{7b}-\\x{a0}\\p{Z}][\\t-\\r\\x{85}\\p{Z}]*$') THEN LOWER(REPLACE(REPLACE(TRIM(customer_id), 'İ', 'i'), 'Σ', 'σ'))
      WHEN STRPOS(customer_id, '.0') > 0 THEN REGEXP_REPLACE(TRIM(customer_id), '^([0-9]+)\\.0$', '\\1')
      ELSE TRIM(customer_id)
    END AS customer_id,
    ordered_at AS order_date,
    COALESCE(CASE WHEN NOT REGEXP_CONTAINS(amount, '[eE_]') OR REGEXP_CONTAINS(amount, '^\\s*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)[eE][+-]?[0-9]+\\s*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(amount AS BIGNUMERIC), 9)) < 1e21 THEN CAST(ROUND(SAFE_CAST(amount AS BIGNUMERIC), 9) AS NUMERIC) END END, CASE WHEN REGEXP_CONTAINS(amount, '^[\\s\\p{Z}]*\'?[\\s\\p{Z}(+−–-]*([0-9]+([.]([0-9]*|[–-]+))?|[1-9][0-9]{0,2}(([\\p{Z}][0-9]{3})+|([\'’][0-9]{3})+)([.]([0-9]*|[–-]+))?|[.][0-9]+|[1-9][0-9]{0,2}(,[0-9]{3})+([.]([0-9]*|[–-]+))?|[1-9][0-9]?(,[0-9]{2})+,[0-9]{3}([.]([0-9]*|[–-]+))?)[\\s\\p{Z})−-]*$') THEN CASE WHEN ABS(ROUND(SAFE_CAST(CASE
      WHEN REGEXP_CONTAINS(amount, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_CONTAINS(amount, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REGEXP_REPLACE(amount, '[^0-9.]', '') AS BIGNUMERIC), 9)) < 1e21 THEN CAST(ROUND(SAFE_CAST(CASE
      WHEN REGEXP_CONTAINS(amount, '^([^()+−–-]*([^()+.,−–-]|[^()+0-9−–-][.,]))?[−–-][^()+−–-]*$|^[^()+−–-]*[(][^()+−–-]*[)][^()+−–-]*$') THEN '-'
      WHEN REGEXP_CONTAINS(amount, '^[^()+−–-]*[+]?[^()+−–-]*([.,][–-]+[^()+−–-]*)?$') THEN ''
    END || REGEXP_REPLACE(amount, '[^0-9.]', '') AS BIGNUMERIC), 9) AS NUMERIC) END END) AS amount,
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
      WHEN customer_id < ':' AND STRPOS(customer_id, '+') > 0 AND REGEXP_CONTAINS(customer_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_customer'
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
    CASE WHEN STRLEN("customer_id") = LENGTH("customer_id") THEN REVERSE("customer_id") END AS reversed_customer,
    "ordered_at" AS ordered_at,
    "amount" AS amount
  FROM "source"
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    CASE
      WHEN customer_id BETWEEN '1' AND '~' AND reversed_customer BETWEEN '0/' AND '9~' THEN customer_id
      WHEN customer_id IS NULL THEN NULL
      WHEN reversed_customer BETWEEN 'a' AND 'z~' AND CONTAINS(customer_id, '@') AND customer_id BETWEEN '!' AND '~' THEN LOWER(customer_id)
      WHEN (LENGTH(customer_id) <= 19 OR NOT (customer_id BETWEEN '!' AND '~' AND customer_id[-1] BETWEEN '!' AND '~')) AND REGEXP_MATCHES(customer_id, '^[\t-\r\x{85}\p{Z}]*(?i:|null|nan|none|nil|na|n/a|n\.a\.|nat|undefined|missing|blank|empty|not set|not available|\(not set\)|\(none\)|\(null\)|\(blank\)|\(empty\)|<null>|<na>|\[null\]|\\n|#n/a|#null!|#ref!|#value!|#name\?|-|--|---|–|—|_|\.|\.\.\.|\?|\?\?|\?\?\?|/|\*|guest|guest user|guest customer|guest checkout|visitor|anonymous|anonymous user|anonymous customer|unknown|unknown customer|not registered|not logged in|walk-in|walk in|walk-in customer|no customer|cash customer|cash sale|gast|gastkunde|gastbestellung|anonym|unbekannt|unbekannter kunde|kein kunde|keine angabe|k\.a\.|laufkunde|laufkundschaft|invité|client invité|anonyme|client anonyme|inconnu|client inconnu|client de passage|sans client|non renseigné|invitado|anónimo|anonimo|desconocido|cliente desconocido|sin cliente|consumidor final|público en general|convidado|anônimo|desconhecido|sem cliente|não informado|ospite|sconosciuto|nessun cliente|cliente occasionale|anoniem|onbekend|geen klant|gość|anonim|anonimowy|nieznany|nieznany klient|brak|brak danych)[\t-\r\x{85}\p{Z}]*$') THEN NULL
      WHEN CONTAINS(customer_id, '@') AND REGEXP_MATCHES(customer_id, '(?s)@.*[^\x{0}-@\[-`\x{7b}-\x{a0}\p{Z}][\t-\r\x{85}\p{Z}]*$') THEN LOWER(REGEXP_REPLACE(customer_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g'))
      WHEN CONTAINS(customer_id, '.0') THEN REGEXP_REPLACE(REGEXP_REPLACE(customer_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g'), '^([0-9]+)\.0$', '\1')
      ELSE CASE WHEN customer_id BETWEEN '!' AND '~' AND customer_id[-1] BETWEEN '!' AND '~' THEN customer_id ELSE REGEXP_REPLACE(customer_id, '^[\t-\r\x{85}\p{Z}]+|[\t-\r\x{85}\p{Z}]+$', '', 'g') END
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
      WHEN customer_id < ':' AND CONTAINS(customer_id, '+') AND REGEXP_MATCHES(customer_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_customer'
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN amount IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN amount <= 0 THEN 'non_positive_amount'
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
    `customer_id` AS customer_id,
    `ordered_at` AS ordered_at,
    `amount` AS amount
  FROM `source`
),

-- One row per source line, with typed values; NULL is a missing or unreadable value.
lines AS (
  SELECT
    CASE
      WHEN REGEXP_CONTAINS(customer_id, '^[\\t-\\r\\x{85}\\p{Z}]*(?i:|null|nan|none|nil|na|n/a|n\\.a\\.|nat|undefined|missing|blank|empty|not set|not available|\\(not set\\)|\\(none\\)|\\(null\\)|\\(blank\\)|\\(empty\\)|<null>|<na>|\\[null\\]|\\\\n|#n/a|#null!|#ref!|#value!|#name\\?|-|--|---|–|—|_|\\.|\\.\\.\\.|\\?|\\?\\?|\\?\\?\\?|/|\\*|guest|guest user|guest customer|guest checkout|visitor|anonymous|anonymous user|anonymous customer|unknown|unknown customer|not registered|not logged in|walk-in|walk in|walk-in customer|no customer|cash customer|cash sale|gast|gastkunde|gastbestellung|anonym|unbekannt|unbekannter kunde|kein kunde|keine angabe|k\\.a\\.|laufkunde|laufkundschaft|invité|client invité|anonyme|client anonyme|inconnu|client inconnu|client de passage|sans client|non renseigné|invitado|anónimo|anonimo|desconocido|cliente desconocido|sin cliente|consumidor final|público en general|convidado|anônimo|desconhecido|sem cliente|não informado|ospite|sconosciuto|nessun cliente|cliente occasionale|anoniem|onbekend|geen klant|gość|anonim|anonimowy|nieznany|nieznany klient|brak|brak danych)[\\t-\\r\\x{85}\\p{Z}]*$') THEN NULL
      WHEN STRPOS(customer_id, '@') > 0 AND REGEXP_CONTAINS(customer_id, '(?s)@.*[^\\x{0}-@\\[-`\\x{7b}-\\x{a0}\\p{Z}][\\t-\\r\\x{85}\\p{Z}]*$') THEN LOWER(REPLACE(REPLACE(TRIM(customer_id), 'İ', 'i'), 'Σ', 'σ'))
      WHEN STRPOS(customer_id, '.0') > 0 THEN REGEXP_REPLACE(TRIM(customer_id), '^([0-9]+)\\.0$', '\\1')
      ELSE TRIM(customer_id)
    END AS customer_id,
    ordered_at AS order_date,
    CASE WHEN ABS(ROUND(SAFE_CAST(amount AS BIGNUMERIC), 9)) < 1e21 THEN CAST(ROUND(SAFE_CAST(amount AS BIGNUMERIC), 9) AS NUMERIC) END AS amount
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
      WHEN customer_id < ':' AND STRPOS(customer_id, '+') > 0 AND REGEXP_CONTAINS(customer_id, '^[0-9]{1,3}([.,][0-9]+[eE][+]?|[eE][+])[0-9]{1,3}$') THEN 'scientific_customer'
      WHEN order_date IS NULL THEN 'invalid_date'
      WHEN amount IS NULL THEN 'invalid_amount'
      WHEN order_date > DATE '2025-01-01' THEN 'future_dated'
      WHEN amount <= 0 THEN 'non_positive_amount'
    END AS reason
  FROM lines
)

SELECT *
FROM clean;
