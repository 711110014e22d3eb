"""Segments: each score cell's name, by the first rule of the map that fits."""

from __future__ import annotations

from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.config.segment_rules import Range, Rule
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select


def segments_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """The CTE `segments`, the end of the query."""
    return (Cte("segments", "One row per customer: the result.", _segments(spec)),)


def rfm_score(spec: QuerySpec) -> str:
    """The three scores side by side: `444`, or `10-10-10` where one of them has two digits."""
    separator = "-" if max(spec.settings.scoring.bins_by_dimension) == 10 else ""
    parts = [spec.dialect.cast(f"{initial}_score", "text") for initial in "rfm"]
    joined = f", '{separator}', " if separator else ", "
    return f"CONCAT({joined.join(parts)})"


def _segments(spec: QuerySpec) -> str:
    columns = [
        "customer_id", "recency_days", "frequency", "monetary", "avg_order_value",
        "first_order_date", "last_order_date", "r_score", "f_score", "m_score",
        f"{rfm_score(spec)} AS rfm_score", f"{segment_by(spec.segment_map, spec.dialect)} AS segment",
        "as_of_date",
    ]  # fmt: skip
    return select(columns, "scores")


def segment_by(segment_map: SegmentMap, dialect: Dialect, prefix: str = "") -> str:
    """A customer's segment by a map.

    Args:
        segment_map: The map.
        dialect: The engine's words.
        prefix: What stands before `r_score`, `f_score` and `m_score`.
    """
    literal = dialect.literal
    cases = [
        f"    WHEN {_condition(rule, segment_map, dialect, prefix)} THEN {literal(rule.segment)}"
        for rule in segment_map.rules
    ]
    # The map is proved total, so that without a fallback nothing falls through; NULL would fail an audit.
    otherwise = [f"    ELSE {literal(segment_map.fallback)}"] if segment_map.fallback else []
    return "\n".join(["CASE", *cases, *otherwise, "  END"])


def _condition(rule: Rule, segment_map: SegmentMap, dialect: Dialect, prefix: str) -> str:
    if rule.cells is not None:
        return "\n        OR ".join(
            f"({prefix}r_score = {r} AND {prefix}f_score = {f} AND {prefix}m_score = {m})"
            for r, f, m in sorted(rule.cells, reverse=True)
        )
    tests = [
        _within(f"{prefix}{initial}_score", getattr(rule, initial), bins)
        for initial, bins in zip("rfm", segment_map.bins, strict=True)
    ]
    if rule.fm:
        mean = dialect.half_up_mean(f"{prefix}f_score", f"{prefix}m_score")
        tests.append(_within(mean, rule.fm, max(segment_map.bins)))
    return " AND ".join(test for test in tests if test) or "TRUE"


def _within(score: str, allowed: Range | None, bins: int) -> str:
    if allowed is None:
        return ""
    if allowed.low == allowed.high:
        return f"{score} = {allowed.low}"
    if allowed.high >= bins:
        return f"{score} >= {allowed.low}"
    if allowed.low <= 1:
        return f"{score} <= {allowed.high}"
    return f"{score} BETWEEN {allowed.low} AND {allowed.high}"
