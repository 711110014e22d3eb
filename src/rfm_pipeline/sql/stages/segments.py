"""Segments: name each customer's segment, by the first rule of the segment map that matches the scores."""

from __future__ import annotations

from msgspec.structs import replace

from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.day_conditions import DayCell, Gap, Interval, holds_in
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.config.segment_rules import Range, SegmentRule
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select
from rfm_pipeline.sql.stages.gaps import TWICE_MEDIAN_GAP, day_column_names


def segments_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """Return the CTE `segments`, the last of the query."""
    description = "One row per customer: the metrics, the scores and the segment."
    return (Cte(StagingTable.SEGMENTS, description, _segments(spec), reads=("scores",)),)


def rfm_score(spec: QuerySpec) -> str:
    """Return SQL for the three scores as one text: `444`, or `10-10-10` if a dimension has ten bins."""
    separator = "-" if max(spec.settings.scoring.bins_by_dimension) == 10 else ""
    parts = [spec.dialect.cast(f"{initial}_score", "text") for initial in "rfm"]
    joined = f", '{separator}', " if separator else ", "
    return f"CONCAT({joined.join(parts)})"


def _segments(spec: QuerySpec) -> str:
    columns = [
        "customer_id", "recency_days", "frequency", "monetary", "avg_order_value",
        "first_order_date", "last_order_date", "r_score", "f_score", "m_score",
        f"{rfm_score(spec)} AS rfm_score", f"{segment_case(spec.segment_map, spec.dialect)} AS segment",
        *day_column_names(spec), "as_of_date",
    ]  # fmt: skip
    return select(columns, "scores")


def segment_case(
    segment_map: SegmentMap,
    dialect: Dialect,
    prefix: str = "",
    *,
    gap: Gap | None = None,
    first_order_days: str = "first_order_days",
) -> str:
    """Return a CASE expression whose value is the segment of a customer's scores and days.

    Args:
        segment_map: The segment map.
        dialect: The SQL dialect.
        prefix: Prefix of the columns `r_score`, `f_score` and `m_score`.
        gap: A gap of the map's `day_cells` that the customer is taken to have; None to test the columns
            `recency_days` and `twice_median_gap`.
        first_order_days: Column with the days since the first order.
    """
    literal = dialect.literal
    rules, otherwise = segment_map.rules, segment_map.fallback
    if gap is not None:
        rules, otherwise = _rules_with_gap(segment_map, gap)
    branches = [
        f"    WHEN {_condition(rule, segment_map, dialect, prefix, first_order_days)}"
        f" THEN {literal(rule.segment)}"
        for rule in rules
    ]
    # A map without a fallback covers every combination of scores; `SegmentMap.from_config` validates this.
    last = [f"    ELSE {literal(otherwise)}"] if otherwise else []
    return "\n".join(["CASE", *branches, *last, "  END"])


def _rules_with_gap(segment_map: SegmentMap, gap: Gap) -> tuple[tuple[SegmentRule, ...], str | None]:
    """Return the rules for customers with a gap, without conditions on it, and the segment of all others."""
    rules: list[SegmentRule] = []
    for rule in segment_map.rules:
        if not holds_in(DayCell(gap=gap), None, rule.gap):
            continue
        if rule.cells is None and rule.first_order_days is None and not rule.ranges:
            return tuple(rules), rule.segment
        rules.append(replace(rule, gap=None))
    return tuple(rules), segment_map.fallback


def _condition(
    rule: SegmentRule, segment_map: SegmentMap, dialect: Dialect, prefix: str, first_order_days: str
) -> str:
    if rule.cells is not None:
        cells = "\n        OR ".join(
            f"({prefix}r_score = {r} AND {prefix}f_score = {f} AND {prefix}m_score = {m})"
            for r, f, m in sorted(rule.cells, reverse=True)
        )
        days = _day_conditions(rule, first_order_days)
        return " AND ".join([f"({cells})", *days]) if days else cells
    conditions = [
        _within(f"{prefix}{initial}_score", getattr(rule, initial), bins)
        for initial, bins in zip("rfm", segment_map.bins, strict=True)
    ]
    if rule.fm:
        mean = dialect.half_up_mean(f"{prefix}f_score", f"{prefix}m_score")
        conditions.append(_within(mean, rule.fm, max(segment_map.bins)))
    conditions += _day_conditions(rule, first_order_days)
    return " AND ".join(condition for condition in conditions if condition) or "TRUE"


def _day_conditions(rule: SegmentRule, first_order_days: str) -> list[str]:
    conditions = []
    if rule.first_order_days is not None:
        conditions.append(_days_within(first_order_days, rule.first_order_days))
    if rule.gap is not None:
        conditions.append(_gap_within(rule.gap))
    return conditions


def _days_within(column: str, days: Interval) -> str:
    low, high = int(days.low[0]), None if days.high is None else int(days.high[0]) - 1
    if high is None:
        return f"{column} >= {low}"
    if low == high:
        return f"{column} = {low}"
    return f"{column} <= {high}" if low == 0 else f"{column} BETWEEN {low} AND {high}"


def _gap_within(gap: Gap) -> str:
    """Return the condition on the gap as a comparison of whole numbers, which is exact on every engine."""
    if isinstance(gap, str):
        return f"{TWICE_MEDIAN_GAP} IS NULL"
    bound, operator = gap.low, ">" if gap.low[1] else ">="
    if gap.high is not None:
        bound, operator = gap.high, "<=" if gap.high[1] else "<"
    # recency / median <= a / b exactly if 2 * b * recency <= a * (2 * median); the factors are reduced.
    ratio = bound[0] / 2
    days, median = _times(ratio.denominator, "recency_days"), _times(ratio.numerator, TWICE_MEDIAN_GAP)
    return f"{days} {operator} {median}"


def _times(factor: int, column: str) -> str:
    return column if factor == 1 else f"{factor} * {column}"


def _within(score: str, allowed: Range | None, bins: int) -> str:
    """Return the condition that a score is in a range; empty if `allowed` is None."""
    if allowed is None:
        return ""
    if allowed.low == allowed.high:
        return f"{score} = {allowed.low}"
    if allowed.high >= bins:
        return f"{score} >= {allowed.low}"
    if allowed.low <= 1:
        return f"{score} <= {allowed.high}"
    return f"{score} BETWEEN {allowed.low} AND {allowed.high}"
