-- Macros for random numbers, and the small tables from which order_lines.sql computes the orders.
-- The caller sets the variables lines, seed and last_day.

-- chance: a random number from 0 to 2^32 - 1, determined by the seed, the purpose and the id alone. random()
-- depends on the threads, and hash() may change with DuckDB's version.
-- The steps are Thomas Mueller's integer hash.
CREATE TEMP MACRO fold(x) AS XOR(x, x >> 16);
CREATE TEMP MACRO spread(x) AS (fold(x) * 73244475) & 4294967295;
CREATE TEMP MACRO key_of(purpose) AS
  (MD5_NUMBER_LOWER(GETVARIABLE('seed') || ' ' || purpose) % 4294967296)::BIGINT;
CREATE TEMP MACRO chance(id, purpose) AS fold(spread(spread((id + key_of(purpose)) & 4294967295)));

-- A random integer from 0 to n - 1, uniformly distributed.
CREATE TEMP MACRO pick(n, id, purpose) AS (chance(id, purpose) * n) >> 32;

-- A customer's id: C and five digits (more in a large shop); consecutive numbers get distant ids.
CREATE TEMP MACRO customer_name(customer) AS 'C' || LPAD(
  (customer * 1500450271 % GETVARIABLE('customers'))::VARCHAR,
  GREATEST(5, LENGTH(GETVARIABLE('customers')::VARCHAR))::INTEGER,
  '0'
);

-- The country of a random number from 0 to 9: half of the customers are in the United Kingdom.
CREATE TEMP MACRO country_of(ticket) AS
  CASE
    WHEN ticket < 5 THEN 'United Kingdom'
    WHEN ticket < 7 THEN 'Germany'
    ELSE ['France', 'Ireland', 'Netherlands'][ticket - 6]
  END;

-- Products with their prices; few, so that the amounts of customers tie.
CREATE TEMP TABLE products AS
SELECT *
FROM (
  VALUES
    (0, 'Tea Towel', '4.95'), (1, 'Mug', '7.99'), (2, 'Candle', '5.95'),
    (3, 'Notebook', '3.99'), (4, 'Gift Wrap', '1.95'), (5, 'Tote Bag', '8.99'),
    (6, 'Jam Jar', '2.95'), (7, 'Lunch Box', '9.99'), (8, 'Cushion', '14.95'),
    (9, 'Teapot', '19.99'), (10, 'Photo Frame', '9.99'), (11, 'Wall Clock', '24.95'),
    (12, 'Cake Stand', '19.99'), (13, 'Doormat', '14.95'), (14, 'Blanket', '34.95'),
    (15, 'Bread Bin', '29.99'), (16, 'Desk Lamp', '39.95'), (17, 'Mirror', '49.99'),
    (18, 'Picnic Hamper', '59.95'), (19, 'Side Table', '89.99')
) AS catalogue (product_number, product, unit_price);

-- Types of customers. The customers of a type arrive one after another from `comes_from` to `comes_until`, in
-- days before the last day, and each leaves `stays` days later. `tickets` is the relative share of the type's
-- orders while all its customers are present. With `favourites`, a few customers order far more than others.
CREATE TEMP TABLE archetypes AS
SELECT *
FROM (
  VALUES
    --           per 1000 orders  tickets  from  until  stays  favourites
    ('loyal',                  7,      22,  730,   729,  9999, true),
    ('regular',               45,      36,  730,   100,  9999, true),
    ('new',                   18,      22,   80,     0,  9999, false),
    ('lapsing',               32,      24,  730,   350,   300, false),
    ('lost',                  22,      32,  730,   620,   120, false),
    ('one-timer',           1000,       3,  730,   729,  9999, false)
) AS archetypes (archetype, customers_per_1000_orders, tickets, comes_from, comes_until, stays, favourites);

-- Baskets: the number of lines of an order. Orders use the same thousand baskets in turn, so that the number
-- of an order determines the number of its first line.
CREATE TEMP TABLE baskets AS
WITH sizes AS (
  SELECT
    range AS basket,
    [1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 4, 5, 8][pick(20, range, 'basket') + 1] AS size
  FROM RANGE(1000)
)
SELECT
  basket,
  size,
  (SUM(size) OVER (ORDER BY basket) - size)::BIGINT AS first_line,
  (SUM(size) OVER ())::BIGINT AS lines_of_all
FROM sizes;

-- The number of orders with `lines` lines in total; the last order may be cut short.
SET VARIABLE orders = (
  SELECT
    1000 * (GETVARIABLE('lines') // MAX(lines_of_all))
    + COUNT(*) FILTER (WHERE first_line < GETVARIABLE('lines') % lines_of_all)
  FROM baskets
);

-- The days of the last two years, with their numbers of slots: by weekday (Monday first), by month, growing.
CREATE TEMP TABLE calendar AS
SELECT
  range AS days_left,
  GETVARIABLE('last_day') - range::INTEGER AS day,
  GREATEST(
    1,
    [9, 9, 10, 11, 13, 15, 6][ISODOW(day)]
    * [7, 7, 8, 9, 10, 10, 9, 8, 10, 11, 15, 19][MONTH(day)]
    * (1460 - range) // 7300
  ) AS slots
FROM RANGE(730);

-- The customers of each archetype: a range of numbers, in the order of their arrival.
CREATE TEMP TABLE populations AS
WITH sizes AS (
  SELECT
    *,
    GREATEST(1, customers_per_1000_orders::BIGINT * GETVARIABLE('orders') // 1000) AS customers
  FROM archetypes
)
SELECT
  *,
  (SUM(customers) OVER (ORDER BY archetype) - customers)::BIGINT AS first_customer
FROM sizes;

-- The tickets of each day: each order draws one, which determines the range of customers that it comes from.
CREATE TEMP TABLE tickets AS
WITH presence AS (
  SELECT
    *,
    comes_from - comes_until AS span,
    LEAST(span, GREATEST(0, comes_from - days_left)) AS came,
    LEAST(span, GREATEST(0, comes_from - days_left - stays)) AS went
  FROM calendar CROSS JOIN populations
)
SELECT
  days_left,
  ROW_NUMBER() OVER (PARTITION BY days_left ORDER BY archetype) - 1 AS ticket,
  archetype,
  favourites,
  first_customer + customers * went // span AS first_present,
  GREATEST(1, customers * came // span - customers * went // span) AS present
FROM (SELECT *, UNNEST(RANGE(tickets * (came - went) // span)) FROM presence);

-- Slots: parts of a day's opening hours (8 to 20) with equal numbers of orders.
CREATE TEMP TABLE slots AS
WITH tickets_of_day AS (
  SELECT
    days_left,
    COUNT(*) AS tickets
  FROM tickets
  GROUP BY days_left
)
SELECT
  ROW_NUMBER() OVER (ORDER BY day, nth) - 1 AS slot,
  days_left,
  tickets,
  day,
  8 * 3600 + nth * (12 * 3600 // slots) AS opens,
  12 * 3600 // slots AS seconds
FROM (SELECT *, UNNEST(RANGE(slots)) AS nth FROM calendar)
JOIN tickets_of_day USING (days_left);

SET VARIABLE slots = (SELECT COUNT(*) FROM slots);
SET VARIABLE customers = (SELECT SUM(customers)::BIGINT FROM populations);
SET VARIABLE lines_of_baskets = (SELECT SUM(size)::BIGINT FROM baskets);
