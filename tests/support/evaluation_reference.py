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
from scipy import stats

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
