"""Run SQL on one file: `run_sql.py QUERY.sql SOURCE RESULT.parquet [SETTING=VALUE ...]`.

The SQL reads the view `source` of a Parquet or CSV file; the rows of the query are the result. Settings are
DuckDB's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb


def run(query: Path, source: Path, result: Path, *settings: str) -> None:
    """Write the rows of the query in the file `query` to `result`."""
    with duckdb.connect() as connection:
        for name, _, value in (setting.partition("=") for setting in settings):
            connection.execute(f"SET {name} = '{value}'")
        read = connection.read_csv if source.suffix == ".csv" else connection.read_parquet
        read(str(source)).create_view("source")
        literal = str(result).replace("'", "''")
        text = query.read_text(encoding="utf-8")
        connection.execute(f"COPY (\n{text}\n) TO '{literal}' (FORMAT parquet)")


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
