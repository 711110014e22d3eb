"""The audits of a run: ours, with the rows that show what is wrong, and the user's own.

Ours are pure, of what was counted (`audits.py`, `comparisons.py`). Rows are looked up only where one failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from rfm_pipeline.common.formatting import format_count, lower_first
from rfm_pipeline.errors import ExpressionError, SourceError
from rfm_pipeline.pipeline.audits.builtin import audit, to_audit_result
from rfm_pipeline.pipeline.audits.statistics import CheckResult, RunStatistics, failed, passed
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.results.run_result import Audit
from rfm_pipeline.sql.audit_queries import MOST_ROWS, audit_sql, offenders_sql


def run_audits(plan: Plan, staged: RunStatistics, previous: str | None) -> tuple[Audit, ...]:
    """Every audit that is not off, in order: ours, then the user's own.

    Args:
        plan: The run, whose result is staged.
        staged: What was counted of it.
        previous: What stands at the destination, as it stands behind FROM, with the columns of a result; None
            where nothing does.

    Raises:
        ExpressionError: A query of the user's failed on a value.
    """
    ours = (_with_rows(plan, made) for made in audit(staged, plan.settings.audits))
    return (*ours, *_own(plan, previous))


def _with_rows(plan: Plan, made: Audit) -> Audit:
    """An audit with the customers that it is about, where it did not pass and is about some."""
    if made.status == "passed":
        return made
    table, bins = plan.warehouse.table("result"), plan.settings.scoring.bins_by_dimension
    asked = offenders_sql(made.name, table, bins)
    return replace(made, rows=tuple(plan.warehouse.rows(asked))) if asked else made


def _own(plan: Plan, previous: str | None) -> Iterator[Audit]:
    for name, own in plan.settings.audits.own.items():
        if own.level == "off":
            continue
        asked = audit_sql(own.query, name, plan.warehouse.table("result"), previous, plan.spec.dialect)
        try:
            rows = plan.warehouse.rows(asked)
        except SourceError as error:
            # What there is to look at is staged, so that it can't be the source.
            raise ExpressionError(
                f"The audit `{name}` can't be run: {lower_first(error.message)}",
                "write TRY_CAST (in BigQuery SAFE_CAST) in place of CAST; nothing was published.",
            ) from error
        yield to_audit_result(name, own.level, _found(name, rows))


def _found(name: str, rows: Sequence[Mapping[str, Any]]) -> CheckResult:
    if not rows:
        return passed(f"`{name}` found nothing.")
    found = f"more than {MOST_ROWS} rows" if len(rows) > MOST_ROWS else format_count(len(rows), "row")
    return failed(f"`{name}` found {found}.", *rows[:MOST_ROWS])
