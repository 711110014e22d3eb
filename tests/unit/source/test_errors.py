"""Errors of a scan name the file and the line that caused them, if the source caused them."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.source import json as json_source
from rfm_pipeline.source.errors import to_source_error
from support.source_reader import open_test_source, read, read_error, write


@pytest.mark.parametrize("name", ["it's.csv", 'a "b".csv', "a = b.csv", "file = x.csv"])
def test_the_error_names_the_file_even_if_its_name_looks_like_a_message(tmp_path: Path, name: str) -> None:
    write(tmp_path / "in" / "a.csv", "id,text\n1,a\n")
    path = write(tmp_path / "in" / name, "id,text\n1,a,b\n")
    assert read_error(tmp_path / "in", tmp_path).message.startswith(f"{path}, line 2:")


def test_file_names_inside_a_line_are_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,text\n1,"\n file = other.csv\n",c\n')
    assert read_error(path, tmp_path).message.startswith(f"{path}, record 2:")


@pytest.mark.parametrize("quoted", [False, True])
def test_a_line_of_more_than_2_mb_is_refused(tmp_path: Path, quoted: bool) -> None:
    mark = '"' if quoted else ""
    path = write(tmp_path / "a.csv", f"id,text\n1,{mark}{'x' * 3_000_000}{mark}\n")
    assert f"{path}, line 2: it is longer than 2 MB." == read_error(path, tmp_path).message


def test_the_error_for_a_json_value_in_place_of_an_object_names_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_source, "_FULL_SAMPLE_LIMIT", 0)
    lines = ['{"id": 1, "customer": {"id": 1}}'] * 25_000 + ['{"id": 2, "customer": "x"}']
    path = write(tmp_path / "a.jsonl", "\n".join(lines))
    message = read_error(path, tmp_path).message
    assert message == f'{path}, record 25,001: an object was expected, and "x" found.'


def test_a_file_removed_before_the_scan_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,text\n1,a\n")
    with open_test_source(path, tmp_path) as (source, connection):
        path.unlink()
        with pytest.raises(duckdb.Error) as caught:
            connection.execute(f"SELECT * FROM {source.relation}")
    source_error = to_source_error(caught.value, source)
    assert source_error is not None
    assert source_error.message == f"{path} was removed during the run."


def test_a_file_truncated_after_opening_is_reported(tmp_path: Path) -> None:
    content = gzip.compress(b"".join(b'{"id": %d}\n' % n for n in range(90_000)))
    path = write(tmp_path / "a.jsonl.gz", content)
    with open_test_source(path, tmp_path) as (source, connection):
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(duckdb.Error) as caught:
            connection.execute(f"SELECT * FROM {source.relation}").fetchall()
    source_error = to_source_error(caught.value, source)
    assert source_error is not None
    assert source_error.message == f"{path} is damaged or incomplete."


@pytest.mark.parametrize("select", ["text::INT", "nothing", "error('x')"])
def test_an_error_of_the_query_is_not_attributed_to_the_source(tmp_path: Path, select: str) -> None:
    path = write(tmp_path / "a.csv", "id,text\n1,a\n")
    assert read(path, tmp_path).rows == [("1", "a")]
    with open_test_source(path, tmp_path) as (source, connection), pytest.raises(duckdb.Error) as caught:
        connection.execute(f"SELECT {select} FROM {source.relation}").fetchall()
    assert to_source_error(caught.value, source) is None
