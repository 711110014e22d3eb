"""A file is what its bytes say: read as that, or refused by its true name."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from support.source_reader import read, refusal, table, write

CSV = b"id,text\n1,a\n"


def test_parquet_is_read_under_any_name(tmp_path: Path) -> None:
    table("SELECT 1 AS id").write_parquet(str(tmp_path / "orders.csv"))
    result = read(tmp_path / "orders.csv", tmp_path)
    assert result.rows == [(1,)]
    assert result.source.format == "Parquet"
    assert "orders.csv is Parquet, despite its suffix" in result.notes


def test_csv_is_read_under_any_name(tmp_path: Path) -> None:
    result = read(write(tmp_path / "orders.parquet", CSV), tmp_path)
    assert result.rows == [("1", "a")]
    assert "is CSV" in result.notes


@pytest.mark.parametrize("content", [b'[{"id": 1}]', b'\n {"id": 1}\n{"id": 1}', b'\xef\xbb\xbf[{"id":1}]'])
def test_json_is_read_under_any_name(tmp_path: Path, content: bytes) -> None:
    assert ("1",) in read(write(tmp_path / "orders.csv", content), tmp_path).rows


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv", "a.txt", "A.CSV.GZ", "a"])
def test_gzip_is_unpacked_under_any_name(tmp_path: Path, name: str) -> None:
    result = read(write(tmp_path / name, gzip.compress(CSV)), tmp_path)
    assert result.rows == [("1", "a")]


def test_what_was_unpacked_and_kept_its_name_is_read(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv.gz", CSV), tmp_path).rows == [("1", "a")]
    assert read(write(tmp_path / "a.jsonl.gz", b'{"id": 1}'), tmp_path).rows == [("1",)]


def test_parts_of_gzip_one_after_another_are_all_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv.gz", gzip.compress(CSV) + gzip.compress(b"2,b\n"))
    assert read(path, tmp_path).rows == [("1", "a"), ("2", "b")]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, suffix: str) -> None:
    line = "{}, text\n" if suffix == "csv" else '{{"id": {}}}\n'
    whole = gzip.compress(
        ("id,text\n" * (suffix == "csv") + "".join(map(line.format, range(90_000)))).encode()
    )
    for cut in (len(whole) // 2, len(whole) - 6, 12):
        error = refusal(write(tmp_path / f"a.{suffix}.gz", whole[:cut]), tmp_path)
        assert "damaged or incomplete" in error.message


def test_a_wrong_checksum_is_noticed(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(CSV))
    packed[-8] ^= 0xFF
    assert "damaged" in refusal(write(tmp_path / "a.csv.gz", bytes(packed)), tmp_path).message


@pytest.mark.parametrize(
    ("content", "said"),
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
def test_what_is_no_table_is_called_by_its_name(tmp_path: Path, content: bytes, said: str, name: str) -> None:
    error = refusal(write(tmp_path / name, content), tmp_path)
    assert said in error.message
    assert name in error.message


def test_a_zip_archive_is_told_with_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inner/orders.csv", CSV)
    error = refusal(path, tmp_path)
    assert "ZIP archive with inner/orders.csv in it" in error.message
    assert "unpack" in str(error.hint)
