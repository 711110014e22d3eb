"""Scenes in which BigQuery fails: what is run, and what has to be left."""

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
from support.bigquery_proxy import Impatient, Proxy, Request, proxying
from support.bigquery_shop import Shop

TABLES = tuple(f"rfm_segments{end}" for end in SUFFIXES.values())


@dataclass
class Scene:
    """A source, a result that stands, and a run that is to replace it."""

    shop: Shop
    proxy: Proxy
    before: list[tuple[Any, ...]] = field(default_factory=list)
    expected: list[tuple[Any, ...]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def flags(self, as_of: str, **bigquery: float) -> dict[str, Any]:
        to = self.shop.destination
        return {"source": self.shop.source(), "to": to, "as_of": as_of, "bigquery": bigquery}

    def run(self, request_timeout: float = 30, retry_timeout: float = 20) -> RfmError | None:
        """The run; the error in which it ends."""
        flags = self.flags("2024-03-01", request_timeout=request_timeout, retry_timeout=retry_timeout)
        try:
            run(Configuration(flags=flags), NullObserver())
        except RfmError as error:
            return error
        return None

    def restore(self) -> None:
        """The result that stood there before, and nothing besides."""
        self.proxy.act = lambda _: None
        for table in TABLES:
            there, copy = self.shop.name(table), self.shop.name(kept(table))
            self.shop.execute(f"CREATE OR REPLACE TABLE {there} AS SELECT * FROM {copy}")
        for table in self.shop.tables():
            if table not in {"orders", *TABLES, *map(kept, TABLES)}:
                self.shop.client.delete_table(f"{self.shop.client.project}.{self.shop.dataset}.{table}")


def kept(table: str) -> str:
    """The copy of what stood there before."""
    return f"kept_{table}"


@pytest.fixture(scope="module")
def made(emulator: str) -> Iterator[Scene]:
    with pytest.MonkeyPatch.context() as patched, proxying(emulator) as proxy:
        for name in [name for name in os.environ if name.startswith("RFM_")]:
            patched.delenv(name)
        patched.setenv("BIGQUERY_EMULATOR_HOST", proxy.address)
        patched.setattr("rfm_pipeline.warehouse.bigquery.jobs.Clock", Impatient)
        shop = Shop(emulator)
        shop.make()
        scene = Scene(shop, proxy)
        run(Configuration(flags=scene.flags("2024-02-25")), NullObserver())
        for table in TABLES:
            shop.execute(f"CREATE TABLE {shop.name(kept(table))} AS SELECT * FROM {shop.name(table)}")
        scene.before = shop.published()
        proxy.forget()
        assert scene.run() is None
        scene.requests = list(proxy.requests)
        scene.expected = shop.without_run_id()
        yield scene
        shop.close()


@pytest.fixture
def scene(made: Scene) -> Scene:
    made.restore()
    made.proxy.forget()
    return made


def torn(scene: Scene, rows: list[tuple[Any, ...]], *, is_new: bool) -> Iterator[str]:
    """Where the three tables do not tell the same."""
    history = scene.shop.published("rfm_segments_history")
    if sorted(row for row in history if row[-2] == rows[0][-2]) != rows:
        yield "the history has other rows of the current date"
    if {str(row[-2]) for row in history} != {"2024-02-25", *(["2024-03-01"] if is_new else [])}:
        yield "the history has other dates"
    runs = scene.shop.execute(
        f"SELECT run_id, status FROM {scene.shop.name('rfm_segments_runs')} WHERE status = 'published'"
    )
    if len(runs) != 1 + is_new or rows[0][-1] not in {run["run_id"] for run in runs}:
        yield f"the runs tell of {len(runs)} publishes"
