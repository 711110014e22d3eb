"""The conditions of `[skip]` and `[exclude]`: which columns they read, the lines that they exclude."""

from __future__ import annotations

import re

from rfm_pipeline.common.schema import Column
from rfm_pipeline.config.column_mapping import find_column
from rfm_pipeline.config.settings import ColumnCondition, Settings
from rfm_pipeline.source.profile.amounts import SampledLines


def excluded_by_settings(lines: SampledLines) -> tuple[bool, ...]:
    """Return whether each line of the sample is excluded by a condition on a column, of a preset or the user.

    Conditions in SQL are not evaluated.
    """
    marked = []
    for condition in (*lines.settings.skip.values(), *lines.settings.exclude.values()):
        column = (
            find_column(lines.schema, condition.column) if isinstance(condition, ColumnCondition) else None
        )
        if column is None or isinstance(condition, str):
            continue
        values = lines.sample.of(column)
        if condition.blank is not None:
            marked.append([(value is None) == condition.blank for value in values])
        elif condition.equals:
            marked.append([value in condition.equals for value in values])
        else:
            marked.append([value not in (condition.not_equals or ()) for value in values])
    return tuple(any(line) for line in zip(*marked, strict=True)) or (False,) * lines.sample.rows


def exclusions_of(column: Column, settings: Settings) -> dict[str, object]:
    """Return the user's and the preset's conditions on lines that read a column, by name."""
    pattern = re.compile(rf"(?<!\w){re.escape(column.name)}(?!\w)", re.IGNORECASE)
    conditions = {**settings.skip, **settings.exclude}
    return {
        name: condition
        for name, condition in conditions.items()
        if pattern.search(condition if isinstance(condition, str) else condition.column)
    }
