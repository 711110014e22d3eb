"""A query as the source, run by DuckDB: its columns, and errors with the line of the file."""

from __future__ import annotations

import re
from pathlib import Path

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_types import schema_of
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.base import OpenedSource
from rfm_pipeline.source.csv.prescan import find_long_last_line
from rfm_pipeline.source.errors import SQL_FORMAT, long_line_error, to_source_error
from rfm_pipeline.source.files import translate_os_errors
from rfm_pipeline.source.sql_query import SqlQuery

_LINE = re.compile(r"^LINE (?P<line>\d+):", re.MULTILINE)
_MISSING_FILE = re.compile(r'No files found that match the pattern "(?P<path>[^"\n]+)"')
_TEXT_SUFFIXES = {".csv", ".tsv", ".txt"}
_CSV = re.compile(r"read_csv|\.[ct]sv\b", re.IGNORECASE)
_TYPES_NOTE = (
    "DuckDB chose the types of the query's CSV columns, dates among them; read_csv(..., all_varchar = true)"
    " leaves dates and numbers to rfm"
)
_EXTENSION = re.compile(r"extension [\"']?(?P<name>\w+)")


def open_sql_query(query: SqlQuery, connection: duckdb.DuckDBPyConnection, _: Path) -> OpenedSource:
    """Return the query as a source; DuckDB finds its columns without reading rows.

    Raises:
        SourceError: If DuckDB rejects the query; the message has the line of the file.
    """
    _refuse_long_last_lines(query)
    # A name that is no table must not be looked up among the variables of the program.
    connection.execute("SET python_enable_replacements = false")
    try:
        if len(connection.extract_statements(query.text)) != 1:
            raise SourceError(f"{query.name} has more than one statement.", "a source is one SELECT.")
        schema = schema_of(connection, query.relation)
    except duckdb.OutOfMemoryException:
        raise  # not caused by the query
    except duckdb.Error as error:
        raise _query_error(error, query) from error
    return OpenedSource(
        label=query.name,
        relation=query.relation,
        schema=schema,
        format=SQL_FORMAT,
        files=(),
        size_bytes=None,
        rows=None,
        notes=(_TYPES_NOTE,) if _reads_typed_csv(query.text) else (),
    )


def _refuse_long_last_lines(query: SqlQuery) -> None:
    """Raise if DuckDB would lose the last line of a CSV file, which only uncompressed files are checked for.

    Raises:
        SourceError: If a file has such a line, or can't be read.
    """
    for path in query.files:
        if path.suffix.lower() in _TEXT_SUFFIXES and path.is_file():
            with translate_os_errors(str(path)):
                line = find_long_last_line(path)
            if line is not None:
                raise long_line_error(f"{path}, line {line:,}")


def _reads_typed_csv(text: str) -> bool:
    return bool(_CSV.search(text)) and "all_varchar" not in text.casefold()


def _query_error(error: duckdb.Error, query: SqlQuery) -> SourceError:
    text = str(error)
    if missing := _MISSING_FILE.search(text):
        where = _where(query, _line_with(query.text, missing["path"]))
        return SourceError(
            f"{where}: {missing['path']} does not exist.",
            f"paths in a query are relative to the current folder, {Path.cwd()}.",
        )
    if "install the required extension" in text or "xtension Autoloading" in text:
        name = found["name"] if (found := _EXTENSION.search(text)) else "that it needs"
        return SourceError(
            f"{query.name} needs DuckDB's extension {name}, which is not installed.",
            "a query reads local CSV, Parquet and JSON files; save others as one of these.",
        )
    unread = OpenedSource(query.name, query.relation, (), SQL_FORMAT, (), None, None, ())
    if translated := to_source_error(error, unread):
        return translated
    line = int(found["line"]) - 1 if (found := _LINE.search(text)) else None
    reason = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", text.strip().splitlines()[0]).rstrip(".!")
    return SourceError(
        f"{_where(query, line)}: {lower_first(reason)}.", "correct the query; it is run as it is written."
    )


def _where(query: SqlQuery, line: int | None) -> str:
    return f"{query.name}, line {line}" if line else query.name


def _line_with(text: str, part: str) -> int | None:
    """Return the number of the first line that has a text; None if none has."""
    return next((number for number, line in enumerate(text.splitlines(), 1) if part in line), None)
