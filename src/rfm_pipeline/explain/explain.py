"""Explaining a customer: the steps of a run up to the segments, and the customer's own lines beside them.

The values, the edges and the segment are the pipeline's own, so that they are what a run would publish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from rfm_pipeline.common.formatting import format_bytes, format_count
from rfm_pipeline.config.destination_location import BigQueryDestinationLocation, parse_destination
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import Cell, SegmentMap, cell_text
from rfm_pipeline.config.source_location import BigQueryTable, parse_source
from rfm_pipeline.errors import CostLimitError, RfmError
from rfm_pipeline.explain.not_found import meant, none_counted, unknown
from rfm_pipeline.explain.order_timeline import OrderDay, OrderTimeline, OrderTotals
from rfm_pipeline.explain.published_history import PublishedHistory, published_history
from rfm_pipeline.explain.result import Changes, Explanation, MatchedRule, OrderLines
from rfm_pipeline.explain.what_if import ScoreEdges, more_orders, no_order
from rfm_pipeline.pipeline.plan import Plan, open_plan
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_statistics import count_lines, count_score_cells, dimension_scores
from rfm_pipeline.pipeline.staging import refuse_ambiguous_dates
from rfm_pipeline.results.run_history import read_state
from rfm_pipeline.results.run_result import DimensionScores, Excluded
from rfm_pipeline.sql.explain_queries import counted_sql, decided, lines_sql, newest_sql, row_sql, totals_sql

NEWEST = 20
"""How many orders are shown unless all are asked for."""
_MOST_FOLLOWED = 5_000
_STAGED = "explained"


def explain(
    configuration: Configuration,
    customer: str,
    watcher: RunObserver,
    *,
    newest: int | None = NEWEST,
    today: date | None = None,
) -> Explanation:
    """Finds out why a customer is in a segment, and what would lead to another. Nothing is published.

    Args:
        configuration: All layers of settings.
        customer: The customer, as the result prints the id.
        watcher: Told what is going on.
        newest: How many of the customer's orders are wanted, the newest first; None is all.
        today: As for `open_plan`.

    Raises:
        UsageError: There is no such customer, or nothing of the customer counted.
        RfmError: Anything else that a run would fail with.
    """
    ids = meant(customer)
    watcher.step("Looking at the source")
    with open_plan(configuration, today=today, publishes=_stages_where_it_publishes(configuration)) as plan:
        warehouse = plan.warehouse
        select = lines_sql(plan.spec, plan.pipeline, ids)
        _check_cost(plan, select)
        watcher.step("Reading the customer's lines")
        warehouse.materialize(_STAGED, select, watcher.progress)
        found = _found(plan, ids)
        if found is None:
            raise unknown(plan, customer)
        watcher.step("Reading, cleaning and measuring")
        for step in plan.pipeline.steps(warehouse.table):
            warehouse.materialize(step.name, step.select, watcher.progress, step.partitioned)
        watcher.step("Explaining")
        refuse_ambiguous_dates(count_lines(plan).excluded, plan.mapping)
        return replace(_explained(plan, found, newest), past=_past(plan, found))


def _stages_where_it_publishes(configuration: Configuration) -> bool:
    """Whether it is planned as a run is: BigQuery stages at the destination, and charges for what is read.

    DuckDB does neither, and its file, which somebody else may hold, is not needed for that.
    """
    settings = configuration.settings()
    is_source = settings.source is not None and isinstance(parse_source(settings.source), BigQueryTable)
    return is_source or isinstance(parse_destination(settings.to), BigQueryDestinationLocation)


def _check_cost(plan: Plan, select: str) -> None:
    """The source is read twice: for all customers, and for the lines of this one."""
    lines = plan.warehouse.estimate(select)
    if lines is None or plan.cost is None:
        return
    whole, most = lines.bytes_processed + plan.cost.bytes_processed, plan.settings.bigquery.most_bytes
    if whole > most:
        raise CostLimitError(
            f"Explaining would read {format_bytes(whole)} in two queries, and the limit is {format_bytes(most)}.",
            f"raise it with --max-bytes '{format_bytes(whole + max(whole // 10, 2**20))}', or narrow it with --since"
            " or --window.",
        )


def _found(plan: Plan, ids: Sequence[str]) -> str | None:
    """The first of some ids that has lines."""
    rows = plan.warehouse.rows(f"SELECT DISTINCT customer_id FROM {plan.warehouse.table(_STAGED)}")
    there = {row["customer_id"] for row in rows}
    return next((customer for customer in ids if customer in there), None)


def _explained(plan: Plan, customer: str, newest: int | None) -> Explanation:
    rows, table = plan.warehouse.rows, plan.warehouse.table
    (standing,) = rows(f"SELECT MAX(as_of_date) AS as_of_date FROM {table('segments')}")
    lines = decided(plan.spec, table(_STAGED), customer, standing["as_of_date"])
    totals = rows(totals_sql(lines))
    scored = rows(row_sql(table("segments"), customer, plan.spec.dialect))
    if not scored:
        raise none_counted(customer, [_excluded(row) for row in totals])
    (row,) = scored
    dimensions = dimension_scores(plan, count_score_cells(plan, "segments"))
    shown = [_order(found) for found in rows(newest_sql(lines, newest))]
    (kept,) = (found for found in totals if found["reason"] is None)
    return Explanation(
        row=row,
        source=plan.source.label,
        engine=plan.warehouse.engine,
        dimensions=dimensions,
        fired=_fired(plan.spec.segment_map, (row["r_score"], row["f_score"], row["m_score"])),
        lines=int(kept["lines"]),
        amount=Decimal(kept["amount"]),
        excluded=tuple(_excluded(found) for found in totals if found["reason"] is not None),
        orders=tuple(shown),
        left_out=sum(found["pieces"] for found in totals) - len(shown),
        has_order_ids=plan.mapping.order_id is not None,
        changes=_changes(plan, row, dimensions, totals, lines),
        config_hash=plan.settings.config_hash,
        notes=plan.notes,
    )


def _excluded(row: Mapping[str, Any]) -> Excluded:
    return Excluded(row["reason"], int(row["lines"]), row["amount"], row["example"])


def _order(row: Mapping[str, Any]) -> OrderLines:
    return OrderLines(
        row["order_id"], row["order_date"], int(row["lines"]), row["amount"], row["reason"], row["written"]
    )


def _fired(segment_map: SegmentMap, cell: Cell) -> MatchedRule:
    named = {segment.name: segment for segment in segment_map.segments}
    segment = named[segment_map.segment_of(*cell)]
    for number, rule in enumerate(segment_map.rules, start=1):
        if rule.covers(*cell):
            asked = [f"{dimension} {scores}" for dimension, scores in rule.ranges]
            asked += [f"the cell {cell_text(cell, segment_map.bins)}"] if rule.cells else []
            return MatchedRule(number, ", ".join(asked), segment.description, segment.action)
    return MatchedRule(None, "what no rule covers", segment.description, segment.action)


def _changes(
    plan: Plan,
    row: Mapping[str, Any],
    dimensions: Sequence[DimensionScores],
    totals: Sequence[Mapping[str, Any]],
    lines: str,
) -> Changes:
    edges = {scores.name: scores.edges for scores in dimensions if scores.edges is not None}
    if len(edges) < len(dimensions):
        return Changes(why_none="ntile has no edges: what a customer scores depends on all the others")
    course = OrderTimeline(
        as_of=row["as_of_date"],
        now=OrderTotals(row["frequency"], row["monetary"], row["last_order_date"]),
        window=plan.settings.window,
        nets_returns=plan.spec.nets_returns,
        until=_until(totals),
    )
    if course.until == course.as_of:
        tomorrow = course.as_of + timedelta(days=1)
        return Changes(why_none=f"lines of the customer are dated {tomorrow}, and will count from then on")
    if course.window:
        followed = plan.warehouse.rows(counted_sql(lines, _MOST_FOLLOWED + 1))
        if len(followed) > _MOST_FOLLOWED:
            most = format_count(_MOST_FOLLOWED, "order")
            return Changes(why_none=f"more than {most} are too many to follow out of the window")
        course = replace(course, days=_order_days(followed))
    scale, segment_map = ScoreEdges(**edges), plan.spec.segment_map
    return Changes(
        more_orders(course, scale, segment_map, row["segment"]),
        no_order(course, scale, segment_map, row["segment"]),
        until=course.until,
        edges_are_fixed=all(scores.method == "fixed" or scores.edges_from for scores in dimensions),
    )


def _until(totals: Sequence[Mapping[str, Any]]) -> date | None:
    """The day before the first of the lines that are dated later: they will count by themselves."""
    later = [row["oldest"] for row in totals if row["reason"] == "future_dated"]
    return later[0] - timedelta(days=1) if later else None


def _order_days(rows: Sequence[Mapping[str, Any]]) -> tuple[OrderDay, ...]:
    return tuple(
        OrderDay(
            # Where no column tells orders apart, each line is one.
            str(number) if row["order_id"] is None else f"id {row['order_id']}",
            row["order_date"],
            Decimal(row["amount"]),
            int(row["purchases"]),
        )
        for number, row in enumerate(rows)
    )


def _past(plan: Plan, customer: str) -> PublishedHistory:
    """What was published; a destination that can't be read takes nothing from the rest."""
    destination = plan.warehouse.destination
    try:
        standing = plan.standing if plan.standing.tables else read_state(destination)
        return published_history(customer, destination, standing, plan.spec.dialect)
    except RfmError as error:
        return PublishedHistory(unread=error.message)
