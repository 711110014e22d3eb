"""Random sequences of runs, faults and edits on local destinations: readers see what a model says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli import Rfm
from support.destination_sequences import DIRECTED, DuckDBSite, ParquetPlayer, ParquetSite, Player
from support.fork_server import ForkServer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

OPERATIONS = 8
"""Number of operations of a sequence."""


def seeds() -> Iterator[object]:
    """Yield the seeds of 1,000 sequences: 1 is in the fast lane, and 20 in `make test-all`."""
    for seed in range(1000):
        yield pytest.param(
            seed, marks=() if seed < 1 else pytest.mark.slow if seed < 20 else pytest.mark.long
        )


@pytest.fixture(params=[ParquetSite, DuckDBSite])
def site(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    rfm: Rfm,
    fork_server: ForkServer,
    monkeypatch: pytest.MonkeyPatch,
) -> DuckDBSite:
    kind: type[DuckDBSite] = request.param
    return kind(tmp_path, rfm, fork_server, monkeypatch)


@pytest.mark.guarantee("rerun", "rollback", "backfill")
@pytest.mark.matrix
@pytest.mark.parametrize("sequence", DIRECTED)
def test_readers_see_the_active_dates_only(sequence: str, site: DuckDBSite) -> None:
    Player(site, 0).play_directed(DIRECTED[sequence])


@pytest.mark.guarantee(
    "one-transaction", "rerun", "rollback", "backfill", "one-run-at-a-time", "previous-result-unchanged"
)
@pytest.mark.parametrize("seed", list(seeds()))
def test_readers_see_what_the_model_says(
    seed: int, tmp_path: Path, rfm: Rfm, fork_server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Player(DuckDBSite(tmp_path, rfm, fork_server, monkeypatch), seed).play(OPERATIONS)


@pytest.mark.guarantee(
    "one-transaction", "rerun", "rollback", "backfill", "one-run-at-a-time", "previous-result-unchanged"
)
@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=pytest.mark.slow if seed < 1 else pytest.mark.long) for seed in range(1000)],
)
def test_readers_of_parquet_files_see_what_the_model_says(
    seed: int, tmp_path: Path, rfm: Rfm, fork_server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ParquetPlayer(ParquetSite(tmp_path, rfm, fork_server, monkeypatch), seed).play(OPERATIONS)
