"""Shared fixtures (command line, real data sets, BigQuery emulator), and the test lanes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rfm_pipeline.cli import main
from support import bigquery_emulator, cdnow, lanes
from support.bigquery_proxy import InstantClock, Proxy, run_proxy
from support.cli import Outcome, Rfm
from support.databases import database
from support.fork_server import ForkServer, run_fork_server
from support.real_data import real_data

if TYPE_CHECKING:
    from rfm_pipeline.results.run_record import RunRecord
    from support.bigquery_shop import Shop

lanes.register_profiles()
# Matrices of a few numbers are faster on one thread: OpenBLAS's threads spin where several workers share the
# processors. NumPy reads the variable when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out folders whose tests are all deselected; importing them takes seconds."""
    return lanes.is_deselected(collection_path, config.option.markexpr) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests before pytest's `-m` looks at the markers."""
    lanes.mark_slow(items)


def pytest_collection_finish() -> None:
    """Exclude the collected tests from garbage collection: with them, a full collection takes seconds."""
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Undo the exclusion; otherwise, DuckDB reports its objects as leaked when the interpreter ends."""
    gc.unfreeze()


@pytest.fixture
def rfm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Rfm:
    """A function that runs `rfm` with arguments, in `tmp_path` and without RFM_* variables."""
    for name in [name for name in os.environ if name.startswith("RFM_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["rfm", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 1, captured.out, captured.err)

    return run


class OnRecord(Sequence["RunRecord"]):
    """The calibrations in the run log of a file, read anew at each access.

    Args:
        file: The DuckDB file of the destination.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def _records(self) -> list[RunRecord]:
        from rfm_pipeline.results.run_record import RunRecord

        if not self._file.exists():
            return []
        with database(self._file) as connection:
            cursor = connection.execute(
                "FROM rfm_segments_runs WHERE kind = 'calibration' ORDER BY started_at"
            )
            names = [column[0] for column in cursor.description]
            return [RunRecord.from_row(dict(zip(names, row, strict=True))) for row in cursor.fetchall()]

    def __len__(self) -> int:
        return len(self._records())

    def __getitem__(self, index: Any) -> Any:
        return self._records()[index]


@pytest.fixture
def few_replicates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations draw 50 bootstrap replicates, not 1,000, for tests that do not look at intervals."""
    monkeypatch.setattr("rfm_pipeline.evaluation.bootstrap.REPLICATES", 50)


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """A process that forks processes of `rfm`."""
    with run_fork_server(tmp_path_factory.mktemp("output")) as server:
        yield server


@pytest.fixture
def on_record(tmp_path: Path) -> Sequence[RunRecord]:
    """The calibrations in the run log of the default destination."""
    return OnRecord(tmp_path / "rfm.duckdb")


@pytest.fixture(scope="session")
def cdnow_orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CDNOW, a public data set with published figures, as Parquet: 69,659 orders of 23,570 customers."""
    return cdnow.write_parquet(cdnow.master(), tmp_path_factory.mktemp("cdnow") / "cdnow.parquet")


@pytest.fixture(params=["cdnow_orders", pytest.param("online_retail", marks=pytest.mark.slow)])
def real_orders(request: pytest.FixtureRequest) -> Path:
    """Each real data set in turn, as a Parquet file."""
    orders: Path = request.getfixturevalue(request.param)
    return orders


@pytest.fixture
def online_retail() -> Path:
    """UCI Online Retail: 541,909 lines of a gift shop, with published figures."""
    return real_data("online_retail.parquet")


@pytest.fixture
def rfm_data_orders() -> Path:
    """The sample orders of the R package rfm: 4,906 orders of 995 customers, with a published result."""
    return real_data("rfm_data_orders.csv")


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of a BigQuery emulator on loopback; its tests belong to the xdist group `bigquery`.

    The variable BIGQUERY_TEST_EMULATOR names the package of another emulator than `bqemulator`.
    """
    chosen = bigquery_emulator.EMULATORS[os.environ.get("BIGQUERY_TEST_EMULATOR") or "bqemulator"]
    try:
        with bigquery_emulator.run_emulator(chosen) as address:
            yield address
    except bigquery_emulator.UnavailableError as error:
        pytest.skip(f"no BigQuery server here: {error}")


@pytest.fixture
def proxy(emulator: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy in front of the emulator, which the client connects to; retries do not wait."""
    monkeypatch.setattr("rfm_pipeline.warehouse.bigquery.jobs.Clock", InstantClock)
    with run_proxy(emulator) as running:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", running.address)
        yield running


@pytest.fixture
def bigquery_shop(emulator: str) -> Iterator[Shop]:
    """A dataset in the emulator, and a client that bypasses the proxy."""
    from support.bigquery_shop import Shop

    shop = Shop(emulator)
    yield shop
    shop.close()
