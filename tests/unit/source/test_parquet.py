"""Types and row counts of Parquet files come from their footers."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfm_pipeline.common.schema import Kind
from support.source_reader import read, read_error, sql_relation, write


def parquet(path: Path, select: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sql_relation(select).write_parquet(str(path))
    return path


def test_types_and_nested_fields_are_those_of_the_file(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "a.parquet",
        "SELECT 17850.0 AS id, 2.50::DECIMAL(10, 2) AS amount, DATE '2024-01-31' AS day,"
        " {'transaction_id': 'T1', 'item': {'price': 1.5::FLOAT}} AS ecommerce, [1] AS list",
    )
    result = read(path, tmp_path)
    assert [(column.name, column.kind, column.declared) for column in result.source.schema] == [
        ("id", Kind.DECIMAL, "DECIMAL(6,1)"),
        ("amount", Kind.DECIMAL, "DECIMAL(10,2)"),
        ("day", Kind.DATE, "DATE"),
        ("ecommerce", Kind.OTHER, "STRUCT(transaction_id VARCHAR, item STRUCT(price FLOAT))"),
        ("ecommerce.transaction_id", Kind.TEXT, "VARCHAR"),
        ("ecommerce.item", Kind.OTHER, "STRUCT(price FLOAT)"),
        ("ecommerce.item.price", Kind.FLOAT, "FLOAT"),
        ("list", Kind.OTHER, "INTEGER[]"),
    ]
    assert result.source.rows == 1


def test_files_are_matched_by_name_and_counted_together(tmp_path: Path) -> None:
    parquet(tmp_path / "in" / "1.parquet", "SELECT 1 AS a, 'x' AS b FROM range(3)")
    parquet(tmp_path / "in" / "2.parquet", "SELECT 'y' AS b, 2::BIGINT AS A")
    parquet(tmp_path / "in" / "3.parquet", "SELECT 3 AS a")
    result = read(tmp_path / "in", tmp_path)
    assert sorted(result.rows, key=str) == sorted([(1, "x")] * 3 + [(2, "y"), (3, None)], key=str)
    assert result.source.rows == 5
    assert "'b' is missing from 1 of 3 files" in result.notes


def test_a_file_without_rows_is_read(tmp_path: Path) -> None:
    result = read(parquet(tmp_path / "a.parquet", "SELECT 1 AS a WHERE FALSE"), tmp_path)
    assert (result.columns, result.rows, result.source.rows) == (("a",), [], 0)


def test_hive_partition_folders_are_a_column(tmp_path: Path) -> None:
    for day in ("2024-01-01", "2024-01-02"):
        parquet(tmp_path / "lake" / f"day={day}" / "part.parquet", "SELECT 1 AS a")
    result = read(tmp_path / "lake", tmp_path)
    assert result.dicts == [{"a": 1, "day": "2024-01-01"}, {"a": 1, "day": "2024-01-02"}]
    assert "column 'day' is taken from the folder names" in result.notes


def test_a_column_of_the_file_takes_precedence_over_a_partition_folder(tmp_path: Path) -> None:
    path = parquet(tmp_path / "Day=2024-01-01" / "part.parquet", "SELECT 5 AS day")
    assert read(path, tmp_path).rows == [(5,)]


@pytest.mark.parametrize("names", ["a a", "Amount amount"])
def test_a_duplicate_column_name_is_refused(tmp_path: Path, names: str) -> None:
    first, second = names.split()
    path = parquet(tmp_path / "a.parquet", "SELECT {'x': 1} AS s, 1 AS aaaaaaaa, 2 AS bbbbbbbb")
    # DuckDB would rename the second column when writing, so the names are replaced in the footer.
    padded = [name.ljust(8, "_").encode() for name in (first, second)]
    content = path.read_bytes().replace(b"aaaaaaaa", padded[0]).replace(b"bbbbbbbb", padded[1])
    error = read_error(write(path, content), tmp_path)
    assert first in error.message
    assert second in error.message


@pytest.mark.parametrize("damage", ["cut", "head", "footer", "middle"])
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = parquet(tmp_path / "a.parquet", "SELECT i AS a, 'text ' || i AS b FROM range(5000) t(i)")
    content = path.read_bytes()
    broken = {
        "cut": content[: len(content) // 2],
        "head": b"PAR1",
        "footer": content[:-8] + bytes(4) + content[-4:],
        "middle": content[:4] + bytes(200) + content[204:],
    }[damage]
    error = read_error(write(path, broken), tmp_path)
    assert "a.parquet" in error.message
