"""Parsing of `--to`, the location of the destination."""

from __future__ import annotations

import os
import re
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.config.base import is_address
from rfm_pipeline.config.source_location import BIGQUERY_DATASET
from rfm_pipeline.errors import ConfigurationError

DEFAULT_TABLE = "rfm_segments"
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_BIGQUERY = re.compile(rf"//{BIGQUERY_DATASET}(?:\.(?P<table>[^\W\d]\w{{0,200}}))?")
_SCHEME = re.compile(r"\w{2,}:")
"""One letter before a colon is a drive of Windows."""
_DUCKDB_SUFFIXES = (".duckdb", ".ddb", ".db")
PARQUET_SUFFIX = ".parquet"


class DuckDBDestinationLocation(Struct, frozen=True):
    """Table in a DuckDB file; `typed` and `str()` are the text that the user typed."""

    file: Path
    table: str = DEFAULT_TABLE
    typed: str = ""

    def __str__(self) -> str:
        return self.typed


class ParquetDestinationLocation(Struct, frozen=True):
    """Parquet file of the current result; `typed` and `str()` are the text that the user typed.

    Attributes:
        file: The file.
        folder: The folder that the user named in its place; None if the user named the file.
    """

    file: Path
    folder: Path | None = None
    typed: str = ""

    def __str__(self) -> str:
        return self.typed


class BigQueryDestinationLocation(Struct, frozen=True):
    """Table in BigQuery; `typed` and `str()` are the text that the user typed."""

    project: str
    dataset: str
    table: str = DEFAULT_TABLE
    typed: str = ""

    def __str__(self) -> str:
        return self.typed


DestinationLocation = DuckDBDestinationLocation | ParquetDestinationLocation | BigQueryDestinationLocation


def parse_destination(text: str) -> DestinationLocation:
    """Parse the location of a destination.

    It is `duckdb:FILE`, `duckdb:FILE#table`, a path `FILE.duckdb`, a path `FILE.parquet`, a folder (an
    existing one, or a path that ends with /), or `bigquery://project.dataset[.table]`.

    Raises:
        ConfigurationError: If the text has none of these forms.

    >>> parse_destination("bigquery://shop.marketing").table
    'rfm_segments'
    """
    return replace(_parse(text), typed=text)


def _parse(text: str) -> DestinationLocation:
    scheme, colon, rest = text.partition(":")
    if scheme == "bigquery" and colon:
        match = _BIGQUERY.fullmatch(rest.replace("`", ""))
        if not match:
            raise ConfigurationError(
                f"The destination {text!r} is not a BigQuery table.",
                "write --to bigquery://project.dataset, or bigquery://project.dataset.table.",
            )
        return BigQueryDestinationLocation(
            match["project"], match["dataset"], match["table"] or DEFAULT_TABLE
        )
    if scheme != "duckdb" or not colon:
        if not text.casefold().endswith(_DUCKDB_SUFFIXES):
            return _parse_parquet(text)
        rest = text
    file, _, table = rest.partition("#")
    if is_address(file):
        raise ConfigurationError(
            f"The destination {text!r} is an address, and a DuckDB file is written on this machine.",
            "write --to duckdb:rfm.duckdb, and copy the file afterwards.",
        )
    if not file:
        raise ConfigurationError(f"The destination {text!r} names no file.", "write --to duckdb:rfm.duckdb.")
    if "\\" in file and os.sep == "/":
        raise ConfigurationError(
            f"The destination {text!r} has a backslash, which DuckDB takes for the end of a folder's name.",
            "write / between folders, and no backslash in a name.",
        )
    if file.casefold().endswith(".wal"):
        raise ConfigurationError(
            f"The destination {text!r} has the name of a log that DuckDB keeps beside a database.",
            "write --to duckdb:rfm.duckdb.",
        )
    if table and not _TABLE.fullmatch(table):
        raise ConfigurationError(
            f"The destination table {table!r} is not a plain name.", "use letters, digits and underscores."
        )
    return DuckDBDestinationLocation(Path(file).expanduser(), table or DEFAULT_TABLE)


def _parse_parquet(text: str) -> ParquetDestinationLocation:
    if is_address(text) and text.endswith((PARQUET_SUFFIX, "/")):
        raise ConfigurationError(
            f"The destination {text!r} is an address, and Parquet files are written on this machine.",
            "write --to segments.parquet, and copy the files afterwards.",
        )
    path = Path(text).expanduser()
    if text.endswith(PARQUET_SUFFIX) and path.stem != PARQUET_SUFFIX and not _SCHEME.match(text):
        return ParquetDestinationLocation(path)
    # The separators of this system: on Windows two.
    is_named_as_folder = text.endswith(tuple(filter(None, (os.sep, os.altsep))))
    if text and (is_named_as_folder or _is_folder(path)) and not _SCHEME.match(text):
        return ParquetDestinationLocation(path / f"{DEFAULT_TABLE}{PARQUET_SUFFIX}", path)
    raise ConfigurationError(
        f"The destination {text!r} is no DuckDB file, no Parquet file, no folder and no BigQuery table.",
        "write --to duckdb:rfm.duckdb, --to segments.parquet, --to FOLDER/ or --to bigquery://project.dataset.",
    )


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - raises nothing
