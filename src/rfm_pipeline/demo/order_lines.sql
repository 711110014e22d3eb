-- Every line that the shop sells, in the order of time, worked out from the order's number alone.
CREATE TEMP VIEW order_lines AS
WITH
-- An order: its number, in the order of time. RANGE counts on one thread, and that keeps the order: on many,
-- the joins below would not.
orders AS (
  SELECT
    range AS order_number,
    range = GETVARIABLE('orders') - 1 AS is_last
  FROM RANGE(GETVARIABLE('orders'))
),

-- An order with its basket. The last one is cut where the shop has its number of lines.
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

-- An order with its moment. Slots are equally busy, so its number tells the slot, the last one the last.
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

-- An order with what chance holds for it. Outside CASE, so that DuckDB works out each number once.
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

-- An order with its customer and its kind: 3% are guests', 2% are returns.
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

-- An order as the shop's export writes it.
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

-- A line of an order.
lines AS (
  SELECT
    *,
    first_line + UNNEST(RANGE(size)) AS line
  FROM written
),

-- A line with what chance holds for it.
chances AS (
  SELECT
    *,
    pick(1000, line, 'fault') AS fault,
    pick(20, line, 'quantity') AS quantity,
    -- Two picks, and the smaller one counts: the front of the catalogue sells best.
    LEAST(pick(20, line, 'product'), pick(20, line, 'other product')) AS product_number
  FROM lines
)

-- A line with the reason for which a run will exclude it, or 'kept'.
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
