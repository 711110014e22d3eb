"""Destinations of which somebody dropped a view or a table: no row is lost, and errors say what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.cli import Outcome, Rfm
from support.databases import database
from support.orders import refused
from support.shops import assert_segment_changes, current, day, history, runs, write_orders

_published = dict[str, bytes]()
VIEWS = ("VIEW rfm_segments", "VIEW rfm_segments_history")
READERS = ("report", "explain c001 orders.csv", "transitions", "export -o out.csv")
WRITERS = (f"run orders.csv --as-of {day(15)}", "rollback", "forget c001")


@pytest.fixture
def published(tmp_path: Path, rfm: Rfm) -> Path:
    """A destination with results as of three days, the same bytes for each test of this process."""
    file = tmp_path / "rfm.duckdb"
    write_orders(tmp_path)
    if not _published:
        for number in (10, 20, 30):
            assert rfm("run", "orders.csv", "--as-of", day(number)).code == 0
        _published[file.name] = file.read_bytes()
    file.write_bytes(_published[file.name])
    return file


def drop(file: Path, *dropped: str) -> None:
    with database(file, read_only=False) as connection:
        for each in dropped:
            connection.execute(f"DROP {each}")


def said(ended: Outcome) -> tuple[int, str]:
    """Return the exit code and the output, without what differs from run to run."""
    return ended.code, re.sub(r"20\d{6}T\d{6}-\w{6}|\d+\.\d s\b", "...", ended.stdout + ended.stderr)


@pytest.mark.guarantee("rollback")
@pytest.mark.matrix
@pytest.mark.parametrize("command", [*READERS, *WRITERS])
@pytest.mark.parametrize("dropped", [VIEWS[:1], VIEWS[1:]], ids=" ".join)
def test_a_dropped_view_hides_no_row_and_the_next_change_makes_it_again(
    dropped: tuple[str, ...], command: str, published: Path, rfm: Rfm
) -> None:
    before = said(rfm(*command.split()))
    rows = history(published), current(published)
    published.write_bytes(_published[published.name])
    drop(published, *dropped)
    assert said(rfm(*command.split())) == before
    assert before[0] == 0, before[1]
    if command in WRITERS:
        assert (history(published), current(published)) == rows


@pytest.mark.matrix
@pytest.mark.parametrize("command", [*READERS, *WRITERS])
def test_without_the_table_of_the_runs_no_row_is_lost(command: str, published: Path, rfm: Rfm) -> None:
    rows = history(published)
    drop(published, "TABLE rfm_segments_runs")
    ended = rfm(*command.split())
    if command.startswith(("report", "transitions", "rollback")):
        sentence, hint = refused(ended)
        assert "DuckDB" not in sentence
        assert hint.startswith("`rfm run")
    else:
        assert ended.code == 0, ended.stderr
    kept = history(published)
    assert list(kept) == sorted({*rows, *([day(15)] if command.startswith("run ") else [])})
    if command != "forget c001":
        assert {as_of: kept[as_of] for as_of in rows} == rows
    if command.startswith("run "):
        assert "the table of the runs is missing: earlier results are not compared" in " ".join(
            ended.stdout.split()
        )


@pytest.mark.guarantee("rerun")
def test_a_run_after_a_dropped_view_continues_the_history(published: Path, rfm: Rfm) -> None:
    drop(published, *VIEWS)
    assert rfm("run", "orders.csv", "--as-of", day(25), "--json").json["status"] == "history_only"
    assert {row["as_of_date"].isoformat() for row in current(published)} == {day(30)}
    assert_segment_changes({as_of: rows for as_of, rows in history(published).items() if as_of < day(30)})
    assert runs(published)[-1]["status"] == "history_only"
