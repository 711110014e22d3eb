"""Results of an evaluation: figures of each segment and of each score, by date and configuration."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct

from rfm_pipeline.evaluation.bgnbd import Model
from rfm_pipeline.evaluation.bootstrap import SegmentIntervals
from rfm_pipeline.evaluation.stability import Stability
from rfm_pipeline.evaluation.statistics import Auc, AucDifference, Interval, wilson_interval
from rfm_pipeline.results.json_values import money

SCORES = {
    "map": "segment map",
    "rfm_sum": "r + f + m",
    "recency": "r",
    "frequency": "f",
    "monetary": "m",
    "bg_nbd": "BG/NBD",
}
"""Names of the scores that an evaluation compares, as the terminal shows them, by their names in JSON."""


class Outcome(Struct, frozen=True):
    """What customers bought in the horizon.

    Attributes:
        customers: Number of customers scored on the origin.
        bought_again: Number of those with an order in the horizon.
        orders: Number of these orders.
        revenue: Money of these orders.
    """

    customers: int = 0
    bought_again: int = 0
    orders: int = 0
    revenue: Decimal = Decimal(0)

    @property
    def share(self) -> float | None:
        """The share that bought again; None without customers."""
        return self.bought_again / self.customers if self.customers else None

    @property
    def share_interval(self) -> Interval | None:
        """Wilson's 95 % interval of the share; None without customers."""
        return wilson_interval(self.bought_again, self.customers) if self.customers else None


class SegmentOutcome(Struct, frozen=True):
    """What the customers of one segment bought in the horizon.

    Attributes:
        segment: Name of the segment.
        outcome: Their numbers.
        everyone: Those of all customers.
        intervals: Bootstrap intervals.
    """

    segment: str
    outcome: Outcome
    everyone: Outcome
    intervals: SegmentIntervals = SegmentIntervals()

    @property
    def lift(self) -> float | None:
        """The share that bought again over that of all customers; None if nobody bought again."""
        share, of_all = self.outcome.share, self.everyone.share
        return share / of_all if share is not None and of_all else None

    @property
    def revenue_share(self) -> float | None:
        """The share of the revenue of all customers in the horizon; None without revenue."""
        if self.everyone.revenue <= 0:
            return None
        return float(self.outcome.revenue / self.everyone.revenue)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        outcome, intervals = self.outcome, self.intervals
        return {
            "segment": self.segment,
            "customers": outcome.customers,
            "bought_again": outcome.bought_again,
            "bought_again_share": outcome.share,
            "bought_again_interval": outcome.share_interval,
            "orders": outcome.orders,
            "orders_per_customer": per_customer(outcome.orders, outcome),
            "orders_per_customer_interval": intervals.orders,
            "revenue": money(outcome.revenue),
            "revenue_per_customer": per_customer(outcome.revenue, outcome),
            "revenue_per_customer_interval": intervals.revenue,
            "lift": self.lift,
            "lift_interval": intervals.lift,
            "revenue_share": self.revenue_share,
            "revenue_share_interval": intervals.revenue_share,
        }


def per_customer(total: int | Decimal, outcome: Outcome) -> float | None:
    """Return a total divided by the customers; None without customers."""
    return float(total / outcome.customers) if outcome.customers else None


class DateEvaluation(Struct, frozen=True):
    """The evaluation of one configuration on one date.

    Attributes:
        as_of: The origin, on which customers are scored.
        horizon_days: Length of the horizon, which begins on the day after.
        configuration: Name of the configuration.
        everyone: What all customers bought in the horizon.
        newcomers: Orders and revenue in the horizon of customers who were not scored on the origin.
        segments: The segments in the order of the map.
        aucs: AUC by score, in the order of `SCORES`; None where it can't be computed.
        map_less_sum: AUC of the map less that of r + f + m; None without one of them.
        spearman: Rank correlation of r + f + m and the revenue in the horizon.
        model: The BG/NBD model; None if it is not fitted.
    """

    as_of: date
    horizon_days: int
    configuration: str
    everyone: Outcome
    newcomers: Outcome
    segments: tuple[SegmentOutcome, ...]
    aucs: dict[str, Auc | None]
    map_less_sum: AucDifference | None
    spearman: float | None
    model: Model | None = None

    @property
    def until(self) -> date:
        """The last day of the horizon."""
        return self.as_of + timedelta(days=self.horizon_days)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        everyone, model = self.everyone, self.model
        return {
            "as_of": self.as_of.isoformat(),
            "until": self.until.isoformat(),
            "horizon_days": self.horizon_days,
            "configuration": self.configuration,
            "customers": everyone.customers,
            "bought_again": everyone.bought_again,
            "bought_again_share": everyone.share,
            "bought_again_interval": everyone.share_interval,
            "orders": everyone.orders,
            "revenue": money(everyone.revenue),
            "not_scored": {"orders": self.newcomers.orders, "revenue": money(self.newcomers.revenue)},
            "segments": [segment.to_json() for segment in self.segments],
            "statistics": {
                "auc": {
                    score: None
                    if area is None
                    else {"auc": area.value, "auc_interval": area.interval, "gini": area.gini}
                    for score, area in self.aucs.items()
                },
                "map_less_rfm_sum": _difference_json(self.map_less_sum),
                "spearman_revenue": self.spearman,
                "bg_nbd": None
                if model is None
                else {
                    "customers": model.customers,
                    "r": model.r,
                    "alpha_weeks": model.alpha,
                    "a": model.a,
                    "b": model.b,
                    "log_likelihood": model.log_likelihood,
                    "has_dropout": model.has_dropout,
                },
            },
        }


class Comparison(Struct, frozen=True):
    """The AUC of a configuration's map less that of the first configuration, on one date.

    Attributes:
        configuration: Name of the configuration.
        as_of: The origin.
        difference: The difference; None if one of the maps has no AUC.
    """

    configuration: str
    as_of: date
    difference: AucDifference | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "configuration": self.configuration,
            "as_of": self.as_of.isoformat(),
            "auc_difference": _difference_json(self.difference),
        }


class Evaluation(Struct, frozen=True):
    """The result of `rfm evaluate`.

    Attributes:
        source: Name of the source.
        engine: `duckdb` or `bigquery`.
        lines_read, lines_kept: Numbers of lines of the source, and of those that count.
        first_order_date, newest_order_date: The days that the orders cover.
        dates: The evaluations: by date, the oldest first, then by configuration, the run's own first.
        comparisons: Differences between the first configuration and each other one, by date.
        conclusions: What the intervals show, one sentence each.
        notes: Facts about the source and the figures, one phrase each.
        stability: How stable the segments are on the newest date, by configuration; empty if that was not
            asked for.
    """

    source: str
    engine: str
    lines_read: int
    lines_kept: int
    first_order_date: date
    newest_order_date: date
    dates: tuple[DateEvaluation, ...]
    comparisons: tuple[Comparison, ...]
    conclusions: tuple[str, ...]
    notes: tuple[str, ...]
    stability: tuple[Stability, ...] = ()

    def __repr__(self) -> str:
        origins = dict.fromkeys(one.as_of.isoformat() for one in self.dates)
        return f"<Evaluation: {'; '.join(self.configurations)}; as of {', '.join(origins)}>"

    @property
    def configurations(self) -> Sequence[str]:
        """Names of the configurations, the run's own first."""
        return tuple(dict.fromkeys(one.configuration for one in self.dates))

    def of(self, configuration: str) -> Sequence[DateEvaluation]:
        """Return the evaluations of a configuration, the oldest first."""
        return [one for one in self.dates if one.configuration == configuration]

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per date, configuration and segment, for a data frame."""
        return [
            {"as_of": one.as_of, "configuration": one.configuration, **segment.to_json()}
            for one in self.dates
            for segment in one.segments
        ]

    def score_rows(self) -> list[dict[str, Any]]:
        """Return one row per date, configuration and score, with its AUC and the interval, for a data frame.

        `auc_low` and `auc_high` are the ends of the 95 % interval. What the data does not give is None.
        """
        rows = []
        for one in self.dates:
            for score, area in one.aucs.items():
                low, high = (area and area.interval) or (None, None)
                ends = {"auc": area and area.value, "auc_low": low, "auc_high": high}
                rows.append({"as_of": one.as_of, "configuration": one.configuration, "score": score, **ends})
        return rows

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `rfm evaluate --json` prints them."""
        return {
            "source": self.source,
            "engine": self.engine,
            "rows": {"read": self.lines_read, "kept": self.lines_kept},
            "first_order_date": self.first_order_date.isoformat(),
            "newest_order_date": self.newest_order_date.isoformat(),
            "evaluations": [one.to_json() for one in self.dates],
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            "stability": [one.to_json() for one in self.stability],
            "conclusions": list(self.conclusions),
            "notes": list(self.notes),
        }


def _difference_json(difference: AucDifference | None) -> dict[str, Any] | None:
    if difference is None:
        return None
    return {"difference": difference.value, "interval": difference.interval}
