"""Time `rfm run` in comparison with a lower bound (the floor), the usual query and other tools.

Each contender is a process, from a file of lines to a file of customers, start-up included. The contenders
take turns: one warm-up, which fills the page cache, then the rounds. Other load on the machine slows all of
them, so compare the ratios within a round, not the seconds.

    python benchmarks/run.py [WORKLOAD ...] [--contenders A,B] [--rounds N] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measure import Measurement, fresh_folder, interpreter_of, measure, plain_environment, report_progress
from next_day import DayBefore, day_before
from report import PERFORMANCE, figures_of, goals_table, save, saved, steps_of, steps_table, table_of
from suite import CONTENDERS, HERE, ONLINE_RETAIL, WORKLOADS, Contender, Workload, command

TOTALS = """
SELECT
  count(*) AS customers,
  sum(frequency)::BIGINT AS orders,
  round(sum(monetary)::DOUBLE, 2) AS revenue,
  max(last_order_date)::DATE::VARCHAR AS newest,
  -- Independent of the order of the rows; an id may be a text or a number.
  sum(hash(
    regexp_replace(customer_id::VARCHAR, '\\.0$', ''), frequency::BIGINT, last_order_date::DATE
  ) % 1_000_000_007)::BIGINT AS fingerprint
FROM (SELECT {reads} FROM {table}) AS result
"""
"""Totals of the customers of a contender's result, whose columns may have other names."""


def totals_of(contender: Contender, folder: Path) -> dict[str, Any]:
    """Return the totals of a contender's result; None for those that it defines otherwise.

    Another process reads the result, so that this one stays small (see `measure`).
    """
    result = folder / contender.result
    is_database = result.suffix == ".duckdb"
    program = (
        "import sys, json, duckdb\n"
        f"connection = duckdb.connect({'sys.argv[1], read_only=True' if is_database else ''})\n"
        # DuckDB prints its progress bar on stdout.
        "connection.execute('SET enable_progress_bar_print = false')\n"
        f"cursor = connection.execute(sys.argv[2]{'' if is_database else ', [sys.argv[1]]'})\n"
        "print(json.dumps(dict(zip([column[0] for column in cursor.description], cursor.fetchone()))))\n"
    )
    table = "rfm_segments" if is_database else "read_parquet(?)"
    query = TOTALS.format(reads=contender.reads, table=table)
    found = subprocess.run(
        [sys.executable, "-c", program, str(result), query], check=True, capture_output=True, text=True
    )
    totals: dict[str, Any] = json.loads(found.stdout)
    if totals["orders"] is None or totals["newest"] is None:
        totals["fingerprint"] = None
    return totals


def check_agreement(totals: dict[str, dict[str, Any]]) -> None:
    """Exit if the results of the contenders differ."""
    names = next(iter(totals.values()), {})
    # The value of the first contender that has one; None means another definition.
    reference = {
        name: next((found[name] for found in totals.values() if found[name] is not None), None)
        for name in names
    }
    for found in totals.values():
        if found["customers"] is None or found["revenue"] is None:
            sys.exit(f"a contender has no customers or no revenue: {json.dumps(totals, indent=2)}")
        for name, expected in reference.items():
            value = found[name]
            # The last digits of a sum of doubles depend on the order of the additions.
            if (
                value is None
                or value == expected
                or (name == "revenue" and expected and abs(value - expected) <= 1e-7 * abs(expected))
            ):
                continue
            sys.exit(
                f"the contenders disagree, so their times can't be compared: {json.dumps(totals, indent=2)}"
            )


def source_of(workload: Workload, folder: Path) -> Path:
    """Return the file of a workload's lines; generate it if it does not exist."""
    if workload.shape is None:
        return ONLINE_RETAIL
    file = folder / f"{workload.shape}-{workload.lines}.{workload.file}"
    if not file.exists():
        report_progress(f"writing {workload.lines:,} lines to {file}")
        script = [sys.executable, str(HERE / "generate_data.py")]
        subprocess.run([*script, workload.shape, str(workload.lines), str(file)], check=True)
    return file


def compare(workload: Workload, contenders: Sequence[str], rounds: int, folder: Path) -> dict[str, Any]:
    """Measure the contenders with one workload; return its figures."""
    source = source_of(workload, folder)
    # All contenders spill to the same disk.
    environ = plain_environment() | {"RFM_DUCKDB__TEMP_DIRECTORY": str(folder)}
    if workload.memory is not None:
        environ["RFM_DUCKDB__MEMORY_LIMIT"] = workload.memory
    pythons = {name: _python_of(CONTENDERS[name].script) for name in contenders}
    measured: dict[str, list[Measurement]] = {name: [] for name in contenders}
    totals: dict[str, dict[str, Any]] = {}
    steps = []
    first = 0 if workload.is_warmed_up else 1
    with ExitStack() as stack:
        before = DayBefore(source, {})
        if workload.adds_day:
            before = stack.enter_context(day_before(source, pythons, folder, environ, workload.memory))
        for turn in range(first, rounds + 1):
            for name in contenders:
                contender = CONTENDERS[name]
                with fresh_folder(folder) as scratch:
                    before.restore(name, scratch)
                    arguments = command(contender, pythons[name], before.source, scratch, workload.memory)
                    took, log = measure(arguments, scratch, environ)
                    if turn == first and contender.computes_customers:
                        totals[name] = totals_of(contender, scratch)
                    if turn:
                        measured[name].append(took)
                        if contender.is_run and name == contenders[0]:
                            steps.append(steps_of(log, took.wall_s))
                report_progress(
                    f"{workload.name}, {f'round {turn}' if turn else 'warm-up'}: {name} {took.wall_s:.2f} s"
                )
            if turn == first:
                check_agreement(totals)
    return figures_of(workload.name, measured, steps, next(iter(totals.values())), machine())


def _python_of(script: str | None) -> str:
    """Return the path of the Python that runs a contender; SQL and `rfm` run in this environment."""
    if script is None or script.endswith(".sql"):
        return sys.executable
    return interpreter_of(HERE / "contenders" / script)


def start_up(workload: Workload, rounds: int, folder: Path) -> dict[str, Any]:
    """Measure how long a command takes to start; return the figures."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import duckdb": [sys.executable, "-c", "import duckdb"],
        "rfm --help": [str(Path(sys.executable).with_name("rfm")), "--help"],
    }
    measured: dict[str, list[Measurement]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, arguments in commands.items():
            took, _ = measure(arguments, folder)
            if turn:
                measured[name].append(took)
    return figures_of(workload.name, measured, [], {}, machine())


def machine() -> dict[str, Any]:
    """Return the date, the machine and the versions."""
    processor, memory = platform.processor() or platform.machine(), "memory unknown"
    about = Path("/proc/cpuinfo")
    if about.exists():
        models = [line for line in about.read_text().splitlines() if line.startswith("model name")]
        processor = models[0].partition(": ")[2] if models else processor
    if hasattr(os, "sysconf"):
        memory = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor,
        "cores": os.cpu_count(),
        "memory": memory,
        "versions": {
            "rfm-pipeline": version("rfm-pipeline"),
            "Python": platform.python_version(),
            "DuckDB": version("duckdb"),
        },
    }


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the parsed options."""
    parser = argparse.ArgumentParser(description="Time rfm run in comparison with other tools.")
    large = ", ".join(workload.name for workload in WORKLOADS.values() if not workload.by_default)
    parser.add_argument(
        "workloads",
        nargs="*",
        metavar="WORKLOAD",
        help=f"some of {', '.join(WORKLOADS)}; by default all but {large}",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds after the warm-up")
    parser.add_argument(
        "--contenders", metavar="A,B", help=f"some of {', '.join(CONTENDERS)}; nothing is saved then"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=HERE.parent / "build" / "bench",
        metavar="DIR",
        help="folder of the generated lines",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object per workload instead of tables"
    )
    options = parser.parse_args(arguments)
    options.workloads = options.workloads or [
        workload.name for workload in WORKLOADS.values() if workload.by_default
    ]
    options.contenders = options.contenders.split(",") if options.contenders else None
    for kind, named, known in (
        ("workload", options.workloads, WORKLOADS),
        ("contender", options.contenders or [], CONTENDERS),
    ):
        if unknown := set(named) - set(known):
            parser.error(f"no such {kind}: {', '.join(sorted(unknown))}")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds is at least 1")
    return options


def main() -> None:
    """Print the comparison of each workload, and save it."""
    options = parse()
    folder: Path = options.data.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in options.workloads:
        workload = WORKLOADS[name]
        if workload.shape is None and workload.contenders and not ONLINE_RETAIL.is_file():
            report_progress(f"{name} is left out: there is no file {ONLINE_RETAIL.name} in shared/data")
            continue
        rounds = options.rounds or workload.rounds
        if workload.contenders:
            taking_part = [one for one in workload.contenders if one in (options.contenders or CONTENDERS)]
            if not taking_part:
                continue
            figures = compare(workload, taking_part, rounds, folder)
        else:
            figures = start_up(workload, rounds, folder)
        if options.json:
            print(json.dumps(figures), flush=True)
        else:
            print(f"{name}: {workload.title}\n\n{table_of(figures)}\n", flush=True)
            if figures["steps"]:
                print(f"{steps_table(figures)}\n", flush=True)
        if options.contenders is None:
            save(figures, HERE / "results", HERE / "RESULTS.md", PERFORMANCE)
    if not options.json and options.contenders is None:
        print(goals_table(saved(HERE / "results")))


if __name__ == "__main__":
    main()
