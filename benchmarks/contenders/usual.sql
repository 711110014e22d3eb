-- The usual query: COUNT(DISTINCT), three NTILE, one CASE. Equal customers get different scores, and amounts are doubles.
WITH
  -- One row per customer.
  customers AS (
    SELECT
      CustomerID AS customer_id,
      max(InvoiceDate)::DATE AS last_order_date,
      count(DISTINCT InvoiceNo) AS frequency,
      sum(Quantity * UnitPrice) AS monetary
    FROM source
    WHERE CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0
    GROUP BY CustomerID
  ),
  -- The same with the scores.
  scored AS (
    SELECT
      customer_id,
      last_order_date,
      (SELECT max(last_order_date) FROM customers) - last_order_date AS recency_days,
      frequency,
      monetary,
      ntile(4) OVER (ORDER BY last_order_date) AS r,
      ntile(4) OVER (ORDER BY frequency) AS f,
      ntile(4) OVER (ORDER BY monetary) AS m
    FROM customers
  )
-- The same with the segment.
SELECT
  *,
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
  END AS segment
FROM scored
