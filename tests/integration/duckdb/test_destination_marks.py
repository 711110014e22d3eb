"""Which tables are a destination: told by their marks, whatever columns they have."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.config.destination_location import DuckDBDestinationLocation
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.errors import DestinationError
from rfm_pipeline.results.recognition import read_mark
from rfm_pipeline.results.tables import SUFFIXES
from rfm_pipeline.warehouse.duckdb.destination import open_duckdb_destination
from support.cli import Rfm
from support.orders import refused
from support.shops import check_consistency, day, history, rows_of, write_orders

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
TABLES = [f"rfm_segments{suffix}" for suffix in SUFFIXES.values()]


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
    rows = rows_of(file, "SELECT table_name, comment FROM duckdb_tables() ORDER BY table_name")
    return {row["table_name"]: row["comment"] for row in rows}


def remove_marks(file: Path) -> None:
    """Leave the tables as earlier versions wrote them."""
    change(file, *(f"COMMENT ON TABLE {table} IS NULL" for table in TABLES))


def test_each_table_is_marked(published: Path) -> None:
    marks = [read_mark(comments(published)[table]) for table in TABLES]
    assert [(mark.role, mark.destination, mark.format) for mark in marks if mark] == [
        ("current", "rfm_segments", 1),
        ("history", "rfm_segments", 1),
        ("runs", "rfm_segments", 1),
    ]


@pytest.mark.parametrize("has_marks", [True, False])
def test_no_command_takes_the_name_of_a_sibling_for_a_destination(
    has_marks: bool, published: Path, rfm: Rfm
) -> None:
    if not has_marks:
        remove_marks(published)
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


def test_an_explanation_does_not_take_the_history_for_a_result(published: Path, rfm: Rfm) -> None:
    ended = rfm("explain", "c001", "orders.csv", "--to", "duckdb:rfm.duckdb#rfm_segments_history")
    assert ended.code == 0
    told = " ".join(ended.stdout.split())
    assert "can't be read: rfm_segments_history in rfm.duckdb is the table of the history of rfm_seg" in told


def test_the_name_of_a_sibling_that_was_dropped_is_still_one(published: Path, rfm: Rfm) -> None:
    change(published, "DROP TABLE rfm_segments_history")
    sentence, _ = refused(rfm("run", "orders.csv", "--to", "duckdb:rfm.duckdb#rfm_segments_history"))
    assert "is the table of the history of rfm_segments" in sentence


def test_a_destination_without_marks_is_recognised_and_marked_by_the_next_run(
    published: Path, rfm: Rfm
) -> None:
    marked = comments(published)
    remove_marks(published)
    content = published.read_bytes()
    assert rfm("runs").code == 0
    assert rfm("check", "orders.csv").code == 0
    assert published.read_bytes() == content
    assert rfm("run", "orders.csv", "--as-of", day(30)).code == 0
    assert comments(published) == marked
    assert list(history(published)) == [day(10), day(20), day(30)]
    check_consistency(published)


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


def test_a_destination_that_was_renamed_is_recognised_and_marked_anew(published: Path, rfm: Rfm) -> None:
    change(published, *(f"ALTER TABLE {table} RENAME TO {table.replace('rfm', 'b2b')}" for table in TABLES))
    assert rfm("run", "orders.csv", "--as-of", day(30), "--to", "duckdb:rfm.duckdb#b2b_segments").code == 0
    assert [str(text).count("of b2b_segments,") for text in comments(published).values()] == [1, 1, 1]


def test_a_newer_format_is_refused(published: Path, rfm: Rfm) -> None:
    change(published, "COMMENT ON TABLE rfm_segments IS 'Segments. [rfm: current of rfm_segments, format 2]'")
    content = published.read_bytes()
    for command in READERS:
        sentence, hint = refused(rfm(*command))
        assert "was written by a version of rfm that is newer than this one" in sentence
        assert "newer version" in hint
    assert published.read_bytes() == content


def test_a_table_that_another_program_made_during_a_run_is_not_published_to(tmp_path: Path) -> None:
    file = tmp_path / "rfm.duckdb"
    with open_duckdb_destination(DuckDBDestinationLocation(file), DuckDBSettings()) as destination:
        assert destination.existing_tables() == frozenset()
        change(file, "CREATE TABLE rfm_segments AS SELECT 1 AS a")
        with pytest.raises(DestinationError, match="is not a result of this pipeline: it lacks"):
            destination.apply([f"TRUNCATE TABLE {destination.table('current')}"], "publish")
    assert rows_of(file, "FROM rfm_segments") == [{"a": 1}]
