"""Where a result is published to, as a person writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rfm_pipeline.errors import ConfigurationError

DEFAULT_TABLE = "rfm_segments"
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class DuckDBDestination:
    """A table in a DuckDB file."""

    file: Path
    table: str = DEFAULT_TABLE


def parse_destination(text: str) -> DuckDBDestination:
    """Reads `duckdb:FILE`, `duckdb:FILE#table`, or a plain `FILE.duckdb`.

    Raises:
        ConfigurationError: It is none of these.
    """
    scheme, colon, rest = text.partition(":")
    if scheme == "bigquery" and colon:
        raise ConfigurationError(
            f"This version publishes to DuckDB files only, not to {text}.",
            "`rfm sql --dialect bigquery` prints the query for BigQuery.",
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
    return DuckDBDestination(Path(file).expanduser(), table or DEFAULT_TABLE)
