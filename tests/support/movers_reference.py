"""The movers between two as-of dates in plain Python, without SQL; segment maps are those of the package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from rfm_pipeline.sql.movers import MoverFilter
from rfm_pipeline.sql.transitions import ScoredSnapshot

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Expected:
    """A customer of the later date.

    Attributes:
        row: The customer's row.
        reasons: The reasons to write to the customer.
        moved: The segments at both dates, if they differ; None if the customer did not move.
        by_rules: Whether the move is due to the rules.
    """

    row: Row
    reasons: frozenset[str]
    moved: tuple[str, str] | None
    by_rules: bool

    def is_chosen(self, chosen: MoverFilter, *, ignoring_rules: bool = False) -> bool:
        """Return whether the customer meets the conditions; a move by rules meets none on moves."""
        if chosen.segments and self.row["segment"] not in chosen.segments:
            return False
        if chosen.moves:
            if self.moved is None or (self.by_rules and not ignoring_rules):
                return False
            if not any(
                start in {None, self.moved[0]} and end in {None, self.moved[1]} for start, end in chosen.moves
            ):
                return False
        if ignoring_rules or (chosen.moves and not chosen.reasons):
            return True
        return bool(self.reasons & set(chosen.reasons)) if chosen.reasons else bool(self.reasons)


def movers_of(rows: Sequence[Row], earlier: ScoredSnapshot, later: ScoredSnapshot) -> list[Expected]:
    """Return all customers of the later date with their reasons, the highest monetary value first."""
    before = {row["customer_id"]: row for row in rows if row["as_of_date"] == earlier.as_of}
    now = [row for row in rows if row["as_of_date"] == later.as_of]
    order = [segment.name for segment in earlier.segment_map.segments]
    best = later.segment_map.segments[0].name
    expected = []
    for row in now:
        old = before.get(row["customer_id"])
        reasons = {"due"} if is_due(row) else set()
        moved = (old["segment"], row["segment"]) if old and old["segment"] != row["segment"] else None
        by_rules = bool(moved) and old is not None and _moved_by_rules(old, row, earlier, later)
        if row["segment"] == best and (old is None or (moved and not by_rules)):
            reasons.add("new_at_top")
        if moved and old is not None and not by_rules:
            if order.index(moved[1]) > order.index(moved[0]):
                reasons.add("slipped")
            elif old["r_score"] == 1 and row["last_order_date"] > old["last_order_date"]:
                reasons.add("woke_up")
        expected.append(Expected(row, frozenset(reasons), moved, by_rules))
    return sorted(expected, key=lambda customer: (-customer.row["monetary"], customer.row["customer_id"]))


def is_due(row: Row) -> bool:
    """Return whether more days have passed since the last order than between two orders on average."""
    days = (row["last_order_date"] - row["first_order_date"]).days
    if row["frequency"] < 2 or days == 0:
        return False
    mean_gap = Fraction(days, row["frequency"] - 1)
    return bool(row["recency_days"] > mean_gap)


def _moved_by_rules(old: Row, row: Row, earlier: ScoredSnapshot, later: ScoredSnapshot) -> bool:
    """Return whether the earlier rules, with the edges of the later date, give another segment."""
    if None not in {earlier.rule_version, later.rule_version} and earlier.rule_version != later.rule_version:
        return True
    if earlier.segment_map.uses_gap:
        # The history does not have the gaps: any other rule or scoring may have moved the customer.
        is_same_map = earlier.segment_map.rules == later.segment_map.rules
        return not is_same_map or earlier.dimensions != later.dimensions
    scores = []
    for dimension, other in zip(earlier.dimensions, later.dimensions, strict=True):
        name = dimension.name
        column = "recency_days" if name == "recency" else name
        own = f"{name[0]}_score"
        if dimension == other:
            scores.append(row[own])
        elif earlier.edges[name] is None:
            scores.append(old[own])
        else:
            value, edges = Decimal(row[column]), earlier.edges[name] or ()
            scores.append(1 + sum(value <= edge if name == "recency" else value > edge for edge in edges))
    r, f, m = scores
    return bool(earlier.segment_map.segment_of(r, f, m) != row["segment"])
