"""A run against a failing BigQuery, with the states that it may leave behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import RfmError
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import run
from rfm_pipeline.results.tables import SUFFIXES
from support.bigquery_proxy import InstantClock, Proxy, Request, run_proxy
from support.bigquery_shop import Shop

TABLES = tuple(f"rfm_segments{end}" for end in SUFFIXES.values())


@dataclass
class Scene:
    """A source, a published result, and a run that is to replace the result.

    Attributes:
        shop: The dataset.
        proxy: The proxy that injects faults.
        before: Rows of the result that is published before the run.
        expected: Rows of the run's result, without the run id.
        requests: Requests of a run without faults, in order.
    """

    shop: Shop
    proxy: Proxy
    before: list[tuple[Any, ...]] = field(default_factory=list)
    expected: list[tuple[Any, ...]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def flags(self, as_of: str, **bigquery: float) -> dict[str, Any]:
        to = self.shop.destination
        return {"source": self.shop.source(), "to": to, "as_of": as_of, "bigquery": bigquery}

    def run(self, request_timeout: float = 30, retry_timeout: float = 20) -> RfmError | None:
        """Execute the run; return its error, or None if it succeeds."""
        flags = self.flags("2024-03-01", request_timeout=request_timeout, retry_timeout=retry_timeout)
        try:
            run(Configuration(flags=flags), NullObserver())
        except RfmError as error:
            return error
        return None

    def restore(self) -> None:
        """Restore the earlier result, and drop all other tables."""
        self.proxy.fault_for = lambda _: None
        for table in TABLES:
            name, backup = self.shop.name(table), self.shop.name(backup_name(table))
            self.shop.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM {backup}")
        for table in self.shop.tables():
            if table not in {"orders", *TABLES, *map(backup_name, TABLES)}:
                self.shop.client.delete_table(f"{self.shop.client.project}.{self.shop.dataset}.{table}")


def backup_name(table: str) -> str:
    """Return the name of the copy of a published table from before the run."""
    return f"backup_{table}"


@pytest.fixture(scope="module")
def fault_scene(emulator: str) -> Iterator[Scene]:
    with pytest.MonkeyPatch.context() as patched, run_proxy(emulator) as proxy:
        for name in [name for name in os.environ if name.startswith("RFM_")]:
            patched.delenv(name)
        patched.setenv("BIGQUERY_EMULATOR_HOST", proxy.address)
        patched.setattr("rfm_pipeline.warehouse.bigquery.jobs.Clock", InstantClock)
        shop = Shop(emulator)
        shop.create_table()
        scene = Scene(shop, proxy)
        run(Configuration(flags=scene.flags("2024-02-25")), NullObserver())
        for table in TABLES:
            shop.execute(f"CREATE TABLE {shop.name(backup_name(table))} AS SELECT * FROM {shop.name(table)}")
        scene.before = shop.published_rows()
        proxy.reset()
        assert scene.run() is None
        scene.requests = list(proxy.requests)
        scene.expected = shop.published_without_run_id()
        yield scene
        shop.close()


@pytest.fixture
def scene(fault_scene: Scene) -> Scene:
    fault_scene.restore()
    fault_scene.proxy.reset()
    return fault_scene


def inconsistencies(scene: Scene, rows: list[tuple[Any, ...]], *, is_new: bool) -> Iterator[str]:
    """Yield each inconsistency between the three published tables.

    Args:
        scene: The scene.
        rows: Rows of the current result.
        is_new: Whether they are those of the run.
    """
    history = scene.shop.published_rows("rfm_segments_history")
    if sorted(row for row in history if row[-2] == rows[0][-2]) != rows:
        yield "the history has other rows of the current date"
    if {str(row[-2]) for row in history} != {"2024-02-25", *(["2024-03-01"] if is_new else [])}:
        yield "the history has other dates"
    runs = scene.shop.execute(
        f"SELECT run_id, status FROM {scene.shop.name('rfm_segments_runs')} WHERE status = 'published'"
    )
    if len(runs) != 1 + is_new or rows[0][-1] not in {run["run_id"] for run in runs}:
        yield f"the runs table has {len(runs)} published runs"
