"""`rfm init`: a configuration file for a source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rfm_pipeline.config.column_mapping import NO_COLUMN
from rfm_pipeline.config.template import render_template


def starter_config(source: str | None, given: Mapping[str, Any] | None = None) -> str:
    """Return the text of a configuration file with every setting, explained, at its default.

    Args:
        source: A source whose columns are set in the file; None leaves them to be detected.
        given: Settings of the command line, in the shape of the file, that are set in it too.

    Raises:
        RfmError: If the source can't be read, or its columns can't be detected.
    """
    settings = dict(given or {})
    columns: dict[str, str] = dict(settings.pop("columns", {}))
    if source is not None:
        from rfm_pipeline.config.loader import Configuration
        from rfm_pipeline.pipeline.plan import open_plan

        configuration = Configuration(flags={**(given or {}), "source": source})
        with open_plan(configuration, publishes=False) as plan:
            columns = {role: column.name for role, column in plan.mapping.roles().items()}
            if plan.recognised:
                settings["preset"] = [plan.recognised, *settings.get("preset", ())]
        columns.setdefault("order_id", NO_COLUMN)
        settings["source"] = source
    return render_template(settings, columns)
