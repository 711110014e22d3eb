"""Planning a run: validate the request, open the engine and the source, estimate the cost.

All checks that need no scan take place here, before the source is read and anything is written.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.customer_mask import mask_addresses
from rfm_pipeline.common.formatting import truncate
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ExpressionError
from rfm_pipeline.pipeline.frozen_edges import FrozenEdges, edges_of_result, frozen_edges
from rfm_pipeline.pipeline.incremental import keeping_orders, with_preview
from rfm_pipeline.pipeline.output_paths import (
    Output,
    refuse_destination,
    refuse_files_of_query,
    refuse_overwriting,
)
from rfm_pipeline.pipeline.partition_bound import with_filtered_view, with_newest_partition
from rfm_pipeline.pipeline.shared_orders import comparing_files, expects_shared_orders
from rfm_pipeline.pipeline.source_identity import refuse_other_columns
from rfm_pipeline.pipeline.source_query import source_query
from rfm_pipeline.pipeline.source_state import SourceState
from rfm_pipeline.results.run_history import DestinationState, read_state
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.source.profile.profile import profile_source
from rfm_pipeline.sql.audit_queries import audit_sql
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.exclusions import condition_sql
from rfm_pipeline.sql.partition_pruning import describe_pruning, prune_partitions
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.query_spec import QuerySpec
from rfm_pipeline.sql.stages.scores import NTILE_WARNINGS
from rfm_pipeline.warehouse.base import Cost, Preview, SourceTable, Warehouse
from rfm_pipeline.warehouse.duckdb.export import check_output
from rfm_pipeline.warehouse.factory import open_destination, open_warehouse

if TYPE_CHECKING:
    from rfm_pipeline.source.base import SourceOpener


class Plan(Struct, frozen=True):
    """A run that is ready to start: everything is checked, and nothing is read but the head of the source.

    Attributes:
        settings: The settings, with the preset that the source was recognised by.
        recognised: Name of that preset; None if the source was not recognised, or the preset of an export is
            chosen.
        configured: Roles whose column a flag, a variable or the configuration file names.
        export_notes: What the user should know about the export, one phrase each.
        source: The source and its columns.
        spec: What the query computes.
        pipeline: The query.
        state: What the destination holds now.
        warehouse: The engine.
        cost: What the run would read of the source, and its price; None if reading is free, or no estimate
            was requested.
        frozen: The earlier run whose edges score the customers; None if edges are recomputed.
        replaces_source: Whether the run may replace the result of another source.
        source_state: The source's files before anything was read.
        reads_all: Why an incremental run must read all parts, as a clause; None if it may use kept orders.
        checks_kept_orders: Whether the run counts among those of which every tenth, say, checks kept orders.
        preview: What an incremental run would read; None if it reads everything, or where reading is free.
        full_cost: What a run that is not incremental would read; None if that was not asked for.
    """

    settings: Settings
    recognised: str | None
    source: SourceTable
    spec: QuerySpec
    pipeline: QueryPipeline
    warehouse: Warehouse
    state: DestinationState = DestinationState()
    cost: Cost | None = None
    frozen: FrozenEdges | None = None
    replaces_source: bool = False
    configured: frozenset[str] = frozenset()
    export_notes: tuple[str, ...] = ()
    source_state: SourceState = SourceState()
    reads_all: str | None = None
    checks_kept_orders: bool = True
    preview: Preview | None = None
    full_cost: Cost | None = None

    @property
    def mapping(self) -> ColumnMapping:
        """The column of each role."""
        return self.spec.mapping

    @property
    def notes(self) -> tuple[str, ...]:
        """Facts about the source and the method worth knowing, one sentence each."""
        pruning = describe_pruning(self.source.partition, self.mapping, self.settings)
        ties = (f"ntile: {NTILE_WARNINGS[self.warehouse.engine]}",) if self.spec.splits_ties else ()
        files = self.source.files
        copies = files.duplicate_notes("excluded as duplicate_file") if files else ()
        if files and files.distinct > 1 and not self.mapping.order_id:
            copies += ("no order ids: a line that several files have counts in each",)
        notes = (*self.export_notes, *self.source.notes, *copies, *self.spec.reading.notes, *pruning, *ties)
        # Rows that are shifted or have no header can have addresses in any column.
        return tuple(map(mask_addresses, notes))

    def rules(self) -> dict[str, str]:
        """Return the rules of the run by name, as `rfm check` and the printed query list them."""
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
            "returns": "netted" if self.spec.nets_returns else "excluded",
            "scores": ", ".join(scored),
            "segments": f"{settings.segments.name}, {len(self.spec.segment_map.segments)} segments",
        }
        if self.frozen:
            rules["edges"] = f"frozen, of {self.frozen}"
        if settings.skip:
            rules["skipped"] = ", ".join(settings.skip)
        if settings.exclude:
            rules["excluded"] = ", ".join(settings.exclude)
        rules["audits"] = settings.audits.summary()
        return rules

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `rfm check --json` prints them."""
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
                    "configured": role in self.configured,
                }
                for role, column in self.mapping.roles().items()
            },
            "rules": self.rules(),
            "segments": [segment.name for segment in self.spec.segment_map.segments],
            "audits": self.settings.audits.to_json(),
            "destination": self.warehouse.destination.label,
            "published": {
                "as_of": self.state.as_of.isoformat() if self.state.as_of else None,
                "customers": self.state.customers,
            },
            "outputs": [str(path) for path in self.settings.output],
            "cost": self.cost.to_json() if self.cost else None,
            **({"incremental": self._plain_preview(self.preview)} if self.preview else {}),
        }

    def _plain_preview(self, preview: Preview) -> dict[str, Any]:
        return {
            "read": preview.read,
            "kept": preview.kept,
            "why_all": preview.why_all,
            "kept_orders": self.kept_cost.to_json() if self.kept_cost else None,
            "full_read": self.full_cost.to_json() if self.full_cost else None,
        }

    @property
    def kept_cost(self) -> Cost | None:
        """What an incremental run reads of the kept orders at most; None if it reads none, or it is free."""
        if self.preview is None:
            return None
        size = self.preview.kept_bytes
        return Cost(size, self.settings.bigquery.price(size), "at most")


@contextmanager
def open_plan(
    configuration: Configuration,
    *,
    today: date | None = None,
    run_id: str | None = None,
    publishes: bool = True,
    opens: SourceOpener | None = None,
    replace_source: bool = False,
    bounds_read: bool = False,
    keeps_orders: bool = False,
    reads_all: str | None = None,
    thresholds_of: RunRecord | None = None,
    checks_kept_orders: bool = True,
) -> Iterator[Plan]:
    """Plan a run, and keep its engine open inside the `with` block.

    Args:
        configuration: All layers of settings.
        today: The run's date: later orders are excluded as `future_dated`. None for the current date in
            `timezone`.
        run_id: Id of the run, which takes the destination's lease; None to plan without a lease.
        publishes: Whether the destination and the cost matter, or the query alone.
        opens: As for `open_warehouse`.
        replace_source: Whether the result of another source may be replaced.
        bounds_read: Whether a window that ends on the newest order bounds the partitions that are read, as
            `stage_result` checks.
        keeps_orders: Whether an incremental run may keep orders beside the destination, whose lease it holds;
            without a lease, only the cost is that of such a run.
        reads_all: Why an incremental run must read all parts, as a clause; None if it may use kept orders.
        thresholds_of: The result whose edges score the customers; None for the edges that the settings name.
        checks_kept_orders: As for `Plan`.

    Raises:
        RfmError: If any check fails; the first one does.
    """
    segment_map = validate_request(configuration, publishes=publishes)
    settings, query = configuration.settings, source_query(configuration.settings)
    if query is not None:
        refuse_files_of_query(_outputs(settings, publishes=publishes), query)
    with ExitStack() as stack:
        name = run_id or f"check-{secrets.token_hex(6)}"
        warehouse = open_warehouse(settings, name, publishes=publishes, opener=opens, query=query)
        stack.callback(warehouse.close)
        if publishes:
            warehouse.destination.check()
        if run_id:
            stack.enter_context(warehouse.destination.lease(run_id))
        source_state = SourceState.observe(settings, query)
        with source_state.checked():
            plan = build_plan(
                configuration,
                warehouse,
                segment_map,
                today,
                publishes=publishes,
                bounds_read=bounds_read,
                thresholds_of=thresholds_of,
            )
        plan = replace(
            plan,
            source_state=source_state,
            replaces_source=replace_source,
            reads_all=reads_all,
            checks_kept_orders=checks_kept_orders,
        )
        is_incremental = keeps_orders and settings.incremental
        if publishes:
            # Before the state is read, as that may be a query that costs something.
            plan = plan if is_incremental else with_cost(plan)
            plan = without_forgotten(replace(plan, state=read_state(plan.warehouse.destination)))
            refuse_other_columns(plan)
        if is_incremental:
            plan = keeping_orders(plan)
            plan = (
                with_preview(plan, beside_full=run_id is None) if plan.spec.keeps_orders else with_cost(plan)
            )
        yield comparing_files(plan) if expects_shared_orders(plan) else plan


def validate_request(configuration: Configuration, *, publishes: bool) -> SegmentMap:
    """Validate what can be validated without opening anything.

    Returns:
        The validated segment map.

    Raises:
        RfmError: If the webhook, the segment map, the destination, or the path of an output or of the report
            is not usable.
    """
    settings = configuration.settings
    if publishes:
        # An invalid webhook fails every run, and not only the first run that has a message to send.
        settings.notify.webhook_url(os.environ)
    segment_map = SegmentMap.from_config(settings.segments, settings.scoring.bins_by_dimension)
    for path in settings.output:
        check_output(path)
    if publishes and settings.report.file:
        from rfm_pipeline.report.write import check_report_path

        check_report_path(settings.report.file)
    refuse_overwriting(_outputs(settings, publishes=publishes), configuration)
    if publishes:
        refuse_destination(configuration)
    return segment_map


def _outputs(settings: Settings, *, publishes: bool) -> list[Output]:
    """Return the files that a run writes; an output that is named twice is one."""
    outputs = [("output", path) for path in dict.fromkeys(settings.output)]
    return outputs + ([("report", settings.report.file)] if publishes and settings.report.file else [])


def build_plan(
    configuration: Configuration,
    warehouse: Warehouse,
    segment_map: SegmentMap,
    today: date | None,
    *,
    publishes: bool,
    bounds_read: bool,
    thresholds_of: RunRecord | None = None,
) -> Plan:
    """Open the source, and build the query that fits its columns.

    Raises:
        RfmError: If the source can't be opened, a column is missing, or the user's SQL is not valid.
    """
    source = warehouse.open_source()
    # The preset of an export holds columns and exclusions, no segment map: the validated map stays valid.
    configuration = configuration.for_source(column.name for column in source.schema)
    settings, recognised = configuration.settings, configuration.source_preset
    configuration.check_export()
    if thresholds_of is None:
        frozen = _frozen_edges(settings, warehouse, publishes=publishes)
    else:
        frozen = edges_of_result(thresholds_of, settings)
    reading = profile_source(source.schema, warehouse.sample(), settings, source.format)
    today = today or datetime.now(ZoneInfo(settings.timezone)).date()
    source = with_filtered_view(source, warehouse, reading.mapping, settings)
    if bounds_read:
        source = with_newest_partition(source, warehouse, reading.mapping, settings, today)
    dialect = dialect_of(warehouse.engine)
    spec = QuerySpec(
        settings=settings,
        schema=source.schema,
        reading=reading,
        relation=prune_partitions(source.relation, source.partition, reading.mapping, settings, dialect),
        segment_map=segment_map,
        today=today,
        dialect=dialect,
        frozen=frozen.edges if frozen else {},
        files=source.files,
        total_rows=source.total_rows,
    )
    _check_exclusions(spec, warehouse)
    if publishes:
        _check_audits(spec, warehouse)
    return Plan(
        settings,
        recognised,
        source,
        spec,
        QueryPipeline.of(spec),
        warehouse,
        frozen=frozen,
        configured=frozenset(configuration.merged.get("columns", {})),
        export_notes=configuration.export_notes,
    )


def with_cost(plan: Plan) -> Plan:
    """Return the plan with the cost of reading the source.

    Raises:
        CostLimitError: If the run would cost more than the configured limit.
    """
    return replace(plan, cost=plan.warehouse.estimate(plan.pipeline.steps(plan.warehouse.table)[0].select))


def without_forgotten(plan: Plan) -> Plan:
    """Return the plan with a query that excludes the customers that `rfm forget` removed."""
    forgotten = plan.state.forgotten
    if not forgotten.hashes:
        return plan
    spec = replace(plan.spec, forgotten=forgotten)
    return replace(plan, spec=spec, pipeline=QueryPipeline.of(spec))


def _frozen_edges(settings: Settings, warehouse: Warehouse, *, publishes: bool) -> FrozenEdges | None:
    """Return the earlier run whose edges the settings name; None if edges are recomputed."""
    if settings.scoring.edges != "frozen":
        return None
    if publishes:
        return frozen_edges(read_state(warehouse.destination).records, settings)
    # The warehouse of a query alone has another destination than the one whose runs are on record.
    with open_destination(settings) as destination:
        return frozen_edges(read_state(destination).records, settings)


def _check_exclusions(spec: QuerySpec, warehouse: Warehouse) -> None:
    """Let the engine check the user's exclusions against the columns of the source."""
    for name, condition in {**spec.settings.skip, **spec.settings.exclude}.items():
        text = condition_sql(condition, name, spec.schema, spec.dialect)
        if objection := warehouse.check_condition(text, spec.relation):
            from rfm_pipeline.sql.validation.expression import EXCLUSION_HINT

            raise ExpressionError(
                f"The exclusion `{name}` is not usable: {objection} {text}.", EXCLUSION_HINT
            )


def _check_audits(spec: QuerySpec, warehouse: Warehouse) -> None:
    """Let the engine check the user's own audits, over tables without rows, before anything is staged."""
    for name, own in spec.settings.audits.custom.items():
        if own.level == "off":
            continue
        text = audit_sql(own.query, name, None, None, spec.dialect)
        if objection := warehouse.check_condition("TRUE", f"(\n{text}\n) AS found"):
            from rfm_pipeline.sql.validation.audit_query import AUDIT_HINT

            message = f"The audit `{name}` is not usable: {objection.rstrip('!')} ({truncate(own.query)})."
            raise ExpressionError(message, AUDIT_HINT)
