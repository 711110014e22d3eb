"""Planning a run: everything is checked before anything is read through or written."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from rfm_pipeline.common.date_formats import ISO
from rfm_pipeline.common.formatting import truncate
from rfm_pipeline.common.schema import Kind
from rfm_pipeline.config.column_mapping import ColumnMapping, map_columns
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.presets import recognise
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.source_location import FileLocation, parse_source
from rfm_pipeline.errors import ColumnError, ConfigurationError, ExpressionError
from rfm_pipeline.pipeline.frozen_edges import FrozenEdges, frozen_edges
from rfm_pipeline.results.run_history import DestinationState, read_state
from rfm_pipeline.sql.audit_queries import audit_sql
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.exclusions import condition_sql
from rfm_pipeline.sql.partition_pruning import narrowed, narrowing
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.query_spec import QuerySpec
from rfm_pipeline.sql.stages.scores import SPLITS_TIES
from rfm_pipeline.warehouse.base import Cost, SourceTable, Warehouse
from rfm_pipeline.warehouse.duckdb.export import check_output
from rfm_pipeline.warehouse.factory import open_destination, open_warehouse

if TYPE_CHECKING:
    from rfm_pipeline.source.base import Opener


class Plan(Struct, frozen=True):
    """A run that is ready to start: everything was checked, and nothing but the source's head was read.

    Attributes:
        settings: All that was configured, with the preset that the source was recognised by.
        recognised: That preset's name; None where the source was not recognised, or columns were configured.
        source: The source and its columns.
        mapping: Which column plays which role.
        spec: What the query is to answer.
        pipeline: The query.
        standing: What stands at the destination now.
        warehouse: Where it runs.
        cost: What it would read, and at what price; None where reading costs nothing, or nobody asked.
        frozen: The earlier run whose edges customers are scored by; None where edges are recomputed.
    """

    settings: Settings
    recognised: str | None
    source: SourceTable
    mapping: ColumnMapping
    spec: QuerySpec
    pipeline: QueryPipeline
    standing: DestinationState
    warehouse: Warehouse
    cost: Cost | None = None
    frozen: FrozenEdges | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found out about the source that a person wants to know."""
        known = (f"recognised by its columns: preset {self.recognised}",) if self.recognised else ()
        unread = narrowing(self.source.partition, self.mapping, self.settings)
        ties = (f"ntile: {SPLITS_TIES[self.warehouse.engine]}",) if self.spec.splits_ties else ()
        return (*known, *self.source.notes, *unread, *ties)

    def in_words(self) -> dict[str, str]:
        """The rules of the run, each by name."""
        settings = self.settings
        window = [f"the last {settings.window}"] if settings.window else []
        window += [f"since {settings.since}"] if settings.since else []
        scored = [
            f"{dimension.name} {dimension.bins} {dimension.method}"
            for dimension in settings.scoring.dimensions
        ]
        rules = {
            "as of": "the newest order" if settings.as_of == "latest" else str(settings.as_of),
            "window": " and ".join(window) or "everything",
            "time zone": settings.timezone,
            "returns": "excluded" if settings.returns == "exclude" else "netted",
            "scores": ", ".join(scored),
            "segments": f"{settings.segments.name}, {len(self.spec.segment_map.segments)} segments",
        }
        if self.frozen:
            rules["edges"] = f"frozen, of {self.frozen}"
        if settings.skip:
            rules["skipped"] = ", ".join(settings.skip)
        if settings.exclude:
            rules["excluded"] = ", ".join(settings.exclude)
        rules["audits"] = settings.audits.in_words()
        return rules

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values, as `rfm check --json` prints it."""
        return {
            "source": self.source.label,
            "rows": self.source.rows,
            "notes": list(self.notes),
            "recognised": self.recognised,
            "engine": self.warehouse.engine,
            "columns": {
                role: {
                    "column": column.name,
                    "type": column.declared,
                    "configured": role in self.mapping.configured and self.recognised is None,
                }
                for role, column in self.mapping.roles().items()
            },
            "rules": self.in_words(),
            "segments": [segment.name for segment in self.spec.segment_map.segments],
            "audits": self.settings.audits.to_json(),
            "destination": self.warehouse.destination.label,
            "published": {
                "as_of": self.standing.as_of.isoformat() if self.standing.as_of else None,
                "customers": self.standing.customers,
            },
            "outputs": [str(path) for path in self.settings.output],
            "cost": None
            if self.cost is None
            else {
                "bytes_processed": self.cost.bytes_processed,
                "dollars": str(self.cost.dollars.quantize(Decimal("0.0001"))),
            },
        }


@contextmanager
def open_plan(
    configuration: Configuration,
    *,
    today: date | None = None,
    run_id: str | None = None,
    publishes: bool = True,
    opens: Opener | None = None,
) -> Iterator[Plan]:
    """Checks everything that can be checked before a run, and holds the engine open for it.

    Args:
        configuration: All layers of settings.
        today: The date after which nothing can have been ordered; None is the clock's, in `timezone`.
        run_id: The run that this is the plan of, which holds the destination's lease; None where there is to
            be none.
        publishes: Whether the cost and the destination matter, or the query alone.
        opens: As for `open_warehouse`.

    Raises:
        RfmError: The first thing that is wrong.
    """
    settings = configuration.settings()
    if publishes:
        settings.notify.address(os.environ)  # Not on the day on which somebody is to be told.
    SegmentMap.from_config(settings.segments, settings.scoring.bins_by_dimension)
    for path in settings.output:
        check_output(path)
        _refuse_reading_what_is_written(path, settings.source)
    if publishes and settings.report.file:
        from rfm_pipeline.report.write import check_place

        check_place(settings.report.file)
        _refuse_reading_what_is_written(settings.report.file, settings.source)
    with ExitStack() as stack:
        name = run_id or f"check-{secrets.token_hex(6)}"
        warehouse = open_warehouse(settings, name, publishes=publishes, opens=opens)
        stack.callback(warehouse.close)
        if publishes:
            warehouse.destination.check()
        if run_id:
            stack.enter_context(warehouse.destination.lease(run_id))
        source = warehouse.open_source()
        recognised = None
        if not configuration.names_columns:
            recognised = recognise([column.name for column in source.schema])
            settings = configuration.settings(recognised)
        frozen = None
        if settings.scoring.edges == "frozen":
            known = read_state(warehouse.destination) if publishes else _standing(settings)
            frozen = frozen_edges(known.records, settings)
        spec = _spec(settings, source, dialect_of(warehouse.engine), today, frozen)
        _check_conditions(spec, warehouse)
        if publishes:
            _check_audits(spec, warehouse)
        pipeline = QueryPipeline.of(spec)
        # Before anything that costs something.
        cost = warehouse.estimate(pipeline.steps(warehouse.table)[0].select) if publishes else None
        yield Plan(
            settings,
            recognised,
            source,
            spec.mapping,
            spec,
            pipeline,
            # After the estimate, for looking may be a query too.
            read_state(warehouse.destination) if publishes else DestinationState(),
            warehouse,
            cost,
            frozen,
        )


def _refuse_reading_what_is_written(output: Path, source: str | None) -> None:
    """An output must not replace the source, nor be part of it for the next run."""
    location = parse_source(source) if source else None
    if not isinstance(location, FileLocation):
        return
    path, written = Path(location.text), output.resolve()
    if path.is_dir():
        read = written.is_relative_to(path.resolve())
    elif path.exists():
        read = written == path.resolve()
    else:
        read = output.absolute().match(str(path.absolute()))
    if read:
        what = "is the source itself" if path.is_file() else f"would be part of the source {source}"
        raise ConfigurationError(f"The output {output} {what}.", "write it somewhere else.")


def _standing(settings: Settings) -> DestinationState:
    """What stands at the destination, for a query that is frozen to a run there."""
    with open_destination(settings) as destination:
        return read_state(destination)


def _spec(
    settings: Settings, source: SourceTable, dialect: Dialect, today: date | None, frozen: FrozenEdges | None
) -> QuerySpec:
    mapping = map_columns(source.schema, settings.columns.by_role(), source.written_as)
    if mapping.ordered_at.kind is Kind.INTEGER and settings.date_format == (ISO,):
        raise ColumnError(
            f"The column `{mapping.ordered_at.name}` is {mapping.ordered_at.declared}, and a number is no"
            " date by itself.",
            "if it is written like 20251231, set --date-format '%Y%m%d'.",
        )
    return QuerySpec(
        settings=settings,
        schema=source.schema,
        mapping=mapping,
        relation=narrowed(source.relation, source.partition, mapping, settings, dialect),
        segment_map=SegmentMap.from_config(settings.segments, settings.scoring.bins_by_dimension),
        today=today or datetime.now(ZoneInfo(settings.timezone)).date(),
        dialect=dialect,
        frozen=frozen.edges if frozen else {},
    )


def _check_conditions(spec: QuerySpec, warehouse: Warehouse) -> None:
    for name, condition in {**spec.settings.skip, **spec.settings.exclude}.items():
        text = condition_sql(condition, name, spec.schema, spec.dialect)
        if objection := warehouse.check_condition(text, spec.relation):
            from rfm_pipeline.sql.validation.expression import HINT

            raise ExpressionError(f"The exclusion `{name}` is not usable: {objection} {text}.", HINT)


def _check_audits(spec: QuerySpec, warehouse: Warehouse) -> None:
    """Lets the engine look at the user's own audits before anything is staged, over tables without rows."""
    for name, own in spec.settings.audits.own.items():
        if own.level == "off":
            continue
        text = audit_sql(own.query, name, None, None, spec.dialect)
        if objection := warehouse.check_condition("TRUE", f"(\n{text}\n) AS found"):
            from rfm_pipeline.sql.validation.audit_query import HINT

            refused = f"The audit `{name}` is not usable: {objection.rstrip('!')} ({truncate(own.query)})."
            raise ExpressionError(refused, HINT)
