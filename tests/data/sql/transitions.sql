-- The query of the transitions between two as-of dates.
-- Each case: a question in TOML, then the expected SQL. CTEs that are the same as in the first case, or the same in
-- both dialects, are written once. tests/support/golden_queries.py describes the keys of a question. To regenerate
-- the SQL below the questions:
-- RFM_UPDATE_GOLDEN=1 uv run pytest tests/unit/sql/test_golden.py

/*
name = "quantile-edges"

[earlier]
as_of = 2025-01-31
preset = "classic"
edges = { recency = ["20", "60", "150"], frequency = ["1", "2", "5"], monetary = ["9.99", "50", "250.5"] }

[later]
as_of = 2025-02-28
preset = "classic"
edges = { recency = ["25", "70", "150"], frequency = ["1", "3", "5"], monetary = ["9.99", "60", "250.5"] }
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
    END AS aged_monetary
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
    CASE
      WHEN earlier_segment IS NULL OR later_segment IS NULL THEN NULL
      WHEN earlier_segment = later_segment THEN NULL
      WHEN by_edges <> later_segment THEN 'rules'
      WHEN without_orders <> by_edges THEN 'behaviour'
      WHEN by_time <> earlier_segment THEN 'time'
      ELSE 'edges'
    END AS cause
  FROM reached
)

SELECT
  earlier_segment,
  later_segment,
  cause,
  COUNT(*) AS customers,
  SUM(earlier_monetary) AS earlier_monetary,
  SUM(later_monetary) AS later_monetary
FROM explained
GROUP BY 1, 2, 3;

-- bigquery; as in duckdb: earlier, later, paired, reached, explained
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
)

SELECT
  earlier_segment,
  later_segment,
  cause,
  COUNT(*) AS customers,
  SUM(earlier_monetary) AS earlier_monetary,
  SUM(later_monetary) AS later_monetary
FROM explained
GROUP BY 1, 2, 3;

/*
name = "ntile-with-other-bins"

[earlier]
as_of = 2025-01-31
preset = "pymc"
scoring = { bins = 4, method = "ntile" }

[later]
as_of = 2025-02-28
preset = "grid"
scoring = { bins = 5, method = "ntile" }
*/
-- duckdb; as in the first case: earlier, later, paired, explained
WITH
-- One row per row of paired, scored by time alone, by the edges of 2025-02-28 without later orders, and by these edges with later orders.
scored AS (
  SELECT
    *,
    earlier_r_score AS by_time_r_score,
    CASE WHEN later_recency_days = aged_recency_days THEN earlier_r_score ELSE earlier_r_score END AS without_orders_r_score,
    earlier_r_score AS by_edges_r_score,
    earlier_f_score AS by_time_f_score,
    CASE WHEN later_frequency = aged_frequency THEN earlier_f_score ELSE earlier_f_score END AS without_orders_f_score,
    earlier_f_score AS by_edges_f_score,
    earlier_m_score AS by_time_m_score,
    CASE WHEN later_monetary = aged_monetary THEN earlier_m_score ELSE earlier_m_score END AS without_orders_m_score,
    earlier_m_score AS by_edges_m_score
  FROM paired
),

-- One row per row of scored, with the segment of each kind of score, by the earlier map.
reached AS (
  SELECT
    earlier_segment,
    later_segment,
    earlier_monetary,
    later_monetary,
    CASE
      WHEN (by_time_r_score = 4 AND by_time_f_score = 4 AND by_time_m_score = 4)
          OR (by_time_r_score = 4 AND by_time_f_score = 4 AND by_time_m_score = 3)
          OR (by_time_r_score = 4 AND by_time_f_score = 3 AND by_time_m_score = 4)
          OR (by_time_r_score = 4 AND by_time_f_score = 3 AND by_time_m_score = 3)
          OR (by_time_r_score = 3 AND by_time_f_score = 4 AND by_time_m_score = 4)
          OR (by_time_r_score = 3 AND by_time_f_score = 4 AND by_time_m_score = 3)
          OR (by_time_r_score = 3 AND by_time_f_score = 3 AND by_time_m_score = 4)
          OR (by_time_r_score = 3 AND by_time_f_score = 3 AND by_time_m_score = 3) THEN 'Premium Customer'
      WHEN (by_time_r_score = 3 AND by_time_f_score = 3 AND by_time_m_score = 2)
          OR (by_time_r_score = 2 AND by_time_f_score = 4 AND by_time_m_score = 4)
          OR (by_time_r_score = 2 AND by_time_f_score = 4 AND by_time_m_score = 3)
          OR (by_time_r_score = 2 AND by_time_f_score = 3 AND by_time_m_score = 4)
          OR (by_time_r_score = 2 AND by_time_f_score = 3 AND by_time_m_score = 3)
          OR (by_time_r_score = 2 AND by_time_f_score = 3 AND by_time_m_score = 2)
          OR (by_time_r_score = 1 AND by_time_f_score = 4 AND by_time_m_score = 3) THEN 'Repeat Customer'
      WHEN (by_time_r_score = 4 AND by_time_f_score = 2 AND by_time_m_score = 4)
          OR (by_time_r_score = 4 AND by_time_f_score = 2 AND by_time_m_score = 3)
          OR (by_time_r_score = 4 AND by_time_f_score = 1 AND by_time_m_score = 4)
          OR (by_time_r_score = 4 AND by_time_f_score = 1 AND by_time_m_score = 3)
          OR (by_time_r_score = 3 AND by_time_f_score = 2 AND by_time_m_score = 4)
          OR (by_time_r_score = 3 AND by_time_f_score = 2 AND by_time_m_score = 3)
          OR (by_time_r_score = 3 AND by_time_f_score = 1 AND by_time_m_score = 4)
          OR (by_time_r_score = 3 AND by_time_f_score = 1 AND by_time_m_score = 3)
          OR (by_time_r_score = 2 AND by_time_f_score = 2 AND by_time_m_score = 4)
          OR (by_time_r_score = 1 AND by_time_f_score = 4 AND by_time_m_score = 4)
          OR (by_time_r_score = 1 AND by_time_f_score = 3 AND by_time_m_score = 4)
          OR (by_time_r_score = 1 AND by_time_f_score = 3 AND by_time_m_score = 3)
          OR (by_time_r_score = 1 AND by_time_f_score = 2 AND by_time_m_score = 4) THEN 'Top Spender'
      WHEN (by_time_r_score = 4 AND by_time_f_score = 2 AND by_time_m_score = 2)
          OR (by_time_r_score = 4 AND by_time_f_score = 1 AND by_time_m_score = 2)
          OR (by_time_r_score = 3 AND by_time_f_score = 2 AND by_time_m_score = 2)
          OR (by_time_r_score = 3 AND by_time_f_score = 1 AND by_time_m_score = 2)
          OR (by_time_r_score = 2 AND by_time_f_score = 2 AND by_time_m_score = 3)
          OR (by_time_r_score = 2 AND by_time_f_score = 2 AND by_time_m_score = 2)
          OR (by_time_r_score = 2 AND by_time_f_score = 1 AND by_time_m_score = 4)
          OR (by_time_r_score = 2 AND by_time_f_score = 1 AND by_time_m_score = 2)
          OR (by_time_r_score = 1 AND by_time_f_score = 3 AND by_time_m_score = 2)
          OR (by_time_r_score = 1 AND by_time_f_score = 2 AND by_time_m_score = 3)
          OR (by_time_r_score = 1 AND by_time_f_score = 2 AND by_time_m_score = 2) THEN 'At-Risk Customer'
      WHEN (by_time_r_score = 4 AND by_time_f_score = 1 AND by_time_m_score = 1)
          OR (by_time_r_score = 3 AND by_time_f_score = 1 AND by_time_m_score = 1)
          OR (by_time_r_score = 2 AND by_time_f_score = 1 AND by_time_m_score = 1)
          OR (by_time_r_score = 1 AND by_time_f_score = 1 AND by_time_m_score = 4)
          OR (by_time_r_score = 1 AND by_time_f_score = 1 AND by_time_m_score = 3)
          OR (by_time_r_score = 1 AND by_time_f_score = 1 AND by_time_m_score = 2)
          OR (by_time_r_score = 1 AND by_time_f_score = 1 AND by_time_m_score = 1) THEN 'Inactive Customer'
      ELSE 'Other'
    END AS by_time,
    CASE
      WHEN (without_orders_r_score = 4 AND without_orders_f_score = 4 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 4 AND without_orders_f_score = 4 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 4 AND without_orders_f_score = 3 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 4 AND without_orders_f_score = 3 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 3 AND without_orders_f_score = 4 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 3 AND without_orders_f_score = 4 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 3 AND without_orders_f_score = 3 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 3 AND without_orders_f_score = 3 AND without_orders_m_score = 3) THEN 'Premium Customer'
      WHEN (without_orders_r_score = 3 AND without_orders_f_score = 3 AND without_orders_m_score = 2)
          OR (without_orders_r_score = 2 AND without_orders_f_score = 4 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 2 AND without_orders_f_score = 4 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 2 AND without_orders_f_score = 3 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 2 AND without_orders_f_score = 3 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 2 AND without_orders_f_score = 3 AND without_orders_m_score = 2)
          OR (without_orders_r_score = 1 AND without_orders_f_score = 4 AND without_orders_m_score = 3) THEN 'Repeat Customer'
      WHEN (without_orders_r_score = 4 AND without_orders_f_score = 2 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 4 AND without_orders_f_score = 2 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 4 AND without_orders_f_score = 1 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 4 AND without_orders_f_score = 1 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 3 AND without_orders_f_score = 2 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 3 AND without_orders_f_score = 2 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 3 AND without_orders_f_score = 1 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 3 AND without_orders_f_score = 1 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 2 AND without_orders_f_score = 2 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 1 AND without_orders_f_score = 4 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 1 AND without_orders_f_score = 3 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 1 AND without_orders_f_score = 3 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 1 AND without_orders_f_score = 2 AND without_orders_m_score = 4) THEN 'Top Spender'
      WHEN (without_orders_r_score = 4 AND without_orders_f_score = 2 AND without_orders_m_score = 2)
          OR (without_orders_r_score = 4 AND without_orders_f_score = 1 AND without_orders_m_score = 2)
          OR (without_orders_r_score = 3 AND without_orders_f_score = 2 AND without_orders_m_score = 2)
          OR (without_orders_r_score = 3 AND without_orders_f_score = 1 AND without_orders_m_score = 2)
          OR (without_orders_r_score = 2 AND without_orders_f_score = 2 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 2 AND without_orders_f_score = 2 AND without_orders_m_score = 2)
          OR (without_orders_r_score = 2 AND without_orders_f_score = 1 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 2 AND without_orders_f_score = 1 AND without_orders_m_score = 2)
          OR (without_orders_r_score = 1 AND without_orders_f_score = 3 AND without_orders_m_score = 2)
          OR (without_orders_r_score = 1 AND without_orders_f_score = 2 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 1 AND without_orders_f_score = 2 AND without_orders_m_score = 2) THEN 'At-Risk Customer'
      WHEN (without_orders_r_score = 4 AND without_orders_f_score = 1 AND without_orders_m_score = 1)
          OR (without_orders_r_score = 3 AND without_orders_f_score = 1 AND without_orders_m_score = 1)
          OR (without_orders_r_score = 2 AND without_orders_f_score = 1 AND without_orders_m_score = 1)
          OR (without_orders_r_score = 1 AND without_orders_f_score = 1 AND without_orders_m_score = 4)
          OR (without_orders_r_score = 1 AND without_orders_f_score = 1 AND without_orders_m_score = 3)
          OR (without_orders_r_score = 1 AND without_orders_f_score = 1 AND without_orders_m_score = 2)
          OR (without_orders_r_score = 1 AND without_orders_f_score = 1 AND without_orders_m_score = 1) THEN 'Inactive Customer'
      ELSE 'Other'
    END AS without_orders,
    CASE
      WHEN (by_edges_r_score = 4 AND by_edges_f_score = 4 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 4 AND by_edges_f_score = 4 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 4 AND by_edges_f_score = 3 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 4 AND by_edges_f_score = 3 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 3 AND by_edges_f_score = 4 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 3 AND by_edges_f_score = 4 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 3 AND by_edges_f_score = 3 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 3 AND by_edges_f_score = 3 AND by_edges_m_score = 3) THEN 'Premium Customer'
      WHEN (by_edges_r_score = 3 AND by_edges_f_score = 3 AND by_edges_m_score = 2)
          OR (by_edges_r_score = 2 AND by_edges_f_score = 4 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 2 AND by_edges_f_score = 4 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 2 AND by_edges_f_score = 3 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 2 AND by_edges_f_score = 3 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 2 AND by_edges_f_score = 3 AND by_edges_m_score = 2)
          OR (by_edges_r_score = 1 AND by_edges_f_score = 4 AND by_edges_m_score = 3) THEN 'Repeat Customer'
      WHEN (by_edges_r_score = 4 AND by_edges_f_score = 2 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 4 AND by_edges_f_score = 2 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 4 AND by_edges_f_score = 1 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 4 AND by_edges_f_score = 1 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 3 AND by_edges_f_score = 2 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 3 AND by_edges_f_score = 2 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 3 AND by_edges_f_score = 1 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 3 AND by_edges_f_score = 1 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 2 AND by_edges_f_score = 2 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 1 AND by_edges_f_score = 4 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 1 AND by_edges_f_score = 3 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 1 AND by_edges_f_score = 3 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 1 AND by_edges_f_score = 2 AND by_edges_m_score = 4) THEN 'Top Spender'
      WHEN (by_edges_r_score = 4 AND by_edges_f_score = 2 AND by_edges_m_score = 2)
          OR (by_edges_r_score = 4 AND by_edges_f_score = 1 AND by_edges_m_score = 2)
          OR (by_edges_r_score = 3 AND by_edges_f_score = 2 AND by_edges_m_score = 2)
          OR (by_edges_r_score = 3 AND by_edges_f_score = 1 AND by_edges_m_score = 2)
          OR (by_edges_r_score = 2 AND by_edges_f_score = 2 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 2 AND by_edges_f_score = 2 AND by_edges_m_score = 2)
          OR (by_edges_r_score = 2 AND by_edges_f_score = 1 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 2 AND by_edges_f_score = 1 AND by_edges_m_score = 2)
          OR (by_edges_r_score = 1 AND by_edges_f_score = 3 AND by_edges_m_score = 2)
          OR (by_edges_r_score = 1 AND by_edges_f_score = 2 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 1 AND by_edges_f_score = 2 AND by_edges_m_score = 2) THEN 'At-Risk Customer'
      WHEN (by_edges_r_score = 4 AND by_edges_f_score = 1 AND by_edges_m_score = 1)
          OR (by_edges_r_score = 3 AND by_edges_f_score = 1 AND by_edges_m_score = 1)
          OR (by_edges_r_score = 2 AND by_edges_f_score = 1 AND by_edges_m_score = 1)
          OR (by_edges_r_score = 1 AND by_edges_f_score = 1 AND by_edges_m_score = 4)
          OR (by_edges_r_score = 1 AND by_edges_f_score = 1 AND by_edges_m_score = 3)
          OR (by_edges_r_score = 1 AND by_edges_f_score = 1 AND by_edges_m_score = 2)
          OR (by_edges_r_score = 1 AND by_edges_f_score = 1 AND by_edges_m_score = 1) THEN 'Inactive Customer'
      ELSE 'Other'
    END AS by_edges
  FROM scored
)

SELECT
  earlier_segment,
  later_segment,
  cause,
  COUNT(*) AS customers,
  SUM(earlier_monetary) AS earlier_monetary,
  SUM(later_monetary) AS later_monetary
FROM explained
GROUP BY 1, 2, 3;

-- bigquery; as in the first case: earlier, later, paired, explained; as in duckdb: scored, reached

/*
name = "changed-fixed-edges"

[earlier]
as_of = 2025-01-31
preset = "classic"
edges = { recency = ["20", "60", "150"], monetary = ["9.99", "50", "250.5"] }
scoring = { recency = { method = "fixed", edges = ["20", "60", "150"] }, frequency = { method = "ntile" } }

[later]
as_of = 2025-02-28
preset = "classic"
edges = { recency = ["10", "30", "90"], monetary = ["9.99", "50", "250.5"] }
scoring = { recency = { method = "fixed", edges = ["10", "30", "90"] }, frequency = { method = "ntile" } }
*/
-- duckdb; as in the first case: earlier, later, paired, reached, explained
WITH
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
      WHEN aged_recency_days <= CAST(20 AS BIGINT) THEN 4
      WHEN aged_recency_days <= CAST(60 AS BIGINT) THEN 3
      WHEN aged_recency_days <= CAST(150 AS BIGINT) THEN 2
      ELSE 1
    END AS without_orders_r_score,
    CASE
      WHEN later_recency_days <= CAST(20 AS BIGINT) THEN 4
      WHEN later_recency_days <= CAST(60 AS BIGINT) THEN 3
      WHEN later_recency_days <= CAST(150 AS BIGINT) THEN 2
      ELSE 1
    END AS by_edges_r_score,
    earlier_f_score AS by_time_f_score,
    CASE WHEN later_frequency = aged_frequency THEN later_f_score ELSE earlier_f_score END AS without_orders_f_score,
    later_f_score AS by_edges_f_score,
    CASE
      WHEN aged_monetary > CAST(250.5 AS DECIMAL(38, 9)) THEN 4
      WHEN aged_monetary > CAST(50 AS DECIMAL(38, 9)) THEN 3
      WHEN aged_monetary > CAST(9.99 AS DECIMAL(38, 9)) THEN 2
      ELSE 1
    END AS by_time_m_score,
    CASE
      WHEN aged_monetary > CAST(250.5 AS DECIMAL(38, 9)) THEN 4
      WHEN aged_monetary > CAST(50 AS DECIMAL(38, 9)) THEN 3
      WHEN aged_monetary > CAST(9.99 AS DECIMAL(38, 9)) THEN 2
      ELSE 1
    END AS without_orders_m_score,
    later_m_score AS by_edges_m_score
  FROM paired
)

SELECT
  earlier_segment,
  later_segment,
  cause,
  COUNT(*) AS customers,
  SUM(earlier_monetary) AS earlier_monetary,
  SUM(later_monetary) AS later_monetary
FROM explained
GROUP BY 1, 2, 3;

-- bigquery; as in the first case: earlier, later, paired, reached, explained
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
      WHEN aged_recency_days <= CAST(20 AS INT64) THEN 4
      WHEN aged_recency_days <= CAST(60 AS INT64) THEN 3
      WHEN aged_recency_days <= CAST(150 AS INT64) THEN 2
      ELSE 1
    END AS without_orders_r_score,
    CASE
      WHEN later_recency_days <= CAST(20 AS INT64) THEN 4
      WHEN later_recency_days <= CAST(60 AS INT64) THEN 3
      WHEN later_recency_days <= CAST(150 AS INT64) THEN 2
      ELSE 1
    END AS by_edges_r_score,
    earlier_f_score AS by_time_f_score,
    CASE WHEN later_frequency = aged_frequency THEN later_f_score ELSE earlier_f_score END AS without_orders_f_score,
    later_f_score AS by_edges_f_score,
    CASE
      WHEN aged_monetary > NUMERIC '250.5' THEN 4
      WHEN aged_monetary > NUMERIC '50' THEN 3
      WHEN aged_monetary > NUMERIC '9.99' THEN 2
      ELSE 1
    END AS by_time_m_score,
    CASE
      WHEN aged_monetary > NUMERIC '250.5' THEN 4
      WHEN aged_monetary > NUMERIC '50' THEN 3
      WHEN aged_monetary > NUMERIC '9.99' THEN 2
      ELSE 1
    END AS without_orders_m_score,
    later_m_score AS by_edges_m_score
  FROM paired
)

SELECT
  earlier_segment,
  later_segment,
  cause,
  COUNT(*) AS customers,
  SUM(earlier_monetary) AS earlier_monetary,
  SUM(later_monetary) AS later_monetary
FROM explained
GROUP BY 1, 2, 3;

/*
name = "gaps-between-orders"

[earlier]
as_of = 2025-01-31
preset = "lifecycle"
edges = { recency = ["20", "60", "150"], frequency = ["1", "2", "5"], monetary = ["9.99", "50", "250.5"] }

[later]
as_of = 2025-02-28
preset = "lifecycle"
edges = { recency = ["25", "70", "150"], frequency = ["1", "3", "5"], monetary = ["9.99", "60", "250.5"] }
*/
-- duckdb; as in the first case: earlier, later, scored
WITH
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
    (DATE '2025-02-28' - CASE
      WHEN e.last_order_date = l.last_order_date AND e.first_order_date < l.first_order_date
        AND l.frequency < e.frequency THEN l.first_order_date
      ELSE e.first_order_date
    END) AS aged_first_order_days,
    (DATE '2025-02-28' - l.first_order_date) AS later_first_order_days
  FROM earlier AS e
  FULL OUTER JOIN later AS l
    ON l.customer_id = e.customer_id
),

-- One row per row of scored, with what is known of the move without the gaps.
reached AS (
  SELECT
    earlier_segment,
    later_segment,
    earlier_monetary,
    later_monetary,
    later_recency_days <> aged_recency_days OR later_frequency <> aged_frequency OR later_monetary <> aged_monetary AS has_changed,
    (CASE
      WHEN aged_first_order_days <= 30 THEN 'New'
      WHEN by_time_f_score = 4 AND by_time_m_score = 4 THEN 'Champions'
      WHEN by_time_f_score >= 3 THEN 'Loyal'
      ELSE 'Active'
    END = earlier_segment
      AND CASE
      WHEN aged_first_order_days <= 30 THEN 'New'
      WHEN without_orders_f_score = 4 AND without_orders_m_score = 4 THEN 'Champions'
      WHEN without_orders_f_score >= 3 THEN 'Loyal'
      ELSE 'Active'
    END = later_segment)
      OR (CASE
      WHEN aged_first_order_days <= 30 THEN 'New'
      WHEN by_time_r_score >= 3 THEN 'Slipping'
      WHEN by_time_r_score = 2 THEN 'Dormant'
      WHEN by_time_r_score = 1 THEN 'Lost'
    END = earlier_segment
      AND CASE
      WHEN aged_first_order_days <= 30 THEN 'New'
      WHEN without_orders_r_score >= 3 THEN 'Slipping'
      WHEN without_orders_r_score = 2 THEN 'Dormant'
      WHEN without_orders_r_score = 1 THEN 'Lost'
    END = later_segment) AS edges_suffice
  FROM scored
),

-- One row per row of reached, with the cause of the move.
explained AS (
  SELECT
    earlier_segment,
    later_segment,
    earlier_monetary,
    later_monetary,
    CASE
      WHEN earlier_segment IS NULL OR later_segment IS NULL THEN NULL
      WHEN earlier_segment = later_segment THEN NULL
      WHEN has_changed THEN 'behaviour'
      WHEN edges_suffice THEN 'edges'
      ELSE 'time'
    END AS cause
  FROM reached
)

SELECT
  earlier_segment,
  later_segment,
  cause,
  COUNT(*) AS customers,
  SUM(earlier_monetary) AS earlier_monetary,
  SUM(later_monetary) AS later_monetary
FROM explained
GROUP BY 1, 2, 3;

-- bigquery; as in the first case: earlier, later, scored; as in duckdb: reached, explained
WITH
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
    DATE_DIFF(DATE '2025-02-28', CASE
      WHEN e.last_order_date = l.last_order_date AND e.first_order_date < l.first_order_date
        AND l.frequency < e.frequency THEN l.first_order_date
      ELSE e.first_order_date
    END, DAY) AS aged_first_order_days,
    DATE_DIFF(DATE '2025-02-28', l.first_order_date, DAY) AS later_first_order_days
  FROM earlier AS e
  FULL OUTER JOIN later AS l
    ON l.customer_id = e.customer_id
)

SELECT
  earlier_segment,
  later_segment,
  cause,
  COUNT(*) AS customers,
  SUM(earlier_monetary) AS earlier_monetary,
  SUM(later_monetary) AS later_monetary
FROM explained
GROUP BY 1, 2, 3;
