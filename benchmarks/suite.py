"""What is measured: the contenders, the works that they are given, and the goals."""

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
"""Of one work: see `results.figures_of`."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who does the job: lines from a file in, a row for each customer in a Parquet file out.

    Attributes:
        name: What it is called in tables.
        does: What it does, in a few words.
        script: Its file among the contenders: SQL runs in this environment's DuckDB, Python in one of its
            own. None is `rfm` itself.
        reads: Its result's columns, as those that are compared: `customer_id`, `last_order_date`,
            `frequency`, `monetary`; NULL stands where it defines one in another way.
        settings: DuckDB's, where it is not to run as DuckDB does by itself.
        to: Of `rfm`, the destination, beside the result: a DuckDB file, or `result.parquet` itself.
        options: Of `rfm`, further options.
    """

    name: str
    does: str
    script: str | None
    reads: str = "customer_id, last_order_date, frequency, monetary"
    settings: tuple[str, ...] = ()
    to: str = "rfm.duckdb"
    options: tuple[str, ...] = ()


_FLOOR_SETTINGS = (
    f"threads={max(4, os.cpu_count() or 1)}",
    "preserve_insertion_order=false",
    # Large files that are in the order of their orders are read several times over for it.
    "disabled_optimizers=partitioned_execution",
)

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(
            "rfm",
            "`rfm run`: published to a DuckDB file, with history and record, and written to Parquet",
            None,
        ),
        Contender(
            "rfm-parquet",
            "`rfm run --to FILE.parquet`: published to Parquet files, with history and record",
            None,
            to="result.parquet",
        ),
        Contender(
            "rfm-incremental",
            "`rfm run --incremental --to FILE.parquet`: reads new files only, and keeps the orders of all",
            None,
            to="result.parquet",
            options=("--incremental",),
        ),
        Contender(
            "floor",
            "the scan and the two-level aggregation alone, in DuckDB, set up for the least that there is",
            "floor.sql",
            settings=_FLOOR_SETTINGS,
        ),
        Contender(
            "stored",
            "the floor, and its customers stored as a run stores them, scored by given edges",
            "stored.sql",
            settings=_FLOOR_SETTINGS,
        ),
        Contender("usual", "`COUNT(DISTINCT)`, three `NTILE`, one `CASE`, in DuckDB", "usual.sql"),
        Contender("polars", "the usual query in Polars, lazy and streaming", "polars_frame.py"),
        Contender("pandas", "the usual query in pandas", "pandas_frame.py"),
        Contender(
            "pymc-marketing",
            "`rfm_segments`; its frequency counts days, its monetary value is an average",
            "pymc_marketing_segments.py",
            reads="customer_id, NULL AS last_order_date, NULL AS frequency,"
            " frequency * monetary_value AS monetary",
        ),
        Contender(
            "rfm-pypi",
            "the package `rfm` of PyPI, given orders",
            "rfm_package.py",
            reads="CustomerID AS customer_id, NULL AS last_order_date, frequency,"
            " monetary_value / 100.0 AS monetary",
        ),
    )
}
DUCKDB = ("rfm", "floor", "stored", "usual", "rfm-parquet")
# Parts of a run's work, which it therefore can't outrun.
BOUNDS = ("floor", "stored")
NEXT_DAY = ("rfm-incremental", "rfm-parquet", "floor", "usual", "polars")
FRAMES = ("polars", "pandas", "pymc-marketing")


def command(contender: Contender, python: str, source: Path, folder: Path, memory: str | None) -> list[str]:
    """The command line of a contender that reads `source` and leaves `result.parquet` in `folder`.

    `source` is a file, or a folder of Parquet files, which all but `rfm` are given as a pattern.
    """
    result = folder / "result.parquet"
    if contender.script is None:
        rfm = Path(sys.executable).with_name("rfm")
        to = ["--to", str(folder / contender.to)]
        to += [] if contender.to == result.name else ["--output", str(result)]
        return [str(rfm), "run", str(source), *to, *contender.options, "--log-format", "json"]
    source = source / "*.parquet" if source.is_dir() else source
    script = SCRIPTS / contender.script
    if script.suffix == ".sql":
        settings = [*contender.settings, *([f"memory_limit={memory}"] if memory else [])]
        return [python, str(SCRIPTS / "run_sql.py"), str(script), str(source), str(result), *settings]
    return [python, str(script), str(source), str(result)]


@dataclass(frozen=True, slots=True)
class Work:
    """Lines, and who is measured on them.

    Attributes:
        name: What it is called on the command line.
        title: What it is, in words.
        contenders: Who takes part. 100 million lines with text ids are too many for a pandas frame here.
        shape: The shape of generated lines; None where they are real.
        lines: How many are generated.
        rounds: How often each contender runs, after the warm-up.
        memory: DuckDB's limit, for all who use it.
        file: The kind of file.
        is_warmed_up: Whether each contender runs once before the rounds.
        adds_day: Whether `rfm` has published the lines of all days but the newest, whose file is then added.
        by_default: Whether it is done unless others are named.
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


WORKS = {
    work.name: work
    for work in (
        Work("start-up", "the start of a command", (), rounds=20),
        Work("real", "UCI Online Retail, 541,909 lines", (*DUCKDB, *FRAMES, "rfm-pypi"), rounds=9),
        Work("1m", "1 million lines, two an order", (*DUCKDB, *FRAMES, "rfm-pypi"), "shop", 1_000_000, 3),
        Work("10m", "10 million lines, two an order", (*DUCKDB, *FRAMES), "shop", 10_000_000),
        Work("wholesale", "10 million lines, 21 an order", (*DUCKDB, *FRAMES), "wholesale", 10_000_000),
        Work("csv", "10 million lines of CSV", ("rfm", "floor", "stored"), "shop", 10_000_000, file="csv"),
        Work("100m", "100 million lines", (*DUCKDB, "polars"), "shop", 100_000_000, 3, memory="5500MB"),
        Work(
            "next-day-10m",
            "a day's file is added to 10 million lines",
            NEXT_DAY,
            "shop",
            10_000_000,
            adds_day=True,
        ),
        Work(
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
        Work(
            "1b",
            "1 billion lines",
            ("rfm",),
            "shop",
            1_000_000_000,
            rounds=1,
            memory="7GB",
            is_warmed_up=False,
            by_default=False,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure of `rfm` is to be.

    Attributes:
        work: Where it is measured.
        says: What is measured.
        figure: A ratio of two contenders' times, where `{}` stands for `rfm`; or another figure of `rfm`,
            from those of all works.
        bound: What it is to be at most, or at least.
        at_least: Whether larger is better.
    """

    work: str
    says: str
    figure: str | Callable[[Mapping[str, Figures]], float | None]
    bound: float
    at_least: bool = False

    def reached(self, works: Mapping[str, Figures], contender: str = "rfm") -> float | None:
        """The figure; a ratio is one of any contender's. None is what was not measured."""
        if self.work not in works:
            return None
        if isinstance(self.figure, str):
            ratio: float | None = works[self.work]["ratios"].get(self.figure.format(contender))
            return ratio
        return self.figure(works) if contender == "rfm" else None


def _peak_gb(work: str, contender: str = "rfm") -> Callable[[Mapping[str, Figures]], float | None]:
    return lambda works: works[work]["contenders"][contender]["peak_mb"] / 1000


def _start_up(works: Mapping[str, Figures]) -> float:
    took = works["start-up"]["contenders"]
    return float(took["rfm --help"]["wall_s"] / (3 * took["python -c pass"]["wall_s"] + 0.06))


def _ratio(work: str, ratio: str) -> Callable[[Mapping[str, Figures]], float | None]:
    """The ratio of two contenders that are not compared with the bounds."""
    return lambda works: works[work]["ratios"].get(ratio)


def _growth(works: Mapping[str, Figures]) -> float | None:
    if "100m" not in works:
        return None
    seconds = [works[work]["contenders"]["rfm"]["wall_s"] for work in ("1b", "100m")]
    return float(seconds[0] / seconds[1] / 10)


def _around(works: Mapping[str, Figures]) -> float:
    """The share of a run that is neither its scan nor its edges nor the extra file.

    Scoring counts, as scores are computed while they are staged; the ledger is a part of publishing.
    """
    steps = works["10m"]["steps"]
    names = ("Scoring and segmenting", "Auditing", "Publishing")
    return float(sum(steps[name]["share"] for name in names))


GOALS = (
    Goal("start-up", "`rfm --help` / (3 × `python -c pass` + 60 ms)", _start_up, 1.0),
    Goal("real", "time / the usual query's", "{}/usual", 1.0),
    Goal("10m", "time / the floor's", "{}/floor", 1.2),
    Goal("10m", "to Parquet alone, time / the usual query's", _ratio("10m", "rfm-parquet/usual"), 0.9),
    Goal("10m", "to Parquet alone, time / Polars'", _ratio("10m", "rfm-parquet/polars"), 0.95),
    Goal("10m", "times faster than the usual query", "usual/{}", 1.5, at_least=True),
    Goal("10m", "times faster than Polars", "polars/{}", 1.8, at_least=True),
    Goal("10m", "times faster than pandas", "pandas/{}", 6, at_least=True),
    Goal("10m", "times faster than pymc-marketing", "pymc-marketing/{}", 12, at_least=True),
    Goal("10m", "scoring and staging, audits, ledger and publish, share of the run", _around, 0.15),
    Goal("csv", "time / the floor's, from the same CSV", "{}/floor", 1.3),
    Goal("100m", "time / the floor's", "{}/floor", 1.2),
    Goal("100m", "times faster than the usual query", "usual/{}", 1.7, at_least=True),
    Goal("100m", "peak memory, GB", _peak_gb("100m"), 6),
    Goal("next-day-10m", "time / the usual query's", _ratio("next-day-10m", "rfm-incremental/usual"), 0.4),
    Goal("next-day-100m", "time / the usual query's", _ratio("next-day-100m", "rfm-incremental/usual"), 0.2),
    Goal(
        "next-day-100m",
        "time / that of a run that reads everything",
        _ratio("next-day-100m", "rfm-incremental/rfm-parquet"),
        0.15,
    ),
    Goal("next-day-100m", "peak memory, GB", _peak_gb("next-day-100m", "rfm-incremental"), 4),
    Goal("1b", "time / ten times that of 100 million lines", _growth, 1.3),
    Goal("1b", "peak memory, GB", _peak_gb("1b"), 8),
)
