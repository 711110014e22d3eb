"""Times `rfm run` beside the floor of its job, the usual query, and its peers.

Each contender is a process of its own, from a file of lines to a Parquet file of customers, start-up and all.
They take turns: one warm-up, which fills the page cache, then the rounds. A machine that is busy with
something else slows all of them, so read the ratios, which compare contenders within one round, and not the
seconds.

    python benchmarks/run.py [WORK ...] [--contenders A,B] [--rounds N] [--json]
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

from measure import Measurement, fresh_folder, interpreter_of, measure, plain_environment, say
from next_day import DayBefore, day_before
from report import figures_of, goals_table, save, saved, steps_of, steps_table, table_of
from suite import CONTENDERS, HERE, ONLINE_RETAIL, WORKS, Work, command

# What the customers of a contender's result come to, whatever its columns are called.
TOTALS = """
SELECT
  count(*) AS customers,
  sum(frequency)::BIGINT AS orders,
  round(sum(monetary)::DOUBLE, 2) AS revenue,
  max(last_order_date)::DATE::VARCHAR AS newest,
  -- In any order of the rows; an id may be a text or a number.
  sum(hash(
    regexp_replace(customer_id::VARCHAR, '\\.0$', ''), frequency::BIGINT, last_order_date::DATE
  ) % 1_000_000_007)::BIGINT AS fingerprint
FROM (SELECT {reads} FROM read_parquet(?)) AS result
"""


def totals_of(result: Path, reads: str) -> dict[str, Any]:
    """The totals of a contender's result; None stands for what it defines in another way.

    Read by another process, so that this one stays small (see `measure`).
    """
    program = (
        "import sys, json, duckdb\n"
        "connection = duckdb.connect()\n"
        # On stdout, for what takes more than two seconds.
        "connection.execute('SET enable_progress_bar_print = false')\n"
        "cursor = connection.execute(sys.argv[2], [sys.argv[1]])\n"
        "print(json.dumps(dict(zip([column[0] for column in cursor.description], cursor.fetchone()))))\n"
    )
    query = TOTALS.format(reads=reads)
    found = subprocess.run(
        [sys.executable, "-c", program, str(result), query], check=True, capture_output=True, text=True
    )
    totals: dict[str, Any] = json.loads(found.stdout)
    if totals["orders"] is None or totals["newest"] is None:
        totals["fingerprint"] = None
    return totals


def check_agreement(totals: dict[str, dict[str, Any]]) -> None:
    """Ends the benchmark when contenders did not do the same job."""
    names = next(iter(totals.values()), {})
    # The first that defines it as the others do; None stands for another definition.
    reference = {
        name: next((found[name] for found in totals.values() if found[name] is not None), None)
        for name in names
    }
    for found in totals.values():
        if found["customers"] is None or found["revenue"] is None:
            sys.exit(f"a contender has no customers or no revenue: {json.dumps(totals, indent=2)}")
        for name, expected in reference.items():
            value = found[name]
            # Doubles that were added in another order differ in the last digits, and whole cents in one more.
            if (
                value is None
                or value == expected
                or (name == "revenue" and expected and abs(value - expected) <= 1e-7 * abs(expected))
            ):
                continue
            sys.exit(f"the contenders disagree, so their times say nothing: {json.dumps(totals, indent=2)}")


def source_of(work: Work, folder: Path) -> Path:
    """The file of a work's lines; generated lines are made once."""
    if work.shape is None:
        return ONLINE_RETAIL
    file = folder / f"{work.shape}-{work.lines}.{work.file}"
    if not file.exists():
        say(f"writing {work.lines:,} lines to {file}")
        subprocess.run(
            [sys.executable, str(HERE / "generate_data.py"), work.shape, str(work.lines), str(file)],
            check=True,
        )
    return file


def compare(work: Work, contenders: Sequence[str], rounds: int, folder: Path) -> dict[str, Any]:
    """Measures the contenders on one work."""
    source = source_of(work, folder)
    # All spill to the same disk.
    environ = plain_environment() | {"RFM_DUCKDB__TEMP_DIRECTORY": str(folder)}
    if work.memory is not None:
        environ["RFM_DUCKDB__MEMORY_LIMIT"] = work.memory
    pythons = {name: _python_of(CONTENDERS[name].script) for name in contenders}
    measured: dict[str, list[Measurement]] = {name: [] for name in contenders}
    totals: dict[str, dict[str, Any]] = {}
    steps = []
    first = 0 if work.is_warmed_up else 1
    with ExitStack() as stack:
        before = DayBefore(source, {})
        if work.adds_day:
            before = stack.enter_context(day_before(source, pythons, folder, environ, work.memory))
        for turn in range(first, rounds + 1):
            for name in contenders:
                contender = CONTENDERS[name]
                with fresh_folder(folder) as scratch:
                    before.restore(name, scratch)
                    arguments = command(contender, pythons[name], before.source, scratch, work.memory)
                    took, said = measure(arguments, scratch, environ)
                    if turn == first:
                        totals[name] = totals_of(scratch / "result.parquet", contender.reads)
                    if turn:
                        measured[name].append(took)
                        # The steps of the first contender are told, if it has some.
                        if contender.script is None and name == contenders[0]:
                            steps.append(steps_of(said, took.wall_s))
                say(f"{work.name}, {f'round {turn}' if turn else 'warm-up'}: {name} {took.wall_s:.2f} s")
            if turn == first:
                check_agreement(totals)
    return figures_of(work.name, measured, steps, next(iter(totals.values())), machine())


def _python_of(script: str | None) -> str:
    """The Python that runs a contender; SQL and `rfm` run in this one's environment."""
    if script is None or script.endswith(".sql"):
        return sys.executable
    return interpreter_of(HERE / "contenders" / script)


def start_up(work: Work, rounds: int, folder: Path) -> dict[str, Any]:
    """Measures how long a command takes to begin."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "rfm --help": [str(Path(sys.executable).with_name("rfm")), "--help"],
    }
    measured: dict[str, list[Measurement]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, arguments in commands.items():
            took, _ = measure(arguments, folder)
            if turn:
                measured[name].append(took)
    return figures_of(work.name, measured, [], {}, machine())


def machine() -> dict[str, Any]:
    """Where it runs, and with what."""
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
    """The options."""
    parser = argparse.ArgumentParser(description="Times rfm run beside its peers.")
    parser.add_argument(
        "works",
        nargs="*",
        metavar="WORK",
        help=f"some of {', '.join(WORKS)}; all but next-day-100m and 1b unless given",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="after the warm-up, for each work")
    parser.add_argument(
        "--contenders", metavar="A,B", help=f"some of {', '.join(CONTENDERS)}; nothing is saved then"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=HERE.parent / "build" / "bench",
        metavar="DIR",
        help="for what is generated",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a work instead of tables")
    options = parser.parse_args(arguments)
    options.works = options.works or [work.name for work in WORKS.values() if work.by_default]
    options.contenders = options.contenders.split(",") if options.contenders else None
    for what, named, known in (
        ("work", options.works, WORKS),
        ("contender", options.contenders or [], CONTENDERS),
    ):
        if unknown := set(named) - set(known):
            parser.error(f"no such {what}: {', '.join(sorted(unknown))}")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds is at least 1")
    return options


def main() -> None:
    """Prints the comparison of each work, and saves it."""
    options = parse()
    folder: Path = options.data.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in options.works:
        work = WORKS[name]
        if work.shape is None and work.contenders and not ONLINE_RETAIL.is_file():
            say(f"{name} is left out: there is no file {ONLINE_RETAIL.name} in shared/data")
            continue
        rounds = options.rounds or work.rounds
        if work.contenders:
            taking_part = [one for one in work.contenders if one in (options.contenders or CONTENDERS)]
            if not taking_part:
                continue
            figures = compare(work, taking_part, rounds, folder)
        else:
            figures = start_up(work, rounds, folder)
        if options.json:
            print(json.dumps(figures), flush=True)
        else:
            print(f"{name}: {work.title}\n\n{table_of(figures)}\n", flush=True)
            if figures["steps"]:
                print(f"{steps_table(figures)}\n", flush=True)
        if options.contenders is None:
            save(figures, HERE / "results", HERE / "RESULTS.md")
    if not options.json and options.contenders is None:
        print(goals_table(saved(HERE / "results")))


if __name__ == "__main__":
    main()
