"""Split a benchmark's lines into files: `python benchmarks/split_days.py LINES.parquet FOLDER DAY.parquet`.

The lines of the newest day go to DAY, all others to a file per year in FOLDER, in their order.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

YEARS = "SELECT DISTINCT year(InvoiceDate) FROM lines WHERE InvoiceDate::DATE < $newest ORDER BY 1"
COPY = """
COPY (
  FROM lines
  WHERE {condition}
) TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""


def split(lines: Path, folder: Path, day: Path) -> None:
    """Write the lines of the newest day to `day`, which is created last, and all others to `folder`."""
    partial = day.with_suffix(".partial")
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.read_parquet(str(lines)).create_view("lines")
        ((newest,),) = connection.execute("SELECT max(InvoiceDate)::DATE FROM lines").fetchall()
        files = {partial: f"InvoiceDate::DATE = DATE '{newest}'"}
        for (year,) in connection.execute(YEARS, {"newest": newest}).fetchall():
            before = f"year(InvoiceDate) = {year} AND InvoiceDate::DATE < DATE '{newest}'"
            files[folder / f"{year}.parquet"] = before
        for file, condition in files.items():
            literal = str(file).replace("'", "''")
            connection.execute(COPY.format(condition=condition, file=literal))
    partial.replace(day)


if __name__ == "__main__":
    split(*map(Path, sys.argv[1:]))
