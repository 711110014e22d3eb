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
  FROM "history"
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
  FROM "history"
  WHERE as_of_date = DATE '2025-02-28'
),

-- One row per customer of either date; the aged values are those that time alone would have led to.
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

-- The same, with the aged and the later values scored as of 2025-01-31, and the later ones by the later edges.
scored AS (
  SELECT
    *,
    CASE
      WHEN aged_recency_days <= CAST(20 AS BIGINT) THEN 4
      WHEN aged_recency_days <= CAST(60 AS BIGINT) THEN 3
      WHEN aged_recency_days <= CAST(150 AS BIGINT) THEN 2
      ELSE 1
    END AS aged_by_earlier_r_score,
    CASE
      WHEN later_recency_days <= CAST(20 AS BIGINT) THEN 4
      WHEN later_recency_days <= CAST(60 AS BIGINT) THEN 3
      WHEN later_recency_days <= CAST(150 AS BIGINT) THEN 2
      ELSE 1
    END AS later_by_earlier_r_score,
    later_r_score AS later_by_later_r_score,
    CASE
      WHEN aged_frequency > CAST(5 AS BIGINT) THEN 4
      WHEN aged_frequency > CAST(2 AS BIGINT) THEN 3
      WHEN aged_frequency > CAST(1 AS BIGINT) THEN 2
      ELSE 1
    END AS aged_by_earlier_f_score,
    CASE
      WHEN later_frequency > CAST(5 AS BIGINT) THEN 4
      WHEN later_frequency > CAST(2 AS BIGINT) THEN 3
      WHEN later_frequency > CAST(1 AS BIGINT) THEN 2
      ELSE 1
    END AS later_by_earlier_f_score,
    later_f_score AS later_by_later_f_score,
    CASE
      WHEN aged_monetary > CAST(250.5 AS DECIMAL(38, 9)) THEN 4
      WHEN aged_monetary > CAST(50 AS DECIMAL(38, 9)) THEN 3
      WHEN aged_monetary > CAST(9.99 AS DECIMAL(38, 9)) THEN 2
      ELSE 1
    END AS aged_by_earlier_m_score,
    CASE
      WHEN later_monetary > CAST(250.5 AS DECIMAL(38, 9)) THEN 4
      WHEN later_monetary > CAST(50 AS DECIMAL(38, 9)) THEN 3
      WHEN later_monetary > CAST(9.99 AS DECIMAL(38, 9)) THEN 2
      ELSE 1
    END AS later_by_earlier_m_score,
    later_m_score AS later_by_later_m_score
  FROM paired
),

-- The same, with the segment that each step leads to: time, then behaviour, then the later edges.
reached AS (
  SELECT
    earlier_segment,
    later_segment,
    earlier_monetary,
    later_monetary,
    CASE
      WHEN aged_by_earlier_r_score = 4 AND aged_by_earlier_f_score = 4 AND aged_by_earlier_m_score = 4 THEN 'Champions'
      WHEN aged_by_earlier_r_score = 4 AND aged_by_earlier_f_score = 4 THEN 'Loyal Customers'
      WHEN aged_by_earlier_r_score >= 3 AND aged_by_earlier_f_score >= 3 THEN 'Potential Loyalists'
      WHEN aged_by_earlier_r_score = 4 AND aged_by_earlier_f_score <= 2 THEN 'New Customers'
      WHEN aged_by_earlier_r_score = 3 AND aged_by_earlier_f_score <= 2 THEN 'Promising'
      WHEN aged_by_earlier_r_score = 2 AND aged_by_earlier_f_score >= 3 THEN 'Needs Attention'
      WHEN aged_by_earlier_r_score = 2 AND aged_by_earlier_f_score <= 2 THEN 'About to Sleep'
      WHEN aged_by_earlier_r_score = 1 AND aged_by_earlier_f_score >= 3 THEN 'At-Risk'
      WHEN aged_by_earlier_r_score = 1 AND aged_by_earlier_f_score = 2 THEN 'Hibernating'
      WHEN aged_by_earlier_r_score = 1 AND aged_by_earlier_f_score = 1 THEN 'Lost'
    END AS by_time,
    CASE
      WHEN later_by_earlier_r_score = 4 AND later_by_earlier_f_score = 4 AND later_by_earlier_m_score = 4 THEN 'Champions'
      WHEN later_by_earlier_r_score = 4 AND later_by_earlier_f_score = 4 THEN 'Loyal Customers'
      WHEN later_by_earlier_r_score >= 3 AND later_by_earlier_f_score >= 3 THEN 'Potential Loyalists'
      WHEN later_by_earlier_r_score = 4 AND later_by_earlier_f_score <= 2 THEN 'New Customers'
      WHEN later_by_earlier_r_score = 3 AND later_by_earlier_f_score <= 2 THEN 'Promising'
      WHEN later_by_earlier_r_score = 2 AND later_by_earlier_f_score >= 3 THEN 'Needs Attention'
      WHEN later_by_earlier_r_score = 2 AND later_by_earlier_f_score <= 2 THEN 'About to Sleep'
      WHEN later_by_earlier_r_score = 1 AND later_by_earlier_f_score >= 3 THEN 'At-Risk'
      WHEN later_by_earlier_r_score = 1 AND later_by_earlier_f_score = 2 THEN 'Hibernating'
      WHEN later_by_earlier_r_score = 1 AND later_by_earlier_f_score = 1 THEN 'Lost'
    END AS by_behaviour,
    CASE
      WHEN later_by_later_r_score = 4 AND later_by_later_f_score = 4 AND later_by_later_m_score = 4 THEN 'Champions'
      WHEN later_by_later_r_score = 4 AND later_by_later_f_score = 4 THEN 'Loyal Customers'
      WHEN later_by_later_r_score >= 3 AND later_by_later_f_score >= 3 THEN 'Potential Loyalists'
      WHEN later_by_later_r_score = 4 AND later_by_later_f_score <= 2 THEN 'New Customers'
      WHEN later_by_later_r_score = 3 AND later_by_later_f_score <= 2 THEN 'Promising'
      WHEN later_by_later_r_score = 2 AND later_by_later_f_score >= 3 THEN 'Needs Attention'
      WHEN later_by_later_r_score = 2 AND later_by_later_f_score <= 2 THEN 'About to Sleep'
      WHEN later_by_later_r_score = 1 AND later_by_later_f_score >= 3 THEN 'At-Risk'
      WHEN later_by_later_r_score = 1 AND later_by_later_f_score = 2 THEN 'Hibernating'
      WHEN later_by_later_r_score = 1 AND later_by_later_f_score = 1 THEN 'Lost'
    END AS by_edges
  FROM scored
),

-- The same, with the step that led to the later segment.
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
      WHEN by_behaviour <> by_edges THEN 'edges'
      WHEN by_time <> by_behaviour THEN 'behaviour'
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
GROUP BY 1, 2, 3
