"""Tables of DuckDB files are read in place, and the files are never written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.config.source_location import parse_source
from rfm_pipeline.errors import LockedError
from rfm_pipeline.source.open import open_source
from support.source_reader import open_test_source, read, read_error, write


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "my shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE orders AS SELECT 1 AS id, 'a' AS text;"
            "CREATE VIEW kept AS SELECT id FROM orders WHERE id > 0;"
            "CREATE SCHEMA sales; CREATE TABLE sales.lines AS SELECT 2 AS id FROM range(3);"
            'CREATE TABLE "odd.name; DROP" AS SELECT 3 AS id'
        )
    return path


@pytest.mark.parametrize(
    ("table", "rows", "count"),
    [
        ("orders", [(1, "a")], 1),
        ("ORDERS", [(1, "a")], 1),
        ("main.orders", [(1, "a")], 1),
        ("sales.lines", [(2,)] * 3, 3),
        ("lines", [(2,)] * 3, 3),
        ("kept", [(1,)], None),
        ("odd.name; DROP", [(3,)], 1),
        ('"odd.name; DROP"', [(3,)], 1),
    ],
)
def test_tables_and_views_are_found(
    tmp_path: Path, shop: Path, table: str, rows: list[tuple[object, ...]], count: int | None
) -> None:
    result = read(f"duckdb:{shop}#{table}", tmp_path)
    assert result.rows == rows
    assert result.source.rows == count
    assert result.source.format == "DuckDB"
    assert result.source.label.endswith(" in my shop.duckdb")


def test_the_file_is_attached_read_only(tmp_path: Path, shop: Path) -> None:
    with open_test_source(f"duckdb:{shop}#orders", tmp_path) as (source, connection):
        assert source.relation == '"rfm_source"."main"."orders"'
        with pytest.raises(duckdb.Error):
            connection.execute(f"INSERT INTO {source.relation} VALUES (2, 'b')")


def test_the_only_table_needs_no_name(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "one.duckdb")) as connection:
        connection.execute("CREATE TABLE whatever AS SELECT 1 AS id")
    assert read(f"duckdb:{tmp_path / 'one.duckdb'}", tmp_path).rows == [(1,)]


def test_several_tables_need_a_name(tmp_path: Path, shop: Path) -> None:
    error = read_error(f"duckdb:{shop}", tmp_path)
    assert "4 tables" in error.message
    assert "sales.lines" in str(error.hint)


def test_a_missing_table_error_lists_the_existing_tables(tmp_path: Path, shop: Path) -> None:
    error = read_error(f"duckdb:{shop}#order", tmp_path)
    assert "holds no table order" in error.message
    assert "did you mean orders?" in str(error.hint)
    assert "sales.lines" in str(error.hint)


def test_a_missing_file_is_not_created(tmp_path: Path, shop: Path) -> None:
    error = read_error(f"duckdb:{tmp_path / 'my shop.db'}#orders", tmp_path)
    assert "does not exist" in error.message
    assert "my shop.duckdb" in str(error.hint)
    assert not (tmp_path / "my shop.db").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"x" * 100_000])
def test_a_file_that_is_not_a_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "x.duckdb", content)
    assert "not a DuckDB database" in read_error(f"duckdb:{path}#t", tmp_path).message
    assert "folder" in read_error(f"duckdb:{tmp_path}#t", tmp_path).message


def test_a_database_without_tables_is_refused(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "x.duckdb")).close()
    assert "holds no table" in read_error(f"duckdb:{tmp_path / 'x.duckdb'}#t", tmp_path).message


def test_a_view_of_a_missing_file_is_refused(tmp_path: Path) -> None:
    csv = write(tmp_path / "gone.csv", "a\n1\n")
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute(f"CREATE VIEW v AS SELECT * FROM read_csv('{csv}')")
    csv.unlink()
    assert "gone.csv" in read_error(f"duckdb:{tmp_path / 'x.duckdb'}#v", tmp_path).message


def test_opening_another_file_detaches_the_first(tmp_path: Path, shop: Path) -> None:
    with duckdb.connect(str(tmp_path / "two.duckdb")) as connection:
        connection.execute("CREATE TABLE other AS SELECT 9 AS id")
    with duckdb.connect() as connection:
        for text, expected in ((f"duckdb:{shop}#kept", 1), (f"duckdb:{tmp_path / 'two.duckdb'}", 9)):
            source = open_source(parse_source(text), SourceOptions(), connection, tmp_path)
            assert connection.execute(f"SELECT id FROM {source.relation}").fetchall() == [(expected,)]


def test_an_attached_file_is_not_attached_again(tmp_path: Path, shop: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{shop}' AS destination (READ_ONLY)")
        source = open_source(parse_source(f"duckdb:{shop}#orders"), SourceOptions(), connection, tmp_path)
        assert source.relation == '"destination"."main"."orders"'


def test_the_error_for_a_locked_file_names_the_process(tmp_path: Path, shop: Path) -> None:
    program = (
        f"import duckdb, sys; c = duckdb.connect({str(shop)!r}); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(LockedError) as caught:
            read(f"duckdb:{shop}#orders", tmp_path)
        holder.communicate()
    assert f"(process {holder.pid})" in caught.value.message
    assert caught.value.exit_code == 5
