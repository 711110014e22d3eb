"""Rehearsal of a run, for `rfm check`: compute and audit the result without publishing it."""

from __future__ import annotations

from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_records import RunStart, new_run_id
from rfm_pipeline.pipeline.staging import audit_error, stage_result
from rfm_pipeline.source.profile.sample import SAMPLE_ROWS


def rehearse(plan: Plan, observer: RunObserver) -> tuple[str, ...]:
    """Stage and audit the result of a source that DuckDB reads; nothing is published or recorded.

    In BigQuery this would cost as much as the run.

    Returns:
        A note for the user if the source would be read in BigQuery.

    Raises:
        AuditError: If an audit fails.
        RfmError: If a run would be refused.
    """
    if plan.warehouse.engine != "duckdb":
        return (f"at most the first {SAMPLE_ROWS:,} lines were looked at; a run looks at all",)
    result = stage_result(RunStart(new_run_id(), "check"), plan, observer)
    if result.is_rejected:
        raise audit_error(result)
    return ()
