"""From measurements to figures, and from figures to tables of Markdown."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measure import Measurement
from suite import CONTENDERS, GOALS, WORKLOADS, Figures, Workload

_INTRODUCTION = """\
# Results

Written by `make bench`; [README.md](README.md) describes the method. Times are medians of whole processes,
from start to end. Compare the ratios within a round: × is the time relative to the usual query's, or to that
of the first contender of the table.

## Goals
"""
_BASE = "usual"
_TABLE = re.compile(r"<!-- table: ([\w -]+?) -->.*?<!-- end -->", re.DOTALL)
PERFORMANCE = Path(__file__).resolve().parents[1] / "docs" / "contributing" / "performance.md"
"""The page that quotes the tables."""


def figures_of(
    workload: str,
    measured: Mapping[str, Sequence[Measurement]],
    steps: Sequence[Mapping[str, float]],
    totals: Mapping[str, Any],
    machine: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the figures of one workload as plain values.

    Args:
        workload: Its name.
        measured: Measurements of each contender, one per round.
        steps: Seconds of each step of the first contender, one mapping per round.
        totals: Totals of the customers, which are the same for all contenders.
        machine: The date, the machine and the versions.
    """
    return {
        "workload": workload,
        "machine": dict(machine),
        "rounds": len(next(iter(measured.values()))),
        "result": dict(totals),
        "contenders": {
            name: {
                "wall_s": _median([run.wall_s for run in runs], 3),
                "cpu_s": _median([run.cpu_s for run in runs], 3),
                "peak_mb": _median([run.peak_bytes / 1e6 for run in runs], 0),
                "rounds_s": [round(run.wall_s, 3) for run in runs],
            }
            for name, runs in measured.items()
        },
        "ratios": {
            f"{name}/{other}": _median(_ratios(measured[name], measured[other]), 3)
            for name in measured
            for other in measured
            if name != other
        },
        "steps": {
            name: {
                "seconds": _median([took[name] for took in steps], 3),
                "share": _median([took[name] / sum(took.values()) for took in steps], 3),
            }
            for name in (steps[0] if steps else {})
        },
    }


def _ratios(runs: Sequence[Measurement], others: Sequence[Measurement]) -> list[float]:
    return [run.wall_s / other.wall_s for run, other in zip(runs, others, strict=True)]


def _median(values: Sequence[float], digits: int) -> float:
    median = round(statistics.median(values), digits)
    return int(median) if digits == 0 else median


def steps_of(events: str, wall_s: float) -> dict[str, float]:
    """Return the seconds of each step of a run, from its log (`--log-format json`).

    Args:
        events: The log, one JSON object per line.
        wall_s: Seconds of the process.
    """
    logged = [json.loads(line) for line in events.splitlines() if line.startswith("{")]
    marks = [(event["step"], event["elapsed_s"]) for event in logged if event["event"] == "step"]
    end = logged[-1]["elapsed_s"]
    took = {"Start and end of the process": wall_s - (end - marks[0][1])}
    for (name, begun), (_, ended) in zip(marks, [*marks[1:], ("", end)], strict=True):
        took[name] = took.get(name, 0.0) + ended - begun
    return took


def table_of(figures: Figures) -> str:
    """Return the contenders of one workload as a table of Markdown."""
    contenders, ratios = figures["contenders"], figures["ratios"]
    base = _BASE if _BASE in contenders else next(iter(contenders))
    rows = [["", "seconds", "processor s", "peak MB", "×"]]
    for name, took in contenders.items():
        ratio = 1.0 if name == base else ratios[f"{name}/{base}"]
        rows.append(
            [name, f"{took['wall_s']:,.2f}", f"{took['cpu_s']:,.2f}", f"{took['peak_mb']:,}", f"{ratio:.2f}"]
        )
    return markdown(rows)


def steps_table(figures: Figures) -> str:
    """Return the steps of the first contender, which is `rfm`, as a table of Markdown."""
    rows = [[f"step of {next(iter(figures['contenders']))}", "seconds", "share"]]
    rows += [
        [name, f"{step['seconds']:,.2f}", f"{step['share']:.1%}"] for name, step in figures["steps"].items()
    ]
    return markdown(rows)


def goals_table(results: Mapping[str, Figures]) -> str:
    """Return all goals whose workloads were measured, as a table of Markdown."""
    rows = [["workload", "figure", "goal", "measured", ""]]
    for goal in GOALS:
        if (value := goal.value(results)) is not None:
            outcome = "met" if value <= goal.limit else "**missed**"
            rows.append([goal.workload, goal.label, f"≤ {goal.limit:g}", f"{value:.3g}", outcome])
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table of Markdown with aligned columns; the first row is the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    is_number = [
        all(re.fullmatch(r"[\d.,%-]*", row[column]) for row in rows[1:]) for column in range(len(rows[0]))
    ]
    lines = [
        "| "
        + " | ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_number, strict=True)
        )
        + " |"
        for row in rows
    ]
    rule = (
        "|"
        + "|".join(
            f"{'-' * (width + 1)}{':' if right else '-'}"
            for width, right in zip(widths, is_number, strict=True)
        )
        + "|"
    )
    return "\n".join([lines[0], rule, *lines[1:]])


def page_of(results: Mapping[str, Figures]) -> str:
    """Return the text of RESULTS.md: the goals, and each workload that was measured."""
    parts = [_INTRODUCTION, goals_table(results), "\n## Contenders\n"]
    parts.append(markdown([["", "what it does"], *([one.name, one.does] for one in CONTENDERS.values())]))
    parts += [_section(WORKLOADS[name], figures) for name, figures in results.items()]
    return "\n".join(parts) + "\n"


def _section(workload: Workload, figures: Figures) -> str:
    result, machine = figures["result"], figures["machine"]
    parts = [f"\n## {workload.name}: {workload.title}\n"]
    if result:
        totals = "{customers:,} customers, {orders:,} orders, revenue {revenue:,.2f}"
        parts.append(f"{totals.format_map(result)}.\n")
    parts.append(table_of(figures))
    if figures["steps"]:
        parts.append(f"\n{steps_table(figures)}")
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    where = f"{machine['cores']} cores ({machine['processor']}), {machine['memory']}, {machine['system']}"
    limit = f"; DuckDB's memory limit is {workload.memory}" if workload.memory else ""
    rounds = "1 round" if figures["rounds"] == 1 else f"{figures['rounds']} rounds"
    parts.append(f"\n{rounds} on {machine['date']}: {where}; {versions}{limit}.")
    return "\n".join(parts)


def runs_table(results: Mapping[str, Figures]) -> str:
    """Return time and memory of `rfm` with each workload, as a table of Markdown."""
    rows = [["workload", "customers", "contender", "seconds", "peak GB", "× the usual query"]]
    for name, figures in results.items():
        if WORKLOADS[name].contenders:
            contender = WORKLOADS[name].contenders[0]
            took, ratio = figures["contenders"][contender], figures["ratios"].get(f"{contender}/{_BASE}")
            rows.append(
                [
                    WORKLOADS[name].title,
                    f"{figures['result']['customers']:,}",
                    contender,
                    f"{took['wall_s']:,.2f}",
                    f"{took['peak_mb'] / 1000:.1f}",
                    f"{ratio:.2f}" if ratio else "",
                ]
            )
    return markdown(rows)


def with_tables(page: str, results: Mapping[str, Figures]) -> str:
    """Return a page of Markdown whose tables, between `<!-- table: NAME -->` and `<!-- end -->`, are current.

    NAME is `goals`, `runs`, a workload for its contenders, or `WORKLOAD steps` for the steps of its run.
    """

    def table(match: re.Match[str]) -> str:
        name, _, part = match[1].partition(" ")
        if name == "goals":
            text = goals_table(results)
        elif name == "runs":
            text = runs_table(results)
        elif part == "steps":
            text = steps_table(results[name])
        else:
            text = table_of(results[name])
        return f"<!-- table: {match[1]} -->\n\n{text}\n\n<!-- end -->"

    return _TABLE.sub(table, page)


def saved(folder: Path) -> dict[str, Figures]:
    """Return the saved figures by workload, in the order of `WORKLOADS`."""
    files = {name: folder / f"{name}.json" for name in WORKLOADS}
    return {
        name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.exists()
    }


def save(figures: Figures, folder: Path, *pages: Path) -> None:
    """Save the figures of one workload, and write the tables of all that are saved.

    Args:
        figures: The figures.
        folder: Folder of the saved figures.
        pages: Path of RESULTS.md, and of pages that quote its tables.
    """
    page, *quoting = pages
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures, indent=2, ensure_ascii=False)
    (folder / f"{figures['workload']}.json").write_text(f"{text}\n", encoding="utf-8")
    results = saved(folder)
    page.write_text(page_of(results), encoding="utf-8")
    for path in quoting:
        path.write_text(with_tables(path.read_text(encoding="utf-8"), results), encoding="utf-8")
