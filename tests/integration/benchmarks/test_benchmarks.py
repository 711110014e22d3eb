"""The benchmark: times are compared only if the contenders compute the same customers."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

from support.cli import Rfm
from support.paths import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    """Scripts import each other by name."""
    folders = [str(BENCHMARKS), str(BENCHMARKS / "contenders")]
    sys.path[:0] = folders
    yield
    for folder in folders:
        sys.path.remove(folder)


def script(name: str) -> ModuleType:
    return importlib.import_module(name)


@pytest.fixture(params=["shop", "wholesale"])
def lines(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    generate = script("generate_data")
    file = tmp_path / "lines.parquet"
    generate.generate(generate.SHAPES[request.param], 20_000, file)
    return file


def totals_of(name: str, lines: Path, folder: Path) -> dict[str, Any]:
    """Return the totals of a contender that runs in this environment."""
    contender = script("suite").CONTENDERS[name]
    scratch = folder / name
    scratch.mkdir()
    result = scratch / contender.result
    if contender.script.endswith(".sql"):
        script("run_sql").run(BENCHMARKS / "contenders" / contender.script, lines, result)
    else:
        script(contender.script.removesuffix(".py")).run(str(lines), str(result))
    found: dict[str, Any] = script("run").totals_of(contender, scratch)
    return found


@pytest.mark.slow
def test_contenders_arrive_at_the_same_customers(
    lines: Path, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runner, suite, totals = script("run"), script("suite"), {}
    for name in suite.RFM:
        _, *arguments = suite.command(suite.CONTENDERS[name], "", lines, tmp_path, None)
        assert rfm(*arguments).code == 0
        totals[name] = runner.totals_of(suite.CONTENDERS[name], tmp_path)
    others = ("floor", "usual", "polars", "pandas")
    totals |= {name: totals_of(name, lines, tmp_path) for name in others}
    runner.check_agreement(totals)
    assert totals["usual"]["customers"] > 100
    assert len({found["fingerprint"] for found in totals.values()}) == 1


@pytest.mark.slow
def test_contenders_arrive_at_the_same_customers_when_a_day_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, suite, next_day = script("run"), script("suite"), script("next_day")
    contenders = ("rfm-incremental", "rfm-parquet", "floor", "usual")
    workload = suite.Workload("days", "", contenders, "shop", 20_000, is_warmed_up=False, adds_day=True)
    parts = []

    def measure(arguments: list[str], folder: Path, environ: dict[str, str]) -> Any:
        measured = script("measure").measure(arguments, folder, environ)
        if "--incremental" in arguments:
            parts.append(parts_of(folder))
        return measured

    monkeypatch.setattr(runner, "measure", measure)
    figures = runner.compare(workload, contenders, 1, tmp_path)
    assert [(found["read"], found["kept"]) for found in parts] == [(1, 3)]
    assert list(figures["contenders"]) == list(contenders)
    # The totals are those of all lines, as each contender counts them in one file.
    lines = tmp_path / "shop-20000.parquet"
    (one_file,) = {totals_of("usual", lines, tmp_path)["fingerprint"]}
    assert figures["result"]["fingerprint"] == one_file
    assert "Reading, cleaning and measuring" in figures["steps"]
    # The day's file is there for the next day only, and what `rfm` left behind is gone.
    source, day = next_day.split_source(lines)
    assert sorted(file.name for file in source.iterdir()) == ["2022.parquet", "2023.parquet", "2024.parquet"]
    assert day.exists()
    assert not list(tmp_path.glob("run-*"))


def test_a_contender_begins_with_what_it_left_behind(tmp_path: Path) -> None:
    next_day = script("next_day")
    state, scratch = tmp_path / "state", tmp_path / "scratch"
    (state / ".orders").mkdir(parents=True)
    (state / ".orders" / "kept.parquet").write_bytes(b"kept")
    scratch.mkdir()
    before = next_day.DayBefore(tmp_path, {"rfm-incremental": state})
    before.restore("usual", scratch)
    assert not list(scratch.iterdir())
    before.restore("rfm-incremental", scratch)
    assert (scratch / ".orders" / "kept.parquet").read_bytes() == b"kept"


def parts_of(folder: Path) -> dict[str, Any]:
    """Which files the last run read whose destination is in a folder."""
    with duckdb.connect() as connection:
        runs = connection.read_parquet(str(folder / "result_runs" / "runs.parquet"))
        ((rules,),) = runs.order("finished_at DESC").limit(1).select("rules").fetchall()
    found: dict[str, Any] = json.loads(rules)["parts"]
    return found


@pytest.mark.parametrize(
    ("name", "value"),
    [("customers", 11), ("orders", 21), ("revenue", 99.0), ("newest", "2024-01-02"), ("fingerprint", 1)],
)
def test_times_of_different_jobs_are_not_compared(name: str, value: object) -> None:
    check = script("run").check_agreement
    found = {"customers": 10, "orders": 20, "revenue": 100.0, "newest": "2024-01-01", "fingerprint": 5}
    check({"one": found, "other": {**found, "revenue": 100.000001}})
    # What a contender defines in another way is not compared.
    check({"one": found, "other": {**found, "orders": None, "newest": None, "fingerprint": None}})
    with pytest.raises(SystemExit, match="the contenders disagree"):
        check({"one": found, "other": {**found, name: value}})


def test_the_same_lines_are_generated_each_time(lines: Path, tmp_path: Path) -> None:
    generate = script("generate_data")
    for name, shape in generate.SHAPES.items():
        files = [tmp_path / f"{name}-{turn}.csv" for turn in range(2)]
        for file in files:
            generate.generate(shape, 2_000, file)
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_run_tells_its_steps(lines: Path, rfm: Rfm) -> None:
    ended = rfm("run", lines, "--output", "result.parquet", "--log-format", "json")
    steps = script("report").steps_of(ended.stderr, 100.0)
    assert min(steps.values()) >= 0
    assert set(steps) >= {
        "Looking at the source", "Reading, cleaning and measuring", "Finding the edges",
        "Scoring and segmenting", "Auditing", "Writing the outputs", "Publishing",
    }  # fmt: skip


def test_a_step_lasts_until_the_next_one_begins() -> None:
    said = [
        {"event": "begin", "elapsed_s": 0.5},
        {"event": "step", "step": "Reading", "elapsed_s": 1.0},
        {"event": "step", "step": "Publishing", "elapsed_s": 3.0},
        {"event": "step", "step": "Reading", "elapsed_s": 4.0},
        {"event": "published", "elapsed_s": 4.5},
    ]
    steps = script("report").steps_of("\n".join(map(json.dumps, said)), 5.0)
    assert steps == {"Start and end of the process": 1.5, "Reading": 2.5, "Publishing": 1.0}


def test_a_contender_that_defines_a_total_in_another_way_is_no_reference() -> None:
    found = {"customers": 10, "orders": 20, "revenue": 100.0, "newest": "2024-01-01", "fingerprint": 5}
    check, lacking = script("run").check_agreement, {**found, "orders": None, "fingerprint": None}
    check({"one": lacking, "other": found})
    with pytest.raises(SystemExit, match="the contenders disagree"):
        check({"one": lacking, "other": found, "third": {**found, "orders": 21}})


def test_the_page_is_made_of_what_was_saved(tmp_path: Path) -> None:
    results, suite, measuring = script("report"), script("suite"), script("measure")
    measured = {
        name: [measuring.Measurement(seconds, 2.0 * seconds, 10**9)] * 3
        for seconds, name in enumerate(suite.WORKLOADS["10m"].contenders, start=1)
    }
    machine = {
        "date": "2025-01-01",
        "system": "Linux",
        "processor": "one",
        "cores": 2,
        "memory": "8 GiB",
        "versions": {"DuckDB": "2"},
    }
    steps = dict.fromkeys(
        ("Looking at the source", "Scoring and segmenting", "Auditing", "Publishing", "Reading"), 1.0
    )
    totals = {"customers": 1_000, "orders": 2_000, "revenue": 3_000.5}
    figures = results.figures_of("10m", measured, [steps], totals, machine)
    assert figures["ratios"]["rfm-duckdb/rfm-parquet"] == 2.0
    results.save(figures, tmp_path / "results", tmp_path / "RESULTS.md")
    assert json.loads((tmp_path / "results" / "10m.json").read_text()) == figures
    page = (tmp_path / "RESULTS.md").read_text()
    assert "1,000 customers, 2,000 orders, revenue 3,000.50." in page
    # Contenders take 1, 2, ... seconds: rfm-parquet, rfm-duckdb, floor, usual, polars.
    lines = [line for line in page.splitlines() if line.startswith("| 10m")]
    goals = [[cell.strip() for cell in line.split("|")] for line in lines]
    assert [(cells[4], cells[5]) for cells in goals] == [("0.25", "met"), ("0.2", "met"), ("0.5", "met")]
    figures["ratios"]["rfm-parquet/usual"] = 0.91
    results.save(figures, tmp_path / "results", tmp_path / "RESULTS.md")
    assert "| 0.91 | **missed** |" in " ".join((tmp_path / "RESULTS.md").read_text().split())


@pytest.mark.slow
@pytest.mark.parametrize(("file", "parts"), [("lines.parquet", 6), ("lines.csv", 8)])
def test_the_parts_of_the_scan_are_parts_of_what_is_printed(file: str, parts: int, tmp_path: Path) -> None:
    generate, scan_parts = script("generate_data"), script("experiments.scan_parts")
    generate.generate(generate.SHAPES["shop"], 2_000, tmp_path / file)
    scan = scan_parts.scan_of(tmp_path / file)
    simpler = [found for part in scan_parts.PARTS.values() if (found := scan_parts.without(scan, part))]
    assert len(simpler) == parts
    with duckdb.connect() as connection:
        # Each still runs, and gives as many customers. Other rows are of excluded lines.
        customers = {
            connection.execute(f"SELECT COUNT(*) FROM ({query}) WHERE reason IS NULL").fetchall()[0]
            for query in (scan, *simpler)
        }
    assert len(customers) == 1
