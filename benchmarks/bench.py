"""Times `rfm run` against the floor of its job and against the query that people usually write.

Each contender is a process of its own, from Parquet to a table in a DuckDB file, start-up and all. They take
turns: one warm-up, which fills the page cache, then the rounds. A machine that is busy with something else
slows all of them, so read the ratios, which compare contenders within one round, and not the seconds.

    python benchmarks/bench.py [--lines N] [--real [FILE]] [--rounds N] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ONLINE_RETAIL = ROOT.parent / "shared" / "data" / "online_retail.parquet"
BASELINE = "floor"
CONTENDERS = ("rfm", "floor", "usual")
# What each contender's table has to say, whatever its columns are called in between.
RESULT = """
SELECT
  count(*) AS customers,
  sum(frequency)::BIGINT AS orders,
  round(sum(monetary)::DOUBLE, 2) AS revenue,
  max(last_order_date)::VARCHAR AS as_of
FROM rfm_segments
"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one process took.

    Attributes:
        wall_s: Seconds from its start to its end.
        cpu_s: Seconds of processor time, all threads together.
        peak_bytes: The most memory that it held at a time.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int


def command(contender: str, source: Path, destination: Path, memory_limit: str | None) -> list[str]:
    """The command line of a contender."""
    if contender == "rfm":
        rfm = Path(sys.executable).with_name("rfm")
        return [str(rfm), "run", str(source), "--to", f"duckdb:{destination}"]
    query = HERE / "contenders" / f"{contender}.sql"
    script = [
        sys.executable,
        str(HERE / "contenders" / "run_sql.py"),
        str(query),
        str(source),
        str(destination),
    ]
    return script if memory_limit is None else [*script, memory_limit]


def environment(memory_limit: str | None) -> dict[str, str]:
    """The environment of the contenders: ours without the settings that would change a run."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RFM_")}
    if memory_limit is not None:
        environ["RFM_DUCKDB__MEMORY_LIMIT"] = memory_limit
    return environ


def measure(arguments: Sequence[str], folder: Path, environ: dict[str, str]) -> Measurement:
    """Runs one process in `folder` and measures it; a failure ends the benchmark with what the process said.

    This process stays small and imports no engine: a child's peak memory begins at what its parent held.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            arguments, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
            sys.exit(f"{' '.join(arguments)}\nended with exit code {process.returncode}:\n{said}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Measurement(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def result(destination: Path) -> dict[str, Any]:
    """The totals of a contender's table, read by another process (see `measure`)."""
    program = (
        "import sys, json, duckdb\n"
        "with duckdb.connect(sys.argv[1], read_only=True) as connection:\n"
        "    cursor = connection.execute(sys.argv[2])\n"
        "    print(json.dumps(dict(zip([column[0] for column in cursor.description], cursor.fetchone()))))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, str(destination), RESULT], check=True, capture_output=True, text=True
    )
    totals: dict[str, Any] = json.loads(found.stdout)
    return totals


@contextlib.contextmanager
def fresh_folder(parent: Path) -> Iterator[Path]:
    """An empty folder for one run, gone afterwards; beside the data, so that all spill to the same disk."""
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def generated(lines: int, folder: Path) -> Path:
    """The file with that many synthetic lines, made once."""
    file = folder / f"lines-{lines}.parquet"
    if not file.exists():
        say(f"writing {lines:,} lines to {file}")
        subprocess.run([sys.executable, str(HERE / "generate.py"), str(lines), str(file)], check=True)
    return file


def compare(
    contenders: Sequence[str], source: Path, folder: Path, rounds: int, memory_limit: str | None
) -> tuple[dict[str, list[Measurement]], dict[str, dict[str, Any]]]:
    """The measurements of each round, and the totals that each contender arrived at in the warm-up."""
    environ = environment(memory_limit)
    measured: dict[str, list[Measurement]] = {contender: [] for contender in contenders}
    totals: dict[str, dict[str, Any]] = {}
    for turn in range(rounds + 1):
        for contender in contenders:
            with fresh_folder(folder) as scratch:
                destination = scratch / "result.duckdb"
                took = measure(command(contender, source, destination, memory_limit), scratch, environ)
                if turn == 0:
                    totals[contender] = result(destination)
                else:
                    measured[contender].append(took)
            say(f"{f'round {turn}' if turn else 'warm-up'}: {contender} {took.wall_s:.2f} s")
        if turn == 0:
            check_agreement(totals)
    return measured, totals


def check_agreement(totals: dict[str, dict[str, Any]]) -> None:
    """Ends the benchmark when contenders did not do the same job."""
    reference = next(iter(totals.values()))
    for found in totals.values():
        exact = all(found[name] == reference[name] for name in ("customers", "orders", "as_of"))
        # Doubles that were added in another order differ in the last digits.
        if (
            not exact
            or abs(found["revenue"] - reference["revenue"]) > 1e-9 * abs(reference["revenue"]) + 0.01
        ):
            sys.exit(f"the contenders disagree, so their times say nothing: {json.dumps(totals, indent=2)}")


def summary(measured: dict[str, list[Measurement]]) -> dict[str, dict[str, Any]]:
    """Per contender: medians over the rounds, and the ratio to the baseline within each round."""
    baseline = measured.get(BASELINE)
    figures: dict[str, dict[str, Any]] = {}
    for contender, runs in measured.items():
        pairs = list(zip(runs, baseline, strict=True)) if baseline is not None else []
        ratios = [run.wall_s / base.wall_s for run, base in pairs]
        cpu_ratios = [run.cpu_s / base.cpu_s for run, base in pairs]
        figures[contender] = {
            "wall_s": round(statistics.median(run.wall_s for run in runs), 3),
            "cpu_s": round(statistics.median(run.cpu_s for run in runs), 3),
            "peak_mb": round(statistics.median(run.peak_bytes for run in runs) / 1e6),
            "ratio": round(statistics.median(ratios), 3) if ratios else None,
            "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)] if ratios else None,
            "cpu_ratio": round(statistics.median(cpu_ratios), 3) if cpu_ratios else None,
            "rounds_s": [round(run.wall_s, 3) for run in runs],
        }
    return figures


def table(figures: dict[str, dict[str, Any]]) -> str:
    """The summary for people."""
    rows = [("contender", "wall s", "cpu s", "peak MB", f"wall / {BASELINE}", "range", f"cpu / {BASELINE}")]
    for contender, figure in figures.items():
        ratio, spread, cpu_ratio = figure["ratio"], figure["ratio_range"], figure["cpu_ratio"]
        rows.append(
            (
                contender,
                f"{figure['wall_s']:.2f}",
                f"{figure['cpu_s']:.2f}",
                f"{figure['peak_mb']:,}",
                f"{ratio:.2f}" if ratio is not None else "",
                f"{spread[0]:.2f} to {spread[1]:.2f}" if spread is not None else "",
                f"{cpu_ratio:.2f}" if cpu_ratio is not None else "",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def say(text: str) -> None:
    """Progress, apart from the result."""
    print(text, file=sys.stderr, flush=True)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description="Times rfm run against the floor and the usual query.")
    parser.add_argument(
        "--lines", type=int, default=10_000_000, metavar="N", help="lines to generate (default 10_000_000)"
    )
    parser.add_argument(
        "--real",
        type=Path,
        nargs="?",
        const=ONLINE_RETAIL,
        metavar="FILE",
        help="UCI Online Retail as Parquet instead of generated lines",
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="after the warm-up (default 5)")
    parser.add_argument(
        "--contenders", default=",".join(CONTENDERS), metavar="A,B", help="some of " + ", ".join(CONTENDERS)
    )
    parser.add_argument("--memory-limit", metavar="SIZE", help="DuckDB's limit for all of them, such as 4GB")
    parser.add_argument(
        "--data", type=Path, default=ROOT / "build" / "bench", metavar="DIR", help="where the data is kept"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args(arguments)
    options.contenders = options.contenders.split(",")
    if unknown := set(options.contenders) - set(CONTENDERS):
        parser.error(f"no such contender: {', '.join(sorted(unknown))}")
    if options.rounds < 1 or options.lines < 1:
        parser.error("--rounds and --lines are at least 1")
    if options.real is not None and not options.real.is_file():
        parser.error(f"there is no file {options.real}")
    return options


def main() -> None:
    """Prints the comparison."""
    options = parse()
    folder: Path = options.data.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    source = options.real.resolve() if options.real else generated(options.lines, folder)
    measured, totals = compare(options.contenders, source, folder, options.rounds, options.memory_limit)
    figures = summary(measured)
    if options.json:
        machine = {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "duckdb": version("duckdb"),
            "rfm-pipeline": version("rfm-pipeline"),
        }
        found = {
            "source": source.name,
            "rounds": options.rounds,
            "memory_limit": options.memory_limit,
            "result": next(iter(totals.values())),
            "contenders": figures,
            "machine": machine,
        }
        print(json.dumps(found, indent=2))
    else:
        print(f"{source.name}, {options.rounds} rounds, {os.cpu_count()} cores, DuckDB {version('duckdb')}\n")
        print(table(figures))


if __name__ == "__main__":
    main()
