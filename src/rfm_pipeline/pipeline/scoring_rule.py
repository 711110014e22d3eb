"""The version of the scoring rule: whether earlier results were scored by another one.

Results that two versions scored can't be compared by segment: their customers moved because of the rule.
"""

from __future__ import annotations

import shlex

from rfm_pipeline.config.scoring import SCORING_VERSION
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.results.run_record import RunRecord


def has_other_rule(record: RunRecord | None, settings: Settings) -> bool:
    """Return whether a run was scored by another version of the rule than a run with these settings is.

    Args:
        record: The run; None if there is none.
        settings: The settings. With frozen or given edges, scores do not depend on the rule.
    """
    return (
        record is not None
        and record.customers is not None
        and settings.scoring.depends_on_rule
        and record.scoring_version != SCORING_VERSION
    )


def current_has_other_rule(plan: Plan) -> bool:
    """Return whether the current result of the destination was scored by another version of the rule."""
    current = plan.state.as_of
    return current is not None and has_other_rule(plan.state.dates.get(current), plan.settings)


def rule_notes(plan: Plan) -> tuple[str, ...]:
    """Return a note with the command that scores the stored dates again; none if there is no such date."""
    if not current_has_other_rule(plan):
        return ()
    command = rescore_command(plan.settings.source_name, plan.settings)
    text = "the rule for tied values has changed since the current result: moves since then are due to rules"
    return (f"{text}; `{command}` scores the stored dates again",)


def rescore_command(source: str | None, settings: Settings) -> str:
    """Return the command that scores the stored dates of a destination again.

    Args:
        source: The source as configured; None if it has no name.
        settings: Settings with the destination.
    """
    # Standard input can't be read again, and a data frame has no name.
    named = "SOURCE" if source in (None, "-") else shlex.quote(source)
    return f"rfm backfill {named} --to {shlex.quote(str(settings.to))} --every stored"
