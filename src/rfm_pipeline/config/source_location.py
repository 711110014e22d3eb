"""Parsing of SOURCE, the location of the transaction lines, without opening it."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.errors import UsageError

SOURCE_FORMS = (
    "a file, a glob, a folder, a .sql file, -, duckdb:FILE#table or bigquery://project.dataset.table"
)

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]+)://")
_PROJECT = r"(?P<project>(?:[a-z0-9.\-]+:)?[a-z0-9][a-z0-9\-]*)"
_NAME = "[A-Za-z0-9_]+"
BIGQUERY_DATASET = rf"{_PROJECT}\.(?P<dataset>{_NAME})"
"""Regular expression of `project.dataset`; a project id may include a domain, as in `example.com:shop`."""

# A table may be a wildcard, `events_*`; the dataset of a table in a catalog is `catalog.namespace`.
_BIGQUERY = re.compile(rf"{_PROJECT}\.(?P<dataset>{_NAME}|[A-Za-z0-9_\-]+\.{_NAME})\.(?P<table>[^.*]+\*?)")
_DECORATED = re.compile(r"(?P<table>.+)[$@][\w\-]+")
_TABLE_CATEGORIES = frozenset(("L", "M", "N", "Pc", "Pd", "Zs"))
"""Unicode categories of the characters in a table's name (BigQuery, *Create and use tables*)."""


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
    """Table or view in BigQuery.

    Attributes:
        project: The project.
        dataset: The dataset, or `catalog.namespace` of a table that a catalog of Iceberg tables has.
        table: The table; with an asterisk at its end, all tables that begin so.
        typed: The text that the user typed, which `str()` returns as well.
    """

    project: str
    dataset: str
    table: str
    typed: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the full name, three or four."""
        return (self.project, *self.dataset.split("."), self.table)

    @property
    def is_in_catalog(self) -> bool:
        """Whether the name has four parts; BigQuery's API has no metadata of such a table."""
        return "." in self.dataset

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
    if match and (decorated := _DECORATED.fullmatch(match["table"])):
        raise UsageError(
            f"{text} names a part of the table {decorated['table']}, and queries in BigQuery can't.",
            "give the table with --since, or a .sql file with a condition on the partition.",
        )
    if not match or not text.startswith("bigquery://") or not _is_table_name(match["table"].rstrip("*")):
        raise UsageError(f"{text} is not a BigQuery table.", "write bigquery://project.dataset.table.")
    return BigQueryTable(match["project"], match["dataset"], match["table"])


def _is_table_name(text: str) -> bool:
    categories = {unicodedata.category(character) for character in text}
    return all(category in _TABLE_CATEGORIES or category[0] in _TABLE_CATEGORIES for category in categories)


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
