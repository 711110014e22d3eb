"""Random sequences of runs, faults and edits on a dataset: readers see what a model in Python says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.bigquery_proxy import Proxy
from support.bigquery_shop import Shop
from support.bigquery_site import BigQuerySite
from support.cli import Rfm
from support.destination_sequences import DIRECTED, Player
from support.fork_server import ForkServer

pytestmark = pytest.mark.xdist_group("bigquery")

OPERATIONS = 8
"""Number of operations of a sequence."""


@pytest.fixture
def site(
    bigquery_shop: Shop,
    proxy: Proxy,
    rfm: Rfm,
    fork_server: ForkServer,
    tmp_path: Path,
) -> Iterator[BigQuerySite]:
    with pytest.MonkeyPatch.context() as patched:
        yield BigQuerySite(tmp_path, bigquery_shop, proxy, rfm, fork_server, patched)


@pytest.mark.guarantee(
    "one-transaction", "rerun", "rollback", "backfill", "one-run-at-a-time", "previous-result-unchanged"
)
@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=() if seed < 2 else pytest.mark.long) for seed in range(100)]
)
def test_readers_see_what_the_model_says(seed: int, site: BigQuerySite) -> None:
    Player(site, seed).play(OPERATIONS)


@pytest.mark.guarantee("rerun", "rollback", "backfill")
def test_readers_see_the_active_dates_only(site: BigQuerySite) -> None:
    Player(site, 0).play_directed(DIRECTED["a later date after a rollback"])
