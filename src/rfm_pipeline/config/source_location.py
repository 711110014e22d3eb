"""Where the transaction lines are: what the user typed as SOURCE, taken apart, before anything is opened."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from rfm_pipeline.errors import UsageError

SOURCE_FORMS = "a file, a glob, a folder, -, duckdb:FILE#table or bigquery://project.dataset.table"

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]+)://")
# A project may carry its organisation's domain (`example.com:shop`), a table end in a wildcard (`events_*`).
_BIGQUERY = re.compile(
    r"(?P<project>(?:[a-z0-9.\-]+:)?[a-z0-9][a-z0-9\-]*)\.(?P<dataset>\w+)\.(?P<table>[\w \-]+\*?)", re.ASCII
)


class FileLocation(Struct, frozen=True):
    """A file, a folder, or a glob; which of them is decided when it is opened.

    Attributes:
        text: The path as typed, with `~` expanded.
    """

    text: str


class StdinLocation(Struct, frozen=True):
    """Standard input."""


class DuckDBTable(Struct, frozen=True):
    """A table or view in a DuckDB database file.

    Attributes:
        file: The database file.
        table: `orders` or `schema.orders`; None stands for the only table there is.
    """

    file: Path
    table: str | None


class BigQueryTable(Struct, frozen=True):
    """A table or view in BigQuery."""

    project: str
    dataset: str
    table: str


SourceLocation = FileLocation | StdinLocation | DuckDBTable | BigQueryTable


def parse_source(text: str) -> SourceLocation:
    """Takes SOURCE apart. Nothing on disk is looked at.

    Args:
        text: What the user typed.

    Returns:
        The location it names.

    Raises:
        UsageError: It names no location, or one that can't be read from here, such as an https address.

    >>> parse("exports/*.csv")
    FileLocation(text='exports/*.csv')
    >>> parse("bigquery://shop.sales.orders")
    BigQueryTable(project='shop', dataset='sales', table='orders')
    """
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
    return FileLocation(_home_expanded(text))


def _duckdb(text: str) -> DuckDBTable:
    file, hash_, table = text.removeprefix("duckdb:").rpartition("#")
    if not hash_:
        file, table = table, ""
    if file.startswith("//"):
        raise UsageError(f"{text} is not a DuckDB table.", "write duckdb:FILE#table, without the slashes.")
    if not file or (hash_ and not table.strip()):
        raise UsageError(f"{text} names no {'table' if file else 'file'}.", "write duckdb:FILE#table.")
    return DuckDBTable(Path(_home_expanded(file)), table.strip() or None)


def _bigquery(text: str) -> BigQueryTable:
    match = _BIGQUERY.fullmatch(text.removeprefix("bigquery:").removeprefix("//").replace("`", ""))
    if not match or not text.startswith("bigquery://"):
        raise UsageError(f"{text} is not a BigQuery table.", "write bigquery://project.dataset.table.")
    return BigQueryTable(match["project"], match["dataset"], match["table"])


def _unreadable_url(text: str, scheme: str) -> UsageError:
    if scheme == "file":
        return UsageError(f"{text} is a URL.", f"give the path alone: {text[len('file://') :]}")
    return UsageError(
        f"{text} can't be read: nothing is fetched over the network, except from BigQuery.",
        "download it first, or load it into BigQuery and give bigquery://project.dataset.table.",
    )


def _home_expanded(text: str) -> str:
    try:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError as error:
        raise UsageError(f"The home folder in {text} is not known.", "write the path out.") from error
