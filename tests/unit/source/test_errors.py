"""A scan that fails says which file and which line are at fault, in the user's words; or that none is."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.source import json as json_source
from rfm_pipeline.source.errors import to_source_error
from support.source_reader import opened, read, refusal, write


@pytest.mark.parametrize("name", ["it's.csv", 'a "b".csv', "a = b.csv", "file = x.csv"])
def test_the_file_is_named_whatever_its_name(tmp_path: Path, name: str) -> None:
    write(tmp_path / "in" / "a.csv", "id,text\n1,a\n")
    path = write(tmp_path / "in" / name, "id,text\n1,a,b\n")
    assert refusal(tmp_path / "in", tmp_path).message.startswith(f"{path}, line 2:")


def test_what_stands_in_the_line_is_not_taken_for_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,text\n1,"\n file = other.csv\n",c\n')
    assert refusal(path, tmp_path).message.startswith(f"{path}, record 2:")


@pytest.mark.parametrize("quoted", [False, True])
def test_a_line_too_long_is_refused(tmp_path: Path, quoted: bool) -> None:
    mark = '"' if quoted else ""
    path = write(tmp_path / "a.csv", f"id,text\n1,{mark}{'x' * 3_000_000}{mark}\n")
    assert f"{path}, line 2: it is longer than 2 MB." == refusal(path, tmp_path).message


def test_a_json_object_that_turns_into_a_value_is_refused_with_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_source, "_FULL_SAMPLE_LIMIT", 0)
    lines = ['{"id": 1, "customer": {"id": 1}}'] * 25_000 + ['{"id": 2, "customer": "x"}']
    path = write(tmp_path / "a.jsonl", "\n".join(lines))
    message = refusal(path, tmp_path).message
    assert message == f'{path}, record 25,001: an object was expected, and "x" found.'


def test_a_file_that_is_gone_before_the_scan_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,text\n1,a\n")
    with opened(path, tmp_path) as (source, connection):
        path.unlink()
        with pytest.raises(duckdb.Error) as caught:
            connection.execute(f"SELECT * FROM {source.relation}")
    explained = to_source_error(caught.value, source)
    assert explained is not None
    assert explained.message == f"{path} was removed during the run."


def test_a_file_that_is_cut_off_after_it_was_opened_is_told(tmp_path: Path) -> None:
    content = gzip.compress(b"".join(b'{"id": %d}\n' % n for n in range(90_000)))
    path = write(tmp_path / "a.jsonl.gz", content)
    with opened(path, tmp_path) as (source, connection):
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(duckdb.Error) as caught:
            connection.execute(f"SELECT * FROM {source.relation}").fetchall()
    explained = to_source_error(caught.value, source)
    assert explained is not None
    assert explained.message == f"{path} is damaged or incomplete."


@pytest.mark.parametrize("select", ["text::INT", "nothing", "error('x')"])
def test_a_query_at_fault_is_not_laid_on_the_source(tmp_path: Path, select: str) -> None:
    path = write(tmp_path / "a.csv", "id,text\n1,a\n")
    assert read(path, tmp_path).rows == [("1", "a")]
    with opened(path, tmp_path) as (source, connection), pytest.raises(duckdb.Error) as caught:
        connection.execute(f"SELECT {select} FROM {source.relation}").fetchall()
    assert to_source_error(caught.value, source) is None
