"""Two configurations for the same lines, which are read once: the run's own, and one with other settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.comparison.sides import ComparedSides
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.access import needs_destination
from rfm_pipeline.pipeline.configurations import configurations, label_of, staging_spec
from rfm_pipeline.pipeline.currencies import refuse_unexpected_currencies
from rfm_pipeline.pipeline.key_counts import refuse_scientific_ids
from rfm_pipeline.pipeline.plan import Plan, open_plan
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_statistics import LineCounts, count_lines
from rfm_pipeline.pipeline.shared_orders import refuse_different_orders
from rfm_pipeline.pipeline.staging import refuse_ambiguous_dates, stage_metrics
from rfm_pipeline.sql.pipeline import QueryPipeline

if TYPE_CHECKING:
    from rfm_pipeline.source.base import SourceOpener

COMPARED = ("segment", "r_score", "f_score", "m_score", "rfm_score")
"""Columns that depend on the configuration."""


@contextmanager
def open_configurations(
    configuration: Configuration,
    changes: str | Mapping[str, Any],
    observer: RunObserver,
    *,
    today: date | None = None,
    opens: SourceOpener | None = None,
) -> Iterator[ComparedSides]:
    """Score the customers of the source by two configurations. Nothing is published.

    Args:
        configuration: All layers of settings, those of side A.
        changes: What side B sets: some of `preset`, `bins` and `method`.
        observer: Receives the progress.
        today: As for `open_plan`.
        opens: As for `open_plan`.

    Raises:
        RfmError: If a run with these settings would fail.
    """
    configuration = replace(configuration, flags={**configuration.flags, "output": ()})
    (choice,) = configurations(configuration, [changes], "--with")
    observer.step("Looking at the source")
    # Nothing is published, so the destination may have the result of another source.
    publishes = needs_destination(configuration.settings)
    with open_plan(
        configuration, today=today, publishes=publishes, opens=opens, replace_source=True
    ) as opened:
        staged = staging_spec(opened.spec, [choice])
        plan = stage_metrics(replace(opened, spec=staged, pipeline=QueryPipeline.of(staged)), observer)
        lines = _count_lines(plan)
        observer.step("Scoring and segmenting")
        specs = (replace(plan.spec, segment_map=opened.spec.segment_map), choice.apply(plan.spec))
        warehouse, tables = plan.warehouse, []
        for number, spec in enumerate(specs):
            edges, segments = QueryPipeline.of(spec).steps(warehouse.table)[-2:]
            if number:
                warehouse.materialize(edges.name, edges.select, observer.progress)
            name = f"{segments.name}_{number}"
            warehouse.materialize(name, segments.select, observer.progress)
            tables.append(warehouse.table(name))
        (row,) = warehouse.rows(f"SELECT MAX(as_of_date) AS as_of FROM {tables[0]}")
        read = format_count(lines.kept + sum(reason.lines for reason in lines.excluded), "line")
        yield ComparedSides(
            engine=warehouse,
            selects=(f"SELECT *\nFROM {tables[0]}", f"SELECT *\nFROM {tables[1]}"),
            names=(label_of(plan.settings), choice.label),
            as_of=(row["as_of"], row["as_of"]),
            columns=COMPARED,
            orders=(_names(specs[0].segment_map), _names(specs[1].segment_map)),
            notes=(
                f"{plan.source.label}: {read} read, {lines.kept:,} kept",
                *dict.fromkeys([*plan.notes, *replace(plan, spec=specs[1]).notes]),
            ),
        )


def _names(segment_map: SegmentMap) -> tuple[str, ...]:
    return tuple(segment.name for segment in segment_map.segments)


def _count_lines(plan: Plan) -> LineCounts:
    """Return the counts of the staged lines.

    Raises:
        UsageError: If no line counts.
        RfmError: If a run would be refused.
    """
    lines, reading = count_lines(plan.warehouse, plan.spec), plan.spec.reading
    refuse_scientific_ids(lines.excluded, reading)
    refuse_ambiguous_dates(lines.excluded, reading)
    refuse_unexpected_currencies(lines, reading)
    refuse_different_orders(plan, lines.excluded)
    if not lines.kept:
        raise UsageError(
            f"No line of {plan.source.label} counts, so there is nothing to compare.",
            "`rfm check` shows how the source is read.",
        )
    return lines
