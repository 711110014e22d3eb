"""Parsing of SOURCE, the location of the transaction lines, without opening it."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.errors import UsageError

SOURCE_FORMS = (
    "a file, a glob, a folder, a .sql file, -, duckdb:FILE#table or bigquery://project.dataset.table"
)

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]+)://")
BIGQUERY_DATASET = r"(?P<project>(?:[a-z0-9.\-]+:)?[a-z0-9][a-z0-9\-]*)\.(?P<dataset>\w+)"
"""Regular expression of `project.dataset`; a project id may include a domain, as in `example.com:shop`."""

# A table may be a wildcard: `events_*`.
_BIGQUERY = re.compile(rf"{BIGQUERY_DATASET}\.(?P<table>[\w \-]+\*?)", re.ASCII)


class FileLocation(Struct, frozen=True):
    """File, folder or glob; opening the location determines which.

    Attributes:
        text: The path, with `~` expanded.
        typed: The text that the user typed, which `str()` returns as well.
    """

    text: str
    typed: str = ""

    def __str__(self) -> str:
        return self.typed


class SqlFile(Struct, frozen=True):
    """File with a query whose rows are the transaction lines.

    Attributes:
        file: The file.
        typed: The text that the user typed, which `str()` returns as well.
    """

    file: Path
    typed: str = ""

    def __str__(self) -> str:
        return self.typed


class StdinLocation(Struct, frozen=True):
    """Standard input; `typed` and `str()` are `-`."""

    typed: str = ""

    def __str__(self) -> str:
        return self.typed


class DuckDBTable(Struct, frozen=True):
    """Table or view in a DuckDB database file.

    Attributes:
        file: The database file.
        table: Table name such as `orders` or `schema.orders`; None for the only table of the file.
        typed: The text that the user typed, which `str()` returns as well.
    """

    file: Path
    table: str | None
    typed: str = ""

    def __str__(self) -> str:
        return self.typed


class BigQueryTable(Struct, frozen=True):
    """Table or view in BigQuery; `typed` and `str()` are the text that the user typed."""

    project: str
    dataset: str
    table: str
    typed: str = ""

    def __str__(self) -> str:
        return self.typed


SourceLocation = FileLocation | SqlFile | StdinLocation | DuckDBTable | BigQueryTable


def parse_source(text: str) -> SourceLocation:
    """Parse SOURCE, without accessing the file system.

    Args:
        text: The text that the user typed.

    Raises:
        UsageError: If the text has no valid form, or names a location that is not supported, such as an https
            URL.

    >>> parse_source("exports/*.csv")
    FileLocation(text='exports/*.csv', typed='exports/*.csv')
    >>> parse_source("bigquery://shop.sales.orders").table
    'orders'
    """
    return replace(_parse(text), typed=text)


def _parse(text: str) -> SourceLocation:
    if not text.strip():
        raise UsageError("SOURCE is empty.", f"give {SOURCE_FORMS}.")
    if text == "-":
        return StdinLocation()
    if text.startswith("duckdb:"):
        return _duckdb(text)
    if text.startswith("bigquery:"):
        return _bigquery(text)
    if url := _URL.match(text):
        raise _unreadable_url(text, url["scheme"].lower())
    path = _home_expanded(text)
    return SqlFile(Path(path)) if path.casefold().endswith(".sql") else FileLocation(path)


def _duckdb(text: str) -> DuckDBTable:
    file, hash_, table = text.removeprefix("duckdb:").rpartition("#")
    if not hash_:
        file, table = table, ""
    if file.startswith("//"):
        raise UsageError(f"{text} is not a DuckDB table.", "write duckdb:FILE#table, without the slashes.")
    if not file or (hash_ and not table.strip()):
        missing = "table" if file else "file"
        raise UsageError(f"{text} names no {missing}.", "write duckdb:FILE#table.")
    return DuckDBTable(Path(_home_expanded(file)), table.strip() or None)


def _bigquery(text: str) -> BigQueryTable:
    match = _BIGQUERY.fullmatch(text.removeprefix("bigquery:").removeprefix("//").replace("`", ""))
    if not match or not text.startswith("bigquery://"):
        raise UsageError(f"{text} is not a BigQuery table.", "write bigquery://project.dataset.table.")
    return BigQueryTable(match["project"], match["dataset"], match["table"])


def _unreadable_url(text: str, scheme: str) -> UsageError:
    if scheme == "file":
        return UsageError(f"{text} is a URL.", f"give only the path: {text[len('file://') :]}")
    return UsageError(
        f"{text} can't be read: nothing is fetched over the network, except from BigQuery.",
        "download it first, or load it into BigQuery and give bigquery://project.dataset.table.",
    )


def _home_expanded(text: str) -> str:
    try:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError as error:
        raise UsageError(f"The home folder in {text} can't be determined.", "write the full path.") from error
