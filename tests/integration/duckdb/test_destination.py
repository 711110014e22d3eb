"""Destinations that somebody changed by hand, or that a newer version wrote: refused, or gone on with."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.common.installation import upgrade_hint
from support.cli import Rfm
from support.orders import refused
from support.shops import assert_segment_changes, check_consistency, current, day, history, runs, write_orders


@pytest.fixture
def published(tmp_path: Path, rfm: Rfm) -> Path:
    """A destination with results as of two days."""
    write_orders(tmp_path)
    for number in (10, 20):
        assert rfm("run", "orders.csv", "--as-of", day(number)).code == 0
    return tmp_path / "rfm.duckdb"


def change(file: Path, *statements: str) -> bytes:
    """Changes a file by hand; gives it as it is then."""
    with closing(duckdb.connect(str(file))) as connection:
        for statement in statements:
            connection.execute(statement)
    return file.read_bytes()


@pytest.mark.matrix
@pytest.mark.parametrize(
    "command", [("run", "orders.csv"), ("runs",), ("rollback",), ("report",)], ids=" ".join
)
@pytest.mark.parametrize(
    "change_of_its_own",
    [
        "ALTER TABLE rfm_segments_rows ADD COLUMN lifetime_value DECIMAL(18, 2)",
        "ALTER TABLE rfm_segments_runs ADD COLUMN mood VARCHAR",
    ],
)
def test_what_a_newer_version_wrote_is_refused_and_stays(
    change_of_its_own: str, command: tuple[str, ...], published: Path, rfm: Rfm
) -> None:
    kept = change(published, change_of_its_own, "UPDATE rfm_segments_runs SET version = '999.1.0'")
    sentence, hint = refused(rfm(*command))
    assert "rfm.duckdb was written by rfm 999.1.0, which is newer than this one" in sentence
    assert hint == upgrade_hint()
    assert published.read_bytes() == kept


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("ALTER TABLE rfm_segments_rows DROP COLUMN monetary", "lacks monetary"),
        ("ALTER TABLE rfm_segments_dates ADD COLUMN note VARCHAR", "has note"),
        ("ALTER TABLE rfm_segments_runs RENAME COLUMN edges TO borders", "lacks edges and has borders"),
        (
            "ALTER TABLE rfm_segments_rows ALTER monetary TYPE DOUBLE",
            "has monetary as DOUBLE in place of DECIMAL(38,9)",
        ),
    ],
)
def test_a_table_whose_columns_were_changed_is_refused_and_stays(
    statement: str, says: str, published: Path, rfm: Rfm
) -> None:
    kept = change(published, statement)
    sentence, hint = refused(rfm("run", "orders.csv", "--as-of", day(30)))
    assert sentence.endswith(f"is not a result of this pipeline: it {says}.")
    assert "choose another table" in hint
    assert published.read_bytes() == kept


@pytest.mark.slow
def test_rows_that_were_deleted_come_back_with_the_next_run(published: Path, rfm: Rfm) -> None:
    before = current(published)
    change(
        published, f"DELETE FROM rfm_segments_rows WHERE as_of_date = '{day(20)}' AND customer_id < 'c010'"
    )
    assert rfm("run", "orders.csv", "--as-of", day(20)).code == 0
    assert current(published) == before
    check_consistency(published)


@pytest.mark.slow
def test_a_history_that_was_changed_is_not_gone_back_to(published: Path, rfm: Rfm) -> None:
    kept = change(
        published, f"DELETE FROM rfm_segments_rows WHERE as_of_date = '{day(10)}' AND customer_id < 'c010'"
    )
    sentence, hint = refused(rfm("rollback"))
    assert sentence.endswith("the rows were edited.")
    assert hint == f"compute them again: rfm run --as-of {day(10)}."
    assert refused(rfm("report")) == (sentence, hint)
    assert published.read_bytes() == kept
    assert rfm("run", "orders.csv", "--as-of", day(10)).code == 0
    assert rfm("report").code == 0
    assert rfm("rollback").code == 0
    assert_segment_changes({as_of: rows for as_of, rows in history(published).items() if as_of == day(10)})


@pytest.mark.slow
@pytest.mark.parametrize(
    "table", ["VIEW rfm_segments", "VIEW rfm_segments_history", "TABLE rfm_segments_runs"]
)
def test_a_table_that_was_dropped_is_made_again(table: str, published: Path, rfm: Rfm) -> None:
    change(published, f"DROP {table}")
    ended = rfm("run", "orders.csv", "--as-of", day(30))
    assert ended.code == 0, ended.stderr
    assert {row["as_of_date"].isoformat() for row in current(published)} == {day(30)}
    assert day(30) in history(published)
    assert runs(published)[-1]["status"] == "published"
