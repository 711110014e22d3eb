"""Random sequences of runs, faults and edits on a DuckDB file: readers see what a model in Python says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli import Rfm
from support.destination_sequences import DuckDBSite, Player
from support.fork_server import ForkServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

OPERATIONS = 8
"""Number of operations of a sequence."""


def seeds() -> Iterator[object]:
    """Yield the seeds of 1,000 sequences, five a test: one test for the fast lane, and three for `ci`."""
    for first in range(0, 1000, 5):
        marks = () if first == 0 else pytest.mark.slow if first < 15 else pytest.mark.long
        yield pytest.param(range(first, first + 5), id=f"{first}-{first + 4}", marks=marks)


@pytest.mark.guarantee(
    "one-transaction", "rerun", "rollback", "backfill", "one-run-at-a-time", "previous-result-unchanged"
)
@pytest.mark.parametrize("seeds", list(seeds()))
def test_readers_see_what_the_model_says(
    seeds: range, tmp_path: Path, rfm: Rfm, fork_server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in seeds:
        folder = tmp_path / str(seed)
        folder.mkdir()
        Player(DuckDBSite(folder, rfm, fork_server, monkeypatch), seed).play(OPERATIONS)
