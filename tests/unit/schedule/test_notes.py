"""Notes of a schedule about the as-of date of its runs."""

from __future__ import annotations

import pytest

from rfm_pipeline.schedule import render
from support.awkward_commands import schedule


@pytest.mark.parametrize("arguments", [("run", "--as-of", "yesterday"), ("run", "--as-of=yesterday")])
def test_a_named_day_is_explained(arguments: tuple[str, ...]) -> None:
    notes = render("cron", schedule(arguments=arguments)).notes
    assert any("--as-of yesterday is a date of the run's time zone" in note for note in notes)


def test_a_fixed_date_is_named() -> None:
    notes = render("cron", schedule(arguments=("run", "--as-of", "2025-12-31"))).notes
    assert "each run is as of 2025-12-31; --as-of yesterday follows the day" in notes
    plain = render("cron", schedule(arguments=("run",))).notes
    assert not any("as-of" in note for note in plain)
