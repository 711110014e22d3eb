-- The floor, and its customers left behind where a run leaves them: scored and segmented, in a DuckDB file, once, with
-- the columns that do not follow from others and in the same types; and 16 columns sorted for the file of the result. Money is a double until it is stored, edges are given; nothing is cleaned, accounted for or audited, and
-- there is no record of it. We know of nothing that does less and leaves the customers in these places.
-- `stored.duckdb` comes to be in the current folder, where there must be none.
CREATE TABLE customers AS
WITH
  -- One row an order.
  orders AS (
    SELECT
      CustomerID,
      min(InvoiceDate) AS first_ordered_at,
      max(InvoiceDate) AS last_ordered_at,
      sum(Quantity * UnitPrice) AS amount
    FROM source
    WHERE CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0
    GROUP BY CustomerID, InvoiceNo
  )
-- One row a customer.
SELECT
  CustomerID AS customer_id,
  min(first_ordered_at)::DATE AS first_order_date,
  max(last_ordered_at)::DATE AS last_order_date,
  count(*) AS frequency,
  sum(amount) AS monetary
FROM orders
GROUP BY CustomerID;

CREATE TABLE result AS
WITH
  -- One row a customer, with the scores.
  scored AS (
    SELECT
      *,
      as_of_date - last_order_date AS recency_days,
      CASE WHEN recency_days > 360 THEN 1 WHEN recency_days > 180 THEN 2 WHEN recency_days > 60 THEN 3 ELSE 4 END AS r,
      CASE WHEN frequency <= 1 THEN 1 WHEN frequency <= 2 THEN 2 WHEN frequency <= 5 THEN 3 ELSE 4 END AS f,
      CASE WHEN monetary <= 300 THEN 1 WHEN monetary <= 700 THEN 2 WHEN monetary <= 2000 THEN 3 ELSE 4 END AS m
    FROM customers
    CROSS JOIN (SELECT max(last_order_date) AS as_of_date FROM customers)
  )
-- The same with the segment.
SELECT
  customer_id::VARCHAR AS customer_id,
  recency_days::INTEGER AS recency_days,
  frequency,
  monetary::DECIMAL(38, 9) AS monetary,
  (monetary / frequency)::DECIMAL(38, 9) AS avg_order_value,
  first_order_date,
  last_order_date,
  r AS r_score,
  f AS f_score,
  m AS m_score,
  concat(r, f, m) AS rfm_score,
  CASE
    WHEN r = 4 AND f = 4 AND m = 4 THEN 'Champions'
    WHEN r = 4 AND f = 4 THEN 'Loyal Customers'
    WHEN r >= 3 AND f >= 3 THEN 'Potential Loyalists'
    WHEN r = 4 THEN 'New Customers'
    WHEN r = 3 THEN 'Promising'
    WHEN r = 2 AND f >= 3 THEN 'Needs Attention'
    WHEN r = 2 THEN 'About to Sleep'
    WHEN f >= 3 THEN 'At-Risk'
    WHEN f = 2 THEN 'Hibernating'
    ELSE 'Lost'
  END AS segment,
  NULL::VARCHAR AS previous_segment,
  as_of_date AS segment_since,
  as_of_date,
  'one run' AS run_id
FROM scored;

ATTACH 'stored.duckdb' AS destination;
BEGIN;
-- Compressed ids take twice as long to store.
CREATE TABLE destination.rfm_segments_rows (
  as_of_date DATE, customer_id VARCHAR USING COMPRESSION uncompressed, frequency BIGINT, monetary DECIMAL(38, 9),
  first_order_date DATE, last_order_date DATE, r_score UTINYINT, f_score UTINYINT, m_score UTINYINT,
  segment VARCHAR, previous_segment VARCHAR, segment_since DATE
);
INSERT INTO destination.rfm_segments_rows
SELECT
  as_of_date, customer_id, frequency, monetary, first_order_date, last_order_date, r_score, f_score, m_score,
  segment, previous_segment, segment_since
FROM result;
COMMIT;
DETACH destination;

FROM result
ORDER BY customer_id
