"""The result of a run, as `rfm run` prints it and `segment` returns it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from rfm_pipeline.results.json_values import money, share, to_plain
from rfm_pipeline.results.statistics import Audit, DimensionScores, Drift, RunStatistics, Usage


class RunResult(Struct, frozen=True):
    """The result of a run.

    Attributes:
        run_id: Id of the run.
        status: `published`, `history_only`, `calibrated` or `rejected`.
        as_of: The as-of date; None if no line was kept.
        engine: `duckdb` or `bigquery`.
        source: Label of the source.
        destination: Label of the destination.
        statistics: What was computed.
        audits: The audits, in order.
        outputs: Paths of the files that were written.
        duration_s: Wall-clock seconds.
        usage: What the run cost.
        columns: Name of the column for each role.
        notes: Facts about the source worth knowing, one sentence each.
        drift: How far frozen edges are from today's; None if no edges are frozen.
        digest: Sentences about the result for a chat, if it is the first one of a week and they are wanted.
        warnings: Problems that did not stop the run, one sentence each.
    """

    run_id: str
    status: str
    as_of: date | None
    engine: str
    source: str
    destination: str
    statistics: RunStatistics
    audits: tuple[Audit, ...]
    outputs: tuple[str, ...] = ()
    duration_s: float = 0.0
    usage: Usage = Usage()
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    drift: Drift | None = None
    digest: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_rejected(self) -> bool:
        """Whether an audit failed, so that nothing may be published."""
        return any(audit.status == "failed" for audit in self.audits)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `rfm run --json` prints them."""
        statistics, drift = self.statistics, self.drift
        edges = {_measure(scores): scores.to_json() for scores in statistics.edges}
        return {
            "run_id": self.run_id,
            "status": self.status,
            "as_of": to_plain(self.as_of),
            "engine": self.engine,
            "source": self.source,
            "columns": dict(self.columns),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "rows": {
                "read": statistics.rows_read,
                "kept": statistics.rows_kept,
                "excluded": {excluded.reason: excluded.lines for excluded in statistics.exclusions},
            },
            "amount": {
                "kept": money(statistics.amount_kept),
                "excluded": {
                    excluded.reason: to_plain(excluded.amount) for excluded in statistics.exclusions
                },
                "repeated_total": to_plain(statistics.repeated_total),
            },
            "parts": to_plain(statistics.parts),
            "customers": statistics.customers,
            "unscored_customers": statistics.unscored,
            "orders": statistics.orders,
            "revenue": money(statistics.revenue),
            "at_risk": {"customers": statistics.due, "revenue": to_plain(statistics.revenue_at_risk)},
            "edges": {measure: scores["edges"] for measure, scores in edges.items()},
            "edges_from": drift.run_id if drift else None,
            "recomputed_edges": {measure: scores["recomputed"] for measure, scores in edges.items()}
            if drift
            else None,
            "customers_rescored": drift.customers if drift else None,
            "collapsed_scores": {scores.name: list(scores.collapsed) for scores in statistics.edges},
            "segments": [
                {
                    "segment": segment.segment,
                    "customers": segment.customers,
                    "customers_share": share(segment.customers, statistics.customers),
                    "orders": segment.orders,
                    "revenue": money(segment.revenue),
                    "revenue_share": share(segment.revenue, statistics.revenue),
                }
                for segment in statistics.segments
            ],
            "audits": to_plain([replace(audit, rows=audit.masked_rows) for audit in self.audits]),
            "destination": self.destination,
            "outputs": list(self.outputs),
            "duration_s": round(self.duration_s, 3),
            **to_plain(self.usage),
        }


def _measure(scores: DimensionScores) -> str:
    return "recency_days" if scores.name == "recency" else scores.name
