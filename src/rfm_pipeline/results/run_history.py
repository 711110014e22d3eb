"""The record of runs: what each did, and which results stand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from rfm_pipeline.results.run_result import Audit, DimensionScores, Excluded, money, plain, plain_edges
from rfm_pipeline.results.tables import RUN_COLUMNS
from rfm_pipeline.sql.publish import Tables
from rfm_pipeline.warehouse.base import Destination

_NESTED = ("rules", "exclusions", "edges", "segments", "audits", "jobs")


class SegmentFigures(Struct, frozen=True):
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


class Standing(Struct, frozen=True):
    """What stands at a destination.

    Attributes:
        as_of: The as-of date of the current result; None where there is none.
        customers: How many customers it has.
        records: The runs on record, the oldest first.
        tables: Which of the three tables there are.
    """

    as_of: date | None = None
    customers: int = 0
    records: tuple[RunRecord, ...] = ()
    tables: frozenset[str] = frozenset()

    @property
    def dates(self) -> dict[date, RunRecord]:
        """As `standing_dates` of its records."""
        return standing_dates(self.records)


def standing_at(destination: Destination) -> Standing:
    """Looks up what stands at a destination.

    Raises:
        DestinationError: There are tables of these names, and they are not ours.
        LockedError: Another process holds the destination, and went on holding it.
    """
    with destination.reading():
        tables = destination.present()
        records = read_records(destination) if "runs" in tables else ()
        if "current" not in tables:
            return Standing(records=records, tables=tables)
        (row,) = destination.rows(
            f"SELECT MAX(as_of_date) AS as_of_date, COUNT(*) AS customers FROM {destination.table('current')}"
        )
    return Standing(row["as_of_date"], row["customers"], records, tables)


def read_records(destination: Destination) -> tuple[RunRecord, ...]:
    """The runs on record, the oldest first; the table has to be there."""
    rows = destination.rows(
        f"SELECT {', '.join(RUN_COLUMNS)} FROM {destination.table('runs')} ORDER BY finished_at, run_id"
    )
    return tuple(map(RunRecord.from_row, rows))


def tables_of(destination: Destination) -> Tables:
    """The tables of a destination, as they stand behind FROM."""
    return Tables(*(destination.table(name) for name in ("current", "history", "runs")))


def standing_dates(records: Iterable[RunRecord]) -> dict[date, RunRecord]:
    """The as-of dates whose results stand, in order, each with the run that wrote it last.

    A rollback withdraws the dates after the one that it goes back to, and brings back those up to it. What is
    withdrawn stays in the history, and stands again once it is published again; what retention has dropped is
    gone.
    """
    written: dict[date, RunRecord] = {}
    withdrawn: set[date] = set()
    for record in sorted(records, key=lambda record: (record.finished_at, record.run_id)):
        day = record.as_of_date
        if day is None or record.status not in {"published", "filed"}:
            continue
        if record.kind == "rollback":
            withdrawn = {other for other in written if other > day}
        else:
            written[day] = record
            withdrawn.discard(day)
        if oldest := record.history_from:
            written = {other: run for other, run in written.items() if other >= oldest}
    return {day: run for day, run in sorted(written.items()) if day not in withdrawn}


def date_before(standing: Mapping[date, RunRecord], as_of: date) -> date | None:
    """The standing as-of date before another; None where there is none."""
    return max((day for day in standing if day < as_of), default=None)


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
        "fresh": plain_edges(scores.name, scores.fresh),
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
