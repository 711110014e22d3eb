"""Rehearsal of a run, for `rfm check`: compute and audit the result without publishing it."""

from __future__ import annotations

from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run_records import RunStart, new_run_id
from rfm_pipeline.pipeline.staging import audit_error, stage_result
from rfm_pipeline.source.profile.sample import SAMPLE_ROWS


def rehearse(plan: Plan) -> tuple[str, ...]:
    """Stage and audit the result of a small source that DuckDB reads; nothing is published or recorded.

    Returns:
        A note for the user if the source is too large for that, or would be read in BigQuery.

    Raises:
        AuditError: If an audit fails.
        RfmError: If a run would be refused.
    """
    if plan.warehouse.engine != "duckdb" or not plan.spec.reading.saw_all_lines:
        return (f"at most the first {SAMPLE_ROWS:,} lines were looked at; a run looks at all",)
    result = stage_result(RunStart(new_run_id(), "check"), plan, NullObserver())
    if result.is_rejected:
        raise audit_error(result)
    return ()
