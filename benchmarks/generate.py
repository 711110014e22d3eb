"""Writes the benchmark's transaction lines: `python benchmarks/generate.py LINES FILE.parquet`.

Two lines an order, orders in the order of time over three years, the columns of UCI "Online Retail". One
order in ten is a one-time buyer's; the others go to a population with few heavy and many light buyers. 10
million lines are 5 million orders of 1.2 million customers, of whom four in ten buy once. 1.5 % of the orders
have no customer, 2 % of the lines are returns, and 0.1 % cost nothing, so that cleaning has something to do.

Each value is a hash of its order or line number: the same DuckDB writes the same rows every time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

QUERY = """
COPY (
  WITH
    lines AS (
      SELECT
        line,
        line // 2 AS number,
        -- Uniform in [0, 1), one per purpose: who buys, which customer, what is ordered.
        hash(line // 2, 1) / 18446744073709551616.0 AS kind,
        hash(line // 2, 2) / 18446744073709551616.0 AS place,
        hash(line, 3) / 18446744073709551616.0 AS fate,
        hash(line, 4) AS many,
        hash(line, 5) AS price
      FROM range({lines}) AS lines(line)
    )
  SELECT
    'A' || lpad(number::VARCHAR, 9, '0') AS InvoiceNo,
    CASE
      WHEN fate < 0.02 THEN -1
      ELSE 1 + many % 12
    END::INTEGER AS Quantity,
    TIMESTAMP '2022-01-01' + to_seconds(number * 94608000 // {orders}) AS InvoiceDate,
    CASE
      WHEN fate > 0.999 THEN 0.0
      ELSE (49 + price % 9951) / 100.0
    END::DOUBLE AS UnitPrice,
    CASE
      WHEN kind < 0.015 THEN NULL
      WHEN kind < 0.115 THEN 'N' || lpad(number::VARCHAR, 9, '0')
      ELSE 'C' || lpad(floor({population} * pow(place, 1.7))::BIGINT::VARCHAR, 9, '0')
    END AS CustomerID
  FROM lines
) TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""


def generate(lines: int, file: Path) -> None:
    """Writes `lines` transaction lines to `file`, which appears only when it is whole."""
    orders = max(1, lines // 2)
    partial = file.with_suffix(".partial")
    target = str(partial).replace("'", "''")
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.execute(
            QUERY.format(lines=lines, orders=orders, population=max(1, orders * 0.15), file=target)
        )
    partial.replace(file)


if __name__ == "__main__":
    generate(int(sys.argv[1]), Path(sys.argv[2]))
