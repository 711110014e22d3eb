-- The stage scores: the edges of each dimension, and each customer's scores.
-- Each case: a question in TOML, then the expected SQL. CTEs that are the same as in the first case, or the same in
-- both dialects, are written once. tests/support/golden_queries.py describes the keys of a question. To regenerate
-- the SQL below the questions:
-- RFM_UPDATE_GOLDEN=1 uv run pytest tests/unit/sql/test_golden.py

/*
name = "defaults"
*/
-- duckdb
WITH
-- One row per recency value, with its number of customers.
recency_histogram AS (
  SELECT
    recency_days AS value,
    COUNT(*) AS customers_here
  FROM metrics
  GROUP BY 1
),

-- One row per recency value, with the customers below it, up to it and in total.
recency_cumulative AS (
  SELECT
    value,
    SUM(customers_here) OVER (ORDER BY value) - customers_here AS below,
    SUM(customers_here) OVER (ORDER BY value) AS up_to,
    SUM(customers_here) OVER () AS customers
  FROM recency_histogram
),

-- One row per recency value, with the number of thresholds below it.
recency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 3
      WHEN (4 * up_to) // customers - (4 * below) // customers >= 2 THEN (4 * (below + up_to) - 1) // (2 * customers)
      ELSE (4 * below) // customers
    END AS step
  FROM recency_cumulative
),

-- One row: the edges of recency.
recency_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS r_edge_3,
    MAX(CASE WHEN step < 2 THEN value END) AS r_edge_2,
    MAX(CASE WHEN step < 3 THEN value END) AS r_edge_1
  FROM recency_steps
),

-- One row per frequency value, with its number of customers.
frequency_histogram AS (
  SELECT
    frequency AS value,
    COUNT(*) AS customers_here
  FROM metrics
  GROUP BY 1
),

-- One row per frequency value, with the customers below it, up to it and in total.
frequency_cumulative AS (
  SELECT
    value,
    SUM(customers_here) OVER (ORDER BY value) - customers_here AS below,
    SUM(customers_here) OVER (ORDER BY value) AS up_to,
    SUM(customers_here) OVER () AS customers
  FROM frequency_histogram
),

-- One row per frequency value, with the number of thresholds below it.
frequency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 3
      WHEN (4 * up_to) // customers - (4 * below) // customers >= 2 THEN (4 * (below + up_to) - 1) // (2 * customers)
      ELSE (4 * below) // customers
    END AS step
  FROM frequency_cumulative
),

-- One row: the edges of frequency.
frequency_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS f_edge_1,
    MAX(CASE WHEN step < 2 THEN value END) AS f_edge_2,
    MAX(CASE WHEN step < 3 THEN value END) AS f_edge_3
  FROM frequency_steps
),

-- One row per coarse monetary value, with its highest value and its number of customers.
monetary_coarse AS (
  SELECT
    FLOOR(CAST(monetary AS DOUBLE)) AS coarse,
    MAX(monetary) AS highest,
    COUNT(*) AS customers_here
  FROM metrics
  GROUP BY 1
),

-- One row per coarse monetary value, with the customers below it, up to it and in total.
monetary_ranges AS (
  SELECT
    coarse,
    highest,
    SUM(customers_here) OVER (ORDER BY coarse) - customers_here AS below,
    SUM(customers_here) OVER (ORDER BY coarse) AS up_to,
    SUM(customers_here) OVER () AS customers
  FROM monetary_coarse
),

-- One row per monetary value in a coarse value that contains a threshold or the highest value.
monetary_histogram AS (
  SELECT
    monetary AS value,
    coarse,
    below AS below_coarse,
    customers,
    COUNT(*) AS customers_here
  FROM metrics
  JOIN monetary_ranges
    ON FLOOR(CAST(monetary AS DOUBLE)) = coarse
  WHERE (4 * up_to) // customers > (4 * below) // customers
  GROUP BY 1, 2, 3, 4
),

-- One row per monetary value that can be an edge, with the customers below, up to it and in total.
monetary_cumulative AS (
  SELECT
    value,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) - customers_here AS below,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to,
    customers
  FROM monetary_histogram
  UNION ALL
  SELECT
    highest AS value,
    below,
    up_to,
    customers
  FROM monetary_ranges
  WHERE (4 * up_to) // customers = (4 * below) // customers
),

-- One row per monetary value, with the number of thresholds below it.
monetary_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 3
      WHEN (4 * up_to) // customers - (4 * below) // customers >= 2 THEN (4 * (below + up_to) - 1) // (2 * customers)
      ELSE (4 * below) // customers
    END AS step
  FROM monetary_cumulative
),

-- One row: the edges of monetary.
monetary_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS m_edge_1,
    MAX(CASE WHEN step < 2 THEN value END) AS m_edge_2,
    MAX(CASE WHEN step < 3 THEN value END) AS m_edge_3
  FROM monetary_steps
),

-- One row: the edges between scores. A recency edge is the most days of its score.
edges AS (
  SELECT
    r_edge_1,
    r_edge_2,
    r_edge_3,
    f_edge_1,
    f_edge_2,
    f_edge_3,
    m_edge_1,
    m_edge_2,
    m_edge_3
  FROM recency_edges
  CROSS JOIN frequency_edges
  CROSS JOIN monetary_edges
),

-- One row per customer, scored from 1 (worst) to the number of bins.
scores AS (
  SELECT
    customer_id,
    recency_days,
    frequency,
    monetary,
    avg_order_value,
    first_order_date,
    last_order_date,
    CASE
      WHEN recency_days <= r_edge_3 THEN 4
      WHEN recency_days <= r_edge_2 THEN 3
      WHEN recency_days <= r_edge_1 THEN 2
      ELSE 1
    END AS r_score,
    CASE
      WHEN frequency > f_edge_3 THEN 4
      WHEN frequency > f_edge_2 THEN 3
      WHEN frequency > f_edge_1 THEN 2
      ELSE 1
    END AS f_score,
    CASE
      WHEN monetary > m_edge_3 THEN 4
      WHEN monetary > m_edge_2 THEN 3
      WHEN monetary > m_edge_1 THEN 2
      ELSE 1
    END AS m_score,
    as_of_date
  FROM metrics
  CROSS JOIN edges
)

SELECT *
FROM scores;

-- bigquery; as in duckdb: recency_histogram, recency_cumulative, recency_edges, frequency_histogram, frequency_cumulative, frequency_edges, monetary_ranges, monetary_edges, edges, scores
WITH
-- One row per recency value, with the number of thresholds below it.
recency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 3
      WHEN DIV((4 * up_to), customers) - DIV((4 * below), customers) >= 2 THEN DIV((4 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((4 * below), customers)
    END AS step
  FROM recency_cumulative
),

-- One row per frequency value, with the number of thresholds below it.
frequency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 3
      WHEN DIV((4 * up_to), customers) - DIV((4 * below), customers) >= 2 THEN DIV((4 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((4 * below), customers)
    END AS step
  FROM frequency_cumulative
),

-- One row per coarse monetary value, with its highest value and its number of customers.
monetary_coarse AS (
  SELECT
    monetary - MOD(monetary, CAST(CONCAT('1e', CAST(LENGTH(CAST(TRUNC(ABS(monetary)) AS STRING)) - 3 AS STRING)) AS NUMERIC)) AS coarse,
    MAX(monetary) AS highest,
    COUNT(*) AS customers_here
  FROM metrics
  GROUP BY 1
),

-- One row per monetary value in a coarse value that contains a threshold or the highest value.
monetary_histogram AS (
  SELECT
    monetary AS value,
    coarse,
    below AS below_coarse,
    customers,
    COUNT(*) AS customers_here
  FROM metrics
  JOIN monetary_ranges
    ON monetary - MOD(monetary, CAST(CONCAT('1e', CAST(LENGTH(CAST(TRUNC(ABS(monetary)) AS STRING)) - 3 AS STRING)) AS NUMERIC)) = coarse
  WHERE DIV((4 * up_to), customers) > DIV((4 * below), customers)
  GROUP BY 1, 2, 3, 4
),

-- One row per monetary value that can be an edge, with the customers below, up to it and in total.
monetary_cumulative AS (
  SELECT
    value,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) - customers_here AS below,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to,
    customers
  FROM monetary_histogram
  UNION ALL
  SELECT
    highest AS value,
    below,
    up_to,
    customers
  FROM monetary_ranges
  WHERE DIV((4 * up_to), customers) = DIV((4 * below), customers)
),

-- One row per monetary value, with the number of thresholds below it.
monetary_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 3
      WHEN DIV((4 * up_to), customers) - DIV((4 * below), customers) >= 2 THEN DIV((4 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((4 * below), customers)
    END AS step
  FROM monetary_cumulative
)

SELECT *
FROM scores;

/*
name = "fixed-and-ntile"

[settings.scoring]
recency = { method = "fixed", edges = [30, 90, 365] }
frequency.method = "ntile"
monetary = { method = "fixed", edges = [50, 250.5, 1000] }
*/
-- duckdb
WITH
-- One row: the edges between scores. A recency edge is the most days of its score.
edges AS (
  SELECT
    CAST(365 AS BIGINT) AS r_edge_1,
    CAST(90 AS BIGINT) AS r_edge_2,
    CAST(30 AS BIGINT) AS r_edge_3,
    CAST(50 AS DECIMAL(38, 9)) AS m_edge_1,
    CAST(250.5 AS DECIMAL(38, 9)) AS m_edge_2,
    CAST(1000 AS DECIMAL(38, 9)) AS m_edge_3
),

-- One row per customer, scored from 1 (worst) to the number of bins. NTILE gives equal customers different scores, and is for comparison with older pipelines only.
scores AS (
  SELECT
    customer_id,
    recency_days,
    frequency,
    monetary,
    avg_order_value,
    first_order_date,
    last_order_date,
    CASE
      WHEN recency_days <= r_edge_3 THEN 4
      WHEN recency_days <= r_edge_2 THEN 3
      WHEN recency_days <= r_edge_1 THEN 2
      ELSE 1
    END AS r_score,
    NTILE(4) OVER (
      ORDER BY
        frequency,
        CASE
          WHEN LTRIM(customer_id, '0123456789') = '' AND customer_id NOT LIKE '0%' THEN LENGTH(customer_id)
          ELSE 0
        END,
        customer_id
    ) AS f_score,
    CASE
      WHEN monetary > m_edge_3 THEN 4
      WHEN monetary > m_edge_2 THEN 3
      WHEN monetary > m_edge_1 THEN 2
      ELSE 1
    END AS m_score,
    as_of_date
  FROM metrics
  CROSS JOIN edges
)

SELECT *
FROM scores;

-- bigquery
WITH
-- One row: the edges between scores. A recency edge is the most days of its score.
edges AS (
  SELECT
    CAST(365 AS INT64) AS r_edge_1,
    CAST(90 AS INT64) AS r_edge_2,
    CAST(30 AS INT64) AS r_edge_3,
    NUMERIC '50' AS m_edge_1,
    NUMERIC '250.5' AS m_edge_2,
    NUMERIC '1000' AS m_edge_3
),

-- One row per customer, scored from 1 (worst) to the number of bins. NTILE gives equal customers different scores, and is for comparison with older pipelines only; it sorts all customers on one worker.
scores AS (
  SELECT
    customer_id,
    recency_days,
    frequency,
    monetary,
    avg_order_value,
    first_order_date,
    last_order_date,
    CASE
      WHEN recency_days <= r_edge_3 THEN 4
      WHEN recency_days <= r_edge_2 THEN 3
      WHEN recency_days <= r_edge_1 THEN 2
      ELSE 1
    END AS r_score,
    NTILE(4) OVER (
      ORDER BY
        frequency,
        CASE
          WHEN LTRIM(customer_id, '0123456789') = '' AND customer_id NOT LIKE '0%' THEN LENGTH(customer_id)
          ELSE 0
        END,
        customer_id
    ) AS f_score,
    CASE
      WHEN monetary > m_edge_3 THEN 4
      WHEN monetary > m_edge_2 THEN 3
      WHEN monetary > m_edge_1 THEN 2
      ELSE 1
    END AS m_score,
    as_of_date
  FROM metrics
  CROSS JOIN edges
)

SELECT *
FROM scores;

/*
name = "frozen-edges"

[settings.scoring]
bins = 3
frequency = { method = "fixed", edges = [1, 2] }
monetary.bins = 2

[settings.segments]
fallback = "Others"
rules = [{ segment = "Best", r = 3, m = 2 }]

[frozen]
recency = ["-1", "47"]
monetary = ["123456789012.123456789"]
*/
-- duckdb; as in the first case: recency_histogram, recency_cumulative, monetary_coarse, monetary_ranges
WITH
-- One row per recency value, with the number of thresholds below it.
recency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 2
      WHEN (3 * up_to) // customers - (3 * below) // customers >= 2 THEN (3 * (below + up_to) - 1) // (2 * customers)
      ELSE (3 * below) // customers
    END AS step
  FROM recency_cumulative
),

-- One row: the edges of recency.
recency_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS r_recomputed_2,
    MAX(CASE WHEN step < 2 THEN value END) AS r_recomputed_1
  FROM recency_steps
),

-- One row per monetary value in a coarse value that contains a threshold or the highest value.
monetary_histogram AS (
  SELECT
    monetary AS value,
    coarse,
    below AS below_coarse,
    customers,
    COUNT(*) AS customers_here
  FROM metrics
  JOIN monetary_ranges
    ON FLOOR(CAST(monetary AS DOUBLE)) = coarse
  WHERE (2 * up_to) // customers > (2 * below) // customers
  GROUP BY 1, 2, 3, 4
),

-- One row per monetary value that can be an edge, with the customers below, up to it and in total.
monetary_cumulative AS (
  SELECT
    value,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) - customers_here AS below,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to,
    customers
  FROM monetary_histogram
  UNION ALL
  SELECT
    highest AS value,
    below,
    up_to,
    customers
  FROM monetary_ranges
  WHERE (2 * up_to) // customers = (2 * below) // customers
),

-- One row per monetary value, with the number of thresholds below it.
monetary_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 1
      WHEN (2 * up_to) // customers - (2 * below) // customers >= 2 THEN (2 * (below + up_to) - 1) // (2 * customers)
      ELSE (2 * below) // customers
    END AS step
  FROM monetary_cumulative
),

-- One row: the edges of monetary.
monetary_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS m_recomputed_1
  FROM monetary_steps
),

-- One row: the edges between scores, frozen from an earlier run, and the recomputed ones. A recency edge is the most days of its score.
edges AS (
  SELECT
    CAST(47 AS BIGINT) AS r_edge_1,
    CAST(-1 AS BIGINT) AS r_edge_2,
    r_recomputed_1,
    r_recomputed_2,
    CAST(1 AS BIGINT) AS f_edge_1,
    CAST(2 AS BIGINT) AS f_edge_2,
    CAST(123456789012.123456789 AS DECIMAL(38, 9)) AS m_edge_1,
    m_recomputed_1
  FROM recency_edges
  CROSS JOIN monetary_edges
),

-- One row per customer, scored from 1 (worst) to the number of bins.
scores AS (
  SELECT
    customer_id,
    recency_days,
    frequency,
    monetary,
    avg_order_value,
    first_order_date,
    last_order_date,
    CASE
      WHEN recency_days <= r_edge_2 THEN 3
      WHEN recency_days <= r_edge_1 THEN 2
      ELSE 1
    END AS r_score,
    CASE
      WHEN frequency > f_edge_2 THEN 3
      WHEN frequency > f_edge_1 THEN 2
      ELSE 1
    END AS f_score,
    CASE
      WHEN monetary > m_edge_1 THEN 2
      ELSE 1
    END AS m_score,
    as_of_date
  FROM metrics
  CROSS JOIN edges
)

SELECT *
FROM scores;

-- bigquery; as in the first case: recency_histogram, recency_cumulative, monetary_coarse, monetary_ranges; as in duckdb: recency_edges, monetary_edges, scores
WITH
-- One row per recency value, with the number of thresholds below it.
recency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 2
      WHEN DIV((3 * up_to), customers) - DIV((3 * below), customers) >= 2 THEN DIV((3 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((3 * below), customers)
    END AS step
  FROM recency_cumulative
),

-- One row per monetary value in a coarse value that contains a threshold or the highest value.
monetary_histogram AS (
  SELECT
    monetary AS value,
    coarse,
    below AS below_coarse,
    customers,
    COUNT(*) AS customers_here
  FROM metrics
  JOIN monetary_ranges
    ON monetary - MOD(monetary, CAST(CONCAT('1e', CAST(LENGTH(CAST(TRUNC(ABS(monetary)) AS STRING)) - 3 AS STRING)) AS NUMERIC)) = coarse
  WHERE DIV((2 * up_to), customers) > DIV((2 * below), customers)
  GROUP BY 1, 2, 3, 4
),

-- One row per monetary value that can be an edge, with the customers below, up to it and in total.
monetary_cumulative AS (
  SELECT
    value,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) - customers_here AS below,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to,
    customers
  FROM monetary_histogram
  UNION ALL
  SELECT
    highest AS value,
    below,
    up_to,
    customers
  FROM monetary_ranges
  WHERE DIV((2 * up_to), customers) = DIV((2 * below), customers)
),

-- One row per monetary value, with the number of thresholds below it.
monetary_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 1
      WHEN DIV((2 * up_to), customers) - DIV((2 * below), customers) >= 2 THEN DIV((2 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((2 * below), customers)
    END AS step
  FROM monetary_cumulative
),

-- One row: the edges between scores, frozen from an earlier run, and the recomputed ones. A recency edge is the most days of its score.
edges AS (
  SELECT
    CAST(47 AS INT64) AS r_edge_1,
    CAST(-1 AS INT64) AS r_edge_2,
    r_recomputed_1,
    r_recomputed_2,
    CAST(1 AS INT64) AS f_edge_1,
    CAST(2 AS INT64) AS f_edge_2,
    NUMERIC '123456789012.123456789' AS m_edge_1,
    m_recomputed_1
  FROM recency_edges
  CROSS JOIN monetary_edges
)

SELECT *
FROM scores;

/*
name = "three-bins"
preset = "klaviyo"
*/
-- duckdb; as in the first case: frequency_histogram, frequency_cumulative, monetary_coarse, monetary_ranges
WITH
-- One row per frequency value, with the number of thresholds below it.
frequency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 2
      WHEN (3 * up_to) // customers - (3 * below) // customers >= 2 THEN (3 * (below + up_to) - 1) // (2 * customers)
      ELSE (3 * below) // customers
    END AS step
  FROM frequency_cumulative
),

-- One row: the edges of frequency.
frequency_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS f_edge_1,
    MAX(CASE WHEN step < 2 THEN value END) AS f_edge_2
  FROM frequency_steps
),

-- One row per monetary value in a coarse value that contains a threshold or the highest value.
monetary_histogram AS (
  SELECT
    monetary AS value,
    coarse,
    below AS below_coarse,
    customers,
    COUNT(*) AS customers_here
  FROM metrics
  JOIN monetary_ranges
    ON FLOOR(CAST(monetary AS DOUBLE)) = coarse
  WHERE (3 * up_to) // customers > (3 * below) // customers
  GROUP BY 1, 2, 3, 4
),

-- One row per monetary value that can be an edge, with the customers below, up to it and in total.
monetary_cumulative AS (
  SELECT
    value,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) - customers_here AS below,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to,
    customers
  FROM monetary_histogram
  UNION ALL
  SELECT
    highest AS value,
    below,
    up_to,
    customers
  FROM monetary_ranges
  WHERE (3 * up_to) // customers = (3 * below) // customers
),

-- One row per monetary value, with the number of thresholds below it.
monetary_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 2
      WHEN (3 * up_to) // customers - (3 * below) // customers >= 2 THEN (3 * (below + up_to) - 1) // (2 * customers)
      ELSE (3 * below) // customers
    END AS step
  FROM monetary_cumulative
),

-- One row: the edges of monetary.
monetary_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS m_edge_1,
    MAX(CASE WHEN step < 2 THEN value END) AS m_edge_2
  FROM monetary_steps
),

-- One row: the edges between scores. A recency edge is the most days of its score.
edges AS (
  SELECT
    CAST(365 AS BIGINT) AS r_edge_1,
    CAST(180 AS BIGINT) AS r_edge_2,
    f_edge_1,
    f_edge_2,
    m_edge_1,
    m_edge_2
  FROM frequency_edges
  CROSS JOIN monetary_edges
),

-- One row per customer, scored from 1 (worst) to the number of bins.
scores AS (
  SELECT
    customer_id,
    recency_days,
    frequency,
    monetary,
    avg_order_value,
    first_order_date,
    last_order_date,
    CASE
      WHEN recency_days <= r_edge_2 THEN 3
      WHEN recency_days <= r_edge_1 THEN 2
      ELSE 1
    END AS r_score,
    CASE
      WHEN frequency > f_edge_2 THEN 3
      WHEN frequency > f_edge_1 THEN 2
      ELSE 1
    END AS f_score,
    CASE
      WHEN monetary > m_edge_2 THEN 3
      WHEN monetary > m_edge_1 THEN 2
      ELSE 1
    END AS m_score,
    as_of_date
  FROM metrics
  CROSS JOIN edges
)

SELECT *
FROM scores;

-- bigquery; as in the first case: frequency_histogram, frequency_cumulative, monetary_coarse, monetary_ranges; as in duckdb: frequency_edges, monetary_edges, scores
WITH
-- One row per frequency value, with the number of thresholds below it.
frequency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 2
      WHEN DIV((3 * up_to), customers) - DIV((3 * below), customers) >= 2 THEN DIV((3 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((3 * below), customers)
    END AS step
  FROM frequency_cumulative
),

-- One row per monetary value in a coarse value that contains a threshold or the highest value.
monetary_histogram AS (
  SELECT
    monetary AS value,
    coarse,
    below AS below_coarse,
    customers,
    COUNT(*) AS customers_here
  FROM metrics
  JOIN monetary_ranges
    ON monetary - MOD(monetary, CAST(CONCAT('1e', CAST(LENGTH(CAST(TRUNC(ABS(monetary)) AS STRING)) - 3 AS STRING)) AS NUMERIC)) = coarse
  WHERE DIV((3 * up_to), customers) > DIV((3 * below), customers)
  GROUP BY 1, 2, 3, 4
),

-- One row per monetary value that can be an edge, with the customers below, up to it and in total.
monetary_cumulative AS (
  SELECT
    value,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) - customers_here AS below,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to,
    customers
  FROM monetary_histogram
  UNION ALL
  SELECT
    highest AS value,
    below,
    up_to,
    customers
  FROM monetary_ranges
  WHERE DIV((3 * up_to), customers) = DIV((3 * below), customers)
),

-- One row per monetary value, with the number of thresholds below it.
monetary_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 2
      WHEN DIV((3 * up_to), customers) - DIV((3 * below), customers) >= 2 THEN DIV((3 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((3 * below), customers)
    END AS step
  FROM monetary_cumulative
),

-- One row: the edges between scores. A recency edge is the most days of its score.
edges AS (
  SELECT
    CAST(365 AS INT64) AS r_edge_1,
    CAST(180 AS INT64) AS r_edge_2,
    f_edge_1,
    f_edge_2,
    m_edge_1,
    m_edge_2
  FROM frequency_edges
  CROSS JOIN monetary_edges
)

SELECT *
FROM scores;

/*
name = "five-bins"
preset = "grid"
*/
-- duckdb; as in the first case: recency_histogram, recency_cumulative, frequency_histogram, frequency_cumulative, monetary_coarse, monetary_ranges
WITH
-- One row per recency value, with the number of thresholds below it.
recency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 4
      WHEN (5 * up_to) // customers - (5 * below) // customers >= 2 THEN (5 * (below + up_to) - 1) // (2 * customers)
      ELSE (5 * below) // customers
    END AS step
  FROM recency_cumulative
),

-- One row: the edges of recency.
recency_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS r_edge_4,
    MAX(CASE WHEN step < 2 THEN value END) AS r_edge_3,
    MAX(CASE WHEN step < 3 THEN value END) AS r_edge_2,
    MAX(CASE WHEN step < 4 THEN value END) AS r_edge_1
  FROM recency_steps
),

-- One row per frequency value, with the number of thresholds below it.
frequency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 4
      WHEN (5 * up_to) // customers - (5 * below) // customers >= 2 THEN (5 * (below + up_to) - 1) // (2 * customers)
      ELSE (5 * below) // customers
    END AS step
  FROM frequency_cumulative
),

-- One row: the edges of frequency.
frequency_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS f_edge_1,
    MAX(CASE WHEN step < 2 THEN value END) AS f_edge_2,
    MAX(CASE WHEN step < 3 THEN value END) AS f_edge_3,
    MAX(CASE WHEN step < 4 THEN value END) AS f_edge_4
  FROM frequency_steps
),

-- One row per monetary value in a coarse value that contains a threshold or the highest value.
monetary_histogram AS (
  SELECT
    monetary AS value,
    coarse,
    below AS below_coarse,
    customers,
    COUNT(*) AS customers_here
  FROM metrics
  JOIN monetary_ranges
    ON FLOOR(CAST(monetary AS DOUBLE)) = coarse
  WHERE (5 * up_to) // customers > (5 * below) // customers
  GROUP BY 1, 2, 3, 4
),

-- One row per monetary value that can be an edge, with the customers below, up to it and in total.
monetary_cumulative AS (
  SELECT
    value,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) - customers_here AS below,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to,
    customers
  FROM monetary_histogram
  UNION ALL
  SELECT
    highest AS value,
    below,
    up_to,
    customers
  FROM monetary_ranges
  WHERE (5 * up_to) // customers = (5 * below) // customers
),

-- One row per monetary value, with the number of thresholds below it.
monetary_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 4
      WHEN (5 * up_to) // customers - (5 * below) // customers >= 2 THEN (5 * (below + up_to) - 1) // (2 * customers)
      ELSE (5 * below) // customers
    END AS step
  FROM monetary_cumulative
),

-- One row: the edges of monetary.
monetary_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS m_edge_1,
    MAX(CASE WHEN step < 2 THEN value END) AS m_edge_2,
    MAX(CASE WHEN step < 3 THEN value END) AS m_edge_3,
    MAX(CASE WHEN step < 4 THEN value END) AS m_edge_4
  FROM monetary_steps
),

-- One row: the edges between scores. A recency edge is the most days of its score.
edges AS (
  SELECT
    r_edge_1,
    r_edge_2,
    r_edge_3,
    r_edge_4,
    f_edge_1,
    f_edge_2,
    f_edge_3,
    f_edge_4,
    m_edge_1,
    m_edge_2,
    m_edge_3,
    m_edge_4
  FROM recency_edges
  CROSS JOIN frequency_edges
  CROSS JOIN monetary_edges
),

-- One row per customer, scored from 1 (worst) to the number of bins.
scores AS (
  SELECT
    customer_id,
    recency_days,
    frequency,
    monetary,
    avg_order_value,
    first_order_date,
    last_order_date,
    CASE
      WHEN recency_days <= r_edge_4 THEN 5
      WHEN recency_days <= r_edge_3 THEN 4
      WHEN recency_days <= r_edge_2 THEN 3
      WHEN recency_days <= r_edge_1 THEN 2
      ELSE 1
    END AS r_score,
    CASE
      WHEN frequency > f_edge_4 THEN 5
      WHEN frequency > f_edge_3 THEN 4
      WHEN frequency > f_edge_2 THEN 3
      WHEN frequency > f_edge_1 THEN 2
      ELSE 1
    END AS f_score,
    CASE
      WHEN monetary > m_edge_4 THEN 5
      WHEN monetary > m_edge_3 THEN 4
      WHEN monetary > m_edge_2 THEN 3
      WHEN monetary > m_edge_1 THEN 2
      ELSE 1
    END AS m_score,
    as_of_date
  FROM metrics
  CROSS JOIN edges
)

SELECT *
FROM scores;

-- bigquery; as in the first case: recency_histogram, recency_cumulative, frequency_histogram, frequency_cumulative, monetary_coarse, monetary_ranges; as in duckdb: recency_edges, frequency_edges, monetary_edges, edges, scores
WITH
-- One row per recency value, with the number of thresholds below it.
recency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 4
      WHEN DIV((5 * up_to), customers) - DIV((5 * below), customers) >= 2 THEN DIV((5 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((5 * below), customers)
    END AS step
  FROM recency_cumulative
),

-- One row per frequency value, with the number of thresholds below it.
frequency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 4
      WHEN DIV((5 * up_to), customers) - DIV((5 * below), customers) >= 2 THEN DIV((5 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((5 * below), customers)
    END AS step
  FROM frequency_cumulative
),

-- One row per monetary value in a coarse value that contains a threshold or the highest value.
monetary_histogram AS (
  SELECT
    monetary AS value,
    coarse,
    below AS below_coarse,
    customers,
    COUNT(*) AS customers_here
  FROM metrics
  JOIN monetary_ranges
    ON monetary - MOD(monetary, CAST(CONCAT('1e', CAST(LENGTH(CAST(TRUNC(ABS(monetary)) AS STRING)) - 3 AS STRING)) AS NUMERIC)) = coarse
  WHERE DIV((5 * up_to), customers) > DIV((5 * below), customers)
  GROUP BY 1, 2, 3, 4
),

-- One row per monetary value that can be an edge, with the customers below, up to it and in total.
monetary_cumulative AS (
  SELECT
    value,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) - customers_here AS below,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to,
    customers
  FROM monetary_histogram
  UNION ALL
  SELECT
    highest AS value,
    below,
    up_to,
    customers
  FROM monetary_ranges
  WHERE DIV((5 * up_to), customers) = DIV((5 * below), customers)
),

-- One row per monetary value, with the number of thresholds below it.
monetary_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 4
      WHEN DIV((5 * up_to), customers) - DIV((5 * below), customers) >= 2 THEN DIV((5 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((5 * below), customers)
    END AS step
  FROM monetary_cumulative
)

SELECT *
FROM scores;

/*
name = "ten-bins"

[settings]
scoring.bins = 10

[settings.segments]
fallback = "Others"
rules = [{ segment = "Best", r = ">=9", fm = 10 }]
*/
-- duckdb; as in the first case: recency_histogram, recency_cumulative, frequency_histogram, frequency_cumulative, monetary_coarse, monetary_ranges
WITH
-- One row per recency value, with the number of thresholds below it.
recency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 9
      WHEN (10 * up_to) // customers - (10 * below) // customers >= 2 THEN (10 * (below + up_to) - 1) // (2 * customers)
      ELSE (10 * below) // customers
    END AS step
  FROM recency_cumulative
),

-- One row: the edges of recency.
recency_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS r_edge_9,
    MAX(CASE WHEN step < 2 THEN value END) AS r_edge_8,
    MAX(CASE WHEN step < 3 THEN value END) AS r_edge_7,
    MAX(CASE WHEN step < 4 THEN value END) AS r_edge_6,
    MAX(CASE WHEN step < 5 THEN value END) AS r_edge_5,
    MAX(CASE WHEN step < 6 THEN value END) AS r_edge_4,
    MAX(CASE WHEN step < 7 THEN value END) AS r_edge_3,
    MAX(CASE WHEN step < 8 THEN value END) AS r_edge_2,
    MAX(CASE WHEN step < 9 THEN value END) AS r_edge_1
  FROM recency_steps
),

-- One row per frequency value, with the number of thresholds below it.
frequency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 9
      WHEN (10 * up_to) // customers - (10 * below) // customers >= 2 THEN (10 * (below + up_to) - 1) // (2 * customers)
      ELSE (10 * below) // customers
    END AS step
  FROM frequency_cumulative
),

-- One row: the edges of frequency.
frequency_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS f_edge_1,
    MAX(CASE WHEN step < 2 THEN value END) AS f_edge_2,
    MAX(CASE WHEN step < 3 THEN value END) AS f_edge_3,
    MAX(CASE WHEN step < 4 THEN value END) AS f_edge_4,
    MAX(CASE WHEN step < 5 THEN value END) AS f_edge_5,
    MAX(CASE WHEN step < 6 THEN value END) AS f_edge_6,
    MAX(CASE WHEN step < 7 THEN value END) AS f_edge_7,
    MAX(CASE WHEN step < 8 THEN value END) AS f_edge_8,
    MAX(CASE WHEN step < 9 THEN value END) AS f_edge_9
  FROM frequency_steps
),

-- One row per monetary value in a coarse value that contains a threshold or the highest value.
monetary_histogram AS (
  SELECT
    monetary AS value,
    coarse,
    below AS below_coarse,
    customers,
    COUNT(*) AS customers_here
  FROM metrics
  JOIN monetary_ranges
    ON FLOOR(CAST(monetary AS DOUBLE)) = coarse
  WHERE (10 * up_to) // customers > (10 * below) // customers
  GROUP BY 1, 2, 3, 4
),

-- One row per monetary value that can be an edge, with the customers below, up to it and in total.
monetary_cumulative AS (
  SELECT
    value,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) - customers_here AS below,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to,
    customers
  FROM monetary_histogram
  UNION ALL
  SELECT
    highest AS value,
    below,
    up_to,
    customers
  FROM monetary_ranges
  WHERE (10 * up_to) // customers = (10 * below) // customers
),

-- One row per monetary value, with the number of thresholds below it.
monetary_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 9
      WHEN (10 * up_to) // customers - (10 * below) // customers >= 2 THEN (10 * (below + up_to) - 1) // (2 * customers)
      ELSE (10 * below) // customers
    END AS step
  FROM monetary_cumulative
),

-- One row: the edges of monetary.
monetary_edges AS (
  SELECT
    MAX(CASE WHEN step < 1 THEN value END) AS m_edge_1,
    MAX(CASE WHEN step < 2 THEN value END) AS m_edge_2,
    MAX(CASE WHEN step < 3 THEN value END) AS m_edge_3,
    MAX(CASE WHEN step < 4 THEN value END) AS m_edge_4,
    MAX(CASE WHEN step < 5 THEN value END) AS m_edge_5,
    MAX(CASE WHEN step < 6 THEN value END) AS m_edge_6,
    MAX(CASE WHEN step < 7 THEN value END) AS m_edge_7,
    MAX(CASE WHEN step < 8 THEN value END) AS m_edge_8,
    MAX(CASE WHEN step < 9 THEN value END) AS m_edge_9
  FROM monetary_steps
),

-- One row: the edges between scores. A recency edge is the most days of its score.
edges AS (
  SELECT
    r_edge_1,
    r_edge_2,
    r_edge_3,
    r_edge_4,
    r_edge_5,
    r_edge_6,
    r_edge_7,
    r_edge_8,
    r_edge_9,
    f_edge_1,
    f_edge_2,
    f_edge_3,
    f_edge_4,
    f_edge_5,
    f_edge_6,
    f_edge_7,
    f_edge_8,
    f_edge_9,
    m_edge_1,
    m_edge_2,
    m_edge_3,
    m_edge_4,
    m_edge_5,
    m_edge_6,
    m_edge_7,
    m_edge_8,
    m_edge_9
  FROM recency_edges
  CROSS JOIN frequency_edges
  CROSS JOIN monetary_edges
),

-- One row per customer, scored from 1 (worst) to the number of bins.
scores AS (
  SELECT
    customer_id,
    recency_days,
    frequency,
    monetary,
    avg_order_value,
    first_order_date,
    last_order_date,
    CASE
      WHEN recency_days <= r_edge_9 THEN 10
      WHEN recency_days <= r_edge_8 THEN 9
      WHEN recency_days <= r_edge_7 THEN 8
      WHEN recency_days <= r_edge_6 THEN 7
      WHEN recency_days <= r_edge_5 THEN 6
      WHEN recency_days <= r_edge_4 THEN 5
      WHEN recency_days <= r_edge_3 THEN 4
      WHEN recency_days <= r_edge_2 THEN 3
      WHEN recency_days <= r_edge_1 THEN 2
      ELSE 1
    END AS r_score,
    CASE
      WHEN frequency > f_edge_9 THEN 10
      WHEN frequency > f_edge_8 THEN 9
      WHEN frequency > f_edge_7 THEN 8
      WHEN frequency > f_edge_6 THEN 7
      WHEN frequency > f_edge_5 THEN 6
      WHEN frequency > f_edge_4 THEN 5
      WHEN frequency > f_edge_3 THEN 4
      WHEN frequency > f_edge_2 THEN 3
      WHEN frequency > f_edge_1 THEN 2
      ELSE 1
    END AS f_score,
    CASE
      WHEN monetary > m_edge_9 THEN 10
      WHEN monetary > m_edge_8 THEN 9
      WHEN monetary > m_edge_7 THEN 8
      WHEN monetary > m_edge_6 THEN 7
      WHEN monetary > m_edge_5 THEN 6
      WHEN monetary > m_edge_4 THEN 5
      WHEN monetary > m_edge_3 THEN 4
      WHEN monetary > m_edge_2 THEN 3
      WHEN monetary > m_edge_1 THEN 2
      ELSE 1
    END AS m_score,
    as_of_date
  FROM metrics
  CROSS JOIN edges
)

SELECT *
FROM scores;

-- bigquery; as in the first case: recency_histogram, recency_cumulative, frequency_histogram, frequency_cumulative, monetary_coarse, monetary_ranges; as in duckdb: recency_edges, frequency_edges, monetary_edges, edges, scores
WITH
-- One row per recency value, with the number of thresholds below it.
recency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 9
      WHEN DIV((10 * up_to), customers) - DIV((10 * below), customers) >= 2 THEN DIV((10 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((10 * below), customers)
    END AS step
  FROM recency_cumulative
),

-- One row per frequency value, with the number of thresholds below it.
frequency_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 9
      WHEN DIV((10 * up_to), customers) - DIV((10 * below), customers) >= 2 THEN DIV((10 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((10 * below), customers)
    END AS step
  FROM frequency_cumulative
),

-- One row per monetary value in a coarse value that contains a threshold or the highest value.
monetary_histogram AS (
  SELECT
    monetary AS value,
    coarse,
    below AS below_coarse,
    customers,
    COUNT(*) AS customers_here
  FROM metrics
  JOIN monetary_ranges
    ON monetary - MOD(monetary, CAST(CONCAT('1e', CAST(LENGTH(CAST(TRUNC(ABS(monetary)) AS STRING)) - 3 AS STRING)) AS NUMERIC)) = coarse
  WHERE DIV((10 * up_to), customers) > DIV((10 * below), customers)
  GROUP BY 1, 2, 3, 4
),

-- One row per monetary value that can be an edge, with the customers below, up to it and in total.
monetary_cumulative AS (
  SELECT
    value,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) - customers_here AS below,
    below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to,
    customers
  FROM monetary_histogram
  UNION ALL
  SELECT
    highest AS value,
    below,
    up_to,
    customers
  FROM monetary_ranges
  WHERE DIV((10 * up_to), customers) = DIV((10 * below), customers)
),

-- One row per monetary value, with the number of thresholds below it.
monetary_steps AS (
  SELECT
    value,
    CASE
      WHEN below = 0 THEN 0
      WHEN up_to = customers THEN 9
      WHEN DIV((10 * up_to), customers) - DIV((10 * below), customers) >= 2 THEN DIV((10 * (below + up_to) - 1), (2 * customers))
      ELSE DIV((10 * below), customers)
    END AS step
  FROM monetary_cumulative
)

SELECT *
FROM scores;
