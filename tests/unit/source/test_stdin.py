"""Standard input is copied once, in any format."""

from __future__ import annotations

import gzip
import io
import os
import sys
import threading
from pathlib import Path

import pytest

from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.config.source_location import BigQueryTable
from rfm_pipeline.errors import UsageError
from rfm_pipeline.source.open import open_source
from support.databases import empty_database
from support.source_reader import read, read_error, sql_relation


class Piped(io.TextIOWrapper):
    def __init__(self, content: bytes, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO(content))
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def parquet(tmp_path: Path) -> bytes:
    sql_relation("SELECT 1 AS id, 'a' AS text").write_parquet(str(tmp_path / "p.parquet"))
    return (tmp_path / "p.parquet").read_bytes()


@pytest.mark.parametrize("kind", ["csv", "semicolons", "gzip", "json", "parquet", "utf-16"])
def test_any_format_can_be_piped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    content = {
        "csv": b"id,text\n1,a\n",
        "semicolons": b"id;text\r\n1;a\r\n",
        "gzip": gzip.compress(b"id,text\n1,a\n"),
        "json": b'{"id": 1, "text": "a"}\n',
        "parquet": parquet(tmp_path),
        "utf-16": "id,text\n1,a\n".encode("utf-16"),
    }[kind]
    monkeypatch.setattr(sys, "stdin", Piped(content))
    result = read("-", tmp_path)
    assert [tuple(map(str, row)) for row in result.rows] == [("1", "a")]
    assert result.source.label == "standard input"
    assert result.source.files == ()
    assert result.source.size_bytes == len(content)


def test_empty_standard_input_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(b""))
    assert read_error("-", tmp_path).message == "Standard input is empty."


def test_a_terminal_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(b"id\n1\n", terminal=True))
    error = read_error("-", tmp_path)
    assert type(error) is UsageError
    assert "rfm run - <" in str(error.hint)


def test_an_error_names_standard_input_and_not_its_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(b"id,text\n1,a,too many\n"))
    assert read_error("-", tmp_path).message.startswith("standard input, line 2:")
    monkeypatch.setattr(sys, "stdin", Piped("id,text\n1,ä,too many\n".encode("utf-16")))
    assert read_error("-", tmp_path).message.startswith("standard input, line 2:")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b"id,text\n1,a\n"))
    writer.start()
    assert read(pipe, tmp_path).rows == [("1", "a")]
    writer.join()


def test_a_bigquery_table_is_refused_by_duckdb(tmp_path: Path) -> None:
    with empty_database() as connection, pytest.raises(UsageError) as caught:
        open_source(BigQueryTable("p", "d", "t"), SourceOptions(), connection, tmp_path)
    assert "bigquery://p.d.t" in caught.value.message
    assert "--to bigquery://" in str(caught.value.hint)
