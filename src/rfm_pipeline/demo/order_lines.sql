-- All lines of the shop in chronological order, each computed from the number of its order.
CREATE TEMP VIEW order_lines AS
WITH
-- A row: an order, in chronological order. RANGE runs on one thread, so the joins below keep the order.
orders AS (
  SELECT
    range AS order_number,
    range = GETVARIABLE('orders') - 1 AS is_last
  FROM RANGE(GETVARIABLE('orders'))
),

-- A row: an order with its basket. The last basket is cut at the number of lines of the shop.
filled AS (
  SELECT
    orders.*,
    order_number // 1000 * GETVARIABLE('lines_of_baskets') + first_line AS first_line,
    LEAST(
      size,
      GETVARIABLE('lines') - order_number // 1000 * GETVARIABLE('lines_of_baskets') - first_line
    ) AS size
  FROM orders
  JOIN baskets ON basket = order_number % 1000
),

-- A row: an order with its date and time. Slots have equal numbers of orders, so its number gives the slot.
dated AS (
  SELECT
    filled.*,
    day,
    opens + pick(seconds, order_number, 'second') AS second,
    slots.days_left,
    slots.tickets
  FROM filled
  JOIN slots ON slot = ((order_number + 1) * GETVARIABLE('slots') - 1) // GETVARIABLE('orders')
),

-- A row: an order with its random numbers, outside CASE, so that DuckDB computes each of them once.
drawn AS (
  SELECT
    dated.*,
    archetype,
    favourites,
    first_present,
    pick(present, order_number, 'customer') AS nth_present,
    chance(order_number, 'favourite') AS favour,
    pick(1000, order_number, 'kind') AS kind
  FROM dated
  JOIN tickets
    ON tickets.days_left = dated.days_left
    AND ticket = pick(dated.tickets, order_number, 'ticket')
),

-- A row: an order with its customer and its kind; 3% are orders of guests, 2% are returns.
placed AS (
  SELECT
    *,
    CASE
      WHEN archetype = 'one-timer' THEN first_present + order_number
      WHEN favourites THEN first_present + (nth_present * favour >> 32)
      ELSE first_present + nth_present
    END AS customer,
    kind < 30 AND NOT is_last AS is_guest,
    kind >= 980 AND NOT is_last AND archetype <> 'one-timer' AS is_return
  FROM drawn
),

-- A row: an order with the values of the export.
written AS (
  SELECT
    first_line,
    size,
    is_last,
    is_guest,
    is_return,
    archetype,
    CASE WHEN NOT is_guest THEN customer_name(customer) END AS customer_id,
    CASE WHEN is_return THEN 'C' ELSE '' END || (500000 + order_number) AS order_id,
    (day + TO_SECONDS(second))::VARCHAR AS ordered_at,
    country_of(pick(10, customer, 'country')) AS country
  FROM placed
),

-- A row: a line of an order.
lines AS (
  SELECT
    *,
    first_line + UNNEST(RANGE(size)) AS line
  FROM written
),

-- A row: a line with its random numbers.
chances AS (
  SELECT
    *,
    pick(1000, line, 'fault') AS fault,
    pick(20, line, 'quantity') AS quantity,
    -- The smaller of two random numbers: the first products of the catalogue sell best.
    LEAST(pick(20, line, 'product'), pick(20, line, 'other product')) AS product_number
  FROM lines
)

-- A row: a line with the reason for which a run excludes it, or 'kept'.
SELECT
  *,
  CASE
    WHEN is_guest THEN 'missing_customer'
    WHEN is_return THEN 'non_positive_quantity'
    WHEN is_last OR fault >= 17 THEN 'kept'
    WHEN fault < 4 THEN 'missing_order'
    WHEN fault < 8 THEN 'invalid_date'
    WHEN fault < 12 THEN 'invalid_amount'
    WHEN fault < 13 THEN 'future_dated'
    ELSE 'non_positive_price'
  END AS fate
FROM chances;
