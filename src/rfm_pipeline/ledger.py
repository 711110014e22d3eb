"""The record of runs: what each did, and which results stand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rfm_pipeline.result import Audit, DimensionScores, Excluded


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """One segment of a run: customers, their orders, their money."""

    segment: str
    customers: int
    orders: int
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One row of the table of runs (`layout.RUN_COLUMNS` says what its columns mean). Times are in UTC, naive.

    Attributes:
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
    segments: tuple[SegmentFigures, ...] = ()
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
        return self.status in {"published", "filed"} and self.kind != "rollback"

    def to_row(self) -> dict[str, Any]:
        """The values of its columns, by name; what is nested as JSON."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        for name, nested in (
            ("rules", self.rules),
            ("exclusions", [_excluded(excluded) for excluded in self.exclusions]),
            ("edges", [_scores(scores) for scores in self.edges]),
            ("segments", [_figures(figures) for figures in self.segments]),
            ("audits", [_audit(audit) for audit in self.audits]),
            ("jobs", list(self.jobs)),
        ):
            plain[name] = json.dumps(nested, ensure_ascii=False, default=str)
        return plain

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> RunRecord:
        """A record from the values of its columns."""
        nested = {
            name: json.loads(row[name] or "null") or ()
            for name in ("rules", "exclusions", "edges", "segments", "audits", "jobs")
        }
        plain = {name: row[name] for name in cls.__slots__ if name not in nested}
        for name in ("started_at", "finished_at"):
            plain[name] = plain[name].replace(tzinfo=None)
        return cls(
            **plain,
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
                    _decimals(found.get("fresh")),
                )
                for found in nested["edges"]
            ),
            segments=tuple(
                SegmentFigures(
                    found["segment"], found["customers"], found["orders"], Decimal(found["revenue"])
                )
                for found in nested["segments"]
            ),
            audits=tuple(
                Audit(found["name"], found["status"], found["detail"]) for found in nested["audits"]
            ),
            jobs=tuple(nested["jobs"]),
        )


def standing_dates(records: Iterable[RunRecord]) -> dict[date, RunRecord]:
    """The as-of dates whose results stand, in order, each with the run that wrote it last.

    A rollback withdraws the dates after the one that it goes back to, until they are published again; they stay
    in the history. What retention has dropped does not stand either.
    """
    standing: dict[date, RunRecord] = {}
    for record in sorted(records, key=lambda record: (record.finished_at, record.run_id)):
        if record.as_of_date is None or record.status not in {"published", "filed"}:
            continue
        if record.kind == "rollback":
            standing = {day: run for day, run in standing.items() if day <= record.as_of_date}
        else:
            standing[record.as_of_date] = record
        if oldest := record.history_from:
            standing = {day: run for day, run in standing.items() if day >= oldest}
    return dict(sorted(standing.items()))


def date_before(standing: Mapping[date, RunRecord], as_of: date) -> date | None:
    """The standing as-of date before another; None where there is none."""
    return max((day for day in standing if day < as_of), default=None)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _decimals(texts: Sequence[str] | None) -> tuple[Decimal, ...] | None:
    return None if texts is None else tuple(map(Decimal, texts))


def _texts(edges: Sequence[Decimal] | None) -> list[str] | None:
    return None if edges is None else list(map(str, edges))


def _excluded(excluded: Excluded) -> dict[str, Any]:
    return {"reason": excluded.reason, "lines": excluded.lines, "amount": excluded.amount}


def _scores(scores: DimensionScores) -> dict[str, Any]:
    return {
        "dimension": scores.name,
        "method": scores.method,
        "edges": _texts(scores.edges),
        "customers": list(scores.customers),
        "edges_from": scores.edges_from,
        "fresh": _texts(scores.fresh),
    }


def _figures(figures: SegmentFigures) -> dict[str, Any]:
    return {
        "segment": figures.segment,
        "customers": figures.customers,
        "orders": figures.orders,
        "revenue": figures.revenue,
    }


def _audit(audit: Audit) -> dict[str, Any]:
    return {"name": audit.name, "status": audit.status, "detail": audit.detail}
