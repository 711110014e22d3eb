"""An evaluation in pandas and scipy, without code of the package: all figures from one row per customer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

REPLICATES, GROUPS, SEED, MIN_BUYERS = 1_000, 256, 20_240_101, 5
RULES = (
    ("Champions", 4, 4, 4, 4, 4, 4),
    ("Loyal Customers", 4, 4, 4, 4, 1, 4),
    ("Potential Loyalists", 3, 4, 3, 4, 1, 4),
    ("New Customers", 4, 4, 1, 2, 1, 4),
    ("Promising", 3, 3, 1, 2, 1, 4),
    ("Needs Attention", 2, 2, 3, 4, 1, 4),
    ("About to Sleep", 2, 2, 1, 2, 1, 4),
    ("At-Risk", 1, 1, 3, 4, 1, 4),
    ("Hibernating", 1, 1, 2, 2, 1, 4),
    ("Lost", 1, 1, 1, 1, 1, 4),
)
"""The map `classic`: name, and lowest and highest score of r, f and m; the first rule that holds."""


@dataclass(frozen=True)
class Shop:
    """The kept lines of a shop.

    Attributes:
        lines: Columns `customer_id` (text), `order_id`, `day` and `units`, an integer amount of money.
        unit: Units of money per 1.
    """

    lines: pd.DataFrame
    unit: int

    def scored(self, origin: date, horizon_days: int) -> pd.DataFrame:
        """Return one row per customer: scores, segment, and orders and units of the horizon."""
        at, end = pd.Timestamp(origin), pd.Timestamp(origin + timedelta(days=horizon_days))
        known = self.lines[self.lines.day <= at].groupby("customer_id")
        rows = pd.DataFrame(
            {
                "days": (at - known.day.max()).dt.days,
                "orders_before": known.order_id.nunique(),
                "units_before": known.units.sum(),
                "first": known.day.min(),
                "repeats": known.day.nunique() - 1,
                "recency": (known.day.max() - known.day.min()).dt.days,
                "age": (at - known.day.min()).dt.days,
            }
        )
        rows["r"] = 5 - scores(rows.days)
        rows["f"], rows["m"] = scores(rows.orders_before), scores(rows.units_before)
        rows["segment"] = [segment_of(r, f, m) for r, f, m in zip(rows.r, rows.f, rows.m, strict=True)]
        after = self.lines[(self.lines.day > at) & (self.lines.day <= end)].groupby("customer_id")
        rows["orders"] = after.order_id.nunique().reindex(rows.index).fillna(0).astype(int)
        rows["units"] = after.units.sum().reindex(rows.index).fillna(0).astype(int)
        rows["again"] = rows.orders > 0
        return rows


def scores(values: pd.Series) -> pd.Series:
    """Return quantile scores of four bins from the lowest value up, with the rules for ends and crowds."""
    counted = values.value_counts().sort_index()
    up_to = counted.cumsum()
    below, total = up_to - counted, len(values)
    step = 4 * below // total
    crowded = 4 * up_to // total - step >= 2
    step = step.where(~crowded, (4 * (below + up_to) - 1) // (2 * total))
    step.iloc[-1] = 3
    step.iloc[0] = 0
    return values.map(step + 1)


def segment_of(r: int, f: int, m: int) -> str:
    return next(
        name for name, r1, r2, f1, f2, m1, m2 in RULES if r1 <= r <= r2 and f1 <= f <= f2 and m1 <= m <= m2
    )


def area(score: Any, again: Any) -> float:
    """Return the AUC by the ranks of those who bought again."""
    ranks = stats.rankdata(score)
    bought, others = int(again.sum()), int((~again).sum())
    return float((ranks[again].sum() - bought * (bought + 1) / 2) / (bought * others))


@cache
def draws() -> Any:
    """Return how often each replicate draws each group."""
    random = Random(SEED)
    weights = np.zeros((REPLICATES, GROUPS))
    for replicate in weights:
        for _ in range(GROUPS):
            replicate[int(random.random() * GROUPS)] += 1
    return weights


def intervals(rows: pd.DataFrame, segment: str, unit: int) -> dict[str, Any]:
    """Return the bootstrap intervals of a segment, over groups by the hash of the customer's id."""
    weights = draws()
    group = [hashlib.md5(name.encode(), usedforsecurity=False).digest()[0] for name in rows.index]
    columns = rows.assign(group=group, one=1)[["group", "segment", "one", "again", "orders", "units"]]

    def drawn(chosen: pd.DataFrame) -> Any:
        sums = chosen.groupby("group")[["one", "again", "orders", "units"]].sum()
        return weights @ sums.reindex(range(GROUPS)).fillna(0).to_numpy(dtype=float)

    ours, everyone = drawn(columns[columns.segment == segment]), drawn(columns)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = {
            "orders_per_customer_interval": ours[:, 2] / ours[:, 0],
            "revenue_per_customer_interval": ours[:, 3] / unit / ours[:, 0],
            "lift_interval": (ours[:, 1] / ours[:, 0]) / (everyone[:, 1] / everyone[:, 0]),
            "revenue_share_interval": ours[:, 3] / everyone[:, 3],
        }
    return {name: list(np.percentile(one[np.isfinite(one)], [2.5, 97.5])) for name, one in values.items()}


def auc_interval(again: Any, score: Any, other: Any = None) -> list[float]:
    """Return DeLong's 95 % interval of the AUC of a score, or of that AUC less the AUC of another score.

    The placement values of DeLong, DeLong and Clarke-Pearson 1988 are by midranks, as Sun and Xu 2014 have
    them: a customer's rank among all, less the rank among those with the same outcome.
    """
    of_bought, of_others = np.zeros(int(again.sum())), np.zeros(int((~again).sum()))
    for sign, column in ((1, score), (-1, other)):
        if column is not None:
            values = np.asarray(column, dtype=float)
            ranks = stats.rankdata(values)
            below = ranks[again] - stats.rankdata(values[again])
            above = len(of_bought) - (ranks[~again] - stats.rankdata(values[~again]))
            of_bought += sign * below / len(of_others)
            of_others += sign * above / len(of_bought)
    variance = of_bought.var(ddof=1) / len(of_bought) + of_others.var(ddof=1) / len(of_others)
    half = stats.norm.ppf(0.975) * variance**0.5
    return [float(of_bought.mean() - half), float(of_bought.mean() + half)]


@dataclass(frozen=True)
class BgNbd:
    """The BG/NBD model of Fader, Hardie and Lee 2005 with the parameters r, alpha, a and b, in weeks."""

    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def fitted(cls, rows: pd.DataFrame) -> BgNbd:
        """Return the model of maximum likelihood, with gradients by differences of the likelihood."""
        counted = rows.groupby(["repeats", "recency", "age"]).size().rename("customers").reset_index()

        def loss(logarithms: Any) -> float:
            return -cls(*np.exp(logarithms)).log_likelihood(counted) / len(rows)

        found = optimize.minimize(loss, np.zeros(4), method="BFGS", jac="3-point", options={"gtol": 1e-8})
        return cls(*np.exp(found.x))

    def log_likelihood(self, rows: pd.DataFrame) -> float:
        """Return the logarithm of the likelihood; rows may have a number of `customers`."""
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        x, t_x, age = rows.repeats.to_numpy(), rows.recency.to_numpy() / 7, rows.age.to_numpy() / 7
        of_rate = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha)
        of_dropout = special.gammaln(a + b) - special.gammaln(b)
        of_dropout = of_dropout + special.gammaln(b + x) - special.gammaln(a + b + x)
        alive = (alpha + age) ** -(r + x)
        stopped = np.where(x > 0, a / np.where(x > 0, b + x - 1, 1) * (alpha + t_x) ** -(r + x), 0)
        each = of_rate + of_dropout + np.log(alive + stopped)
        return float((each * rows.get("customers", 1)).sum())

    def expected(self, rows: pd.DataFrame, days: int) -> Any:
        """Return the expected purchases of each customer in the days after the origin."""
        r, alpha, a, b, t = self.r, self.alpha, self.a, self.b, days / 7
        x, t_x, age = rows.repeats, rows.recency / 7, rows.age / 7
        series = special.hyp2f1(r + x, b + x, a + b + x - 1, t / (alpha + age + t))
        bought = (a + b + x - 1) / (a - 1) * (1 - ((alpha + age) / (alpha + age + t)) ** (r + x) * series)
        stopped = (a / (b + x - 1) * ((alpha + age) / (alpha + t_x)) ** (r + x)).where(x > 0, 0)
        return (bought / (1 + stopped)).to_numpy()
