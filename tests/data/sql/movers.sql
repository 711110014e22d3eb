-- The query of the movers between two as-of dates.
-- Each case: a question in TOML, then the expected SQL. CTEs that are the same as in the first case, or the same in
-- both dialects, are written once. tests/support/golden_queries.py describes the keys of a question. To regenerate
-- the SQL below the questions:
-- RFM_UPDATE_GOLDEN=1 uv run pytest tests/unit/sql/test_golden.py

/*
name = "any-reason"

[earlier]
as_of = 2025-01-31
preset = "classic"
edges = { recency = ["20", "60", "150"], frequency = ["1", "2", "5"], monetary = ["9.99", "50", "250.5"] }

[later]
as_of = 2025-02-28
preset = "classic"
edges = { recency = ["25", "70", "150"], frequency = ["1", "3", "5"], monetary = ["9.99", "60", "250.5"] }

[chosen]
limit = 20
*/
-- duckdb
WITH
-- One row per customer as of 2025-01-31.
earlier AS (
  SELECT
    customer_id,
    segment,
    recency_days,
    frequency,
    monetary,
    first_order_date,
    last_order_date,
    r_score,
    f_score,
    m_score
  FROM history
  WHERE as_of_date = DATE '2025-01-31'
),

-- One row per customer as of 2025-02-28.
later AS (
  SELECT
    customer_id,
    segment,
    recency_days,
    frequency,
    monetary,
    first_order_date,
    last_order_date,
    r_score,
    f_score,
    m_score
  FROM history
  WHERE as_of_date = DATE '2025-02-28'
),

-- One row per customer of either date; aged values are the earlier ones after time without orders.
paired AS (
  SELECT
    e.segment AS earlier_segment,
    e.recency_days AS earlier_recency_days,
    e.frequency AS earlier_frequency,
    e.monetary AS earlier_monetary,
    e.r_score AS earlier_r_score,
    e.f_score AS earlier_f_score,
    e.m_score AS earlier_m_score,
    l.segment AS later_segment,
    l.recency_days AS later_recency_days,
    l.frequency AS later_frequency,
    l.monetary AS later_monetary,
    l.r_score AS later_r_score,
    l.f_score AS later_f_score,
    l.m_score AS later_m_score,
    e.recency_days + 28 AS aged_recency_days,
    CASE
      WHEN e.last_order_date = l.last_order_date AND e.first_order_date < l.first_order_date
        AND l.frequency < e.frequency THEN l.frequency
      ELSE e.frequency
    END AS aged_frequency,
    CASE
      WHEN e.last_order_date = l.last_order_date AND e.first_order_date < l.first_order_date
        AND l.frequency < e.frequency THEN l.monetary
      ELSE e.monetary
    END AS aged_monetary,
    l.customer_id AS customer_id,
    e.r_score = 1 AS had_worst_recency,
    l.last_order_date > e.last_order_date AS has_ordered,
    l.frequency AS frequency,
    l.recency_days AS recency_days,
    l.first_order_date AS first_order_date,
    l.last_order_date AS last_order_date
  FROM earlier AS e
  FULL OUTER JOIN later AS l
    ON l.customer_id = e.customer_id
),

-- One row per row of paired, scored by time alone, by the edges of 2025-02-28 without later orders, and by these edges with later orders.
scored AS (
  SELECT
    *,
    CASE
      WHEN aged_recency_days <= CAST(20 AS BIGINT) THEN 4
      WHEN aged_recency_days <= CAST(60 AS BIGINT) THEN 3
      WHEN aged_recency_days <= CAST(150 AS BIGINT) THEN 2
      ELSE 1
    END AS by_time_r_score,
    CASE
      WHEN aged_recency_days <= CAST(25 AS BIGINT) THEN 4
      WHEN aged_recency_days <= CAST(70 AS BIGINT) THEN 3
      WHEN aged_recency_days <= CAST(150 AS BIGINT) THEN 2
      ELSE 1
    END AS without_orders_r_score,
    later_r_score AS by_edges_r_score,
    CASE
      WHEN aged_frequency > CAST(5 AS BIGINT) THEN 4
      WHEN aged_frequency > CAST(2 AS BIGINT) THEN 3
      WHEN aged_frequency > CAST(1 AS BIGINT) THEN 2
      ELSE 1
    END AS by_time_f_score,
    CASE
      WHEN aged_frequency > CAST(5 AS BIGINT) THEN 4
      WHEN aged_frequency > CAST(3 AS BIGINT) THEN 3
      WHEN aged_frequency > CAST(1 AS BIGINT) THEN 2
      ELSE 1
    END AS without_orders_f_score,
    later_f_score AS by_edges_f_score,
    CASE
      WHEN aged_monetary > CAST(250.5 AS DECIMAL(38, 9)) THEN 4
      WHEN aged_monetary > CAST(50 AS DECIMAL(38, 9)) THEN 3
      WHEN aged_monetary > CAST(9.99 AS DECIMAL(38, 9)) THEN 2
      ELSE 1
    END AS by_time_m_score,
    CASE
      WHEN aged_monetary > CAST(250.5 AS DECIMAL(38, 9)) THEN 4
      WHEN aged_monetary > CAST(60 AS DECIMAL(38, 9)) THEN 3
      WHEN aged_monetary > CAST(9.99 AS DECIMAL(38, 9)) THEN 2
      ELSE 1
    END AS without_orders_m_score,
    later_m_score AS by_edges_m_score
  FROM paired
),

-- One row per row of scored, with the segment of each kind of score, by the earlier map.
reached AS (
  SELECT
    earlier_segment,
    later_segment,
    earlier_monetary,
    later_monetary,
    customer_id,
    had_worst_recency,
    has_ordered,
    frequency,
    recency_days,
    first_order_date,
    last_order_date,
    CASE
      WHEN by_time_r_score = 4 AND by_time_f_score = 4 AND by_time_m_score = 4 THEN 'Champions'
      WHEN by_time_r_score = 4 AND by_time_f_score = 4 THEN 'Loyal Customers'
      WHEN by_time_r_score >= 3 AND by_time_f_score >= 3 THEN 'Potential Loyalists'
      WHEN by_time_r_score = 4 AND by_time_f_score <= 2 THEN 'New Customers'
      WHEN by_time_r_score = 3 AND by_time_f_score <= 2 THEN 'Promising'
      WHEN by_time_r_score = 2 AND by_time_f_score >= 3 THEN 'Needs Attention'
      WHEN by_time_r_score = 2 AND by_time_f_score <= 2 THEN 'About to Sleep'
      WHEN by_time_r_score = 1 AND by_time_f_score >= 3 THEN 'At-Risk'
      WHEN by_time_r_score = 1 AND by_time_f_score = 2 THEN 'Hibernating'
      WHEN by_time_r_score = 1 AND by_time_f_score = 1 THEN 'Lost'
    END AS by_time,
    CASE
      WHEN without_orders_r_score = 4 AND without_orders_f_score = 4 AND without_orders_m_score = 4 THEN 'Champions'
      WHEN without_orders_r_score = 4 AND without_orders_f_score = 4 THEN 'Loyal Customers'
      WHEN without_orders_r_score >= 3 AND without_orders_f_score >= 3 THEN 'Potential Loyalists'
      WHEN without_orders_r_score = 4 AND without_orders_f_score <= 2 THEN 'New Customers'
      WHEN without_orders_r_score = 3 AND without_orders_f_score <= 2 THEN 'Promising'
      WHEN without_orders_r_score = 2 AND without_orders_f_score >= 3 THEN 'Needs Attention'
      WHEN without_orders_r_score = 2 AND without_orders_f_score <= 2 THEN 'About to Sleep'
      WHEN without_orders_r_score = 1 AND without_orders_f_score >= 3 THEN 'At-Risk'
      WHEN without_orders_r_score = 1 AND without_orders_f_score = 2 THEN 'Hibernating'
      WHEN without_orders_r_score = 1 AND without_orders_f_score = 1 THEN 'Lost'
    END AS without_orders,
    CASE
      WHEN by_edges_r_score = 4 AND by_edges_f_score = 4 AND by_edges_m_score = 4 THEN 'Champions'
      WHEN by_edges_r_score = 4 AND by_edges_f_score = 4 THEN 'Loyal Customers'
      WHEN by_edges_r_score >= 3 AND by_edges_f_score >= 3 THEN 'Potential Loyalists'
      WHEN by_edges_r_score = 4 AND by_edges_f_score <= 2 THEN 'New Customers'
      WHEN by_edges_r_score = 3 AND by_edges_f_score <= 2 THEN 'Promising'
      WHEN by_edges_r_score = 2 AND by_edges_f_score >= 3 THEN 'Needs Attention'
      WHEN by_edges_r_score = 2 AND by_edges_f_score <= 2 THEN 'About to Sleep'
      WHEN by_edges_r_score = 1 AND by_edges_f_score >= 3 THEN 'At-Risk'
      WHEN by_edges_r_score = 1 AND by_edges_f_score = 2 THEN 'Hibernating'
      WHEN by_edges_r_score = 1 AND by_edges_f_score = 1 THEN 'Lost'
    END AS by_edges
  FROM scored
),

-- One row per row of reached, with the cause of the move.
explained AS (
  SELECT
    earlier_segment,
    later_segment,
    earlier_monetary,
    later_monetary,
    customer_id,
    had_worst_recency,
    has_ordered,
    frequency,
    recency_days,
    first_order_date,
    last_order_date,
    CASE
      WHEN earlier_segment IS NULL OR later_segment IS NULL THEN NULL
      WHEN earlier_segment = later_segment THEN NULL
      WHEN by_edges <> later_segment THEN 'rules'
      WHEN without_orders <> by_edges THEN 'behaviour'
      WHEN by_time <> earlier_segment THEN 'time'
      ELSE 'edges'
    END AS cause
  FROM reached
),

-- One row per customer of the later date, with the ranks of both segments; 1 is the best.
compared AS (
  SELECT
    *,
    cause IS NOT NULL AND cause <> 'rules' AS has_moved,
    CASE
      WHEN earlier_segment = 'Champions' THEN 1
      WHEN earlier_segment = 'Loyal Customers' THEN 2
      WHEN earlier_segment = 'Potential Loyalists' THEN 3
      WHEN earlier_segment = 'New Customers' THEN 4
      WHEN earlier_segment = 'Promising' THEN 5
      WHEN earlier_segment = 'Needs Attention' THEN 6
      WHEN earlier_segment = 'About to Sleep' THEN 7
      WHEN earlier_segment = 'At-Risk' THEN 8
      WHEN earlier_segment = 'Hibernating' THEN 9
      WHEN earlier_segment = 'Lost' THEN 10
      ELSE 11
    END AS earlier_rank,
    CASE
      WHEN later_segment = 'Champions' THEN 1
      WHEN later_segment = 'Loyal Customers' THEN 2
      WHEN later_segment = 'Potential Loyalists' THEN 3
      WHEN later_segment = 'New Customers' THEN 4
      WHEN later_segment = 'Promising' THEN 5
      WHEN later_segment = 'Needs Attention' THEN 6
      WHEN later_segment = 'About to Sleep' THEN 7
      WHEN later_segment = 'At-Risk' THEN 8
      WHEN later_segment = 'Hibernating' THEN 9
      WHEN later_segment = 'Lost' THEN 10
      ELSE 11
    END AS later_rank
  FROM explained
  WHERE later_segment IS NOT NULL
),

-- One row per row of compared, with the reasons to write to the customer.
reasoned AS (
  SELECT
    *,
    has_moved AND later_rank > earlier_rank AS slipped,
    has_moved AND later_rank < earlier_rank AND had_worst_recency AND has_ordered AS woke_up,
    later_segment = 'Champions' AND (has_moved OR earlier_segment IS NULL) AS new_at_top,
    (frequency > 1 AND last_order_date > first_order_date AND recency_days * (frequency - 1) > (last_order_date - first_order_date)) AS due
  FROM compared
),

-- One row per row of reasoned: whether the customer is chosen, and moves by changed rules.
movers AS (
  SELECT
    customer_id,
    CASE WHEN cause = 'rules' THEN NULL ELSE earlier_segment END AS from_segment,
    later_segment AS segment,
    cause,
    frequency,
    recency_days,
    first_order_date,
    last_order_date,
    later_monetary AS monetary,
    slipped,
    woke_up,
    new_at_top,
    due,
    (slipped OR woke_up OR new_at_top OR due) AS is_chosen,
    cause IS NOT NULL AND cause = 'rules' AS by_rules
  FROM reasoned
),

-- One row per combination of reasons, with its customers.
counted AS (
  SELECT
    slipped,
    woke_up,
    new_at_top,
    due,
    is_chosen,
    by_rules,
    COUNT(*) AS customers,
    SUM(monetary) AS monetary
  FROM movers
  GROUP BY 1, 2, 3, 4, 5, 6
),

-- One row per listed customer.
listed AS (
  SELECT
    customer_id,
    from_segment,
    segment,
    cause,
    frequency,
    recency_days,
    first_order_date,
    last_order_date,
    monetary,
    slipped,
    woke_up,
    new_at_top,
    due,
    is_chosen,
    by_rules
  FROM movers
  WHERE is_chosen
  ORDER BY monetary DESC, customer_id
  LIMIT 20
)

SELECT
  CAST(NULL AS VARCHAR) AS customer_id,
  CAST(NULL AS VARCHAR) AS from_segment,
  CAST(NULL AS VARCHAR) AS segment,
  CAST(NULL AS VARCHAR) AS cause,
  CAST(NULL AS BIGINT) AS frequency,
  CAST(NULL AS BIGINT) AS recency_days,
  CAST(NULL AS DATE) AS first_order_date,
  CAST(NULL AS DATE) AS last_order_date,
  monetary,
  slipped,
  woke_up,
  new_at_top,
  due,
  is_chosen,
  by_rules,
  customers
FROM counted
UNION ALL
SELECT
  customer_id,
  from_segment,
  segment,
  cause,
  frequency,
  recency_days,
  first_order_date,
  last_order_date,
  monetary,
  slipped,
  woke_up,
  new_at_top,
  due,
  is_chosen,
  by_rules,
  1 AS customers
FROM listed;

-- bigquery; as in duckdb: earlier, later, paired, reached, explained, compared, movers, counted, listed
WITH
-- One row per row of paired, scored by time alone, by the edges of 2025-02-28 without later orders, and by these edges with later orders.
scored AS (
  SELECT
    *,
    CASE
      WHEN aged_recency_days <= CAST(20 AS INT64) THEN 4
      WHEN aged_recency_days <= CAST(60 AS INT64) THEN 3
      WHEN aged_recency_days <= CAST(150 AS INT64) THEN 2
      ELSE 1
    END AS by_time_r_score,
    CASE
      WHEN aged_recency_days <= CAST(25 AS INT64) THEN 4
      WHEN aged_recency_days <= CAST(70 AS INT64) THEN 3
      WHEN aged_recency_days <= CAST(150 AS INT64) THEN 2
      ELSE 1
    END AS without_orders_r_score,
    later_r_score AS by_edges_r_score,
    CASE
      WHEN aged_frequency > CAST(5 AS INT64) THEN 4
      WHEN aged_frequency > CAST(2 AS INT64) THEN 3
      WHEN aged_frequency > CAST(1 AS INT64) THEN 2
      ELSE 1
    END AS by_time_f_score,
    CASE
      WHEN aged_frequency > CAST(5 AS INT64) THEN 4
      WHEN aged_frequency > CAST(3 AS INT64) THEN 3
      WHEN aged_frequency > CAST(1 AS INT64) THEN 2
      ELSE 1
    END AS without_orders_f_score,
    later_f_score AS by_edges_f_score,
    CASE
      WHEN aged_monetary > NUMERIC '250.5' THEN 4
      WHEN aged_monetary > NUMERIC '50' THEN 3
      WHEN aged_monetary > NUMERIC '9.99' THEN 2
      ELSE 1
    END AS by_time_m_score,
    CASE
      WHEN aged_monetary > NUMERIC '250.5' THEN 4
      WHEN aged_monetary > NUMERIC '60' THEN 3
      WHEN aged_monetary > NUMERIC '9.99' THEN 2
      ELSE 1
    END AS without_orders_m_score,
    later_m_score AS by_edges_m_score
  FROM paired
),

-- One row per row of compared, with the reasons to write to the customer.
reasoned AS (
  SELECT
    *,
    has_moved AND later_rank > earlier_rank AS slipped,
    has_moved AND later_rank < earlier_rank AND had_worst_recency AND has_ordered AS woke_up,
    later_segment = 'Champions' AND (has_moved OR earlier_segment IS NULL) AS new_at_top,
    (frequency > 1 AND last_order_date > first_order_date AND recency_days * (frequency - 1) > DATE_DIFF(last_order_date, first_order_date, DAY)) AS due
  FROM compared
)

SELECT
  CAST(NULL AS STRING) AS customer_id,
  CAST(NULL AS STRING) AS from_segment,
  CAST(NULL AS STRING) AS segment,
  CAST(NULL AS STRING) AS cause,
  CAST(NULL AS INT64) AS frequency,
  CAST(NULL AS INT64) AS recency_days,
  CAST(NULL AS DATE) AS first_order_date,
  CAST(NULL AS DATE) AS last_order_date,
  monetary,
  slipped,
  woke_up,
  new_at_top,
  due,
  is_chosen,
  by_rules,
  customers
FROM counted
UNION ALL
SELECT
  customer_id,
  from_segment,
  segment,
  cause,
  frequency,
  recency_days,
  first_order_date,
  last_order_date,
  monetary,
  slipped,
  woke_up,
  new_at_top,
  due,
  is_chosen,
  by_rules,
  1 AS customers
FROM listed;

/*
name = "moves-and-segments"

[earlier]
as_of = 2025-01-31
preset = "classic"
edges = { recency = ["20", "60", "150"], frequency = ["1", "2", "5"], monetary = ["9.99", "50", "250.5"] }

[later]
as_of = 2025-02-28
preset = "classic"
edges = { recency = ["25", "70", "150"], frequency = ["1", "3", "5"], monetary = ["9.99", "60", "250.5"] }

[chosen]
moves = [["Champions", ""], ["", "Lost"]]
reasons = ["slipped", "due"]
segments = ["At-Risk", "Lost"]
*/
-- duckdb; as in the first case: earlier, later, paired, scored, reached, explained, compared, reasoned, counted
WITH
-- One row per row of reasoned: whether the customer is chosen, and moves by changed rules.
movers AS (
  SELECT
    customer_id,
    CASE WHEN cause = 'rules' THEN NULL ELSE earlier_segment END AS from_segment,
    later_segment AS segment,
    cause,
    frequency,
    recency_days,
    first_order_date,
    last_order_date,
    later_monetary AS monetary,
    slipped,
    woke_up,
    new_at_top,
    due,
    later_segment IN ('At-Risk', 'Lost') AND (earlier_segment <> later_segment AND earlier_segment = 'Champions' OR earlier_segment <> later_segment AND later_segment = 'Lost') AND has_moved AND (slipped OR due) AS is_chosen,
    later_segment IN ('At-Risk', 'Lost') AND (earlier_segment <> later_segment AND earlier_segment = 'Champions' OR earlier_segment <> later_segment AND later_segment = 'Lost') AND cause IS NOT NULL AND cause = 'rules' AS by_rules
  FROM reasoned
),

-- One row per listed customer.
listed AS (
  SELECT
    customer_id,
    from_segment,
    segment,
    cause,
    frequency,
    recency_days,
    first_order_date,
    last_order_date,
    monetary,
    slipped,
    woke_up,
    new_at_top,
    due,
    is_chosen,
    by_rules
  FROM movers
  WHERE is_chosen
  ORDER BY monetary DESC, customer_id
)

SELECT
  CAST(NULL AS VARCHAR) AS customer_id,
  CAST(NULL AS VARCHAR) AS from_segment,
  CAST(NULL AS VARCHAR) AS segment,
  CAST(NULL AS VARCHAR) AS cause,
  CAST(NULL AS BIGINT) AS frequency,
  CAST(NULL AS BIGINT) AS recency_days,
  CAST(NULL AS DATE) AS first_order_date,
  CAST(NULL AS DATE) AS last_order_date,
  monetary,
  slipped,
  woke_up,
  new_at_top,
  due,
  is_chosen,
  by_rules,
  customers
FROM counted
UNION ALL
SELECT
  customer_id,
  from_segment,
  segment,
  cause,
  frequency,
  recency_days,
  first_order_date,
  last_order_date,
  monetary,
  slipped,
  woke_up,
  new_at_top,
  due,
  is_chosen,
  by_rules,
  1 AS customers
FROM listed;

-- bigquery; as in the first case: earlier, later, paired, scored, reached, explained, compared, reasoned, counted; as in duckdb: movers, listed
