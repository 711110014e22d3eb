"""The orchestrator: plan, stage, audit, publish. The only room that knows all the others.

Nothing here prints; what goes on is told to a `Watcher`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

from rfm_pipeline.audit_advice import advice
from rfm_pipeline.auditing import audits_of
from rfm_pipeline.columns import ColumnMapping
from rfm_pipeline.config import Configuration
from rfm_pipeline.counting import Cell, cells_of, lines_of, segment_results, staged
from rfm_pipeline.errors import AuditError, ColumnError, WarehouseError
from rfm_pipeline.planning import Plan, planned
from rfm_pipeline.result import Audit, Excluded, RunResult
from rfm_pipeline.sql.clean import AMBIGUOUS_DATE
from rfm_pipeline.sql.pipeline import Pipeline
from rfm_pipeline.sql.result import result_sql
from rfm_pipeline.sql.spec import Cte
from rfm_pipeline.staged import Staged
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
        lines = lines_of(plan)
        _refuse_ambiguous_dates(lines.excluded, plan.mapping)
        # All of it before the publish, after which nothing may fail that would look as if there were none.
        cells = cells_of(plan)
        counted = staged(plan, lines, cells)
        audits = audits_of(plan, counted, _previous(plan))
        _refuse_failed(audits, counted)
        with _outputs(plan) as outputs:
            watcher.step("Publishing")
            warehouse.publish("result")
        took = time.monotonic() - started
        return _result(plan, counted, cells, run_id=run_id, audits=audits, outputs=outputs, took=took)


def new_run_id() -> str:
    """An id that sorts by time and never comes twice: `20251231T060000-1f9c3a`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _publishing(plan: Plan, run_id: str) -> Pipeline:
    """The pipeline up to the rows that are published."""
    result = result_sql("segments", _previous(plan), run_id, plan.spec.dialect)
    return plan.pipeline.followed_by(Cte("result", "One row per customer, as it is published.", result))


def _previous(plan: Plan) -> str | None:
    """What stands at the destination, as it stands behind FROM; None where nothing does."""
    return plan.warehouse.table("previous") if plan.published.as_of else None


_STEPS = {
    "order_days": "Reading, cleaning and measuring",
    "customers": "Reading, cleaning and measuring",
    "edges": "Finding the edges",
}


def _refuse_ambiguous_dates(excluded: Sequence[Excluded], mapping: ColumnMapping) -> None:
    for reason in excluded:
        if reason.reason == AMBIGUOUS_DATE:
            raise ColumnError(
                f"The date '{reason.example}' in the column `{mapping.ordered_at.name}` can be read in"
                f" two ways ({count(reason.lines, 'such line')}).",
                "say how it is written: --date-format '%d/%m/%Y' with the day first, or '%m/%d/%Y'"
                " (with ' %H:%M' where a time follows).",
            )


def _refuse_failed(audits: Sequence[Audit], staged: Staged) -> None:
    failed = [audit for audit in audits if audit.status == "failed"]
    if failed:
        raise AuditError(
            f"Nothing was published, because an audit failed: {failed[0].detail}",
            advice(failed, staged),
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


def _result(
    plan: Plan,
    counted: Staged,
    cells: Sequence[Cell],
    *,
    run_id: str,
    audits: tuple[Audit, ...],
    outputs: tuple[str, ...],
    took: float,
) -> RunResult:
    segments, usage = segment_results(plan, cells), plan.warehouse.usage()
    return RunResult(
        run_id=run_id,
        status="published",
        as_of=cells[0].as_of,
        engine=plan.warehouse.engine,
        source=plan.source.label,
        rows_read=counted.rows_read,
        rows_kept=counted.rows_kept,
        amount_kept=counted.amount_kept,
        excluded=counted.excluded,
        customers=counted.customers,
        orders=sum(segment.orders for segment in segments),
        revenue=counted.monetary,
        dimensions=counted.dimensions,
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
