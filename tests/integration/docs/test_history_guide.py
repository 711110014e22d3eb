"""The figures of docs/guides/history.md and docs/guides/movers.md."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from pathlib import Path

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.pipeline.backfill import as_of_dates, backfill
from rfm_pipeline.pipeline.mover_filter import MoverConditions
from rfm_pipeline.pipeline.movers import movers
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.transitions import transitions
from support.paths import ROOT

MOVERS = re.compile(r"\| (?:`(\w+)`|any of them) \| ([\d,]+) \| ([\d,.]+) \|")
MONTH = re.compile(r"\| (\w+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|")


def test_a_year_of_moves_is_that_of_the_guides(online_retail: Path, tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "guides" / "history.md").read_text(encoding="utf-8")
    expected = [
        (month, *(int(number.replace(",", "")) for number in numbers))
        for month, *numbers in MONTH.findall(guide)
    ]
    flags = {"source": str(online_retail), "to": f"duckdb:{tmp_path / 'monthly.duckdb'}"}
    days = as_of_dates(date(2011, 1, 31), date(2011, 11, 30), "month")
    backfill(Configuration(flags=flags), days, NullObserver(), lambda _: None)
    actual = []
    for earlier, later in pairwise(days):
        moves = transitions(Configuration(flags={"to": flags["to"]}), earlier, later)
        causes = moves.causes
        assert causes["rules"] == 0
        actual.append((f"{later:%B}", moves.moved, causes["time"], causes["behaviour"], causes["edges"]))
    assert actual == expected
    assert len(actual) == 10
    assert_movers_are_those_of_the_guide(Configuration(flags={"to": flags["to"]}))


def assert_movers_are_those_of_the_guide(configuration: Configuration) -> None:
    guide = (ROOT / "docs" / "guides" / "movers.md").read_text(encoding="utf-8")
    dates = date(2011, 10, 31), date(2011, 11, 30)
    found = movers(configuration, MoverConditions(), *dates)
    groups = {**found.by_reason, "": found.chosen}
    assert MOVERS.findall(guide) == [
        (reason, f"{group.customers:,}", f"{group.revenue:,.2f}") for reason, group in groups.items()
    ]
    assert f"{found.at_risk.revenue:,.2f}, 24.3 % of all, of {found.at_risk.customers} customers" in guide
    left = movers(configuration, MoverConditions((("Champions", "*"),)), *dates)
    assert f"`--moved 'Champions -> *'` chooses {left.chosen.customers} customers" in guide
    first = left.listed[0]
    assert f"Customer {first.customer_id} placed {first.frequency} orders in 335 days" in guide
    assert (first.last_order_date - first.first_order_date).days == 335
    assert (first.mean_gap_days, first.recency_days, first.cause) == (5.4, 29, "time")
    assert first.reasons == ("slipped", "due")
