"""The orchestrator: plan, stage, audit, publish. The only room that knows all the others.

Nothing here prints; what goes on is told to a `Watcher`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from rfm_pipeline.audits import Staged, advice, audit
from rfm_pipeline.columns import ColumnMapping
from rfm_pipeline.config import Configuration
from rfm_pipeline.errors import AuditError, ColumnError, WarehouseError
from rfm_pipeline.planning import Plan, planned
from rfm_pipeline.result import Audit, DimensionScores, Excluded, RunResult, SegmentResult
from rfm_pipeline.sql.clean import AMBIGUOUS_DATE, has_example
from rfm_pipeline.sql.pipeline import Pipeline
from rfm_pipeline.sql.result import result_sql
from rfm_pipeline.sql.scores import INITIALS, edge_names
from rfm_pipeline.sql.spec import Cte
from rfm_pipeline.words import count, lowered


class Watcher(Protocol):
    """Told what a run is doing."""

    def step(self, name: str) -> None:
        """A step begins; the one before it is over."""

    def progress(self, share: float) -> None:
        """The share of the step that is done, from 0 to 1."""


def run(configuration: Configuration, watcher: Watcher, *, today: date | None = None) -> RunResult:
    """Stages, audits and publishes.

    Args:
        configuration: All layers of settings.
        watcher: Told what is going on.
        today: As for `planned`.

    Raises:
        AuditError: An audit failed; nothing was published.
        RfmError: Anything else; nothing was published either.
    """
    started = time.monotonic()
    run_id = new_run_id()
    watcher.step("Looking at the source")
    with planned(configuration, today=today, run_id=run_id) as plan:
        warehouse = plan.warehouse
        for step in _publishing(plan, run_id).steps(warehouse.table):
            watcher.step(_STEPS.get(step.name, "Scoring and segmenting"))
            warehouse.create(step.name, step.select, watcher.progress)
        watcher.step("Auditing")
        excluded = _excluded(plan)
        _refuse_ambiguous_dates(excluded, plan.mapping)
        staged = _staged(plan, excluded)
        audits = audit(staged)
        _refuse_failed(audits, staged)
        # Before the publish, after which nothing may fail that would make it look as if there were none.
        found = _by_segment(plan)
        with _outputs(plan) as outputs:
            watcher.step("Publishing")
            warehouse.publish("result")
        took = time.monotonic() - started
        return _result(plan, run_id, staged, audits, found, outputs=outputs, took=took)


def new_run_id() -> str:
    """An id that sorts by time and never comes twice: `20251231T060000-1f9c3a`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _publishing(plan: Plan, run_id: str) -> Pipeline:
    """The pipeline up to the rows that are published."""
    previous = plan.warehouse.table("previous") if plan.published.as_of else None
    result = result_sql("segments", previous, run_id, plan.spec.dialect)
    return plan.pipeline.followed_by(Cte("result", "One row per customer, as it is published.", result))


_STEPS = {
    "order_days": "Reading, cleaning and measuring",
    "customers": "Reading, cleaning and measuring",
    "edges": "Finding the edges",
}


def _excluded(plan: Plan) -> tuple[Excluded, ...]:
    example = "MIN(written)" if has_example(plan.spec) else plan.spec.dialect.cast("NULL", "text")
    rows = plan.warehouse.rows(
        f"SELECT reason, SUM(lines) AS lines, SUM(monetary) AS amount, {example} AS example"
        f" FROM {plan.warehouse.table('customers')} WHERE reason IS NOT NULL GROUP BY reason"
        " ORDER BY lines DESC, reason"
    )
    return tuple(Excluded(row["reason"], int(row["lines"]), row["amount"], row["example"]) for row in rows)


def _refuse_ambiguous_dates(excluded: Sequence[Excluded], mapping: ColumnMapping) -> None:
    for reason in excluded:
        if reason.reason == AMBIGUOUS_DATE:
            raise ColumnError(
                f"The date '{reason.example}' in the column `{mapping.ordered_at.name}` can be read in"
                f" two ways ({count(reason.lines, 'such line')}).",
                "say how it is written: --date-format '%d/%m/%Y' with the day first, or '%m/%d/%Y'"
                " (with ' %H:%M' where a time follows).",
            )


def _staged(plan: Plan, excluded: tuple[Excluded, ...]) -> Staged:
    warehouse, dimensions = plan.warehouse, plan.settings.scoring.dimensions
    (kept,) = warehouse.rows(
        "SELECT COUNT(*) AS customers, COALESCE(SUM(lines), 0) AS lines, COALESCE(SUM(monetary), 0) AS amount"
        f" FROM {warehouse.table('customers')} WHERE reason IS NULL"
    )
    outside = " OR ".join(
        f"{INITIALS[dimension.name]}_score NOT BETWEEN 1 AND {dimension.bins}" for dimension in dimensions
    )
    (counted,) = warehouse.rows(
        "SELECT COUNT(*) AS rows_staged, COUNT(DISTINCT customer_id) AS customers,"
        " COALESCE(SUM(monetary), 0) AS monetary,"
        " COUNT(CASE WHEN segment IS NULL THEN 1 END) AS without_segment,"
        f" COUNT(CASE WHEN {outside} THEN 1 END) AS out_of_range FROM {warehouse.table('result')}"
    )
    lines = int(kept["lines"])
    return Staged(
        rows_declared=plan.source.rows,
        rows_read=lines + sum(reason.lines for reason in excluded),
        rows_kept=lines,
        amount_kept=Decimal(kept["amount"]),
        excluded=excluded,
        customers_kept=kept["customers"],
        rows=counted["rows_staged"],
        customers=counted["customers"],
        monetary=Decimal(counted["monetary"]),
        without_segment=counted["without_segment"],
        out_of_range=counted["out_of_range"],
        dimensions=_dimension_scores(plan),
        source=plan.source.label,
    )


def _dimension_scores(plan: Plan) -> tuple[DimensionScores, ...]:
    warehouse = plan.warehouse
    (edges,) = warehouse.rows(f"SELECT * FROM {warehouse.table('edges')}")
    counts = warehouse.rows(
        "SELECT r_score, f_score, m_score, COUNT(*) AS customers"
        f" FROM {warehouse.table('result')} GROUP BY 1, 2, 3"
    )
    found = []
    for dimension in plan.settings.scoring.dimensions:
        names = edge_names(dimension)
        values = [edges[name] for name in names]
        if dimension.name == "recency":
            values.reverse()
        customers = [0] * dimension.bins
        for row in counts:
            customers[row[f"{INITIALS[dimension.name]}_score"] - 1] += row["customers"]
        known = tuple(Decimal(value) for value in values if value is not None)
        found.append(
            DimensionScores(dimension.name, dimension.method, known if names else None, tuple(customers))
        )
    return tuple(found)


def _refuse_failed(audits: Sequence[Audit], staged: Staged) -> None:
    failed = [audit for audit in audits if audit.status == "failed"]
    if failed:
        names = ", ".join(audit.name for audit in failed)
        raise AuditError(
            f"Nothing was published, because an audit failed: {failed[0].detail}",
            f"{advice(staged)} (Failed: {names}.)",
        )


@contextmanager
def _outputs(plan: Plan) -> Iterator[tuple[str, ...]]:
    """Writes the outputs beside their places, and moves them there once the publish has succeeded."""
    drafts: dict[Path, Path] = {}
    try:
        for path in dict.fromkeys(plan.settings.output):
            drafts[path] = plan.warehouse.export("result", path)
        yield tuple(str(path) for path in drafts)
        for path, draft in drafts.items():
            _move(draft, path)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


def _move(draft: Path, path: Path) -> None:
    try:
        draft.replace(path)
    except OSError as error:
        raise WarehouseError(
            f"The result was published, but the output {path} can't be written:"
            f" {lowered(error.strerror or str(error))}.",
            "look at what is there, and run again.",
        ) from error


def _by_segment(plan: Plan) -> Sequence[dict[str, Any]]:
    return plan.warehouse.rows(
        "SELECT segment, COUNT(*) AS customers, SUM(frequency) AS orders, SUM(monetary) AS revenue,"
        " MIN(as_of_date) AS as_of_date"
        f" FROM {plan.warehouse.table('result')} GROUP BY segment"
    )


def _result(
    plan: Plan,
    run_id: str,
    staged: Staged,
    audits: tuple[Audit, ...],
    rows: Sequence[dict[str, Any]],
    *,
    outputs: tuple[str, ...],
    took: float,
) -> RunResult:
    by_name = {row["segment"]: row for row in rows}
    usage = plan.warehouse.usage()
    segments = tuple(
        SegmentResult(
            segment.name,
            segment.description,
            segment.action,
            row["customers"] if row else 0,
            int(row["orders"]) if row else 0,
            row["revenue"] if row else Decimal(0),
        )
        for segment in plan.spec.segment_map.segments
        for row in (by_name.get(segment.name),)
    )
    return RunResult(
        run_id=run_id,
        status="published",
        as_of=rows[0]["as_of_date"],
        engine=plan.warehouse.engine,
        source=plan.source.label,
        rows_read=staged.rows_read,
        rows_kept=staged.rows_kept,
        amount_kept=staged.amount_kept,
        excluded=staged.excluded,
        customers=staged.customers,
        orders=sum(segment.orders for segment in segments),
        revenue=staged.monetary,
        dimensions=staged.dimensions,
        segments=segments,
        audits=audits,
        destination=plan.warehouse.destination,
        outputs=outputs,
        duration_s=took,
        bytes_processed=usage.bytes_processed,
        bytes_billed=usage.bytes_billed,
        slot_ms=usage.slot_ms,
        jobs=usage.jobs,
        columns={role: column.name for role, column in plan.mapping.roles().items()},
        notes=plan.notes,
    )
