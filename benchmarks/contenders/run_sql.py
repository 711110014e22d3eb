"""Runs one query on one file: `run_sql.py QUERY.sql SOURCE.parquet DESTINATION.duckdb [MEMORY_LIMIT]`.

The query reads the view `source` and creates the table `rfm_segments` in the destination.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb


def run(query: Path, source: Path, destination: Path, memory_limit: str | None = None) -> None:
    """Creates `rfm_segments` in `destination` by the query in the file `query`."""
    with duckdb.connect(destination) as connection:
        if memory_limit is not None:
            connection.execute("SET memory_limit = ?", [memory_limit])
        connection.read_parquet(str(source)).create_view("source")
        connection.execute(query.read_text(encoding="utf-8"))


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
