"""Query of the transitions: how many customers moved between segments between two as-of dates, and why.

With the earlier scoring and segment map, the query computes three segments of each customer at the later
date: by the values of the earlier date after the days that passed, scored by the earlier edges (`by_time`);
by the same values, scored by the later edges (`without_orders`); and by the later values and edges
(`by_edges`). The cause of a move is the first of these that holds:

- `rules`: `by_edges` is not the later segment, or the two dates were scored by two versions of the rule.
- `behaviour`: `without_orders` is not the later segment, so the customer's orders and returns led there.
- `time`: `by_time` is not the earlier segment.
- `edges`: none of the above; other customers moved the edges.

The history does not have the gaps between orders. If the earlier map has conditions on them, a move is due to
`rules` if the maps or the scoring differ; to `behaviour` if the values changed by more than time; to `edges`
if for some gap the earlier edges give the earlier segment and the later edges the later one, without orders;
and to `time` otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
"""The possible causes of a move, in the order in which they are listed."""
_VALUES = ("segment", *VALUE_COLUMNS.values(), "first_order_date", "last_order_date")
_SCORES = tuple(f"{initial}_score" for initial in "rfm")
_EXPLAINED = ("earlier_segment", "later_segment", "earlier_monetary", "later_monetary")


class ScoredSnapshot(Struct, frozen=True):
    """The scoring and the segment map of the customers of an as-of date.

    Attributes:
        as_of: The as-of date.
        dimensions: Scoring of recency, frequency and monetary.
        edges: Edges by dimension name, in the order of `[scoring]`; None for the method `ntile`.
        segment_map: The segment map.
        rule_version: Version of the scoring rule; None if no score depends on it, as all edges were given.
    """

    as_of: date
    dimensions: tuple[DimensionScoring, DimensionScoring, DimensionScoring]
    edges: Mapping[str, tuple[Decimal, ...] | None]
    segment_map: SegmentMap
    rule_version: int | None = None

    def has_same_scoring(self, other: ScoredSnapshot) -> Mapping[str, bool]:
        """Return, by dimension name, whether both dates have the same bins, method and fixed edges.

        If they do not, a move is attributed to the rules and not to moved edges.
        """
        pairs = zip(self.dimensions, other.dimensions, strict=True)
        return {own.name: own == others for own, others in pairs}

    def has_same_rule(self, other: ScoredSnapshot) -> bool:
        """Return whether no score of the two dates depends on two versions of the scoring rule."""
        return None in (self.rule_version, other.rule_version) or self.rule_version == other.rule_version


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
    history: str,
    earlier: ScoredSnapshot,
    later: ScoredSnapshot,
    dialect: Dialect,
    own_columns: Mapping[str, str] | None = None,
) -> tuple[Cte, ...]:
    """Return the CTEs of `transitions_sql`, in order; a row of the last one, `explained`, is a customer.

    Args:
        history: SQL identifier of the history.
        earlier: Scoring of the earlier date.
        later: Scoring of the later date.
        dialect: The SQL dialect.
        own_columns: Further columns of `explained` by name, as SQL over the rows `e` of the earlier date and
            `l` of the later one; None for none.
    """
    own = own_columns or {}
    return (
        _snapshot("earlier", history, earlier, dialect),
        _snapshot("later", history, later, dialect),
        _paired(earlier, later, own, dialect),
        _scored(earlier, later, dialect),
        _reached(earlier, dialect, tuple(own)),
        _explained(earlier, later, tuple(own)),
    )


def _snapshot(name: str, history: str, scored: ScoredSnapshot, dialect: Dialect) -> Cte:
    columns = ["customer_id", *_VALUES, *_SCORES]
    rows = f"{history}\nWHERE as_of_date = {dialect.literal(scored.as_of)}"
    return Cte(name, f"One row per customer as of {scored.as_of}.", select(columns, rows))


def _first_order_days(
    earlier: ScoredSnapshot, later: ScoredSnapshot, only_aged: str, dialect: Dialect
) -> list[str]:
    """Return columns with the days from the first order to the later date; none if no rule needs them."""
    if not earlier.segment_map.uses_first_order_days:
        return []
    aged = f"CASE\n    WHEN {only_aged} THEN l.first_order_date\n    ELSE e.first_order_date\n  END"
    dates = {"aged": aged, "later": "l.first_order_date"}
    as_of = dialect.literal(later.as_of)
    return [
        f"{dialect.days_between(first, as_of)} AS {state}_first_order_days" for state, first in dates.items()
    ]


def _paired(
    earlier: ScoredSnapshot, later: ScoredSnapshot, own_columns: Mapping[str, str], dialect: Dialect
) -> Cte:
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
        *_first_order_days(earlier, later, only_aged, dialect),
        *(f"{expression} AS {name}" for name, expression in own_columns.items()),
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
        before = earlier.edges.get(name)
        # Scores by another scoring can't be used in the earlier segment map.
        after = later.edges.get(name) if is_same[name] else before
        now = f"later_{initial}_score" if is_same[name] else _score(dimension, before, "later", dialect)
        columns += [
            f"{_score(dimension, before, 'aged', dialect)} AS by_time_{initial}_score",
            f"{_score(dimension, after, 'aged', dialect, now)} AS without_orders_{initial}_score",
            f"{now} AS by_edges_{initial}_score",
        ]
    description = (
        f"One row per row of paired, scored by time alone, by the edges of {later.as_of} without later"
        " orders, and by these edges with later orders."
    )
    return Cte("scored", description, select(columns, "paired"), reads=("paired",))


def _score(
    dimension: DimensionScoring,
    edges: tuple[Decimal, ...] | None,
    state: str,
    dialect: Dialect,
    rank: str = "",
) -> str:
    """Return SQL for the score of values by edges.

    Args:
        dimension: The dimension.
        edges: The edges; None for the method `ntile`, which has ranks among all customers instead.
        state: Prefix of the values: `aged` or `later`.
        dialect: The SQL dialect.
        rank: With `ntile`, SQL of the score of customers without later orders; empty for the score at the
            earlier date.
    """
    value, initial = VALUE_COLUMNS[dimension.name], INITIALS[dimension.name]
    if edges is not None:
        return score_case(dimension, edge_literals(dimension, edges, dialect), f"{state}_{value}")
    if not rank:
        return f"earlier_{initial}_score"
    return f"CASE WHEN later_{value} = aged_{value} THEN {rank} ELSE earlier_{initial}_score END"


def _reached(earlier: ScoredSnapshot, dialect: Dialect, own_names: Sequence[str]) -> Cte:
    columns = [*_EXPLAINED, *own_names]
    if earlier.segment_map.uses_gap:
        columns += _reached_with_gaps(earlier.segment_map, dialect)
        description = "One row per row of scored, with what is known of the move without the gaps."
        return Cte("reached", description, select(columns, "scored"), reads=("scored",))
    states = {"by_time": "aged", "without_orders": "aged", "by_edges": "later"}
    for name, state in states.items():
        days = f"{state}_first_order_days"
        segment = segment_case(earlier.segment_map, dialect, f"{name}_", first_order_days=days)
        columns.append(f"{segment} AS {name}")
    description = "One row per row of scored, with the segment of each kind of score, by the earlier map."
    return Cte("reached", description, select(columns, "scored"), reads=("scored",))


def _reached_with_gaps(segment_map: SegmentMap, dialect: Dialect) -> list[str]:
    """Return whether values changed by more than time, and whether moved edges suffice for the move."""
    changed = [f"later_{name} <> aged_{name}" for name in VALUE_COLUMNS.values()]
    days = "aged_first_order_days"
    suffices = []
    for gap in dict.fromkeys(cell.gap for cell in segment_map.day_cells):
        by_time, by_edges = (
            segment_case(segment_map, dialect, f"{name}_", gap=gap, first_order_days=days)
            for name in ("by_time", "without_orders")
        )
        # Edges decide only between segments that scores tell apart.
        if "_score" in by_time:
            suffices.append(f"({by_time} = earlier_segment\n    AND {by_edges} = later_segment)")
    suffice = "\n    OR ".join(suffices) or "FALSE"
    return [f"{' OR '.join(changed)} AS has_changed", f"{suffice} AS edges_suffice"]


def _has_same_map(earlier: ScoredSnapshot, later: ScoredSnapshot) -> bool:
    """Return whether both dates have the same segment map, but for its texts, and the same scoring."""
    maps = [
        (scored.segment_map.fallback, [(rule.segment, rule.conditions(), rule.cells) for rule in rules])
        for scored in (earlier, later)
        for rules in [scored.segment_map.rules]
    ]
    return maps[0] == maps[1] and all(earlier.has_same_scoring(later).values())


def _explained(earlier: ScoredSnapshot, later: ScoredSnapshot, own_names: Sequence[str]) -> Cte:
    has_same_rule = earlier.has_same_rule(later)
    causes = [
        "    WHEN by_edges <> later_segment THEN 'rules'",
        "    WHEN without_orders <> by_edges THEN 'behaviour'",
        "    WHEN by_time <> earlier_segment THEN 'time'",
        "    ELSE 'edges'",
    ]
    if earlier.segment_map.uses_gap:
        has_same_rule = has_same_rule and _has_same_map(earlier, later)
        causes = [
            "    WHEN has_changed THEN 'behaviour'",
            "    WHEN edges_suffice THEN 'edges'",
            "    ELSE 'time'",
        ]
    cause = [
        "CASE",
        "    WHEN earlier_segment IS NULL OR later_segment IS NULL THEN NULL",
        "    WHEN earlier_segment = later_segment THEN NULL",
        *(causes if has_same_rule else ["    ELSE 'rules'"]),
        "  END AS cause",
    ]
    columns = [*_EXPLAINED, *own_names, "\n".join(cause)]
    description = "One row per row of reached, with the cause of the move."
    return Cte("explained", description, select(columns, "reached"), reads=("reached",))
