"""Queries of the movers: customers to write to, because of a move between two as-of dates or a late order.

A customer of the later date can have several reasons:

- `slipped`: moved to a worse segment.
- `woke_up`: had the worst recency score at the earlier date, ordered since, and moved to a better segment.
- `new_at_top`: is in the best segment, and was not in it at the earlier date.
- `due`: more days have passed since the last order than the customer's mean gap (`sql.mean_gap`).

Segments are compared by their order in the earlier map, which has both segments of a move unless the cause of
the move is `rules`. Such a move is none of the customer's, so that it is no reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.sql.dialects.base import Dialect, case_expression
from rfm_pipeline.sql.mean_gap import is_due
from rfm_pipeline.sql.pipeline import with_ctes
from rfm_pipeline.sql.query_spec import Cte, select
from rfm_pipeline.sql.transitions import ScoredSnapshot, transitions_ctes

REASONS = ("slipped", "woke_up", "new_at_top", "due")
"""The possible reasons, in the order in which they are listed."""
_FLAGS = (*REASONS, "is_chosen", "by_rules")
_LATER = ("frequency", "recency_days", "first_order_date", "last_order_date")
_OWN_COLUMNS = {
    "customer_id": "l.customer_id",
    "had_worst_recency": "e.r_score = 1",
    "has_ordered": "l.last_order_date > e.last_order_date",
    **{name: f"l.{name}" for name in _LATER},
}
_LISTED = {
    "customer_id": "text", "from_segment": "text", "segment": "text", "cause": "text",
    "frequency": "integer", "recency_days": "integer", "first_order_date": "date", "last_order_date": "date",
}  # fmt: skip
"""Columns of the listed customers, with their types, which are NULL in totals."""


class MoverFilter(Struct, frozen=True):
    """Which customers are chosen: those that meet all of the given conditions.

    Attributes:
        moves: Movements as pairs of the earlier and the later segment, of which one has to be the customer's;
            None in a pair is any segment. Empty for no such condition.
        reasons: Reasons, of which the customer has to have one. Empty for any reason; with `moves`, a
            customer then needs none.
        segments: Segments at the later date; empty for all.
    """

    moves: tuple[tuple[str | None, str | None], ...] = ()
    reasons: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()


def movers_sql(
    history: str,
    earlier: ScoredSnapshot,
    later: ScoredSnapshot,
    chosen: MoverFilter,
    dialect: Dialect,
    *,
    limit: int | None = None,
) -> str:
    """Return the SELECT of the totals of all customers of the later date, and of the chosen customers.

    Rows without `customer_id` are totals: `customers` and `monetary` by reasons, `is_chosen` and `by_rules`
    (the move would be chosen, but its cause is `rules`). The other rows are the chosen customers with the
    highest monetary values.

    Args:
        history: SQL identifier of the history.
        earlier: Scoring of the earlier date.
        later: Scoring of the later date.
        chosen: Which customers are chosen.
        dialect: The SQL dialect.
        limit: Maximum number of listed customers; None for all.
    """
    ctes = (*movers_ctes(history, earlier, later, chosen, dialect), *listing_ctes(limit))
    nulls = [f"{dialect.cast('NULL', kind)} AS {name}" for name, kind in _LISTED.items()]
    totals = select([*nulls, "monetary", *_FLAGS, "customers"], "counted")
    rows = select([*_LISTED, "monetary", *_FLAGS, "1 AS customers"], "listed")
    return with_ctes(ctes, f"{totals}\nUNION ALL\n{rows}", dialect.name)


def listing_ctes(limit: int | None) -> tuple[Cte, Cte]:
    """Return the CTEs of `movers_sql` after `movers`: the totals, and the listed customers."""
    counted = select([*_FLAGS, "COUNT(*) AS customers", "SUM(monetary) AS monetary"], "movers", len(_FLAGS))
    ranked = "movers\nWHERE is_chosen\nORDER BY monetary DESC, customer_id"
    if limit is not None:
        ranked = f"{ranked}\nLIMIT {limit}"
    listed = select([*_LISTED, "monetary", *_FLAGS], ranked)
    return (
        Cte("counted", "One row per combination of reasons, with its customers.", counted, reads=("movers",)),
        Cte("listed", "One row per listed customer.", listed, reads=("movers",)),
    )


def mover_ids_sql(
    history: str, earlier: ScoredSnapshot, later: ScoredSnapshot, chosen: MoverFilter, dialect: Dialect
) -> str:
    """Return the SELECT of the ids of the chosen customers; the arguments are those of `movers_sql`."""
    ctes = movers_ctes(history, earlier, later, chosen, dialect)
    return with_ctes(ctes, "SELECT customer_id\nFROM movers\nWHERE is_chosen", dialect.name)


def mover_groups_sql(history: str, earlier: ScoredSnapshot, later: ScoredSnapshot, dialect: Dialect) -> str:
    """Return the SELECT of the totals of the customers of the later date by move, cause and reasons.

    The other arguments are those of `movers_sql`. `from_segment` is NULL for new customers, and for moves
    with the cause `rules`.
    """
    groups = ["from_segment", "segment", "cause", *REASONS]
    totals = [
        "COUNT(*) AS customers",
        "SUM(frequency) AS orders",
        "SUM(recency_days) AS recency_days",
        "SUM(monetary) AS revenue",
    ]
    ctes = movers_ctes(history, earlier, later, MoverFilter(), dialect)
    return with_ctes(ctes, select([*groups, *totals], "movers", group=len(groups)), dialect.name)


def movers_ctes(
    history: str, earlier: ScoredSnapshot, later: ScoredSnapshot, chosen: MoverFilter, dialect: Dialect
) -> tuple[Cte, ...]:
    """Return the CTEs up to `movers`, which has one row per customer of the later date."""
    return (
        *transitions_ctes(history, earlier, later, dialect, _OWN_COLUMNS),
        _compared(earlier.segment_map, dialect),
        _reasoned(later.segment_map, dialect),
        _movers(chosen, dialect),
    )


def _compared(segment_map: SegmentMap, dialect: Dialect) -> Cte:
    ranks = [f"{_rank(f'{end}_segment', segment_map, dialect)} AS {end}_rank" for end in ("earlier", "later")]
    columns = ["*", "cause IS NOT NULL AND cause <> 'rules' AS has_moved", *ranks]
    description = "One row per customer of the later date, with the ranks of both segments; 1 is the best."
    rows = "explained\nWHERE later_segment IS NOT NULL"
    return Cte("compared", description, select(columns, rows), reads=("explained",))


def _rank(column: str, segment_map: SegmentMap, dialect: Dialect) -> str:
    """Return SQL for the position of a segment in the map; unknown segments come last."""
    names = [segment.name for segment in segment_map.segments]
    branches = [
        (f"{column} = {dialect.literal(name)}", str(rank)) for rank, name in enumerate(names, start=1)
    ]
    return case_expression(branches, str(len(names) + 1))


def _reasoned(segment_map: SegmentMap, dialect: Dialect) -> Cte:
    best = dialect.literal(segment_map.segments[0].name)
    reasons = {
        "slipped": "has_moved AND later_rank > earlier_rank",
        "woke_up": "has_moved AND later_rank < earlier_rank AND had_worst_recency AND has_ordered",
        "new_at_top": f"later_segment = {best} AND (has_moved OR earlier_segment IS NULL)",
        "due": is_due(dialect),
    }
    columns = ["*", *(f"{condition} AS {reason}" for reason, condition in reasons.items())]
    description = "One row per row of compared, with the reasons to write to the customer."
    return Cte("reasoned", description, select(columns, "compared"), reads=("compared",))


def _movers(chosen: MoverFilter, dialect: Dialect) -> Cte:
    matches = _all(
        [
            _is_in("later_segment", chosen.segments, dialect) if chosen.segments else "",
            _is_move(chosen.moves, dialect) if chosen.moves else "",
        ]
    )
    reasons = chosen.reasons or (() if chosen.moves else REASONS)
    has_reason = f"({' OR '.join(reasons)})" if reasons else ""
    is_chosen = _all([matches, "has_moved" if chosen.moves else "", has_reason])
    by_rules = _all([matches, "cause IS NOT NULL", "cause = 'rules'"])
    columns = [
        "customer_id",
        "CASE WHEN cause = 'rules' THEN NULL ELSE earlier_segment END AS from_segment",
        "later_segment AS segment",
        "cause",
        *_LATER,
        "later_monetary AS monetary",
        *REASONS,
        f"{is_chosen} AS is_chosen",
        f"{by_rules} AS by_rules",
    ]
    description = "One row per row of reasoned: whether the customer is chosen, and moves by changed rules."
    return Cte("movers", description, select(columns, "reasoned"), reads=("reasoned",))


def _all(conditions: Sequence[str]) -> str:
    return " AND ".join(condition for condition in conditions if condition)


def _is_in(column: str, names: Sequence[str], dialect: Dialect) -> str:
    return f"{column} IN ({', '.join(map(dialect.literal, names))})"


def _is_move(moves: Sequence[tuple[str | None, str | None]], dialect: Dialect) -> str:
    """Return the condition that a customer moved in one of the ways; a move has two different segments."""
    ways = []
    for start, end in moves:
        ends = {"earlier_segment": start, "later_segment": end}
        conditions = [f"{column} = {dialect.literal(name)}" for column, name in ends.items() if name]
        ways.append(" AND ".join(["earlier_segment <> later_segment", *conditions]))
    return f"({' OR '.join(ways)})"
