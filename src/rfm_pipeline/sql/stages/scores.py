"""Scores: compute the edges of each dimension, and score each customer by them.

The k-th quantile threshold is the smallest value v such that at least k / `bins` of the customers have a
value of at most v: the inverse of the empirical distribution function (definition 1 of Hyndman and Fan,
"Sample Quantiles in Statistical Packages", 1996), of days, orders and money as they are. The step of a value
is the number of thresholds below it: recency scores `bins` less the step, frequency and monetary one more.

Ties need two rules more. The highest value has the highest step, `bins` - 1, however many customers share it.
A value between the ends that is two thresholds or more takes the middle of its share: with p the share of the
customers below it and of half of those who have it, its step is ceil(`bins` * p) - 1. One customer more on
either side of a crowd then never moves the crowd from one end of the scores to the other.

Edges are effective: the k-th is the highest value with a step below k, so that comparisons with the edges
give every score. They are exact, and computed from a histogram: window functions sort distinct values, never
customers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.scoring import DimensionScoring
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select
from rfm_pipeline.sql.stages.gaps import day_column_names

INITIALS = {"recency": "r", "frequency": "f", "monetary": "m"}
"""Prefix of a dimension's columns, such as `r_score`."""
_TIES = "gives equal customers different scores, and is for comparison with older pipelines only"
# Before customer_id it orders ids that are integers as a column of integers orders them.
_INTEGERS_BY_LENGTH = """\
CASE
        WHEN LTRIM(customer_id, '0123456789') = '' AND customer_id NOT LIKE '0%' THEN LENGTH(customer_id)
        ELSE 0
      END"""
NTILE_WARNINGS = {"duckdb": _TIES, "bigquery": f"{_TIES}; it sorts all customers on one worker"}
"""Warning about the method `ntile`, by engine."""
VALUE_COLUMNS = {"recency": "recency_days", "frequency": "frequency", "monetary": "monetary"}
"""Column of `metrics` with the value of each dimension."""


def scores_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """Return the CTEs between `metrics` and `scores`: histograms of quantile dimensions, then `edges`."""
    quantiles = [
        dimension for dimension in spec.settings.scoring.dimensions if dimension.method == "quantile"
    ]
    ctes = [cte for dimension in quantiles for cte in _quantile_ctes(spec, dimension)]
    frozen = ", frozen from an earlier run, and the recomputed ones" if spec.frozen else ""
    description = f"One row: the edges between scores{frozen}. A recency edge is the most days of its score."
    edges = tuple(f"{dimension.name}_edges" for dimension in quantiles)
    ctes.append(Cte(StagingTable.EDGES, description, _edges(spec), reads=edges))
    description = "One row per customer, scored from 1 (worst) to the number of bins."
    if spec.splits_ties:
        description += f" NTILE {NTILE_WARNINGS[spec.dialect.name]}."
    ctes.append(Cte("scores", description, _scores(spec), reads=("metrics", StagingTable.EDGES)))
    return tuple(ctes)


def edge_names(dimension: DimensionScoring) -> list[str]:
    """Return the columns of `edges` that a dimension is scored by: the k-th separates the scores k and k + 1.

    A dimension with the method `ntile` has none.
    """
    if dimension.method == "ntile":
        return []
    return [f"{INITIALS[dimension.name]}_edge_{k}" for k in range(1, dimension.bins)]


def recomputed_edge_names(spec: QuerySpec, dimension: DimensionScoring) -> list[str]:
    """Return the columns of `edges` with the quantiles of this run; none if the method is not `quantile`.

    They are those of `edge_names`, unless the dimension's edges are frozen.
    """
    if dimension.method != "quantile":
        return []
    if dimension.name not in spec.frozen:
        return edge_names(dimension)
    return [f"{INITIALS[dimension.name]}_recomputed_{k}" for k in range(1, dimension.bins)]


def _quantile_ctes(spec: QuerySpec, dimension: DimensionScoring) -> list[Cte]:
    name, value = dimension.name, VALUE_COLUMNS[dimension.name]
    ctes = _refined(spec, dimension, value) if name == "monetary" else _counted(name, value)
    steps, cumulative = f"{name}_steps", f"{name}_cumulative"
    description = f"One row per {name} value, with the number of thresholds below it."
    select_steps = steps_sql(spec.dialect, dimension.bins, cumulative)
    ctes.append(Cte(steps, description, select_steps, reads=(cumulative,)))
    edges = select(edge_aggregates(name, recomputed_edge_names(spec, dimension)), steps)
    ctes.append(Cte(f"{name}_edges", f"One row: the edges of {name}.", edges, reads=(steps,)))
    return ctes


def edge_aggregates(dimension: str, names: Sequence[str]) -> list[str]:
    """Return the aggregates of values with their steps that are a dimension's edges, with their names.

    Args:
        dimension: Name of the dimension.
        names: Names of the edges, from the worst score up.
    """
    # The columns are in the order of the scores; the fewest days have the best score.
    ordered = reversed(names) if dimension == "recency" else names
    return [
        f"MAX(CASE WHEN step < {k} THEN value END) AS {column}" for k, column in enumerate(ordered, start=1)
    ]


def _counted(name: str, value: str) -> list[Cte]:
    """Return the CTEs of cumulative counts for values of which there are few, such as days."""
    counted = select([f"{value} AS value", "COUNT(*) AS customers_here"], "metrics", group=1)
    description = f"One row per {name} value, with the customers below it, up to it and in total."
    return [
        Cte(
            f"{name}_histogram",
            f"One row per {name} value, with its number of customers.",
            counted,
            reads=("metrics",),
        ),
        Cte(
            f"{name}_cumulative",
            description,
            select(["value", *_running_sums("value")], f"{name}_histogram"),
            reads=(f"{name}_histogram",),
        ),
    ]


def _running_sums(order: str) -> list[str]:
    running = f"SUM(customers_here) OVER (ORDER BY {order})"
    return [
        f"{running} - customers_here AS below",
        f"{running} AS up_to",
        "SUM(customers_here) OVER () AS customers",
    ]


def steps_sql(dialect: Dialect, bins: int, cumulative: str, keys: Sequence[str] = ()) -> str:
    """Return the SELECT of each value's step, the number of thresholds below it with the rules for ties.

    Args:
        dialect: The SQL dialect.
        bins: Number of bins.
        cumulative: Relation with `value`, the customers `below` and `up_to` it, and all `customers`.
        keys: Other columns to select.
    """
    below, up_to = _threshold_counts(dialect, bins)
    middle = dialect.floor_divide(f"({bins} * (below + up_to) - 1)", "(2 * customers)")
    step = (
        "CASE\n"
        "    WHEN below = 0 THEN 0\n"
        f"    WHEN up_to = customers THEN {bins - 1}\n"
        f"    WHEN {up_to} - {below} >= 2 THEN {middle}\n"
        f"    ELSE {below}\n"
        "  END"
    )
    return select([*keys, "value", f"{step} AS step"], cumulative)


def _threshold_counts(dialect: Dialect, bins: int) -> tuple[str, str]:
    """Return the number of thresholds below a value, and up to it."""
    divide = dialect.floor_divide
    return divide(f"({bins} * below)", "customers"), divide(f"({bins} * up_to)", "customers")


def _refined(spec: QuerySpec, dimension: DimensionScoring, value: str) -> list[Cte]:
    """Return the CTEs of cumulative counts for values that are nearly all distinct, such as money.

    The values are counted twice: first rounded down to coarse values, of which there are few; then exactly,
    for those coarse values that contain a threshold, and for the highest. Of each other coarse value, only
    the highest exact value matters. No window function sorts many rows.
    """
    name, coarse = dimension.name, spec.dialect.coarse(value)
    below, up_to = _threshold_counts(spec.dialect, dimension.bins)
    has_threshold = f"{up_to} > {below}"
    counted = [f"{coarse} AS coarse", f"MAX({value}) AS highest", "COUNT(*) AS customers_here"]
    values = [
        f"{value} AS value",
        "coarse",
        "below AS below_coarse",
        "customers",
        "COUNT(*) AS customers_here",
    ]
    in_ranges = f"metrics\nJOIN {name}_ranges\n  ON {coarse} = coarse\nWHERE {has_threshold}"
    running = "below_coarse + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value)"
    exact = ["value", f"{running} - customers_here AS below", f"{running} AS up_to", "customers"]
    others = ["highest AS value", "below", "up_to", "customers"]
    return [
        Cte(
            f"{name}_coarse",
            f"One row per coarse {name} value, with its highest value and its number of customers.",
            select(counted, "metrics", group=1),
            reads=("metrics",),
        ),
        Cte(
            f"{name}_ranges",
            f"One row per coarse {name} value, with the customers below it, up to it and in total.",
            select(["coarse", "highest", *_running_sums("coarse")], f"{name}_coarse"),
            reads=(f"{name}_coarse",),
        ),
        Cte(
            f"{name}_histogram",
            f"One row per {name} value in a coarse value that contains a threshold or the highest value.",
            select(values, in_ranges, group=4),
            reads=("metrics", f"{name}_ranges"),
        ),
        Cte(
            f"{name}_cumulative",
            f"One row per {name} value that can be an edge, with the customers below, up to it and in total.",
            f"{select(exact, f'{name}_histogram')}\nUNION ALL\n"
            f"{select(others, f'{name}_ranges')}\nWHERE {up_to} = {below}",
            reads=(f"{name}_histogram", f"{name}_ranges"),
        ),
    ]


def _edges(spec: QuerySpec) -> str:
    columns, sources = [], []
    for dimension in spec.settings.scoring.dimensions:
        fixed = dimension.edges if dimension.method == "fixed" else spec.frozen.get(dimension.name, ())
        columns += fixed_edge_columns(spec, dimension, fixed)
        if dimension.method == "quantile":
            columns += recomputed_edge_names(spec, dimension)
            sources.append(f"{dimension.name}_edges")
    if not columns:
        return "SELECT 0 AS no_edges"
    return select(columns, "\nCROSS JOIN ".join(sources))


def fixed_edge_columns(spec: QuerySpec, dimension: DimensionScoring, edges: Sequence[Decimal]) -> list[str]:
    """Return columns with edges that the settings or an earlier run fixed; none if `edges` is empty."""
    if not edges:
        return []
    literals = edge_literals(dimension, edges, spec.dialect)
    return [f"{edge} AS {name}" for edge, name in zip(literals, edge_names(dimension), strict=True)]


def edge_literals(dimension: DimensionScoring, edges: Sequence[Decimal], dialect: Dialect) -> list[str]:
    """Return SQL literals of a dimension's edges, from the worst score up.

    Args:
        dimension: The dimension.
        edges: Its edges in the order of `[scoring]`: ascending, thus best score first for recency.
        dialect: The SQL dialect.
    """
    from_worst: Iterable[Decimal] = reversed(edges) if dimension.name == "recency" else edges
    if dimension.name == "monetary":
        return [dialect.money(edge) for edge in from_worst]
    return [dialect.cast(dialect.literal(edge), "integer") for edge in from_worst]


def _scores(spec: QuerySpec) -> str:
    columns = [
        "customer_id", "recency_days", "frequency", "monetary", "avg_order_value",
        "first_order_date", "last_order_date",
    ]  # fmt: skip
    columns += [
        f"{_score(dimension)} AS {INITIALS[dimension.name]}_score"
        for dimension in spec.settings.scoring.dimensions
    ]
    columns += [*day_column_names(spec), "as_of_date"]
    return select(columns, "metrics\nCROSS JOIN edges")


def _score(dimension: DimensionScoring) -> str:
    value = VALUE_COLUMNS[dimension.name]
    if dimension.method == "ntile":
        # Without customer_id as the tie-break, scores would differ from run to run.
        order = "recency_days DESC" if dimension.name == "recency" else value
        terms = f"{order},\n      {_INTEGERS_BY_LENGTH},\n      customer_id"
        return f"NTILE({dimension.bins}) OVER (\n    ORDER BY\n      {terms}\n  )"
    return score_case(dimension, edge_names(dimension))


def score_case(dimension: DimensionScoring, edges: Sequence[str], value: str = "") -> str:
    """Return a CASE expression whose value is a customer's score by edges.

    Args:
        dimension: The dimension to score.
        edges: SQL expressions of its edges, from the worst score up.
        value: SQL expression of the customer's value; by default the dimension's column of `metrics`.
    """
    value = value or VALUE_COLUMNS[dimension.name]
    comparison = "<=" if dimension.name == "recency" else ">"
    branches = [
        f"    WHEN {value} {comparison} {edge} THEN {score}"
        for score, edge in reversed(list(enumerate(edges, start=2)))
    ]
    return "\n".join(["CASE", *branches, "    ELSE 1", "  END"])
