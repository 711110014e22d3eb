"""Open a source as a run does, and read all its rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.config.source_location import parse_source
from rfm_pipeline.errors import RfmError
from rfm_pipeline.source.base import OpenedSource
from rfm_pipeline.source.duckdb_table import ATTACHED_NAME
from rfm_pipeline.source.errors import to_source_error
from rfm_pipeline.source.open import open_source
from support.databases import shared_connection

Row = tuple[Any, ...]


@dataclass(frozen=True)
class ReadResult:
    """A source with all its rows, sorted, because their order is undefined."""

    source: OpenedSource
    columns: tuple[str, ...]
    rows: list[Row]

    @property
    def notes(self) -> str:
        return "; ".join(self.source.notes)

    @property
    def dicts(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@contextmanager
def open_test_source(
    text: Path | str, temp_dir: Path, **options: Any
) -> Iterator[tuple[OpenedSource, duckdb.DuckDBPyConnection]]:
    """Open a source; `options` are those of `[read]`, `threads` of DuckDB, and `columns` by role."""
    threads, columns = options.pop("threads", 2), options.pop("columns", None)
    with closing(shared_connection(threads, keeps_order=False)) as connection:
        settings = SourceOptions.of(options)
        location, scratch = parse_source(str(text)), temp_dir / "scratch"
        try:
            yield open_source(location, settings, connection, scratch, columns=columns), connection
        finally:
            connection.execute(f"DETACH DATABASE IF EXISTS {ATTACHED_NAME}")


def read(text: Path | str, temp_dir: Path, **options: Any) -> ReadResult:
    with open_test_source(text, temp_dir, **options) as (source, connection):
        # On a cursor, as a warehouse may use one.
        cursor = connection.cursor()
        try:
            number = f" EXCLUDE ({source.numbered_files.column})" if source.numbered_files else ""
            rows = cursor.execute(f"SELECT *{number} FROM {source.relation}").fetchall()
        except duckdb.Error as error:
            raise to_source_error(error, source) or error from None
        columns = tuple(column[0] for column in cursor.description or ())
        cursor.close()
    return ReadResult(source, columns, sorted(rows, key=repr))


def read_error(text: Path | str, temp_dir: Path, **options: Any) -> RfmError:
    """Return the error of opening or reading a source; assert that it is one sentence with a hint."""
    with pytest.raises(RfmError) as caught:
        read(text, temp_dir, **options)
    error = caught.value
    assert error.exit_code == 2
    assert "\n" not in error.message, "one line, without the output of DuckDB"
    assert error.message.endswith(".")
    assert error.hint, "a hint says what to do"
    assert "auto_detect" not in error.message, "no terms of DuckDB"
    return error


def sql_relation(select: str) -> duckdb.DuckDBPyRelation:
    """Return the rows of a query as a relation that can be written to a file."""
    relation = duckdb.connect().sql(select)
    assert relation is not None
    return relation


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
