-- The floor of the job: read the lines once, find each customer's orders and their totals, write the customers.
-- No scores, no segments, no accounting for what was left out. Nothing that ends in one row a customer does less.
WITH
  -- One row an order.
  orders AS (
    SELECT
      CustomerID,
      max(InvoiceDate) AS ordered_at,
      sum(Quantity * UnitPrice) AS amount
    FROM source
    WHERE CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0
    GROUP BY CustomerID, InvoiceNo
  )
-- One row a customer.
SELECT
  CustomerID AS customer_id,
  max(ordered_at)::DATE AS last_order_date,
  count(*) AS frequency,
  sum(amount) AS monetary
FROM orders
GROUP BY CustomerID
