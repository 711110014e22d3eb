"""The record of one run, and its form as a row of the runs table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from rfm_pipeline.results.run_result import Audit, DimensionScores, Excluded, money, plain, plain_edges

_NESTED = ("rules", "exclusions", "edges", "segments", "audits", "jobs")


class SegmentTotals(Struct, frozen=True):
    """One segment of a run: customers, their orders, their money."""

    segment: str
    customers: int
    orders: int
    revenue: Decimal


class RunRecord(Struct, frozen=True):
    """One row of the table of runs; `layout.RUN_COLUMNS` says what its columns mean.

    Attributes:
        started_at, finished_at: In UTC, without a zone.
        rules: `scoring` and `segments` as they were configured, in plain values.
        exclusions, edges, segments, audits: As the run found them.
    """

    run_id: str
    kind: str
    status: str
    started_at: datetime
    finished_at: datetime
    as_of_date: date | None = None
    source: str | None = None
    engine: str = ""
    version: str = ""
    config_hash: str = ""
    rules: Mapping[str, Any] = field(default_factory=dict)
    rows_read: int | None = None
    rows_kept: int | None = None
    amount_kept: Decimal | None = None
    customers: int | None = None
    orders: int | None = None
    revenue: Decimal | None = None
    newest_order_date: date | None = None
    exclusions: tuple[Excluded, ...] = ()
    edges: tuple[DimensionScores, ...] = ()
    segments: tuple[SegmentTotals, ...] = ()
    audits: tuple[Audit, ...] = ()
    bytes_processed: int | None = None
    bytes_billed: int | None = None
    slot_ms: int | None = None
    jobs: tuple[str, ...] = ()
    restored_run_id: str | None = None
    history_from: date | None = None
    error: str | None = None

    @property
    def is_in_history(self) -> bool:
        """Whether it wrote the rows of its as-of date."""
        return self.status in {"published", "history_only"} and self.kind != "rollback"

    def to_row(self) -> dict[str, Any]:
        """The values of its columns, by name; what is nested as JSON."""
        row = {name: getattr(self, name) for name in self.__struct_fields__}
        for name, nested in (
            ("rules", self.rules),
            ("exclusions", [_excluded(excluded) for excluded in self.exclusions]),
            ("edges", [_scores(scores) for scores in self.edges]),
            ("segments", [_figures(figures) for figures in self.segments]),
            ("audits", [_audit(audit) for audit in self.audits]),
            ("jobs", list(self.jobs)),
        ):
            row[name] = json.dumps(nested, ensure_ascii=False, default=plain)
        return row

    def to_json(self) -> dict[str, Any]:
        """One object with plain values, as `rfm runs --json` prints it."""
        said = {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in self.to_row().items()
        }
        for name in _NESTED:
            said[name] = json.loads(said[name])
        for name, value in (("amount_kept", self.amount_kept), ("revenue", self.revenue)):
            said[name] = None if value is None else money(value)
        return said

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> RunRecord:
        """A record from the values of its columns."""
        nested = {name: json.loads(row[name] or "null") or () for name in _NESTED}
        values = {name: row[name] for name in cls.__struct_fields__ if name not in nested}
        for name in ("started_at", "finished_at"):
            values[name] = values[name].replace(tzinfo=None)
        return cls(
            **values,
            rules=dict(nested["rules"]),
            exclusions=tuple(
                Excluded(found["reason"], found["lines"], _decimal(found["amount"]))
                for found in nested["exclusions"]
            ),
            edges=tuple(
                DimensionScores(
                    found["dimension"],
                    found["method"],
                    _decimals(found["edges"]),
                    tuple(found["customers"]),
                    found.get("edges_from"),
                    _decimals(found.get("recomputed")),
                )
                for found in nested["edges"]
            ),
            segments=tuple(
                SegmentTotals(
                    found["segment"], found["customers"], found["orders"], Decimal(found["revenue"])
                )
                for found in nested["segments"]
            ),
            audits=tuple(
                Audit(found["name"], found["status"], found["detail"]) for found in nested["audits"]
            ),
            jobs=tuple(nested["jobs"]),
        )


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _decimals(texts: Sequence[str | int] | None) -> tuple[Decimal, ...] | None:
    return None if texts is None else tuple(map(Decimal, texts))


def _excluded(excluded: Excluded) -> dict[str, Any]:
    return {"reason": excluded.reason, "lines": excluded.lines, "amount": excluded.amount}


def _scores(scores: DimensionScores) -> dict[str, Any]:
    return {
        "dimension": scores.name,
        "method": scores.method,
        "edges": plain_edges(scores.name, scores.edges),
        "customers": list(scores.customers),
        "edges_from": scores.edges_from,
        "recomputed": plain_edges(scores.name, scores.recomputed),
    }


def _figures(figures: SegmentTotals) -> dict[str, Any]:
    return {
        "segment": figures.segment,
        "customers": figures.customers,
        "orders": figures.orders,
        "revenue": figures.revenue,
    }


def _audit(audit: Audit) -> dict[str, Any]:
    return {"name": audit.name, "status": audit.status, "detail": audit.detail}
