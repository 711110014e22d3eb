"""Query of the transitions: how many customers moved between segments between two as-of dates, and why.

The change of a customer's segment is decomposed into four steps, applied one after the other to the earlier
state: time passes without orders (`time`), the customer's later orders are added (`behaviour`), the later
run's edges are used (`edges`), and the later run's scoring method and segment map are used (`rules`). The
cause of a move is the last step that changes the segment.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

from rfm_pipeline.config.scoring import DimensionScoring
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.pipeline import with_ctes
from rfm_pipeline.sql.query_spec import Cte, select
from rfm_pipeline.sql.stages.scores import INITIALS, VALUE_COLUMNS, edge_literals, score_case
from rfm_pipeline.sql.stages.segments import segment_case

CAUSES = ("time", "behaviour", "edges", "rules")
"""The possible causes of a move, in the order of the steps."""
_VALUES = ("segment", *VALUE_COLUMNS.values(), "first_order_date", "last_order_date")
_SCORES = tuple(f"{initial}_score" for initial in "rfm")


class ScoredSnapshot(Struct, frozen=True):
    """The scoring and the segment map of the customers of an as-of date.

    Attributes:
        as_of: The as-of date.
        dimensions: Scoring of recency, frequency and monetary.
        edges: Edges by dimension name, in the order of `[scoring]`; None for the method `ntile`.
        segment_map: The segment map.
    """

    as_of: date
    dimensions: tuple[DimensionScoring, DimensionScoring, DimensionScoring]
    edges: Mapping[str, tuple[Decimal, ...] | None]
    segment_map: SegmentMap

    def has_same_scoring(self, other: ScoredSnapshot) -> Mapping[str, bool]:
        """Return, by dimension name, whether both dates have the same bins, method and fixed edges.

        If they do not, a move is attributed to the rules and not to moved edges.
        """
        pairs = zip(self.dimensions, other.dimensions, strict=True)
        return {own.name: own == others for own, others in pairs}


def transitions_sql(history: str, earlier: ScoredSnapshot, later: ScoredSnapshot, dialect: Dialect) -> str:
    """Return the SELECT of the number of customers by earlier segment, later segment and cause.

    `earlier_segment` is NULL for new customers, `later_segment` for lapsed ones; `cause` is NULL for these
    and for customers who stayed in their segment. `earlier_monetary` and `later_monetary` are the monetary
    values at the two dates.

    Args:
        history: SQL identifier of the history.
        earlier: Scoring of the earlier date.
        later: Scoring of the later date.
        dialect: The SQL dialect.
    """
    totals = [
        "earlier_segment",
        "later_segment",
        "cause",
        "COUNT(*) AS customers",
        "SUM(earlier_monetary) AS earlier_monetary",
        "SUM(later_monetary) AS later_monetary",
    ]
    ctes = transitions_ctes(history, earlier, later, dialect)
    return with_ctes(ctes, select(totals, "explained", group=3), dialect.name)


def transitions_ctes(
    history: str, earlier: ScoredSnapshot, later: ScoredSnapshot, dialect: Dialect
) -> tuple[Cte, ...]:
    """Return the CTEs of `transitions_sql`, in order."""
    return (
        _snapshot("earlier", history, earlier, dialect),
        _snapshot("later", history, later, dialect),
        _paired(earlier, later),
        _scored(earlier, later, dialect),
        _reached(earlier, dialect),
        _explained(),
    )


def _snapshot(name: str, history: str, scored: ScoredSnapshot, dialect: Dialect) -> Cte:
    columns = ["customer_id", *_VALUES, *_SCORES]
    rows = f"{history}\nWHERE as_of_date = {dialect.literal(scored.as_of)}"
    return Cte(name, f"One row per customer as of {scored.as_of}.", select(columns, rows))


def _paired(earlier: ScoredSnapshot, later: ScoredSnapshot) -> Cte:
    """Return the CTE with the values of both dates, and the earlier ones after time passed without orders."""
    days = (later.as_of - earlier.as_of).days
    # Orders have left the time window, and there is no new one: this is an effect of time, not of behaviour.
    only_aged = (
        "e.last_order_date = l.last_order_date AND e.first_order_date < l.first_order_date\n"
        "      AND l.frequency < e.frequency"
    )
    columns = [f"e.{name} AS earlier_{name}" for name in (*_VALUES[:-2], *_SCORES)]
    columns += [f"l.{name} AS later_{name}" for name in (*_VALUES[:-2], *_SCORES)]
    columns += [
        f"e.recency_days + {days} AS aged_recency_days",
        *(
            f"CASE\n    WHEN {only_aged} THEN l.{name}\n    ELSE e.{name}\n  END AS aged_{name}"
            for name in ("frequency", "monetary")
        ),
    ]
    both = "earlier AS e\nFULL OUTER JOIN later AS l\n  ON l.customer_id = e.customer_id"
    description = (
        "One row per customer of either date; aged values are the earlier ones after time without orders."
    )
    return Cte("paired", description, select(columns, both), reads=("earlier", "later"))


def _scored(earlier: ScoredSnapshot, later: ScoredSnapshot, dialect: Dialect) -> Cte:
    is_same = earlier.has_same_scoring(later)
    columns = ["*"]
    for dimension in earlier.dimensions:
        name, initial = dimension.name, INITIALS[dimension.name]
        edges = earlier.edges.get(name)
        aged = _score(dimension, edges, "aged", dialect, is_same=is_same[name])
        by_earlier = _score(dimension, edges, "later", dialect, is_same=is_same[name])
        by_later = f"later_{initial}_score" if is_same[name] else by_earlier
        columns += [
            f"{aged} AS aged_by_earlier_{initial}_score",
            f"{by_earlier} AS later_by_earlier_{initial}_score",
            f"{by_later} AS later_by_later_{initial}_score",
        ]
    description = (
        f"One row per row of paired, with the aged and later values scored by the edges of {earlier.as_of},"
        f" and the later values scored by the edges of {later.as_of}."
    )
    return Cte("scored", description, select(columns, "paired"), reads=("paired",))


def _score(
    dimension: DimensionScoring,
    edges: tuple[Decimal, ...] | None,
    state: str,
    dialect: Dialect,
    *,
    is_same: bool,
) -> str:
    """Return SQL for the score by the earlier edges; `state` prefixes the values: `aged` or `later`."""
    value, initial = VALUE_COLUMNS[dimension.name], INITIALS[dimension.name]
    if edges is not None:
        return score_case(dimension, edge_literals(dimension, edges, dialect), f"{state}_{value}")
    # The method `ntile` has no edges, only a rank among all customers: the score stays the earlier one until
    # the customer's value changes by an order, then it is the later one. A later score with other bins can't
    # be used in the earlier segment map.
    if state == "aged" or not is_same:
        return f"earlier_{initial}_score"
    return (
        f"CASE WHEN later_{value} = aged_{value} THEN earlier_{initial}_score ELSE later_{initial}_score END"
    )


def _reached(earlier: ScoredSnapshot, dialect: Dialect) -> Cte:
    """Return the CTE with the segments after the steps `time`, `behaviour` and `edges`."""
    steps = {
        "by_time": "aged_by_earlier_",
        "by_behaviour": "later_by_earlier_",
        "by_edges": "later_by_later_",
    }
    columns = ["earlier_segment", "later_segment", "earlier_monetary", "later_monetary"]
    columns += [
        f"{segment_case(earlier.segment_map, dialect, prefix)} AS {name}" for name, prefix in steps.items()
    ]
    description = "One row per row of scored, with the segment after each step: time, behaviour, later edges."
    return Cte("reached", description, select(columns, "scored"), reads=("scored",))


def _explained() -> Cte:
    cause = [
        "CASE",
        "    WHEN earlier_segment IS NULL OR later_segment IS NULL THEN NULL",
        "    WHEN earlier_segment = later_segment THEN NULL",
        "    WHEN by_edges <> later_segment THEN 'rules'",
        "    WHEN by_behaviour <> by_edges THEN 'edges'",
        "    WHEN by_time <> by_behaviour THEN 'behaviour'",
        "    ELSE 'time'",
        "  END AS cause",
    ]
    columns = ["earlier_segment", "later_segment", "earlier_monetary", "later_monetary", "\n".join(cause)]
    description = "One row per row of reached, with the cause: the last step that changes the segment."
    return Cte("explained", description, select(columns, "reached"), reads=("reached",))
