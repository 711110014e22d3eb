"""Measurements → figures → the tables that people read."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measure import Measurement
from suite import BOUNDS, CONTENDERS, GOALS, WORKS, Figures, Work

_INTRODUCTION = """\
# Results

Written by `make bench`; [README.md](README.md) says how it measures. Times are medians of whole processes,
from start to end. Read the ratios, which compare contenders within one round: × is the time beside that of
`rfm`, or of the first contender where `rfm` takes no part.
"""
_GOALS = """\
## Goals

The last columns have what the contenders `floor` and `stored` reach: the job with nothing left behind but one
file, and the least known to leave the customers where a run does. What they miss is out of reach for a run,
which does what they do and more.
"""


def figures_of(
    work: str,
    measured: Mapping[str, Sequence[Measurement]],
    steps: Sequence[Mapping[str, float]],
    totals: Mapping[str, Any],
    machine: Mapping[str, Any],
) -> dict[str, Any]:
    """What was found for one work, ready for JSON.

    Args:
        work: Its name.
        measured: Per contender, a measurement a round.
        steps: Per round, the seconds of each step of `rfm run`.
        totals: What all contenders arrived at.
        machine: Where it was.
    """
    return {
        "work": work,
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
    """The seconds of each step of a run, from what it said with `--log-format json`.

    Args:
        events: One JSON object a line.
        wall_s: What the process took in all.
    """
    said = [json.loads(line) for line in events.splitlines() if line.startswith("{")]
    marks = [(event["step"], event["elapsed_s"]) for event in said if event["event"] == "step"]
    end = said[-1]["elapsed_s"]
    took = {"Start and end of the process": wall_s - (end - marks[0][1])}
    for (name, begun), (_, ended) in zip(marks, [*marks[1:], ("", end)], strict=True):
        took[name] = took.get(name, 0.0) + ended - begun
    return took


def table_of(figures: Figures) -> str:
    """One work as a table of Markdown, which reads well on a terminal, too."""
    contenders, ratios = figures["contenders"], figures["ratios"]
    base = "rfm" if "rfm" in contenders else next(iter(contenders))
    rows = [["", "seconds", "processor s", "peak MB", "×"]]
    for name, took in contenders.items():
        beside = 1.0 if name == base else ratios[f"{name}/{base}"]
        rows.append(
            [name, f"{took['wall_s']:,.2f}", f"{took['cpu_s']:,.2f}", f"{took['peak_mb']:,}", f"{beside:.2f}"]
        )
    return markdown(rows)


def steps_table(figures: Figures) -> str:
    """The steps of `rfm run` in one work, as a table of Markdown."""
    rows = [["step of `rfm run`", "seconds", "share"]]
    rows += [
        [name, f"{step['seconds']:,.2f}", f"{step['share']:.1%}"] for name, step in figures["steps"].items()
    ]
    return markdown(rows)


def goals_table(works: Mapping[str, Figures]) -> str:
    """All goals whose works were measured, as a table of Markdown, with what the bounds reach."""
    rows = [["work", "figure", "goal", "measured", "", *(f"`{name}`" for name in BOUNDS)]]
    for goal in GOALS:
        if (figure := goal.reached(works)) is None:
            continue
        is_met = figure >= goal.bound if goal.at_least else figure <= goal.bound
        wanted = f"{'≥' if goal.at_least else '≤'} {goal.bound:g}"
        row = [goal.work, goal.says, wanted, f"{figure:.3g}", "met" if is_met else "**missed**"]
        bounds = [goal.reached(works, name) for name in BOUNDS]
        rows.append([*row, *("" if one is None else f"{one:.3g}" for one in bounds)])
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows as a table of Markdown, with columns of one width; the first row is the header."""
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


def page_of(works: Mapping[str, Figures]) -> str:
    """RESULTS.md: the goals, and each work that was measured."""
    parts = [_INTRODUCTION, _GOALS, goals_table(works), "\n## Contenders\n"]
    parts.append(markdown([["", "what it does"], *([one.name, one.does] for one in CONTENDERS.values())]))
    parts += [_section(WORKS[name], figures) for name, figures in works.items()]
    return "\n".join(parts) + "\n"


def _section(work: Work, figures: Figures) -> str:
    result, machine = figures["result"], figures["machine"]
    parts = [f"\n## {work.name}: {work.title}\n"]
    if result:
        found = "{customers:,} customers, {orders:,} orders, revenue {revenue:,.2f}"
        parts.append(f"{found.format_map(result)}.\n")
    parts.append(table_of(figures))
    if figures["steps"]:
        parts.append(f"\n{steps_table(figures)}")
    versions = ", ".join(f"{what} {value}" for what, value in machine["versions"].items())
    where = f"{machine['cores']} cores ({machine['processor']}), {machine['memory']}, {machine['system']}"
    limit = f"; DuckDB may use {work.memory}" if work.memory else ""
    rounds = "1 round" if figures["rounds"] == 1 else f"{figures['rounds']} rounds"
    parts.append(f"\n{rounds} on {machine['date']}: {where}; {versions}{limit}.")
    return "\n".join(parts)


def saved(folder: Path) -> dict[str, Figures]:
    """What was measured at any time, in the order of the works."""
    files = {name: folder / f"{name}.json" for name in WORKS}
    return {
        name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.exists()
    }


def save(figures: Figures, folder: Path, page: Path) -> None:
    """Keeps one work's figures, and writes the page of all that are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(figures, indent=2, ensure_ascii=False)
    (folder / f"{figures['work']}.json").write_text(f"{text}\n", encoding="utf-8")
    page.write_text(page_of(saved(folder)), encoding="utf-8")
