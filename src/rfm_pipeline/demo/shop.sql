-- The shop before its first order: chance, and the small tables that say who buys what and when.
-- Variables that the caller sets: lines, seed, last_day.

-- Chance: a number from 0 to 2^32 - 1 that hangs on the seed, the purpose and the id alone. random() differs
-- with the threads, and hash() may differ with DuckDB's version. The steps are Thomas Mueller's integer hash.
CREATE TEMP MACRO fold(x) AS XOR(x, x >> 16);
CREATE TEMP MACRO spread(x) AS (fold(x) * 73244475) & 4294967295;
CREATE TEMP MACRO key_of(purpose) AS
  (MD5_NUMBER_LOWER(GETVARIABLE('seed') || ' ' || purpose) % 4294967296)::BIGINT;
CREATE TEMP MACRO chance(id, purpose) AS fold(spread(spread((id + key_of(purpose)) & 4294967295)));

-- An integer from 0 to n - 1, each equally likely.
CREATE TEMP MACRO pick(n, id, purpose) AS (chance(id, purpose) * n) >> 32;

-- A customer's id: C and five digits (more in a large shop), neighbours far apart.
CREATE TEMP MACRO customer_name(customer) AS 'C' || LPAD(
  (customer * 1500450271 % GETVARIABLE('customers'))::VARCHAR,
  GREATEST(5, LENGTH(GETVARIABLE('customers')::VARCHAR))::INTEGER,
  '0'
);

-- One of ten tickets to a country: half of the customers are at home.
CREATE TEMP MACRO country_of(ticket) AS
  CASE
    WHEN ticket < 5 THEN 'United Kingdom'
    WHEN ticket < 7 THEN 'Germany'
    ELSE ['France', 'Ireland', 'Netherlands'][ticket - 6]
  END;

-- A product and its price: few and round, so that customers tie.
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

-- A way in which customers come and go. They come one after another between two days, counted back from the
-- last day, and each leaves again after `stays` days. Tickets are the share of orders that they would have
-- between them if all were here at once. With favourites, a few of them order far more than the rest.
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

-- A basket: the lines of an order. The same thousand baskets come round and round, so that the number of an
-- order tells the number of its first line.
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

-- The number of orders that it takes to have that many lines; the last one may be cut short.
SET VARIABLE orders = (
  SELECT
    1000 * (GETVARIABLE('lines') // MAX(lines_of_all))
    + COUNT(*) FILTER (WHERE first_line < GETVARIABLE('lines') % lines_of_all)
  FROM baskets
);

-- A day of the last two years, and how busy it is: by weekday (Monday first), by month, and growing.
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

-- An archetype's customers: a run of numbers, those who came first in front.
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

-- A ticket of a day: whoever orders draws one, and it says from which run of customers they are.
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

-- A slot: a stretch of a day's opening hours (8 to 20) in which as many orders arrive as in any other slot.
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
