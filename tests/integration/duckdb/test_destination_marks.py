"""Which tables are a destination: told by their marks, whatever columns they have."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.common.installation import upgrade_hint
from rfm_pipeline.config.destination_location import DuckDBDestinationLocation
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.errors import DestinationError
from rfm_pipeline.results.recognition import Mark, read_mark
from rfm_pipeline.results.tables import LAYOUTS
from rfm_pipeline.warehouse.local_destination import open_local_destination
from support.cli import Rfm
from support.orders import refused
from support.shops import check_consistency, day, history, rows_of, store_in_tables, write_orders

COMMANDS = (
    ("run", "orders.csv"),
    ("check", "orders.csv"),
    ("backfill", "orders.csv", "--from", day(10), "--until", day(10)),
    ("calibrate", "orders.csv"),
    ("rollback",),
    ("runs",),
    ("transitions",),
    ("report",),
    ("export", "-o", "segments.csv"),
)
READERS = (("run", "orders.csv"), ("check", "orders.csv"), ("runs",), ("export", "-o", "segments.csv"))
LAYOUT = LAYOUTS["duckdb"]
TABLES = {role: f"rfm_segments{suffix}" for role, suffix in LAYOUT.suffixes.items()}


@pytest.fixture
def published(tmp_path: Path, rfm: Rfm) -> Path:
    """A destination with results as of two days."""
    write_orders(tmp_path)
    for number in (10, 20):
        assert rfm("run", "orders.csv", "--as-of", day(number)).code == 0
    return tmp_path / "rfm.duckdb"


def change(file: Path, *statements: str) -> None:
    with closing(duckdb.connect(str(file))) as connection:
        for statement in statements:
            connection.execute(statement)


def comments(file: Path) -> dict[str, str | None]:
    rows = rows_of(
        file,
        "SELECT table_name, comment FROM duckdb_tables() UNION ALL"
        " SELECT view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY 1",
    )
    return {row["table_name"]: row["comment"] for row in rows}


def test_each_table_is_marked(published: Path) -> None:
    assert {role: read_mark(comments(published)[table]) for role, table in TABLES.items()} == {
        role: Mark(role, "rfm_segments", 2) for role in ("current", "history", "runs", "rows", "dates")
    }


@pytest.mark.slow
@pytest.mark.parametrize("has_marks", [True, False])
def test_no_command_takes_the_name_of_a_sibling_for_a_destination(
    has_marks: bool, published: Path, rfm: Rfm
) -> None:
    if not has_marks:
        store_in_tables(published, has_marks=False)
    content = published.read_bytes()
    for command in COMMANDS if has_marks else COMMANDS[:2]:
        sentence, hint = refused(rfm(*command, "--to", "duckdb:rfm.duckdb#rfm_segments_history"))
        assert sentence.removeprefix(f"As of {day(10)}: ") == (
            "rfm_segments_history in rfm.duckdb is the table of the history of rfm_segments, which is another"
            " destination."
        )
        assert hint.startswith(
            "give --to 'duckdb:rfm.duckdb#rfm_segments', or choose another table, as in --to "
        )
    sentence, _ = refused(rfm("run", "orders.csv", "--to", "duckdb:rfm.duckdb#RFM_Segments_Runs"))
    assert sentence.startswith("RFM_Segments_Runs in rfm.duckdb is the table of the runs of RFM_Segments,")
    assert published.read_bytes() == content


@pytest.mark.slow
def test_an_explanation_does_not_take_the_history_for_a_result(published: Path, rfm: Rfm) -> None:
    ended = rfm("explain", "c001", "orders.csv", "--to", "duckdb:rfm.duckdb#rfm_segments_history")
    assert ended.code == 0
    told = " ".join(ended.stdout.split())
    assert "can't be read: rfm_segments_history in rfm.duckdb is the table of the history of rfm_seg" in told


@pytest.mark.slow
def test_the_name_of_a_sibling_that_was_dropped_is_still_one(published: Path, rfm: Rfm) -> None:
    change(published, "DROP VIEW rfm_segments_history")
    sentence, _ = refused(rfm("run", "orders.csv", "--to", "duckdb:rfm.duckdb#rfm_segments_history"))
    assert "is the table of the history of rfm_segments" in sentence


@pytest.mark.slow
def test_a_destination_without_marks_is_recognised_and_marked_by_the_next_run(
    published: Path, rfm: Rfm
) -> None:
    marked = comments(published)
    store_in_tables(published, has_marks=False)
    content = published.read_bytes()
    assert rfm("runs").code == 0
    assert rfm("check", "orders.csv").code == 0
    assert published.read_bytes() == content
    assert rfm("run", "orders.csv", "--as-of", day(30)).code == 0
    assert comments(published) == marked
    assert list(history(published)) == [day(10), day(20), day(30)]
    check_consistency(published)


@pytest.mark.slow
def test_a_copy_of_a_result_is_no_destination(published: Path, rfm: Rfm) -> None:
    change(published, "CREATE TABLE backup AS FROM rfm_segments")
    content = published.read_bytes()
    for command in READERS:
        sentence, _ = refused(rfm(*command, "--to", "duckdb:rfm.duckdb#backup"))
        assert sentence == (
            "backup in rfm.duckdb is not a result of this pipeline: its comment has no mark of rfm, and there"
            " is no table of its runs, backup_runs."
        )
    assert published.read_bytes() == content


@pytest.mark.slow
def test_a_destination_named_like_a_sibling_does_not_become_one(tmp_path: Path, rfm: Rfm) -> None:
    write_orders(tmp_path)
    assert rfm("run", "orders.csv", "--to", "duckdb:rfm.duckdb#shop_history").code == 0
    assert rfm("run", "orders.csv", "--to", "duckdb:rfm.duckdb#shop_history").code == 0
    content = (tmp_path / "rfm.duckdb").read_bytes()
    sentence, _ = refused(rfm("run", "orders.csv", "--to", "duckdb:rfm.duckdb#shop"))
    assert sentence == (
        "shop_history in rfm.duckdb holds the current result of shop_history, not the history of shop."
    )
    assert (tmp_path / "rfm.duckdb").read_bytes() == content


@pytest.mark.slow
def test_tables_that_were_renamed_are_recognised_and_marked_anew(published: Path, rfm: Rfm) -> None:
    store_in_tables(published)
    tables = ("rfm_segments", "rfm_segments_history", "rfm_segments_runs")
    change(published, *(f"ALTER TABLE {table} RENAME TO {table.replace('rfm', 'b2b')}" for table in tables))
    assert rfm("run", "orders.csv", "--as-of", day(30), "--to", "duckdb:rfm.duckdb#b2b_segments").code == 0
    assert [str(text).count("of b2b_segments,") for text in comments(published).values()] == [1] * 5


@pytest.mark.slow
def test_views_that_were_renamed_are_refused(published: Path, rfm: Rfm) -> None:
    change(published, "ALTER VIEW rfm_segments RENAME TO b2b_segments")
    sentence, _ = refused(rfm("run", "orders.csv", "--to", "duckdb:rfm.duckdb#b2b_segments"))
    assert sentence == "b2b_segments in rfm.duckdb is a view, not a table of rfm."


@pytest.mark.slow
@pytest.mark.parametrize("table", ["rfm_segments_rows", "rfm_segments_dates"])
def test_views_without_a_table_that_they_read_are_refused(table: str, published: Path, rfm: Rfm) -> None:
    change(published, f"DROP TABLE {table}")
    content = published.read_bytes()
    for command in READERS:
        sentence, hint = refused(rfm(*command))
        assert sentence == f"rfm_segments in rfm.duckdb lacks its table {table}."
        assert hint.startswith("restore it from a backup, or choose another table")
    assert published.read_bytes() == content


@pytest.mark.slow
def test_a_table_in_place_of_a_view_is_refused(published: Path, rfm: Rfm) -> None:
    change(published, "CREATE TABLE copied AS FROM rfm_segments", "DROP VIEW rfm_segments")
    change(published, "ALTER TABLE copied RENAME TO rfm_segments")
    sentence, _ = refused(rfm("run", "orders.csv"))
    assert sentence == "rfm_segments in rfm.duckdb is a table, not a view of rfm."


@pytest.mark.slow
@pytest.mark.parametrize("role", LAYOUT.suffixes)
def test_a_newer_format_is_refused(role: str, published: Path, rfm: Rfm) -> None:
    kind = "VIEW" if role in LAYOUT.views else "TABLE"
    mark = f"[rfm: {role} of rfm_segments, format {LAYOUT.format + 1}]"
    change(published, f"COMMENT ON {kind} {TABLES[role]} IS 'Segments. {mark}'")
    content = published.read_bytes()
    for command in READERS:
        sentence, hint = refused(rfm(*command))
        assert "was written by a version of rfm that is newer than this one" in sentence
        assert hint == upgrade_hint()
    assert published.read_bytes() == content


def test_a_table_that_another_program_made_during_a_run_is_not_published_to(tmp_path: Path) -> None:
    file = tmp_path / "rfm.duckdb"
    with open_local_destination(DuckDBDestinationLocation(file), DuckDBSettings()) as destination:
        assert destination.existing_tables() == frozenset()
        change(file, "CREATE TABLE rfm_segments AS SELECT 1 AS a")
        with pytest.raises(DestinationError, match="is not a result of this pipeline: it lacks"):
            destination.apply([f"DELETE FROM {destination.table('runs')}"], "publish")
    assert rows_of(file, "FROM rfm_segments") == [{"a": 1}]
