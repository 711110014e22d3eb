"""The orchestrator: plan, stage, audit, publish. The only room that knows all the others.

Nothing here prints; what goes on is told to a `Watcher`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Protocol

from rfm_pipeline.audits import Staged, advice, audit
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
        # All of it before the publish, after which nothing may fail that would look as if there were none.
        audited = stage(plan, run_id, watcher)
        with _outputs(plan) as outputs:
            watcher.step("Publishing")
            plan.warehouse.publish("result")
        took = time.monotonic() - started
        return result_of(plan, audited, run_id=run_id, status="published", outputs=outputs, took=took)


@dataclass(frozen=True, slots=True)
class Audited:
    """A staged result that may be published: what it was counted to, and what the audits found."""

    counted: Staged
    cells: tuple[Cell, ...]
    audits: tuple[Audit, ...]


def stage(plan: Plan, run_id: str, watcher: Watcher) -> Audited:
    """Stages the result, and audits it.

    Raises:
        AuditError: An audit failed.
        RfmError: Anything else.
    """
    for step in _publishing(plan, run_id).steps(plan.warehouse.table):
        watcher.step(_STEPS.get(step.name, "Scoring and segmenting"))
        plan.warehouse.create(step.name, step.select, watcher.progress)
    watcher.step("Auditing")
    lines = lines_of(plan)
    _refuse_ambiguous_dates(lines.excluded, plan.mapping)
    cells = cells_of(plan)
    counted = staged(plan, lines, cells)
    audits = audit(counted)
    _refuse_failed(audits, counted)
    return Audited(counted, cells, audits)


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


def result_of(
    plan: Plan, audited: Audited, *, run_id: str, status: str, outputs: tuple[str, ...] = (), took: float
) -> RunResult:
    """What is told of a run, which took some seconds and ended in a status."""
    counted, cells = audited.counted, audited.cells
    segments, usage = segment_results(plan, cells), plan.warehouse.usage()
    return RunResult(
        run_id=run_id,
        status=status,
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
        audits=audited.audits,
        destination=plan.warehouse.destination,
        outputs=outputs,
        duration_s=took,
        bytes_processed=usage.bytes_processed,
        bytes_billed=usage.bytes_billed,
        slot_ms=usage.slot_ms,
        jobs=usage.jobs,
        columns={role: column.name for role, column in plan.mapping.roles().items()},
        notes=plan.notes,
        drift=counted.drift,
    )
