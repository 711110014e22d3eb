"""The query as a model of the warehouse's own tools: a dbt model, a Dataform file, a scheduled query."""

from __future__ import annotations

from rfm_pipeline.errors import UsageError
from rfm_pipeline.sql.models.model import Model, ModelFile

TOOLS = ("dbt", "dataform", "scheduled-query")
"""The tools that a model can be printed for."""


def check_tool(tool: str) -> None:
    """Raise if there is no such tool.

    Raises:
        UsageError: With the tools that there are.
    """
    if tool not in TOOLS:
        raise UsageError(
            f"There is no model for '{tool}'.", f"choose {', '.join(TOOLS[:-1])} or {TOOLS[-1]}."
        )


def render(model: Model, tool: str) -> tuple[ModelFile, ...]:
    """Return the files of a model, of which the first one has the query.

    Args:
        model: The model.
        tool: One of `TOOLS`.

    Raises:
        UsageError: If the tool can't express the model.
    """
    if tool == "dbt":
        from rfm_pipeline.sql.models.dbt import dbt_files

        return dbt_files(model)
    if tool == "dataform":
        from rfm_pipeline.sql.models.dataform import dataform_files

        return dataform_files(model)
    from rfm_pipeline.sql.models.scheduled_query import scheduled_query_files

    return scheduled_query_files(model)
