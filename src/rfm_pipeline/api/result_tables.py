"""The small tables of a result: its segments, thresholds, exclusions and audits, as rows for frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from msgspec import structs

from rfm_pipeline.api.segment_summary import SegmentSummary
from rfm_pipeline.results.descriptions import describe_edges
from rfm_pipeline.results.statistics import Audit, DimensionScores, Excluded

_MONEY = "DECIMAL(38, 9)"


class ResultTable(NamedTuple):
    """Rows with the name and the DuckDB type of each column."""

    name: str
    columns: Mapping[str, str]
    rows: Sequence[Sequence[Any]]


def segments_table(segments: Iterable[SegmentSummary]) -> ResultTable:
    """Return a row per segment."""
    columns = {
        "segment": "VARCHAR", "customers": "BIGINT", "customers_share": "DOUBLE", "orders": "BIGINT",
        "revenue": _MONEY, "revenue_share": "DOUBLE", "description": "VARCHAR", "action": "VARCHAR",
    }  # fmt: skip
    return ResultTable("segments", columns, [structs.astuple(segment) for segment in segments])


def thresholds_table(dimensions: Iterable[DimensionScores]) -> ResultTable:
    """Return a row per dimension and score, from the best score down."""
    columns = {
        "dimension": "VARCHAR", "score": "INTEGER", "above": _MONEY, "up_to": _MONEY, "range": "VARCHAR",
        "customers": "BIGINT",
    }  # fmt: skip
    rows = [row for scores in dimensions for row in _thresholds(scores)]
    return ResultTable("thresholds", columns, rows)


def _thresholds(scores: DimensionScores) -> Iterator[tuple[Any, ...]]:
    limits: list[tuple[Decimal | None, Decimal | None]] = [(None, None)] * len(scores.customers)
    if scores.edges is not None:
        limits = list(pairwise([None, *scores.edges, None]))
    if scores.name != "recency":
        limits.reverse()
    name = "recency_days" if scores.name == "recency" else scores.name
    # Both the limits and the descriptions are from the best score down.
    for (score, words), (above, up_to) in zip(describe_edges(scores), limits, strict=True):
        yield name, score, above, up_to, words, scores.customers[score - 1]


def exclusions_table(exclusions: Iterable[Excluded]) -> ResultTable:
    """Return a row per reason."""
    columns = {"reason": "VARCHAR", "lines": "BIGINT", "amount": _MONEY, "example": "VARCHAR"}
    rows = [(one.reason, one.lines, one.amount, next(iter(one.examples), None)) for one in exclusions]
    return ResultTable("exclusions", columns, rows)


def audits_table(audits: Iterable[Audit]) -> ResultTable:
    """Return a row per audit."""
    columns = {"audit": "VARCHAR", "status": "VARCHAR", "detail": "VARCHAR"}
    return ResultTable("audits", columns, [(one.name, one.status, one.detail) for one in audits])
