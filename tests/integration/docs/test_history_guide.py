"""The figures of docs/guides/history.md."""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from pathlib import Path

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.pipeline.backfill import as_of_dates, backfill
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.transitions import transitions
from support.paths import ROOT

MONTH = re.compile(r"\| (\w+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|")


def test_the_causes_of_a_year_of_moves_are_those_of_the_guide(online_retail: Path, tmp_path: Path) -> None:
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
