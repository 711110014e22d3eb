"""Transitions: who moved from which segment to which between two as-of dates, and why.

A customer's way from the earlier segment to the later one is gone step by step, each under what the earlier
run knew: first only time passes, then what the customer did is added, then the later run's edges, then its
rules. The step that led to the later segment for good is the cause.
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
from rfm_pipeline.sql.stages.scores import INITIALS, VALUES, edge_literals, score_by
from rfm_pipeline.sql.stages.segments import segment_by

CAUSES = ("time", "behaviour", "edges", "rules")
"""What a move can be due to, in the order in which they are looked at."""
_VALUES = ("segment", *VALUES.values(), "first_order_date", "last_order_date")
_SCORES = tuple(f"{initial}_score" for initial in "rfm")


class Scored(Struct, frozen=True):
    """How the customers of an as-of date were scored and segmented.

    Attributes:
        as_of: The date.
        dimensions: Recency, frequency and monetary.
        edges: By their names, in the form that `[scoring]` takes; None where there are none, as with `ntile`.
        segment_map: The map.
    """

    as_of: date
    dimensions: tuple[DimensionScoring, DimensionScoring, DimensionScoring]
    edges: Mapping[str, tuple[Decimal, ...] | None]
    segment_map: SegmentMap

    def is_scored_as(self, other: Scored) -> Mapping[str, bool]:
        """By the name of each dimension, whether both dates have its bins, its method and its given edges.

        Only then can it be told whether the edges moved; else it is the rules that were changed.
        """
        pairs = zip(self.dimensions, other.dimensions, strict=True)
        return {mine.name: mine == theirs for mine, theirs in pairs}


def transitions_sql(history: str, earlier: Scored, later: Scored, dialect: Dialect) -> str:
    """The SELECT of how many customers went from where to where, and why.

    A row is a pair of segments with a cause: `earlier_segment` is NULL for new customers, `later_segment` for
    lapsed ones, and `cause` for these and for those who stayed. `customers` counts them;
    `earlier_monetary` and `later_monetary` are what they had spent at each date.

    Args:
        history: The history, as it stands behind FROM.
        earlier: How the customers of the earlier date were scored.
        later: Likewise, of the later one.
        dialect: The engine's words.
    """
    ctes = (
        _dated("earlier", history, earlier, dialect),
        _dated("later", history, later, dialect),
        _paired(earlier, later),
        _scored(earlier, later, dialect),
        _reached(earlier, dialect),
        _explained(),
    )
    sums = [
        "earlier_segment",
        "later_segment",
        "cause",
        "COUNT(*) AS customers",
        "SUM(earlier_monetary) AS earlier_monetary",
        "SUM(later_monetary) AS later_monetary",
    ]
    return with_ctes(ctes, select(sums, "explained", group=3), dialect.name)


def _dated(name: str, history: str, scored: Scored, dialect: Dialect) -> Cte:
    columns = ["customer_id", *_VALUES, *_SCORES]
    where = f"{history}\nWHERE as_of_date = {dialect.literal(scored.as_of)}"
    return Cte(name, f"One row per customer as of {scored.as_of}.", select(columns, where))


def _paired(earlier: Scored, later: Scored) -> Cte:
    """Both dates side by side, and the values that time alone would have made of the earlier ones."""
    days = (later.as_of - earlier.as_of).days
    # Orders leave a window by the passing of time, which is nothing that the customer did.
    aged = (
        "e.last_order_date = l.last_order_date AND e.first_order_date < l.first_order_date\n"
        "      AND l.frequency < e.frequency"
    )
    columns = [f"e.{name} AS earlier_{name}" for name in (*_VALUES[:-2], *_SCORES)]
    columns += [f"l.{name} AS later_{name}" for name in (*_VALUES[:-2], *_SCORES)]
    columns += [
        f"e.recency_days + {days} AS aged_recency_days",
        *(
            f"CASE\n    WHEN {aged} THEN l.{name}\n    ELSE e.{name}\n  END AS aged_{name}"
            for name in ("frequency", "monetary")
        ),
    ]
    joined = "earlier AS e\nFULL OUTER JOIN later AS l\n  ON l.customer_id = e.customer_id"
    row = "One row per customer of either date; the aged values are those that time alone would have led to."
    return Cte("paired", row, select(columns, joined))


def _scored(earlier: Scored, later: Scored, dialect: Dialect) -> Cte:
    is_same = earlier.is_scored_as(later)
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
    row = (
        f"The same, with the aged and the later values scored as of {earlier.as_of}, and the later ones by"
        " the later edges."
    )
    return Cte("scored", row, select(columns, "paired"))


def _score(
    dimension: DimensionScoring, edges: tuple[Decimal, ...] | None, state: str, dialect: Dialect, *, is_same: bool
) -> str:
    """The score of a state by the earlier run's edges."""
    value, initial = VALUES[dimension.name], INITIALS[dimension.name]
    if edges is not None:
        return score_by(dimension, edge_literals(dimension, edges, dialect), f"{state}_{value}")
    # A rank among all: it stays until the customer does something, and then it is the one that it became.
    # In other bins the later rank says nothing to the earlier map.
    if state == "aged" or not is_same:
        return f"earlier_{initial}_score"
    return (
        f"CASE WHEN later_{value} = aged_{value} THEN earlier_{initial}_score ELSE later_{initial}_score END"
    )


def _reached(earlier: Scored, dialect: Dialect) -> Cte:
    """The segments after each step; the earlier and the later one are known."""
    steps = {
        "by_time": "aged_by_earlier_",
        "by_behaviour": "later_by_earlier_",
        "by_edges": "later_by_later_",
    }
    columns = ["earlier_segment", "later_segment", "earlier_monetary", "later_monetary"]
    columns += [
        f"{segment_by(earlier.segment_map, dialect, prefix)} AS {name}" for name, prefix in steps.items()
    ]
    row = "The same, with the segment that each step leads to: time, then behaviour, then the later edges."
    return Cte("reached", row, select(columns, "scored"))


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
    return Cte(
        "explained", "The same, with the step that led to the later segment.", select(columns, "reached")
    )
