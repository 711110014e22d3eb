"""Write a benchmark's transaction lines: `python benchmarks/generate_data.py SHAPE LINES FILE`.

The columns are those of UCI "Online Retail", the orders are in the order of time, over three years, and the
file is Parquet or CSV by its name. Each value is a hash of its order or line number, so the same DuckDB
writes the same rows every time. Two shapes:

shop
    Two lines per order. One order in ten is of a one-time buyer; the others are of a population with few
    heavy and many light buyers. 10 million lines are 5 million orders of 1.2 million customers, and four in
    ten of these buy once. 1.5 % of the orders have no customer, 2 % of the lines are returns, and 0.1 % cost
    nothing.
wholesale
    As in "Online Retail": 21 lines per order, from 1 to 76; a customer is a number, with some five orders; a
    quarter of the orders has none. 10 million lines are 476,000 orders, 357,000 of them of 66,000 customers.
    2 % of the lines are returns, and 0.1 % cost nothing.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

QUERY = """
COPY (
  WITH
    numbered AS (
      SELECT line, {number} AS number
      FROM range({lines}) AS lines(line)
    ),
    lines AS (
      SELECT
        number,
        -- Uniform in [0, 1): the kind of customer, the customer, the kind of line.
        hash(number, 1) / 18446744073709551616.0 AS kind,
        hash(number, 2) / 18446744073709551616.0 AS place,
        hash(line, 3) / 18446744073709551616.0 AS fate,
        hash(line, 4) AS many,
        hash(line, 5) AS price
      FROM numbered
    )
  SELECT
    'A' || lpad(number::VARCHAR, 9, '0') AS InvoiceNo,
    CASE
      WHEN fate < 0.02 THEN -1
      ELSE 1 + many % {most}
    END::INTEGER AS Quantity,
    TIMESTAMP '2022-01-01' + to_seconds(number * 94608000 // {orders}) AS InvoiceDate,
    CASE
      WHEN fate > 0.999 THEN 0.0
      ELSE (49 + price % 9951) / 100.0
    END::DOUBLE AS UnitPrice,
    {customer} AS CustomerID
  FROM lines
) TO '{file}' ({options})
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """The distribution of lines.

    Attributes:
        number: SQL expression of the number of a line's order.
        lines: Lines per order, on average.
        most: Largest quantity.
        population: Regular customers per order.
        customer: SQL expression of a line's customer.
    """

    number: str
    lines: int
    most: int
    population: float
    customer: str


# Numbers of lines of ten consecutive orders, repeated.
_SIZES = (1, 2, 4, 8, 12, 16, 20, 28, 43, 76)
_BEGINS = [sum(_SIZES[:size]) for size in range(len(_SIZES))]
_PLACE = " + ".join(f"(line % {sum(_SIZES)} >= {begin})::BIGINT" for begin in _BEGINS[1:])

SHAPES = {
    "shop": Shape(
        number="line // 2",
        lines=2,
        most=12,
        population=0.15,
        customer="""CASE
      WHEN kind < 0.015 THEN NULL
      WHEN kind < 0.115 THEN 'N' || lpad(number::VARCHAR, 9, '0')
      ELSE 'C' || lpad(floor({population} * pow(place, 1.7))::BIGINT::VARCHAR, 9, '0')
    END""",
    ),
    "wholesale": Shape(
        number=f"line // {sum(_SIZES)} * {len(_SIZES)} + {_PLACE}",
        lines=sum(_SIZES) // len(_SIZES),
        most=144,
        population=0.18,
        customer="""CASE
      WHEN kind < 0.25 THEN NULL
      ELSE 12346 + floor({population} * pow(place, 1.7))
    END::DOUBLE""",
    ),
}


def generate(shape: Shape, lines: int, file: Path) -> None:
    """Write `lines` transaction lines to `file`, which is created only when it is complete."""
    orders = max(1, lines // shape.lines)
    partial = file.with_suffix(".partial")
    is_csv = file.suffix == ".csv"
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = true")
        connection.execute(
            QUERY.format(
                number=shape.number,
                lines=lines,
                orders=orders,
                most=shape.most,
                customer=shape.customer.format(population=max(1, int(orders * shape.population))),
                file=str(partial).replace("'", "''"),
                options="FORMAT csv, HEADER true" if is_csv else "FORMAT parquet, COMPRESSION zstd",
            )
        )
    partial.replace(file)


if __name__ == "__main__":
    generate(SHAPES[sys.argv[1]], int(sys.argv[2]), Path(sys.argv[3]))
