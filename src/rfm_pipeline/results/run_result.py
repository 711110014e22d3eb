"""What a run found and did, for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any

from msgspec import Struct, field


class Excluded(Struct, frozen=True):
    """The lines that one reason excluded.

    Attributes:
        reason: Its name.
        lines: How many.
        amount: Their money, as far as it could be read; None where none could.
        example: A value that could not be read, as it was written.
    """

    reason: str
    lines: int
    amount: Decimal | None = None
    example: str | None = None


class DimensionScores(Struct, frozen=True):
    """How one dimension was scored.

    Attributes:
        edges: The edges in the form that `[scoring]` takes; None for `ntile`, which has none.
        customers: Customers for each score from 1 up.
        edges_from: The run that frozen edges are of; None where they are not frozen.
        recomputed: What the edges would be if they were not.
    """

    name: str
    method: str
    edges: tuple[Decimal, ...] | None
    customers: tuple[int, ...]
    edges_from: str | None = None
    recomputed: tuple[Decimal, ...] | None = None

    @property
    def collapsed(self) -> tuple[int, ...]:
        """The scores that nobody has, because equal values are never told apart."""
        return tuple(score for score, count in enumerate(self.customers, start=1) if count == 0)


class Drift(Struct, frozen=True):
    """How far an earlier run's edges, by which customers were scored, are from those of today.

    Attributes:
        run_id: The run.
        as_of: Its as-of date.
        customers: How many customers would have another score by the edges of today.
    """

    run_id: str
    as_of: date | None
    customers: int


class SegmentResult(Struct, frozen=True):
    """One segment of the result."""

    segment: str
    description: str
    action: str
    customers: int
    orders: int
    revenue: Decimal


class Audit(Struct, frozen=True):
    """One check of the staged result.

    Attributes:
        status: `passed`, `warning`, or `failed`, which publishes nothing.
        detail: What was found, in one sentence.
        rows: A few rows that show it, where it did not pass.
    """

    name: str
    status: str
    detail: str
    rows: tuple[Mapping[str, Any], ...] = ()


class RunResult(Struct, frozen=True):
    """What a run found and did. Money is exact; `to_json` gives it as decimal strings."""

    run_id: str
    status: str
    as_of: date | None
    engine: str
    source: str
    rows_read: int
    rows_kept: int
    amount_kept: Decimal
    excluded: tuple[Excluded, ...]
    customers: int
    orders: int
    revenue: Decimal
    dimensions: tuple[DimensionScores, ...]
    segments: tuple[SegmentResult, ...]
    audits: tuple[Audit, ...]
    destination: str
    outputs: tuple[str, ...]
    duration_s: float
    bytes_processed: int | None = None
    bytes_billed: int | None = None
    slot_ms: int | None = None
    jobs: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    drift: Drift | None = None

    def to_json(self) -> dict[str, Any]:
        """One object with plain values, as `rfm run --json` prints it."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "engine": self.engine,
            "source": self.source,
            "columns": dict(self.columns),
            "rows": {
                "read": self.rows_read,
                "kept": self.rows_kept,
                "excluded": {excluded.reason: excluded.lines for excluded in self.excluded},
            },
            "amount": {
                "kept": money(self.amount_kept),
                "excluded": {
                    excluded.reason: None if excluded.amount is None else money(excluded.amount)
                    for excluded in self.excluded
                },
            },
            "customers": self.customers,
            "orders": self.orders,
            "revenue": money(self.revenue),
            "edges": {_measure(scores): plain_edges(scores.name, scores.edges) for scores in self.dimensions},
            "edges_from": self.drift.run_id if self.drift else None,
            "recomputed_edges": {
                _measure(scores): plain_edges(scores.name, scores.recomputed) for scores in self.dimensions
            }
            if self.drift
            else None,
            "customers_rescored": self.drift.customers if self.drift else None,
            "collapsed_scores": {scores.name: list(scores.collapsed) for scores in self.dimensions},
            "segments": [
                {
                    "segment": segment.segment,
                    "customers": segment.customers,
                    "customers_share": share(segment.customers, self.customers),
                    "orders": segment.orders,
                    "revenue": money(segment.revenue),
                    "revenue_share": share(segment.revenue, self.revenue),
                }
                for segment in self.segments
            ],
            "audits": [
                {
                    "name": audit.name,
                    "status": audit.status,
                    "detail": audit.detail,
                    "rows": [{name: plain(value) for name, value in row.items()} for row in audit.rows],
                }
                for audit in self.audits
            ],
            "destination": self.destination,
            "outputs": list(self.outputs),
            "duration_s": round(self.duration_s, 3),
            "bytes_processed": self.bytes_processed,
            "bytes_billed": self.bytes_billed,
            "slot_ms": self.slot_ms,
            "jobs": list(self.jobs),
        }


def money(value: Decimal) -> str:
    """A decimal string with all the decimals there are, at least two: `4310.00`, `8911407.904`."""
    whole, _, decimals = f"{value or Decimal(0):f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def plain(value: object) -> str | int | float | bool | None:
    """A value of an engine as JSON has it: money as a decimal string, and as text what it has nothing for.

    >>> plain(Decimal("4310.500000000")), plain(date(2025, 12, 31)), plain(float("nan"))
    ('4310.50', '2025-12-31', 'nan')
    """
    if isinstance(value, Decimal):
        return money(value) if value.is_finite() else str(value)
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def plain_edges(dimension: str, edges: tuple[Decimal, ...] | None) -> list[int] | list[str] | None:
    """The edges of a dimension as JSON has them: money as decimal strings, the others as whole numbers."""
    if edges is None:
        return None
    return [money(edge) for edge in edges] if dimension == "monetary" else [int(edge) for edge in edges]


def share(part: Decimal | int, whole: Decimal | int) -> float | None:
    """The part of the whole, to four decimals; None where the whole is nothing."""
    return round(float(Decimal(part) / Decimal(whole)), 4) if whole else None


def _measure(scores: DimensionScores) -> str:
    return "recency_days" if scores.name == "recency" else scores.name
