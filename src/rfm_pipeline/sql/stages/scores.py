"""Scores: compute the edges of each dimension, and score each customer by them.

The k-th quantile edge is the smallest value v such that at least k / `bins` of the customers have a value of
at most v: the inverse of the empirical distribution function (definition 1 of Hyndman and Fan, "Sample
Quantiles in Statistical Packages", 1996). It is exact, and computed from a histogram, so that window
functions sort distinct values and not customers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.scoring import DimensionScoring
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select

INITIALS = {"recency": "r", "frequency": "f", "monetary": "m"}
"""Prefix of a dimension's columns, such as `r_score`."""
_TIES = "gives equal customers different scores, and is for comparison with older pipelines only"
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
    name = dimension.name
    # The histogram's values grow from the worst to the best; fewer days are better, so recency is negated.
    value = "-recency_days" if name == "recency" else VALUE_COLUMNS[name]
    if name == "monetary":
        ctes = _refined(spec, dimension, value)
    else:
        description = f"One row per {name} value, with its number of customers."
        ctes = [_histogram(f"{name}_histogram", description, value, "value"), _cumulative(name)]
    edges = []
    for k, column in enumerate(recomputed_edge_names(spec, dimension), start=1):
        edge = f"MIN(CASE WHEN up_to * {dimension.bins} >= customers * {k} THEN value END)"
        # Scores above the edge have fewer days than the edge's value: at most one day less.
        edges.append(f"-{edge} - 1 AS {column}" if name == "recency" else f"{edge} AS {column}")
    cumulative = f"{name}_cumulative"
    description = f"One row: the edges of {name}."
    ctes.append(Cte(f"{name}_edges", description, select(edges, cumulative), reads=(cumulative,)))
    return ctes


def _histogram(name: str, description: str, value: str, alias: str) -> Cte:
    counted = select([f"{value} AS {alias}", "COUNT(*) AS customers_here"], "metrics", group=1)
    return Cte(name, description, counted, reads=("metrics",))


def _cumulative(dimension: str) -> Cte:
    columns = [
        "value",
        "SUM(customers_here) OVER (ORDER BY value) AS up_to",
        "SUM(customers_here) OVER () AS customers",
    ]
    description = f"One row per {dimension} value, with the customers up to the value and in total."
    histogram = f"{dimension}_histogram"
    return Cte(f"{dimension}_cumulative", description, select(columns, histogram), reads=(histogram,))


def _refined(spec: QuerySpec, dimension: DimensionScoring, value: str) -> list[Cte]:
    """Return the CTEs of cumulative counts for values that are nearly all distinct, such as money.

    The values are counted twice: first rounded down to coarse values, of which there are few; then exactly,
    for those coarse values that contain an edge. The edges are exact, and no window function sorts many rows.
    """
    name, bins = dimension.name, dimension.bins
    coarse = spec.dialect.coarse(value)
    contains_edge = "\n  OR ".join(
        f"(before * {bins} < customers * {k} AND up_to * {bins} >= customers * {k})" for k in range(1, bins)
    )
    ranges = [
        "coarse",
        "SUM(customers_here) OVER (ORDER BY coarse) - customers_here AS before",
        "SUM(customers_here) OVER (ORDER BY coarse) AS up_to",
        "SUM(customers_here) OVER () AS customers",
    ]
    values = [f"{value} AS value", "coarse", "before", "customers", "COUNT(*) AS customers_here"]
    in_holders = f"metrics\nJOIN {name}_holders\n  ON {coarse} = coarse"
    up_to = "before + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to"
    return [
        _histogram(
            f"{name}_coarse",
            f"One row per coarse {name} value, with its number of customers.",
            coarse,
            "coarse",
        ),
        Cte(
            f"{name}_ranges",
            f"One row per coarse {name} value, with the customers before it, up to it and in total.",
            select(ranges, f"{name}_coarse"),
            reads=(f"{name}_coarse",),
        ),
        Cte(
            f"{name}_holders",
            f"One row per coarse {name} value that contains an edge.",
            select(["coarse", "before", "customers"], f"{name}_ranges\nWHERE\n  {contains_edge}"),
            reads=(f"{name}_ranges",),
        ),
        Cte(
            f"{name}_histogram",
            f"One row per {name} value within {name}_holders, with its number of customers.",
            select(values, in_holders, group=4),
            reads=("metrics", f"{name}_holders"),
        ),
        Cte(
            f"{name}_cumulative",
            f"One row per {name} value within {name}_holders, with the customers up to it and in total.",
            select(["value", up_to, "customers"], f"{name}_histogram"),
            reads=(f"{name}_histogram",),
        ),
    ]


def _edges(spec: QuerySpec) -> str:
    columns, sources = [], []
    for dimension in spec.settings.scoring.dimensions:
        fixed = dimension.edges if dimension.method == "fixed" else spec.frozen.get(dimension.name, ())
        columns += _edge_columns(spec, dimension, fixed)
        if dimension.method == "quantile":
            columns += recomputed_edge_names(spec, dimension)
            sources.append(f"{dimension.name}_edges")
    if not columns:
        return "SELECT 0 AS no_edges"
    return select(columns, "\nCROSS JOIN ".join(sources))


def _edge_columns(spec: QuerySpec, dimension: DimensionScoring, edges: Sequence[Decimal]) -> list[str]:
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
    columns.append("as_of_date")
    return select(columns, "metrics\nCROSS JOIN edges")


def _score(dimension: DimensionScoring) -> str:
    value = VALUE_COLUMNS[dimension.name]
    if dimension.method == "ntile":
        # Without customer_id as the tie-break, scores would differ from run to run.
        order = "recency_days DESC" if dimension.name == "recency" else value
        return f"NTILE({dimension.bins}) OVER (ORDER BY {order}, customer_id)"
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
