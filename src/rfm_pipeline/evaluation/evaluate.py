"""The `rfm evaluate` use case: score customers on dates in the past, and count what they bought afterwards.

The source is scanned once. The orders are staged by day, and the stages of a run compute the scores of each
date from them, so that the scores equal those of `rfm run --as-of DATE`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.customer_mask import mask_addresses
from rfm_pipeline.common.installation import extra_hint
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import UsageError
from rfm_pipeline.evaluation import bgnbd
from rfm_pipeline.evaluation.bootstrap import draw_weights
from rfm_pipeline.evaluation.conclusions import conclusions
from rfm_pipeline.evaluation.figures import (
    Rates,
    date_evaluation,
    fit_model,
    map_difference,
    outcome_of,
    segment_rates,
)
from rfm_pipeline.evaluation.origins import OrderSpan, choose_origins
from rfm_pipeline.evaluation.result import Comparison, DateEvaluation, Evaluation, Outcome
from rfm_pipeline.evaluation.stability import ScoredDate, Stability, measure_stability
from rfm_pipeline.pipeline.access import needs_destination
from rfm_pipeline.pipeline.configurations import Choice, configurations, label_of, staging_spec
from rfm_pipeline.pipeline.currencies import refuse_unexpected_currencies
from rfm_pipeline.pipeline.key_counts import refuse_scientific_ids, refuse_unlikely_zero, zero_columns
from rfm_pipeline.pipeline.plan import Plan, open_plan
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_statistics import LineCounts
from rfm_pipeline.pipeline.shared_orders import comparing_files, refuse_different_orders
from rfm_pipeline.pipeline.staging import STEP_NAMES, refuse_ambiguous_dates
from rfm_pipeline.results.statistics import Excluded
from rfm_pipeline.sql import evaluation_queries as queries
from rfm_pipeline.sql.query_spec import QuerySpec

if TYPE_CHECKING:
    from rfm_pipeline.source.base import SourceOpener

MAX_MODEL_CUSTOMERS = 200_000
"""About the most customers whom BG/NBD is fitted to; of more, a sample by a hash of the id."""
NO_SCIPY = "BG/NBD is not computed, as scipy, the extra `evaluate`, is not installed: "
_ORDER_OF_MAP = (
    "AUC of a map: its segments are ordered by the share that bought again in the horizon before, which was"
    " known on the date"
)


class Request(Struct, frozen=True):
    """What to evaluate.

    Attributes:
        horizon_days: Length of the horizon after each origin.
        as_of: The origins; empty for the default, up to four that follow each other.
        compare: Configurations to compare with that of the run, as in `preset=grid,bins=5`.
        stability: Whether to measure the stability of the segments on the newest origin.
    """

    horizon_days: int = 90
    as_of: tuple[date, ...] = ()
    compare: tuple[str | Mapping[str, Any], ...] = ()
    stability: bool = False


def evaluate(
    configuration: Configuration,
    request: Request,
    observer: RunObserver,
    *,
    today: date | None = None,
    opens: SourceOpener | None = None,
) -> Evaluation:
    """Evaluate the scores and segments of dates in the past. Nothing is published.

    Args:
        configuration: All layers of settings; `as_of` and the outputs are not used.
        request: What to evaluate.
        observer: Receives the progress.
        today: As for `open_plan`.
        opens: As for `open_plan`.

    Raises:
        UsageError: If the orders do not cover the horizon, or a date has fewer than two customers.
        RfmError: If a run with these settings would fail.
    """
    flags = {**configuration.flags, "as_of": "latest", "output": ()}
    configuration = replace(configuration, flags=flags)
    choices = configurations(configuration, request.compare)
    observer.step("Looking at the source")
    # Nothing is published, so the destination may have the result of another source.
    publishes = needs_destination(configuration.settings)
    with open_plan(
        configuration, today=today, publishes=publishes, opens=opens, replace_source=True
    ) as opened:
        plan = comparing_files(opened)
        _refuse_customer_table(plan)
        lines, span = _scan(plan, observer)
        origins = choose_origins(request.as_of, request.horizon_days, span)
        observer.step("Collecting the days of the orders")
        select = queries.buying_days_sql(plan.spec, plan.warehouse.table(StagingTable.ORDER_DAYS))
        plan.warehouse.materialize(StagingTable.BUYING_DAYS, select, observer.progress)
        weights = draw_weights(queries.HASH_GROUPS)
        work = _Work(plan, choices, request.horizon_days, observer, weights)
        dates, comparisons = work.evaluate(origins, span)
        stability = work.stability(origins[-1]) if request.stability else []
        return Evaluation(
            source=plan.source.label,
            engine=plan.warehouse.engine,
            lines_read=lines.kept + sum(reason.lines for reason in lines.excluded),
            lines_kept=lines.kept,
            first_order_date=span.first,
            newest_order_date=span.newest,
            dates=tuple(dates),
            comparisons=tuple(comparisons),
            conclusions=(
                *conclusions(dates, comparisons),
                *(sentence for one in stability for sentence in one.sentences()),
            ),
            notes=(*plan.notes, *_notes(dates)),
            stability=tuple(stability),
        )


def _refuse_customer_table(plan: Plan) -> None:
    """Raise if a line of the source is a customer: nothing says when the orders were."""
    if plan.mapping.frequency:
        raise UsageError(
            f"Each line of {plan.source.label} is a customer with a number of orders, in"
            f" `{plan.mapping.frequency.name}`, and an evaluation needs the date of each order.",
            "evaluate the orders themselves; --frequency none reads each line as an order.",
        )


def _scan(plan: Plan, observer: RunObserver) -> tuple[LineCounts, OrderSpan]:
    """Stage the orders by day, and count the lines.

    Raises:
        UsageError: If no line counts.
        RfmError: If a run would be refused.
    """
    warehouse, reading = plan.warehouse, plan.spec.reading
    observer.step(STEP_NAMES[StagingTable.ORDER_DAYS])
    for step in queries.OriginSteps(plan.spec, warehouse.table).scan():
        warehouse.materialize(step.name, step.select, observer.progress, step.partitioned)
    order_days = warehouse.table(StagingTable.ORDER_DAYS)
    rows = warehouse.rows(queries.lines_by_reason_sql(plan.spec, order_days))
    kept = next((row for row in rows if row["reason"] is None), None)
    excluded = tuple(
        Excluded(
            row["reason"],
            int(row["lines"]),
            row["amount"],
            mask_addresses(row["example"]) if row["example"] else row["example"],
        )
        for row in rows
        if row["reason"] is not None
    )
    amount = Decimal(kept["amount"]) if kept else Decimal(0)
    counts = LineCounts(0, int(kept["lines"]) if kept else 0, amount, excluded)
    refuse_scientific_ids(excluded, reading)
    refuse_ambiguous_dates(excluded, reading)
    refuse_unexpected_currencies(counts, reading)
    refuse_different_orders(plan, excluded)
    if kept is None:
        raise UsageError(
            f"No line of {plan.source.label} counts, so there is nothing to evaluate.",
            "`rfm check` shows how the source is read.",
        )
    return counts, OrderSpan(kept["oldest"], kept["newest"])


class _Work(Struct):
    """The evaluation of one source, date by date.

    Attributes:
        plan: The plan, whose orders are staged by day.
        choices: The configurations that are compared with that of the run.
        horizon_days: Length of the horizon.
        observer: Receives the progress.
        weights: The replicates of the bootstrap.
    """

    plan: Plan
    choices: Sequence[Choice]
    horizon_days: int
    observer: RunObserver
    weights: Sequence[Sequence[int]]

    def evaluate(
        self, origins: Sequence[date], span: OrderSpan
    ) -> tuple[list[DateEvaluation], list[Comparison]]:
        """Return the evaluations and comparisons of the origins.

        The segments of a map are ordered by what is known on the origin, so the date that lies a horizon
        before is scored, too.
        """
        horizon = timedelta(days=self.horizon_days)
        days = sorted({*origins, *(origin - horizon for origin in origins if origin - horizon >= span.first)})
        known: dict[date, Sequence[Rates]] = {}
        dates: list[DateEvaluation] = []
        comparisons: list[Comparison] = []
        for number, day in enumerate(days, start=1):
            self.observer.step(f"As of {day} ({number} of {len(days)})")
            evaluated = self._stage(day)
            if day == days[0]:
                self._refuse_unlikely_zero()
            known[day] = [
                segment_rates(self._rows(queries.totals_sql(evaluated, each)))
                for each in range(len(self.choices) + 1)
            ]
            if day in origins:
                before = known.get(day - horizon)
                dates += self._figures(day, evaluated, before)
                comparisons += self._comparisons(day, evaluated, before)
        return dates, comparisons

    def stability(self, newest: date) -> list[Stability]:
        """Return the stability of each configuration on the newest origin, which must be staged."""
        warehouse = self.plan.warehouse
        names = [_scored_name(number) for number in range(len(self._specs))]
        scored = ScoredDate(
            newest, warehouse.table(StagingTable.EVALUATED), [warehouse.table(name) for name in names]
        )
        named = list(zip(self._labels, self._specs, strict=True))
        return measure_stability(
            warehouse, named, scored, self._score, weights=self.weights, observer=self.observer
        )

    def _rows(self, select: str) -> Sequence[dict[str, Any]]:
        return self.plan.warehouse.rows(select)

    @property
    def _specs(self) -> list[QuerySpec]:
        return [self.plan.spec, *(choice.apply(self.plan.spec) for choice in self.choices)]

    @property
    def _labels(self) -> list[str]:
        return [label_of(self.plan.settings), *(choice.label for choice in self.choices)]

    def _stage(self, origin: date) -> str:
        """Score the customers of a date by each configuration; return the identifier of `evaluated`."""
        scored, warehouse = self._score(origin), self.plan.warehouse
        days = warehouse.table(StagingTable.BUYING_DAYS)
        end = origin + timedelta(days=self.horizon_days)
        select = queries.evaluated_sql(scored, days, origin, end, self.plan.spec.dialect)
        warehouse.materialize(StagingTable.EVALUATED, select, self.observer.progress)
        return warehouse.table(StagingTable.EVALUATED)

    def _score(self, origin: date) -> list[str]:
        """Score the customers of a date; return the identifier of `segments` for each configuration."""
        warehouse, progress = self.plan.warehouse, self.observer.progress
        steps = queries.OriginSteps(self.plan.spec, warehouse.table)
        customers, _, _ = steps.score(staging_spec(self.plan.spec, self.choices), origin)
        warehouse.materialize(customers.name, customers.select, progress, customers.partitioned)
        scored = []
        for number, spec in enumerate(self._specs):
            _, edges, segments = steps.score(spec, origin)
            warehouse.materialize(edges.name, edges.select, progress)
            warehouse.materialize(_scored_name(number), segments.select, progress)
            scored.append(warehouse.table(_scored_name(number)))
        return scored

    def _refuse_unlikely_zero(self) -> None:
        columns = zero_columns(self.plan.spec)
        if columns:
            selected = ", ".join(f"{aggregate} AS {name}" for name, aggregate in columns.items())
            table = self.plan.warehouse.table(StagingTable.CUSTOMERS)
            (row,) = self._rows(f"SELECT {selected} FROM {table} WHERE reason IS NULL")
            refuse_unlikely_zero(row, self.plan.spec.reading)

    def _figures(self, origin: date, evaluated: str, before: Sequence[Rates] | None) -> list[DateEvaluation]:
        """Return the evaluation of each configuration on an origin."""
        dialect, days = self.plan.spec.dialect, self.plan.warehouse.table(StagingTable.BUYING_DAYS)
        end = origin + timedelta(days=self.horizon_days)
        (horizon,) = self._rows(queries.horizon_sql(days, origin, end, dialect))
        ties = {
            int(row["ties"]): int(row["revenues"]) for row in self._rows(queries.revenue_ties_sql(evaluated))
        }
        model, area = None, None
        figures = []
        for number, (spec, label) in enumerate(zip(self._specs, self._labels, strict=True)):
            cells = self._rows(queries.cells_sql(evaluated, number, dialect))
            everyone = outcome_of(cells)
            if number == 0:
                _refuse_few_customers(origin, everyone)
                if bgnbd.is_available():
                    model, area = fit_model(self._histories(origin, evaluated, everyone), self.horizon_days)
            one = date_evaluation(
                cells,
                self._rows(queries.groups_sql(evaluated, number)),
                ties,
                segments=[segment.name for segment in spec.segment_map.segments],
                rates=before[number] if before else None,
                weights=self.weights,
            )
            newcomers = Outcome(
                orders=int(horizon["orders"]) - everyone.orders,
                revenue=Decimal(horizon["revenue"]) - everyone.revenue,
            )
            figures.append(
                DateEvaluation(
                    as_of=origin,
                    horizon_days=self.horizon_days,
                    configuration=label,
                    everyone=everyone,
                    newcomers=newcomers,
                    segments=one.segments,
                    aucs={**one.aucs, "bg_nbd": area},
                    map_less_sum=one.map_less_sum,
                    spearman=one.spearman,
                    model=model,
                )
            )
        return figures

    def _histories(self, origin: date, evaluated: str, everyone: Outcome) -> list[bgnbd.History]:
        groups = queries.HASH_GROUPS
        if everyone.customers > MAX_MODEL_CUSTOMERS:
            groups = max(1, groups * MAX_MODEL_CUSTOMERS // everyone.customers)
        days = self.plan.warehouse.table(StagingTable.BUYING_DAYS)
        rows = self._rows(queries.histories_sql(evaluated, days, origin, groups, self.plan.spec.dialect))
        return [
            bgnbd.History(row["repeats"], row["recency"], row["age"], row["customers"], row["bought_again"])
            for row in sorted(rows, key=lambda row: (row["repeats"], row["recency"], row["age"]))
        ]

    def _comparisons(self, origin: date, evaluated: str, before: Sequence[Rates] | None) -> list[Comparison]:
        return [
            Comparison(
                choice.label,
                origin,
                map_difference(self._rows(queries.pairs_sql(evaluated, number)), before[number], before[0])
                if before
                else None,
            )
            for number, choice in enumerate(self.choices, start=1)
        ]


def _scored_name(number: int) -> str:
    """Return the name of the staging table `segments` of a configuration, counted from 0."""
    return f"{StagingTable.SEGMENTS}_{number}"


def _refuse_few_customers(origin: date, everyone: Outcome) -> None:
    if everyone.customers < 2:
        found = "one customer is" if everyone.customers else "no customer is"
        raise UsageError(
            f"As of {origin} {found} scored, and an evaluation compares customers.",
            "choose a later date with --as-of, or a longer --window.",
        )


def _notes(dates: Sequence[DateEvaluation]) -> list[str]:
    """Return what the figures rest on, one phrase each."""
    first = [one for one in dates if one.configuration == dates[0].configuration]
    notes = [_ORDER_OF_MAP] if any(one.aucs["map"] for one in first) else []
    without = [str(one.as_of) for one in first if one.aucs["map"] is None]
    if without:
        notes.append(
            f"no AUC of the map as of {', '.join(without)}: nobody bought again in the horizon before, or"
            " everybody or nobody in the horizon"
        )
    if not bgnbd.is_available():
        return [*notes, f"{NO_SCIPY}{extra_hint('evaluate')}"]
    models = {str(one.as_of): one.model for one in first}
    groups = {
        "no customer had ordered on a second day": [day for day, model in models.items() if model is None],
        "no sign that customers stop for good (a / b near 0)": [
            day for day, model in models.items() if model and not model.has_dropout
        ],
    }
    notes += [f"BG/NBD as of {', '.join(days)}: {what}" for what, days in groups.items() if days]
    samples = [
        f"{one.model.customers:,}"
        for one in first
        if one.model and one.model.customers < one.everyone.customers
    ]
    if samples:
        notes.append(
            f"BG/NBD is fitted to a sample of customers, by a hash of the id: {' and '.join(samples)}"
        )
    return notes
