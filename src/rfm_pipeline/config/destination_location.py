"""Where a result is published to, as a person writes it."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from rfm_pipeline.errors import ConfigurationError

DEFAULT_TABLE = "rfm_segments"
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_BIGQUERY = re.compile(
    r"//(?P<project>(?:[a-z0-9.\-]+:)?[a-z0-9][a-z0-9\-]*)\.(?P<dataset>\w+)(?:\.(?P<table>[A-Za-z_]\w{0,200}))?",
    re.ASCII,
)


class DuckDBDestinationLocation(Struct, frozen=True):
    """A table in a DuckDB file."""

    file: Path
    table: str = DEFAULT_TABLE


class BigQueryDestinationLocation(Struct, frozen=True):
    """A table in BigQuery."""

    project: str
    dataset: str
    table: str = DEFAULT_TABLE


def parse_destination(text: str) -> DuckDBDestinationLocation | BigQueryDestinationLocation:
    """Reads `duckdb:FILE`, `duckdb:FILE#table`, a plain `FILE.duckdb`, or `bigquery://project.dataset[.table]`.

    Raises:
        ConfigurationError: It is none of these.
    """
    scheme, colon, rest = text.partition(":")
    if scheme == "bigquery" and colon:
        match = _BIGQUERY.fullmatch(rest.replace("`", ""))
        if not match:
            raise ConfigurationError(
                f"The destination {text!r} is no table of BigQuery.",
                "write --to bigquery://project.dataset, or bigquery://project.dataset.table.",
            )
        return BigQueryDestinationLocation(
            match["project"], match["dataset"], match["table"] or DEFAULT_TABLE
        )
    if scheme != "duckdb" or not colon:
        if not text.casefold().endswith((".duckdb", ".ddb", ".db")):
            raise ConfigurationError(
                f"The destination {text!r} is not one that is known.", "write --to duckdb:rfm.duckdb."
            )
        rest = text
    file, _, table = rest.partition("#")
    if not file:
        raise ConfigurationError(f"The destination {text!r} names no file.", "write --to duckdb:rfm.duckdb.")
    if table and not _TABLE.fullmatch(table):
        raise ConfigurationError(
            f"The destination table {table!r} is not a plain name.", "use letters, digits and underscores."
        )
    return DuckDBDestinationLocation(Path(file).expanduser(), table or DEFAULT_TABLE)
