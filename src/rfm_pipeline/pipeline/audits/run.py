"""Running the audits of a run: the built-in ones, then the user's own.

Built-in audits check counts (`builtin.py`, `regression.py`). Rows that show a problem are queried only if an
audit does not pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from rfm_pipeline.common.formatting import format_count, lower_first
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.errors import ExpressionError, SourceError
from rfm_pipeline.pipeline.audits.builtin import run_builtin_audits, to_audit_result
from rfm_pipeline.pipeline.audits.statistics import AuditInput, CheckResult, failed, not_compared, passed
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.results.statistics import Audit
from rfm_pipeline.sql.audit_queries import MAX_SAMPLE_ROWS, audit_sql, failing_rows_sql

_PREVIOUS = re.compile(r"\bprevious(_segment)?\b", re.IGNORECASE)
"""The current result in a user's audit, or the column that compares with it."""
_OTHER_RULE = "Not compared with the current result, which an earlier rule for ties scored."


def run_audits(plan: Plan, run: AuditInput, current: str | None) -> tuple[Audit, ...]:
    """Run every audit whose level is not `off`: the built-in ones, then the user's own.

    Args:
        plan: The plan of the run, whose result is staged.
        run: The statistics and counts of the staged result.
        current: SQL identifier of the staged copy of the current result; None if there is no current result.

    Raises:
        ExpressionError: If a query of the user's fails on a value.
    """
    builtin = (_with_rows(plan, audit) for audit in run_builtin_audits(run, plan.settings.audits))
    own = _run_own_audits(plan, current, current_rule_differs=run.current_rule_differs)
    return (*builtin, *own)


def _with_rows(plan: Plan, audit: Audit) -> Audit:
    """Add the offending customers to an audit that did not pass, if the audit is about customers."""
    if audit.status not in {"warning", "failed"}:
        return audit
    table, bins = plan.warehouse.table(StagingTable.RESULT), plan.settings.scoring.bins_by_dimension
    query = failing_rows_sql(audit.name, table, bins)
    return replace(audit, rows=tuple(plan.warehouse.rows(query))) if query else audit


def _run_own_audits(plan: Plan, current: str | None, *, current_rule_differs: bool) -> Iterator[Audit]:
    for name, own in plan.settings.audits.custom.items():
        if own.level == "off":
            continue
        if current_rule_differs and _PREVIOUS.search(own.query):
            yield to_audit_result(name, own.level, not_compared(_OTHER_RULE))
            continue
        query = audit_sql(
            own.query, name, plan.warehouse.table(StagingTable.RESULT), current, plan.spec.dialect
        )
        try:
            rows = plan.warehouse.rows(query)
        except SourceError as error:
            # The query reads staged tables only, so the failing value is not the source's.
            raise ExpressionError(
                f"The audit `{name}` can't be run: {lower_first(error.message)}",
                "write TRY_CAST (in BigQuery SAFE_CAST) in place of CAST; nothing was published.",
            ) from error
        yield to_audit_result(name, own.level, _check_rows(name, rows))


def _check_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> CheckResult:
    """Return the result of a user's audit, which fails if its query returns rows."""
    if not rows:
        return passed(f"`{name}` found nothing.")
    count = (
        f"more than {MAX_SAMPLE_ROWS} rows" if len(rows) > MAX_SAMPLE_ROWS else format_count(len(rows), "row")
    )
    return failed(f"`{name}` found {count}.", *rows[:MAX_SAMPLE_ROWS])
