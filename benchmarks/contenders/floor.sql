-- The lower bound: one scan, grouped by order, then by customer. No scores, no segments, no counts of excluded lines.
WITH
  -- One row per order.
  orders AS (
    SELECT
      CustomerID,
      max(InvoiceDate) AS ordered_at,
      sum(Quantity * UnitPrice) AS amount
    FROM source
    WHERE CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0
    GROUP BY CustomerID, InvoiceNo
  )
-- One row per customer.
SELECT
  CustomerID AS customer_id,
  max(ordered_at)::DATE AS last_order_date,
  count(*) AS frequency,
  sum(amount) AS monetary
FROM orders
GROUP BY CustomerID
