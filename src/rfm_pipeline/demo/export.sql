-- A row: a line of the exported file, with its fault.
SELECT
  customer_id,
  CASE WHEN fate <> 'missing_order' THEN order_id END AS order_id,
  CASE fate
    WHEN 'invalid_date' THEN
      ['0000-00-00 00:00:00', '2025-02-30 10:00:00', 'n/a', NULL][pick(4, line, 'bad date') + 1]
    WHEN 'future_dated' THEN (ordered_at::TIMESTAMP + INTERVAL 74 YEAR)::VARCHAR
    ELSE ordered_at
  END AS ordered_at,
  product,
  CASE
    WHEN is_return THEN -1
    WHEN archetype = 'loyal'
      THEN [1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 6, 6, 6, 12, 12, 12, 12, 24][quantity + 1]
    ELSE [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 12][quantity + 1]
  END AS quantity,
  CASE fate
    WHEN 'invalid_amount' THEN ['n/a', 'TBD', '9.99 each', NULL][pick(4, line, 'bad price') + 1]
    WHEN 'non_positive_price' THEN '0.00'
    ELSE unit_price
  END AS unit_price,
  country
FROM order_lines
JOIN products USING (product_number)
