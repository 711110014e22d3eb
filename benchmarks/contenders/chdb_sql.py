# /// script
# requires-python = ">=3.11"
# dependencies = ["chdb==4.4.0"]
# ///
"""The usual query, `usual.sql`, in chDB (ClickHouse): `chdb_sql.py SOURCE.parquet RESULT.parquet`."""

from __future__ import annotations

import sys
from pathlib import Path

import chdb

QUERY = Path(__file__).with_name("usual.sql")


def literal(text: str) -> str:
    """Return a string literal of ClickHouse."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def run(source: str, result: str) -> None:
    """Write the customers of `source`, scored and segmented, to `result`."""
    query = QUERY.read_text(encoding="utf-8")
    query = query.replace("FROM source", f"FROM file({literal(source)}, Parquet)")
    chdb.query(f"{query} INTO OUTFILE {literal(result)} FORMAT Parquet")


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
