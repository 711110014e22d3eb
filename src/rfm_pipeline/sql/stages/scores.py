"""Scores: the edges of each dimension, and each customer's place between them.

An edge is the smallest value that at least k of every `bins` customers do not exceed: the exact inverse of
the distribution function, read off a histogram. A window runs over distinct values, never over customers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from rfm_pipeline.config.scoring import DimensionScoring
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select

INITIALS = {"recency": "r", "frequency": "f", "monetary": "m"}
_TIES = "gives equal customers different scores, and is for comparison with older pipelines only"
SPLITS_TIES = {"duckdb": _TIES, "bigquery": f"{_TIES}; it sorts all customers on one worker"}
"""What there is to know of the method `ntile`, by engine."""
VALUES = {"recency": "recency_days", "frequency": "frequency", "monetary": "monetary"}


def scores_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """The CTEs from `metrics` to `scores`: histograms for dimensions with quantile edges, then `edges`."""
    dimensions = spec.settings.scoring.dimensions
    ctes: list[Cte] = []
    for dimension in dimensions:
        if dimension.method == "quantile":
            ctes += _quantile_ctes(spec, dimension)
    whose = ", an earlier run's, and beside them today's, called recomputed" if spec.frozen else ""
    between = f"One row: the edges between scores{whose}. A recency edge is the most days for its score."
    ctes.append(Cte("edges", between, _edges(spec)))
    row = "One row per customer, scored 1 (worst) to the number of bins."
    if spec.splits_ties:
        row += f" NTILE {SPLITS_TIES[spec.dialect.name]}."
    ctes.append(Cte("scores", row, _scores(spec)))
    return tuple(ctes)


def edge_names(dimension: DimensionScoring) -> list[str]:
    """The columns of `edges` that a dimension is scored by; the k-th is passed by scores above k."""
    if dimension.method == "ntile":
        return []
    return [f"{INITIALS[dimension.name]}_edge_{k}" for k in range(1, dimension.bins)]


def recomputed_edge_names(spec: QuerySpec, dimension: DimensionScoring) -> list[str]:
    """The columns of `edges` with the quantiles of today, which are others where the edges are frozen."""
    if dimension.method != "quantile":
        return []
    if dimension.name not in spec.frozen:
        return edge_names(dimension)
    return [f"{INITIALS[dimension.name]}_recomputed_{k}" for k in range(1, dimension.bins)]


def _quantile_ctes(spec: QuerySpec, dimension: DimensionScoring) -> list[Cte]:
    name = dimension.name
    # Larger is better throughout, so recency runs backwards.
    value = "-recency_days" if name == "recency" else VALUES[name]
    if name == "monetary":
        ctes = _refined(spec, dimension, value)
    else:
        ctes = [
            _histogram(f"{name}_histogram", f"One row per {name} value.", value, "value"),
            _cumulative(name),
        ]
    edges = []
    for k, column in enumerate(recomputed_edge_names(spec, dimension), start=1):
        edge = f"MIN(CASE WHEN up_to * {dimension.bins} >= customers * {k} THEN value END)"
        # "Above an edge" in days is "at most one day less".
        edges.append(f"-{edge} - 1 AS {column}" if name == "recency" else f"{edge} AS {column}")
    ctes.append(Cte(f"{name}_edges", f"One row: the edges of {name}.", select(edges, f"{name}_cumulative")))
    return ctes


def _histogram(name: str, row: str, value: str, alias: str) -> Cte:
    return Cte(name, row, select([f"{value} AS {alias}", "COUNT(*) AS customers_here"], "metrics", group=1))


def _cumulative(dimension: str) -> Cte:
    columns = [
        "value",
        "SUM(customers_here) OVER (ORDER BY value) AS up_to",
        "SUM(customers_here) OVER () AS customers",
    ]
    row = f"One row per {dimension} value, with the customers up to it and in all."
    return Cte(f"{dimension}_cumulative", row, select(columns, f"{dimension}_histogram"))


def _refined(spec: QuerySpec, dimension: DimensionScoring, value: str) -> list[Cte]:
    """Cumulative counts whose windows stay small where values are nearly all distinct.

    First over coarse values, of which there are few whatever the number of customers; then over the exact
    values of the few groups that hold an edge. Every edge is exact.
    """
    name, bins = dimension.name, dimension.bins
    coarse = spec.dialect.coarse(value)
    held = "\n  OR ".join(
        f"(before * {bins} < customers * {k} AND up_to * {bins} >= customers * {k})" for k in range(1, bins)
    )
    ranges = [
        "coarse",
        "SUM(customers_here) OVER (ORDER BY coarse) - customers_here AS before",
        "SUM(customers_here) OVER (ORDER BY coarse) AS up_to",
        "SUM(customers_here) OVER () AS customers",
    ]
    values = [f"{value} AS value", "coarse", "before", "customers", "COUNT(*) AS customers_here"]
    holders = f"metrics\nJOIN {name}_holders\n  ON {coarse} = coarse"
    up_to = "before + SUM(customers_here) OVER (PARTITION BY coarse ORDER BY value) AS up_to"
    return [
        _histogram(f"{name}_coarse", f"One row per coarse {name} value.", coarse, "coarse"),
        Cte(
            f"{name}_ranges",
            f"One row per coarse {name} value, with the customers before it, up to it and in all.",
            select(ranges, f"{name}_coarse"),
        ),
        Cte(
            f"{name}_holders",
            "One row per coarse value that holds an edge.",
            select(["coarse", "before", "customers"], f"{name}_ranges\nWHERE\n  {held}"),
        ),
        Cte(
            f"{name}_histogram",
            f"One row per {name} value among those.",
            select(values, holders, group=4),
        ),
        Cte(
            f"{name}_cumulative",
            f"One row per {name} value among those, with the customers up to it and in all.",
            select(["value", up_to, "customers"], f"{name}_histogram"),
        ),
    ]


def _edges(spec: QuerySpec) -> str:
    columns, sources = [], []
    for dimension in spec.settings.scoring.dimensions:
        given = dimension.edges if dimension.method == "fixed" else spec.frozen.get(dimension.name, ())
        columns += _given(spec, dimension, given)
        if dimension.method == "quantile":
            columns += recomputed_edge_names(spec, dimension)
            sources.append(f"{dimension.name}_edges")
    if not columns:
        return "SELECT 0 AS no_edges"
    return select(columns, "\nCROSS JOIN ".join(sources))


def _given(spec: QuerySpec, dimension: DimensionScoring, edges: Sequence[Decimal]) -> list[str]:
    """Edges that are known beforehand, as columns."""
    if not edges:
        return []
    written = edge_literals(dimension, edges, spec.dialect)
    return [f"{edge} AS {name}" for edge, name in zip(written, edge_names(dimension), strict=True)]


def edge_literals(dimension: DimensionScoring, edges: Sequence[Decimal], dialect: Dialect) -> list[str]:
    """Edges, in the form that `[scoring]` takes, as they stand in a query, from the worst score up."""
    # In days they are given best first.
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
    value = VALUES[dimension.name]
    if dimension.method == "ntile":
        # The tie-break makes it the same on every run; it sorts all customers on one worker in BigQuery.
        order = "recency_days DESC" if dimension.name == "recency" else value
        return f"NTILE({dimension.bins}) OVER (ORDER BY {order}, customer_id)"
    return score_by(dimension, edge_names(dimension))


def score_by(dimension: DimensionScoring, edges: Sequence[str], value: str = "") -> str:
    """A customer's score by edges.

    Args:
        dimension: What is scored.
        edges: Columns or numbers, from the worst score up.
        value: The customer's value; the column of the dimension unless given.
    """
    value = value or VALUES[dimension.name]
    comparison = "<=" if dimension.name == "recency" else ">"
    cases = [
        f"    WHEN {value} {comparison} {edge} THEN {k}"
        for k, edge in reversed(list(enumerate(edges, start=2)))
    ]
    return "\n".join(["CASE", *cases, "    ELSE 1", "  END"])
