"""The `rfm explain` use case: a run up to the segments, and a query for the customer's own lines.

Values, edges and segment come from the steps of the run itself, so that they equal what a run would publish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from rfm_pipeline.common.formatting import format_bytes, format_count
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.day_conditions import Rhythm
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import SegmentMap, cell_text
from rfm_pipeline.config.segment_rules import ScoreTriple
from rfm_pipeline.errors import CostLimitError, RfmError
from rfm_pipeline.explain.not_found import candidate_ids, no_counted_lines, unknown_customer
from rfm_pipeline.explain.order_timeline import OrderDay, OrderTimeline, OrderTotals
from rfm_pipeline.explain.published_history import PublishedHistory, published_history
from rfm_pipeline.explain.result import Changes, Explanation, MatchedRule, OrderLines
from rfm_pipeline.explain.what_if import ScoreEdges, segments_after_more_orders, segments_after_no_order
from rfm_pipeline.pipeline.access import needs_destination
from rfm_pipeline.pipeline.currencies import refuse_unexpected_currencies
from rfm_pipeline.pipeline.plan import Plan, open_plan
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_statistics import count_lines, count_score_cells, dimension_scores
from rfm_pipeline.pipeline.shared_orders import comparing_files, refuse_different_orders
from rfm_pipeline.pipeline.staging import refuse_ambiguous_dates
from rfm_pipeline.results.run_history import read_state
from rfm_pipeline.results.statistics import DimensionScores, Excluded
from rfm_pipeline.sql.explain_queries import (
    counted_sql,
    decided_lines,
    lines_sql,
    newest_sql,
    row_sql,
    totals_sql,
)
from rfm_pipeline.sql.stages.gaps import DAY_COLUMNS, TWICE_MEDIAN_GAP

NEWEST = 20
"""Default number of orders that are listed."""
_TIMELINE_ORDER_LIMIT = 5_000


def explain(
    configuration: Configuration,
    customer: str,
    observer: RunObserver,
    *,
    newest: int | None = NEWEST,
    today: date | None = None,
) -> Explanation:
    """Explain why a customer is in a segment, and what would lead to another one. Nothing is published.

    Args:
        configuration: All layers of settings.
        customer: Id of the customer, as the result prints it.
        observer: Receives the progress.
        newest: Number of the customer's orders to return, newest first; None for all.
        today: As for `open_plan`.

    Raises:
        UsageError: If there is no such customer, or none of the customer's orders counts.
        RfmError: If a run with these settings would fail.
    """
    ids = candidate_ids(customer)
    observer.step("Looking at the source")
    # Nothing is published, so the destination may have the result of another source.
    publishes = needs_destination(configuration.settings)
    with open_plan(configuration, today=today, publishes=publishes, replace_source=True) as opened:
        plan, warehouse = comparing_files(opened), opened.warehouse
        select = lines_sql(plan.spec, plan.pipeline, ids)
        _check_cost(plan, select)
        observer.step("Reading the customer's lines")
        warehouse.materialize(StagingTable.EXPLAINED_LINES, select, observer.progress)
        customer_id = _first_existing(plan, ids)
        if customer_id is None:
            raise unknown_customer(plan, customer)
        observer.step("Reading, cleaning and measuring")
        for step in plan.pipeline.steps(warehouse.table):
            warehouse.materialize(step.name, step.select, observer.progress, step.partitioned)
        observer.step("Explaining")
        lines = count_lines(warehouse, plan.spec)
        excluded = lines.excluded
        refuse_ambiguous_dates(excluded, plan.spec.reading)
        refuse_unexpected_currencies(lines, plan.spec.reading)
        refuse_different_orders(plan, excluded)
        explanation = _build_explanation(plan, customer_id, newest)
        return replace(explanation, published=_published(plan, customer_id))


def _check_cost(plan: Plan, select: str) -> None:
    """Raise CostLimitError if reading the source twice, for all customers and for one, exceeds the limit."""
    cost = plan.warehouse.estimate(select)
    if cost is None or plan.cost is None:
        return
    total, limit = cost.bytes_processed + plan.cost.bytes_processed, plan.settings.bigquery.byte_limit
    if total > limit:
        new_limit = format_bytes(total + max(total // 10, 2**20))
        raise CostLimitError(
            f"Explaining would read {format_bytes(total)} in two queries, and the limit is"
            f" {format_bytes(limit)}.",
            f"raise it with --max-bytes '{new_limit}', or narrow it with --since or --window.",
        )


def _first_existing(plan: Plan, ids: Sequence[str]) -> str | None:
    """Return the first of the ids that has lines; None if none has."""
    rows = plan.warehouse.rows(
        f"SELECT DISTINCT customer_id FROM {plan.warehouse.table(StagingTable.EXPLAINED_LINES)}"
    )
    existing = {row["customer_id"] for row in rows}
    return next((customer_id for customer_id in ids if customer_id in existing), None)


def _build_explanation(plan: Plan, customer: str, newest: int | None) -> Explanation:
    rows, table = plan.warehouse.rows, plan.warehouse.table
    (latest,) = rows(f"SELECT MAX(as_of_date) AS as_of_date FROM {table(StagingTable.SEGMENTS)}")
    lines = decided_lines(plan.spec, table(StagingTable.EXPLAINED_LINES), customer, latest["as_of_date"])
    totals = rows(totals_sql(lines))
    scored = rows(row_sql(table(StagingTable.SEGMENTS), customer, plan.spec.dialect))
    if not scored:
        raise no_counted_lines(customer, [_excluded(row) for row in totals])
    row, rhythm = _without_days(scored[0])
    dimensions = dimension_scores(
        plan.warehouse, plan.spec, count_score_cells(plan.warehouse, StagingTable.SEGMENTS), plan.frozen
    )
    orders = tuple(_order_lines(order) for order in rows(newest_sql(lines, newest)))
    (kept,) = (total for total in totals if total["reason"] is None)
    return Explanation(
        row=row,
        source=plan.source.label,
        engine=plan.warehouse.engine,
        dimensions=dimensions,
        matched_rule=_matched_rule(
            plan.spec.segment_map, (row["r_score"], row["f_score"], row["m_score"]), rhythm
        ),
        rhythm=rhythm if plan.spec.segment_map.uses_days else None,
        counted_lines=int(kept["lines"]),
        counted_amount=Decimal(kept["amount"]),
        excluded=tuple(_excluded(total) for total in totals if total["reason"] is not None),
        orders=orders,
        omitted_orders=sum(total["pieces"] for total in totals) - len(orders),
        has_order_ids=plan.mapping.order_id is not None,
        changes=_changes(plan, (row, rhythm), dimensions, totals, lines),
        config_hash=plan.settings.config_hash,
        notes=plan.notes,
    )


def _excluded(row: Mapping[str, Any]) -> Excluded:
    return Excluded(row["reason"], int(row["lines"]), row["amount"], row["example"])


def _order_lines(row: Mapping[str, Any]) -> OrderLines:
    return OrderLines(
        row["order_id"], row["order_date"], int(row["lines"]), row["amount"], row["reason"], row["written"]
    )


def _without_days(scored: Mapping[str, Any]) -> tuple[dict[str, Any], Rhythm]:
    """Return the columns of a row that a run publishes, and the customer's days."""
    row = {name: value for name, value in scored.items() if name not in DAY_COLUMNS}
    first_order_days = (row["as_of_date"] - row["first_order_date"]).days
    return row, Rhythm(first_order_days, row["recency_days"], scored.get(TWICE_MEDIAN_GAP))


def _matched_rule(segment_map: SegmentMap, cell: ScoreTriple, rhythm: Rhythm) -> MatchedRule:
    segments = {segment.name: segment for segment in segment_map.segments}
    segment = segments[segment_map.segment_of(*cell, rhythm)]
    match = segment_map.first_match(*cell, rhythm)
    if match is None:
        return MatchedRule(None, "no rule matches", segment.description, segment.action)
    number, rule = match
    conditions = rule.conditions()
    conditions += [f"the cell {cell_text(cell, segment_map.bins)}"] if rule.cells else []
    return MatchedRule(number, ", ".join(conditions), segment.description, segment.action)


def _changes(
    plan: Plan,
    current: tuple[Mapping[str, Any], Rhythm],
    dimensions: Sequence[DimensionScores],
    totals: Sequence[Mapping[str, Any]],
    lines: str,
) -> Changes:
    row, rhythm = current
    edges_by_dimension = {scores.name: scores.edges for scores in dimensions if scores.edges is not None}
    if len(edges_by_dimension) < len(dimensions):
        return Changes(why_none="ntile has no edges: a customer's scores depend on all other customers")
    timeline = OrderTimeline(
        as_of=row["as_of_date"],
        current=OrderTotals(
            row["frequency"],
            row["monetary"],
            row["last_order_date"],
            row["first_order_date"],
            rhythm.twice_median_gap,
        ),
        window=plan.settings.window,
        nets_returns=plan.spec.nets_returns,
        until=_until(totals),
    )
    if timeline.until == timeline.as_of:
        tomorrow = timeline.as_of + timedelta(days=1)
        return Changes(why_none=f"lines of the customer are dated {tomorrow}, and will count from then on")
    if timeline.window:
        counted = plan.warehouse.rows(counted_sql(lines, _TIMELINE_ORDER_LIMIT + 1))
        if len(counted) > _TIMELINE_ORDER_LIMIT:
            limit = format_count(_TIMELINE_ORDER_LIMIT, "order")
            return Changes(
                why_none=f"the customer has more than {limit}, too many to follow out of the window"
            )
        timeline = replace(timeline, days=_order_days(counted))
    edges, segment_map = ScoreEdges(**edges_by_dimension), plan.spec.segment_map
    return Changes(
        segments_after_more_orders(timeline, edges, segment_map, row["segment"]),
        segments_after_no_order(timeline, edges, segment_map, row["segment"]),
        until=timeline.until,
        edges_are_fixed=all(scores.method == "fixed" or scores.edges_from for scores in dimensions),
    )


def _until(totals: Sequence[Mapping[str, Any]]) -> date | None:
    """Return the day before the first future-dated line, which counts from its date on; None without one."""
    future_dates = [total["oldest"] for total in totals if total["reason"] == "future_dated"]
    return future_dates[0] - timedelta(days=1) if future_dates else None


def _order_days(rows: Sequence[Mapping[str, Any]]) -> tuple[OrderDay, ...]:
    return tuple(
        OrderDay(
            # Without a column of order ids, each line is an order.
            str(number) if row["order_id"] is None else f"id {row['order_id']}",
            row["order_date"],
            Decimal(row["amount"]),
            int(row["purchases"]),
        )
        for number, row in enumerate(rows)
    )


def _published(plan: Plan, customer: str) -> PublishedHistory:
    """Return the customer's published results, or the reason why the destination can't be read."""
    destination = plan.warehouse.destination
    try:
        state = plan.state if plan.state.tables else read_state(destination)
        return published_history(customer, destination, state, plan.spec.dialect)
    except RfmError as error:
        return PublishedHistory(read_error=error.message)
