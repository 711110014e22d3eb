"""Encodings of text files are detected and reported; text that is invalid in its encoding is refused."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from rfm_pipeline.config.base import SettingsError
from rfm_pipeline.config.source import SourceOptions
from support.source_reader import read, read_error, write

TABLE = "naïve;café\n1;Müller\n2;Søren – “quoted”\n"
ROWS = [("1", "Müller"), ("2", "Søren – “quoted”")]


@pytest.mark.parametrize(
    ("codec", "note"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", "read as UTF-16"),
        ("utf-16-le", "read as UTF-16-LE"),
        ("utf-16-be", "read as UTF-16-BE"),
        ("utf-32", "read as UTF-32"),
        ("cp1252", "read as Windows-1252"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_encoding_is_detected_and_reported(
    tmp_path: Path, codec: str, note: str | None, packed: bool
) -> None:
    content = TABLE.encode(codec)
    path = write(
        tmp_path / ("a.csv.gz" if packed else "a.csv"), gzip.compress(content) if packed else content
    )
    result = read(path, tmp_path)
    assert result.columns == ("naïve", "café"), "and no byte order mark in the first name"
    assert result.rows == ROWS
    assert ("read as" in result.notes) == bool(note)
    assert (note or "") in result.notes


def test_a_byte_order_mark_is_not_part_of_the_first_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b'\xef\xbb\xbf"id","text"\n1,a\n')
    assert read(path, tmp_path).columns == ("id", "text")
    path = write(tmp_path / "b.csv", b"\xef\xbb\xbfsep=;\nid;text\n1;a\n")
    assert read(path, tmp_path).columns == ("id", "text")


def test_a_configured_encoding_takes_precedence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,name\n1,Привет\n".encode("cp1251"))
    assert read(path, tmp_path, encoding="windows-1251").rows == [("1", "Привет")]
    path = write(tmp_path / "b.csv", "id,name\n1,東京\n".encode("shift_jis"))
    assert read(path, tmp_path, encoding="shift_jis").rows == [("1", "東京")]


def test_a_configured_encoding_in_which_the_file_is_invalid_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,name\n1,日本\n".encode("cp932"))
    assert "can't be read as EUC_JP: the byte" in read_error(path, tmp_path, encoding="euc_jp").message
    error = read_error(write(tmp_path / "b.csv", b"id,name\n1,caf\xe9\n"), tmp_path, encoding="utf-8")
    assert "line 2" in error.message
    assert "0xE9" in error.message


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "zlib"])
def test_only_text_encodings_can_be_configured(encoding: str) -> None:
    with pytest.raises(SettingsError, match="is not an encoding"):
        SourceOptions.of({"encoding": encoding})


@pytest.mark.parametrize("packed", [False, True])
def test_windows_1252_after_the_head_is_detected(tmp_path: Path, packed: bool) -> None:
    content = b"id,name\n" + b"1,plain ascii text\n" * 100_000 + b"2,caf\xe9\n"
    path = write(
        tmp_path / ("a.csv.gz" if packed else "a.csv"), gzip.compress(content) if packed else content
    )
    result = read(path, tmp_path)
    assert ("2", "café") in result.rows
    assert len(result.rows) == 100_001
    assert "read as Windows-1252" in result.notes


@pytest.mark.parametrize("lines", [10, 100_000])
def test_utf8_with_an_invalid_character_is_not_taken_for_another_encoding(tmp_path: Path, lines: int) -> None:
    content = b"id,name\n" + "1,Müller\n".encode() * lines + b"2,M\xc3\n"
    error = read_error(write(tmp_path / "a.csv", content), tmp_path)
    assert f"line {lines + 2:,}: it is not UTF-8" in error.message
    assert "--encoding" in str(error.hint)


def test_bytes_that_are_neither_utf8_nor_windows_1252_are_refused(tmp_path: Path) -> None:
    error = read_error(write(tmp_path / "a.csv", b"id,name\n1,\x81\x8d\n"), tmp_path)
    assert "Windows-1252" in error.message
    assert "--encoding" in str(error.hint)


@pytest.mark.parametrize("lines", [1, 200_000])
def test_a_nul_byte_is_refused_with_its_line(tmp_path: Path, lines: int) -> None:
    path = write(tmp_path / "a.csv", b"id,name\n" + b"1,abcdef\n" * lines + b"2,a\x00b\n")
    assert f"NUL byte in line {lines + 2:,}" in read_error(path, tmp_path).message


def test_binary_data_is_refused(tmp_path: Path) -> None:
    junk = bytes(random.Random(1).choices(range(1, 256), k=5000))
    assert "is not text" in read_error(write(tmp_path / "a.csv", junk), tmp_path).message
    assert "NUL" in read_error(write(tmp_path / "b.csv", bytes(2000) + junk), tmp_path).message
