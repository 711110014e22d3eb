"""The first bytes of a file decide its format; unsupported formats are named in the error."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from support.source_reader import read, read_error, sql_relation, write

CSV = b"id,text\n1,a\n"


def test_parquet_is_read_with_any_suffix(tmp_path: Path) -> None:
    sql_relation("SELECT 1 AS id").write_parquet(str(tmp_path / "orders.csv"))
    result = read(tmp_path / "orders.csv", tmp_path)
    assert result.rows == [(1,)]
    assert result.source.format == "Parquet"
    assert "orders.csv is Parquet, despite its suffix" in result.notes


def test_csv_is_read_with_any_suffix(tmp_path: Path) -> None:
    result = read(write(tmp_path / "orders.parquet", CSV), tmp_path)
    assert result.rows == [("1", "a")]
    assert "is CSV" in result.notes


@pytest.mark.parametrize("content", [b'[{"id": 1}]', b'\n {"id": 1}\n{"id": 1}', b'\xef\xbb\xbf[{"id":1}]'])
def test_json_is_read_with_any_suffix(tmp_path: Path, content: bytes) -> None:
    assert ("1",) in read(write(tmp_path / "orders.csv", content), tmp_path).rows


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv", "a.txt", "A.CSV.GZ", "a"])
def test_gzip_is_decompressed_with_any_suffix(tmp_path: Path, name: str) -> None:
    result = read(write(tmp_path / name, gzip.compress(CSV)), tmp_path)
    assert result.rows == [("1", "a")]


def test_a_decompressed_file_that_kept_its_suffix_is_read(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv.gz", CSV), tmp_path).rows == [("1", "a")]
    assert read(write(tmp_path / "a.jsonl.gz", b'{"id": 1}'), tmp_path).rows == [("1",)]


def test_all_members_of_a_gzip_file_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv.gz", gzip.compress(CSV) + gzip.compress(b"2,b\n"))
    assert read(path, tmp_path).rows == [("1", "a"), ("2", "b")]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, suffix: str) -> None:
    line = "{}, text\n" if suffix == "csv" else '{{"id": {}}}\n'
    whole = gzip.compress(
        ("id,text\n" * (suffix == "csv") + "".join(map(line.format, range(90_000)))).encode()
    )
    for cut in (len(whole) // 2, len(whole) - 6, 12):
        error = read_error(write(tmp_path / f"a.{suffix}.gz", whole[:cut]), tmp_path)
        assert "damaged or incomplete" in error.message


def test_a_gzip_file_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(CSV))
    packed[-8] ^= 0xFF
    assert "damaged" in read_error(write(tmp_path / "a.csv.gz", bytes(packed)), tmp_path).message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<!DOCTYPE html>\n<html><body>Please log in</body></html>", "web page"),
        (b"\n <table><tr><td>1</td></tr></table>", "web page"),
        (b"<?xml version='1.0'?><orders/>", "web page or XML"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\x00\x00", "xz"),
        (b"SQLite format 3\x00" + bytes(84), "SQLite"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"Obj\x01", "Avro"),
        (b"ARROW1\x00\x00", "Arrow"),
        (bytes(8) + b"DUCK" + bytes(100), "DuckDB database"),
        (gzip.compress(b"PAR1" + bytes(100), mtime=0), "compressed itself"),
    ],
)
@pytest.mark.parametrize("name", ["orders.csv", "orders.xls"])
def test_the_error_names_the_unsupported_format(
    tmp_path: Path, content: bytes, expected: str, name: str
) -> None:
    error = read_error(write(tmp_path / name, content), tmp_path)
    assert expected in error.message
    assert name in error.message


def test_the_error_for_a_zip_archive_lists_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inner/orders.csv", CSV)
    error = read_error(path, tmp_path)
    assert "ZIP archive with inner/orders.csv in it" in error.message
    assert "unpack" in str(error.hint)
