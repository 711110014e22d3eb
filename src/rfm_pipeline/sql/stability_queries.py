"""Queries of `rfm evaluate --stability`: who would have another segment with other customers, or another day.

Resampling is a bootstrap of groups of customers: a replicate draws groups with replacement, and the customers
of the groups give edges of their own, exactly as a run computes them. All customers are then scored by the
edges of each replicate. A replicate's cumulative counts need the exact values near a threshold only: other
values are counted as one, which keeps the rows few for any number of customers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

from rfm_pipeline.config.scoring import DimensionScoring
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.evaluation_queries import HASH_GROUPS
from rfm_pipeline.sql.pipeline import with_ctes
from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select
from rfm_pipeline.sql.stages.gaps import day_column_names
from rfm_pipeline.sql.stages.scores import (
    INITIALS,
    VALUE_COLUMNS,
    edge_aggregates,
    edge_names,
    fixed_edge_columns,
    score_case,
    steps_sql,
)
from rfm_pipeline.sql.stages.segments import segment_case

MAX_REPLICATES = 100
"""The most replicates that `draws_sql` takes, beside the customers themselves, which are replicate 0."""
_SCORED = "scored"
_DEVIATIONS = 8
"""Standard deviations of a resampled rank within which values count one by one; more are never drawn."""


def draws_sql(weights: Sequence[Sequence[int]], dialect: Dialect) -> str:
    """Return the SELECT of the staging table `draws`. Replicate 0 draws each group once.

    Args:
        weights: For each replicate how often it draws each of the `HASH_GROUPS`; below 10 each.
        dialect: The SQL dialect.
    """
    rows = []
    for group in range(HASH_GROUPS):
        digits = "1" + "".join(str(weight[group]) for weight in weights)
        assert len(digits) == len(weights) + 1 <= MAX_REPLICATES + 1  # one digit per replicate
        names = ("", "") if group else (" AS hash_group", " AS digits")
        rows.append(
            f"SELECT {dialect.literal(f'{group:02x}')}{names[0]}, {dialect.literal(digits)}{names[1]}"
        )
    ten = ["SELECT 0 AS digit", *(f"SELECT {digit}" for digit in range(1, 10))]
    number = "100 * hundreds.digit + 10 * tens.digit + ones.digit"
    crossed = "ten AS hundreds\nCROSS JOIN ten AS tens\nCROSS JOIN ten AS ones"
    weight = dialect.cast("SUBSTR(digits, replicate + 1, 1)", "integer")
    ctes = [
        Cte(
            "hash_groups",
            "One row per group of customers: a digit per replicate says how often it draws the group.",
            "\nUNION ALL\n".join(rows),
        ),
        Cte("ten", "One row per digit.", "\nUNION ALL\n".join(ten)),
        Cte(
            "replicates",
            "One row per replicate.",
            select([f"{number} AS replicate"], f"{crossed}\nWHERE {number} <= {len(weights)}"),
            reads=("ten",),
        ),
    ]
    drawn = "hash_groups\nCROSS JOIN replicates\nWHERE SUBSTR(digits, replicate + 1, 1) <> '0'"
    return with_ctes(ctes, select(["replicate", "hash_group", f"{weight} AS weight"], drawn), dialect.name)


def is_resampled(spec: QuerySpec, dimension: DimensionScoring) -> bool:
    """Return whether a dimension's edges depend on the customers: they are neither fixed nor frozen."""
    return dimension.method == "quantile" and dimension.name not in spec.frozen


def resampled_edges_sql(
    spec: QuerySpec, dimensions: Sequence[DimensionScoring], segments: str, draws: str, customers: int
) -> str:
    """Return the SELECT of the edges of each replicate, one row each; a replicate without customers has none.

    The columns are `replicate` and those of `edge_names`. Edges that are fixed or frozen are the same in each
    row.

    Args:
        spec: The query's specification.
        dimensions: The dimensions, at least one of which is resampled; none with the method `ntile`.
        segments: SQL identifier of the table `segments`.
        draws: SQL identifier of the staging table `draws`.
        customers: Number of rows of `segments`.
    """
    dialect = spec.dialect
    group = f"{dialect.hash_group('customer_id')} AS hash_group"
    resampled = [dimension for dimension in dimensions if is_resampled(spec, dimension)]
    values = [VALUE_COLUMNS[dimension.name] for dimension in resampled]
    ctes = [
        Cte(
            _SCORED,
            "One row per customer, with the group that it is drawn with.",
            select([group, *values], segments),
        )
    ]
    for dimension in resampled:
        ctes += _edges_ctes(dimension, draws, customers, dialect)
    first, *others = (f"{dimension.name}_edges" for dimension in resampled)
    source = first + "".join(f"\nJOIN {each}\n  ON {each}.replicate = {first}.replicate" for each in others)
    columns = [f"{first}.replicate AS replicate"]
    for dimension in dimensions:
        if dimension in resampled:
            columns += edge_names(dimension)
        else:
            fixed = dimension.edges if dimension.method == "fixed" else spec.frozen.get(dimension.name, ())
            columns += fixed_edge_columns(spec, dimension, fixed)
    return with_ctes(ctes, select(columns, source), dialect.name)


def _edges_ctes(dimension: DimensionScoring, draws: str, customers: int, dialect: Dialect) -> list[Cte]:
    """Return the CTEs of a dimension's edges by replicate."""
    name, bins, value = dimension.name, dimension.bins, VALUE_COLUMNS[dimension.name]
    coarse = dialect.coarse(value) if name == "monetary" else value
    running = "SUM(customers_here) OVER (ORDER BY coarse)"
    # The rank of a threshold in a sample deviates by half the root of the number of customers at most.
    near = isqrt(_DEVIATIONS**2 * customers // 4) + 1
    lowest, highest = f"{bins} * GREATEST(below - {near}, 0)", f"({bins} * (up_to + {near}))"
    count = str(customers)
    is_near = (
        f"{dialect.floor_divide(highest, count)}"
        f" >= {dialect.floor_divide(f'({lowest} + {customers - 1})', count)}"
    )
    block = dialect.floor_divide(f"({bins} * below)", count)
    columns = {part: f"{name}_{part}" for part in ("coarse", "ranges", "near", "values", "drawn", "steps")}
    here = "SUM(customers_here) OVER (PARTITION BY replicate ORDER BY value)"
    cumulative = f"{name}_cumulative"
    return [
        Cte(
            columns["coarse"],
            f"One row per coarse {name} value, with its highest value and its number of customers.",
            select(
                [f"{coarse} AS coarse", f"MAX({value}) AS highest", "COUNT(*) AS customers_here"],
                _SCORED,
                group=1,
            ),
        ),
        Cte(
            columns["ranges"],
            f"One row per coarse {name} value, with the customers below it and up to it.",
            select(
                ["coarse", "highest", f"{running} - customers_here AS below", f"{running} AS up_to"],
                columns["coarse"],
            ),
        ),
        Cte(
            columns["near"],
            f"One row per coarse {name} value: whether a sample can have a threshold or an end there,"
            " and the number of thresholds below it.",
            select(["coarse", "highest", f"{is_near} AS is_near", f"{block} AS block"], columns["ranges"]),
        ),
        Cte(
            f"{name}_blocks",
            f"One row per coarse {name} value; those between two thresholds count as the highest of them.",
            select(
                [
                    "coarse",
                    "is_near",
                    "MAX(CASE WHEN NOT is_near THEN highest END) OVER (PARTITION BY block) AS highest",
                ],
                columns["near"],
            ),
        ),
        Cte(
            columns["values"],
            f"One row per {name} value and group of customers, with the number of customers.",
            select(
                [
                    f"CASE WHEN is_near THEN {value} ELSE highest END AS value",
                    "hash_group",
                    "COUNT(*) AS customers_here",
                ],
                f"{_SCORED}\nJOIN {name}_blocks\n  ON {coarse} = coarse",
                group=2,
            ),
        ),
        Cte(
            columns["drawn"],
            f"One row per replicate and {name} value, with the number of customers that the replicate has.",
            select(
                ["replicate", "value", "SUM(customers_here * weight) AS customers_here"],
                f"{columns['values']} AS counted\nJOIN {draws} AS drawn\n"
                "  ON drawn.hash_group = counted.hash_group",
                group=2,
            ),
        ),
        Cte(
            cumulative,
            f"One row per replicate and {name} value, with the customers below it, up to it and in total.",
            select(
                [
                    "replicate",
                    "value",
                    *(
                        f"{dialect.cast(total, 'integer')} AS {column}"
                        for total, column in (
                            (f"{here} - customers_here", "below"),
                            (here, "up_to"),
                            ("SUM(customers_here) OVER (PARTITION BY replicate)", "customers"),
                        )
                    ),
                ],
                columns["drawn"],
            ),
        ),
        Cte(
            columns["steps"],
            f"One row per replicate and {name} value, with the number of thresholds below it.",
            steps_sql(dialect, bins, cumulative, ["replicate"]),
        ),
        Cte(
            f"{name}_edges",
            f"One row per replicate: the edges of {name}.",
            select(["replicate", *edge_aggregates(name, edge_names(dimension))], columns["steps"], group=1),
        ),
    ]


def resampled_moves_sql(spec: QuerySpec, segments: str, resampled: str) -> str:
    """Return the SELECT of how many customers the replicates' edges move, by segment.

    `moved` counts pairs of a customer and a replicate in which the segment is another one; `r_moved`,
    `f_moved` and `m_moved` those in which the score is. A segment without customers who move has no row.

    Args:
        spec: The query's specification, without the method `ntile`.
        segments: SQL identifier of the table `segments`.
        resampled: SQL identifier of the rows of `resampled_edges_sql`.
    """
    dimensions = spec.settings.scoring.dimensions
    days = day_column_names(spec)
    values = ["recency_days", "frequency", "monetary", *days]
    own = ["segment", *(f"{initial}_score" for initial in INITIALS.values())]
    scores = [
        f"{score_case(dimension, edge_names(dimension))} AS {INITIALS[dimension.name]}_score"
        for dimension in dimensions
    ]
    ctes = [
        _ranges_cte(dimensions, resampled),
        Cte(
            "unsettled",
            "One row per customer with a value between two edges of one score.",
            select(
                [*(f"{column} AS own_{column}" for column in own), *values],
                f"{segments}\nCROSS JOIN edge_ranges\nWHERE {_is_unsettled(dimensions)}",
            ),
        ),
        Cte(
            "rescored",
            "One row per unsettled customer and replicate, scored by its edges.",
            select(
                [*(f"own_{column}" for column in own), "recency_days", *days, *scores],
                f"unsettled\nCROSS JOIN {resampled} AS resampled\nWHERE replicate > 0",
            ),
        ),
        Cte(
            "renamed",
            "One row per unsettled customer and replicate, with the segment.",
            select(
                [
                    *(f"own_{column}" for column in own),
                    *own[1:],
                    f"{segment_case(spec.segment_map, spec.dialect)} AS segment",
                ],
                "rescored",
            ),
        ),
    ]
    moved = {"segment": "moved"} | {column: f"{column[0]}_moved" for column in own[1:]}
    counts = [
        f"COUNT(CASE WHEN {column} <> own_{column} THEN 1 END) AS {name}" for column, name in moved.items()
    ]
    return with_ctes(ctes, select(["own_segment AS segment", *counts], "renamed", group=1), spec.dialect.name)


def dimension_moves_sql(dimension: DimensionScoring, segments: str, resampled: str, dialect: Dialect) -> str:
    """Return the SELECT of how a number of bins does for a dimension, in one row.

    `scores` is the number of scores that customers have, `replicates` the number of replicates, and `moved`
    the number of pairs of a customer and a replicate that have another score than the customer's own.

    Args:
        dimension: The dimension, with another number of bins than that of the run.
        segments: SQL identifier of the table `segments`.
        resampled: SQL identifier of the rows of `resampled_edges_sql` for the dimension.
        dialect: The SQL dialect.
    """
    value, names = VALUE_COLUMNS[dimension.name], edge_names(dimension)
    own_names = [f"own_{name}" for name in names]
    score, own = (score_case(dimension, each, "value") for each in (names, own_names))
    ctes = [
        Cte(
            "own_edges",
            "One row: the edges of the customers themselves.",
            select([f"{name} AS own_{name}" for name in names], f"{resampled}\nWHERE replicate = 0"),
        ),
        Cte(
            "counted",
            "One row per value.",
            select([f"{value} AS value", "COUNT(*) AS customers_here"], segments, group=1),
        ),
        Cte(
            "scored",
            "One row per value, with its score.",
            select(["value", "customers_here", f"{own} AS own_score"], "counted\nCROSS JOIN own_edges"),
            reads=("counted", "own_edges"),
        ),
        _ranges_cte([dimension], resampled),
        Cte(
            "rescored",
            "One row per value between two edges of one score, and replicate, scored by its edges.",
            select(
                ["customers_here", "own_score", f"{score} AS score"],
                "scored\nCROSS JOIN edge_ranges\n"
                f"CROSS JOIN {resampled} AS resampled\nWHERE replicate > 0\n"
                f"  AND ({_is_unsettled([dimension], 'value')})",
            ),
            reads=("scored", "edge_ranges"),
        ),
    ]
    moved = "SUM(CASE WHEN score <> own_score THEN customers_here END)"
    columns = [
        "(SELECT COUNT(DISTINCT own_score) FROM scored) AS scores",
        f"(SELECT COUNT(*) FROM {resampled} WHERE replicate > 0) AS replicates",
        f"COALESCE({moved}, 0) AS moved",
    ]
    return with_ctes(ctes, select(columns, "rescored"), dialect.name)


def _ranges_cte(dimensions: Sequence[DimensionScoring], resampled: str) -> Cte:
    edges = [edge for dimension in dimensions for edge in edge_names(dimension)]
    columns = [
        f"{aggregate}({edge}) AS {name}_{edge}"
        for edge in edges
        for aggregate, name in (("MIN", "lowest"), ("MAX", "highest"))
    ]
    description = "One row: the lowest and the highest value of each edge in any replicate."
    return Cte("edge_ranges", description, select(columns, resampled))


def _is_unsettled(dimensions: Sequence[DimensionScoring], value: str = "") -> str:
    """Return the condition that a customer has another score in some replicate than in another one."""
    return "\n  OR ".join(
        f"({value or column} > lowest_{edge} AND {value or column} <= highest_{edge})"
        for dimension in dimensions
        for column in [VALUE_COLUMNS[dimension.name]]
        for edge in edge_names(dimension)
    )


def replicates_sql(resampled: str) -> str:
    """Return the SELECT of the number of replicates that have customers, without the customers themselves."""
    return select(["COUNT(CASE WHEN replicate > 0 THEN 1 END) AS replicates"], resampled)


def score_counts_sql(segments: str) -> str:
    """Return the SELECT of the number of customers by segment and scores."""
    keys = ["segment", *(f"{initial}_score" for initial in INITIALS.values())]
    return select([*keys, "COUNT(*) AS customers"], segments, group=4)


def neighbour_sql(evaluated: str, number: int, neighbour: str) -> str:
    """Return the SELECT of the customers of each segment, and of those who have it on another day, too.

    Args:
        evaluated: SQL identifier of the staging table `evaluated`.
        number: Number of the configuration, from 0.
        neighbour: SQL identifier of the table `segments` as of the other day.
    """
    own = f"evaluated.segment_{number}"
    stayed = f"COUNT(CASE WHEN neighbour.segment = {own} THEN 1 END) AS stayed"
    source = (
        f"{evaluated} AS evaluated\nJOIN {neighbour} AS neighbour\n"
        "  ON neighbour.customer_id = evaluated.customer_id"
    )
    return select([f"{own} AS segment", "COUNT(*) AS customers", stayed], source, group=1)
