"""What is measured: the contenders, the workloads, and the goals."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE / "contenders"
ONLINE_RETAIL = HERE.parent.parent / "shared" / "data" / "online_retail.parquet"

Figures = Mapping[str, Any]
"""Figures of one workload, as `report.figures_of` returns them."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A program that reads lines from a file and writes one row per customer.

    Attributes:
        name: Name in tables and on the command line.
        does: What it does, as a phrase.
        script: Its file in `contenders/`: SQL runs in this environment's DuckDB, Python in an environment of
            its own. None is `rfm` itself.
        result: Name of the file that it writes: Parquet, or a DuckDB file whose table is `rfm_segments`.
        reads: SELECT list of the columns that are compared: `customer_id`, `last_order_date`, `frequency`,
            `monetary`; NULL for those that it defines otherwise.
        settings: DuckDB settings, `NAME=VALUE`; empty for DuckDB's defaults.
        options: Further options of `rfm`.
        computes_customers: Whether it writes a result with a row per customer.
    """

    name: str
    does: str
    script: str | None
    result: str = "result.parquet"
    reads: str = "customer_id, last_order_date, frequency, monetary"
    settings: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    computes_customers: bool = True

    @property
    def is_run(self) -> bool:
        """Whether it is `rfm run`, whose log has its steps."""
        return self.script is None and self.computes_customers


_FLOOR_SETTINGS = (
    f"threads={max(4, os.cpu_count() or 1)}",
    "preserve_insertion_order=false",
    # It reads large files whose lines are in the order of their orders several times.
    "disabled_optimizers=partitioned_execution",
)

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(
            "rfm-parquet",
            "`rfm run --to FILE.parquet`: published to Parquet files, with history and record",
            None,
        ),
        Contender(
            "rfm-duckdb",
            "`rfm run --to duckdb:FILE`: published to a DuckDB file, with history and record",
            None,
            result="rfm.duckdb",
        ),
        Contender(
            "rfm-incremental",
            "`rfm run --incremental --to FILE.parquet`: reads new files only, and keeps the orders of all",
            None,
            options=("--incremental",),
        ),
        Contender(
            "rfm-evaluate",
            "`rfm evaluate --json`: scores customers on four dates, and counts what they bought in 90 days",
            None,
            computes_customers=False,
        ),
        Contender(
            "floor",
            "the scan and the two-level aggregation alone, in DuckDB, with the fastest settings known",
            "floor.sql",
            settings=_FLOOR_SETTINGS,
        ),
        Contender("usual", "`COUNT(DISTINCT)`, three `NTILE`, one `CASE`, in DuckDB", "usual.sql"),
        Contender("polars", "the usual query in Polars, lazy and streaming", "polars_frame.py"),
        Contender("datafusion", "the usual query in DataFusion", "datafusion_sql.py"),
        Contender("chdb", "the usual query in chDB", "chdb_sql.py"),
        Contender("pandas", "the usual query in pandas", "pandas_frame.py"),
        Contender(
            "openretailscience",
            "`RFMSegmentation` on a table of Ibis; three scores, no named segment",
            "openretailscience_segments.py",
            reads="customer_id, NULL AS last_order_date, frequency, monetary",
        ),
        Contender(
            "pymc-marketing",
            "`rfm_segments`; its frequency counts days, its monetary value is an average",
            "pymc_marketing_segments.py",
            reads="customer_id, NULL AS last_order_date, NULL AS frequency,"
            " frequency * monetary_value AS monetary",
        ),
        Contender(
            "rfm-pypi",
            "the package `rfm` on PyPI, with orders as input",
            "rfm_package.py",
            reads="CustomerID AS customer_id, NULL AS last_order_date, frequency,"
            " monetary_value / 100.0 AS monetary",
        ),
    )
}
RFM = ("rfm-parquet", "rfm-duckdb")
ENGINES = ("floor", "usual", "polars", "datafusion", "chdb")
LIBRARIES = ("pandas", "openretailscience", "pymc-marketing")
NEXT_DAY = ("rfm-incremental", "rfm-parquet", "floor", "usual", "polars")


def command(contender: Contender, python: str, source: Path, folder: Path, memory: str | None) -> list[str]:
    """Return the command line of a contender that reads `source` and writes its result in `folder`.

    `source` is a file or a folder of Parquet files; a contender other than `rfm` gets a folder as a glob.
    """
    result = folder / contender.result
    if contender.script is None:
        rfm = Path(sys.executable).with_name("rfm")
        if not contender.computes_customers:
            return [str(rfm), "evaluate", str(source), "--json"]
        return [str(rfm), "run", str(source), "--to", str(result), *contender.options, "--log-format", "json"]
    source = source / "*.parquet" if source.is_dir() else source
    script = SCRIPTS / contender.script
    if script.suffix == ".sql":
        settings = [*contender.settings, *([f"memory_limit={memory}"] if memory else [])]
        return [python, str(SCRIPTS / "run_sql.py"), str(script), str(source), str(result), *settings]
    return [python, str(script), str(source), str(result)]


@dataclass(frozen=True, slots=True)
class Workload:
    """Lines, and the contenders that are measured with them.

    Attributes:
        name: Name on the command line.
        title: Description, as a phrase.
        contenders: Names of the contenders.
        shape: Shape of generated lines; None for real lines.
        lines: Number of generated lines.
        rounds: Number of rounds after the warm-up.
        memory: DuckDB's memory limit in all contenders that use it; None for DuckDB's default.
        file: File type.
        is_warmed_up: Whether each contender runs once before the rounds.
        adds_day: Whether `rfm` has published the lines of all days but the newest, whose file is then added.
        by_default: Whether it is measured if no workload is named.
    """

    name: str
    title: str
    contenders: tuple[str, ...]
    shape: str | None = None
    lines: int = 0
    rounds: int = 5
    memory: str | None = None
    file: str = "parquet"
    is_warmed_up: bool = True
    adds_day: bool = False
    by_default: bool = True


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("start-up", "the start of a command", (), rounds=20),
        Workload(
            "real", "UCI Online Retail, 541,909 lines", (*RFM, *ENGINES, *LIBRARIES, "rfm-pypi"), rounds=9
        ),
        Workload(
            "1m",
            "1 million lines, two per order",
            (*RFM, *ENGINES, *LIBRARIES, "rfm-pypi"),
            "shop",
            1_000_000,
            rounds=3,
        ),
        Workload("10m", "10 million lines, two per order", (*RFM, *ENGINES, *LIBRARIES), "shop", 10_000_000),
        Workload(
            "wholesale",
            "10 million lines, 21 per order",
            (*RFM, *ENGINES, *LIBRARIES),
            "wholesale",
            10_000_000,
            rounds=3,
        ),
        Workload(
            "csv",
            "10 million lines of CSV",
            ("rfm-parquet", "floor", "usual"),
            "shop",
            10_000_000,
            file="csv",
        ),
        Workload(
            "next-day-10m",
            "a day's file is added to 10 million lines",
            NEXT_DAY,
            "shop",
            10_000_000,
            adds_day=True,
        ),
        Workload(
            "evaluate",
            "10 million lines, customers scored on four dates",
            ("rfm-evaluate", "rfm-parquet"),
            "shop",
            10_000_000,
            rounds=3,
        ),
        Workload(
            "100m",
            "100 million lines, two per order",
            ("rfm-parquet", "floor", "usual", "polars"),
            "shop",
            100_000_000,
            rounds=3,
            memory="5500MB",
            by_default=False,
        ),
        Workload(
            "next-day-100m",
            "a day's file is added to 100 million lines",
            NEXT_DAY,
            "shop",
            100_000_000,
            rounds=3,
            memory="5500MB",
            adds_day=True,
            by_default=False,
        ),
        Workload(
            "1b",
            "1 billion lines, two per order",
            ("rfm-parquet",),
            "shop",
            1_000_000_000,
            rounds=1,
            memory="7GB",
            is_warmed_up=False,
            by_default=False,
        ),
    )
}

Results = Mapping[str, Figures]
"""Figures by the name of the workload."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The largest value that a figure may have.

    Attributes:
        workload: Workload with which the figure is measured.
        label: What the figure is, as a phrase.
        figure: Two contenders, `NAME/NAME`, whose times are divided; or a function of the results.
        limit: The largest value.
    """

    workload: str
    label: str
    figure: str | Callable[[Results], float | None]
    limit: float

    def value(self, results: Results) -> float | None:
        """Return the figure; None if it was not measured."""
        if self.workload not in results:
            return None
        if isinstance(self.figure, str):
            ratio: float | None = results[self.workload]["ratios"].get(self.figure)
            return ratio
        return self.figure(results)


def _peak_gb(workload: str, contender: str) -> Callable[[Results], float | None]:
    return lambda results: results[workload]["contenders"][contender]["peak_mb"] / 1000


def _help_ratio(results: Results) -> float:
    took = results["start-up"]["contenders"]
    return float(took["rfm --help"]["wall_s"] / (3 * took["python -c pass"]["wall_s"] + 0.06))


def _start_s(results: Results) -> float | None:
    """Return the seconds of a run's start and end beyond those of loading DuckDB."""
    if "start-up" not in results:
        return None
    steps, took = results["real"]["steps"], results["start-up"]["contenders"]
    return float(steps["Start and end of the process"]["seconds"] - took["import duckdb"]["wall_s"])


def _evaluation(results: Results) -> float:
    """Return the time of an evaluation on four dates relative to that of four runs."""
    return float(results["evaluate"]["ratios"]["rfm-evaluate/rfm-parquet"] / 4)


def _growth(results: Results) -> float | None:
    if "100m" not in results:
        return None
    seconds = [results[workload]["contenders"]["rfm-parquet"]["wall_s"] for workload in ("1b", "100m")]
    return float(seconds[0] / seconds[1] / 10)


GOALS = (
    Goal("start-up", "`rfm --help` / (3 × `python -c pass` + 60 ms)", _help_ratio, 1.0),
    Goal("real", "start and end of a run, beyond `import duckdb`, seconds", _start_s, 0.12),
    Goal("real", "to Parquet / the usual query", "rfm-parquet/usual", 1.2),
    Goal("10m", "to Parquet / the usual query", "rfm-parquet/usual", 0.9),
    Goal("10m", "to Parquet / Polars", "rfm-parquet/polars", 0.95),
    Goal("10m", "to a new DuckDB file / the usual query", "rfm-duckdb/usual", 0.9),
    Goal("csv", "to Parquet / the floor from the same CSV", "rfm-parquet/floor", 1.5),
    Goal("next-day-10m", "incremental / the usual query", "rfm-incremental/usual", 0.4),
    Goal("evaluate", "four dates / four runs", _evaluation, 1.5),
    Goal("100m", "to Parquet / the usual query", "rfm-parquet/usual", 1.0),
    Goal("100m", "peak memory, GB", _peak_gb("100m", "rfm-parquet"), 6),
    Goal("next-day-100m", "incremental / the usual query", "rfm-incremental/usual", 0.2),
    Goal("next-day-100m", "incremental / a run that reads everything", "rfm-incremental/rfm-parquet", 0.15),
    Goal("next-day-100m", "peak memory, GB", _peak_gb("next-day-100m", "rfm-incremental"), 4),
    Goal("1b", "time / ten times that of 100 million lines", _growth, 1.3),
    Goal("1b", "peak memory, GB", _peak_gb("1b", "rfm-parquet"), 8),
)
