"""Time of the parts of the scan: `python benchmarks/experiments/scan_parts.py FILE`.

FILE has lines of `generate_data.py`.

The step that reads the source runs as `rfm sql` prints it, then with one part after the other simplified, in
turns. The time of a part is the difference; the times do not add up, as parts share work. The aggregation of
the floor runs beside it with the same number of threads.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import duckdb

ROUNDS = 5
FLOOR = Path(__file__).resolve().parents[1] / "contenders" / "floor.sql"

# A pattern in the printed query, and its replacement. A dot matches line breaks.
Part = tuple[tuple[str, str], ...]


def column(name: str) -> str:
    """Return the pattern of an expression of several lines that the CTE `lines` names."""
    # A column's first line has four blanks before it; other lines of a CASE have more, or begin with END.
    return rf"(?<=\n)    (?:CASE|COALESCE\(CASE)\n(?:(?!\n {{0,4}}(?!END)[^ ]).)*? AS {name}(?=,?\n)"


PARTS: Mapping[str, Part] = {
    "customers without blanks, in lower case": ((column("customer_id"), "    customer_id"),),
    "orders without blanks": ((column("order_id"), "    order_id"),),
    "money in decimals": (
        (r"CAST\(quantity AS DECIMAL\(38, 3\)\)", "CAST(quantity AS DOUBLE)"),
        (r"TRY_CAST\(quantity AS DECIMAL\(12, 3\)\)(?= AS quantity)", "quantity"),
        (column("unit_price"), "    unit_price"),
    ),
    "lines counted": (
        (r",\s+COUNT\(\*\) AS lines", ""),
        (r",\s+CAST\(SUM\(lines\) AS BIGINT\) AS lines", ""),
    ),
    "the first order's date": (
        (r"MIN\(order_date\) AS first_order_date,", ""),
        (r"MIN\(first_order_date\) AS first_order_date,", ""),
        (r",\s+COUNT\([^\n]*\) AS long_orders", ""),
    ),
    "reasons beyond the first": (
        (r"(WHEN customer_id IS NULL THEN 'missing_customer').*?(WHEN quantity <= 0)", r"\1 \2"),
    ),
    "dates told from others": (
        (
            r'(?<=\n)    CASE\n      WHEN LENGTH\(("\w+")\) = 19.*? AS quick_date',
            r"    TRY_CAST(LEFT(\1, 10) AS DATE) AS quick_date",
        ),
    ),
    "numbers told from others": (
        (column("quantity"), "    TRY_CAST(quantity AS DECIMAL(12, 3)) AS quantity"),
        (column("unit_price"), "    TRY_CAST(unit_price AS DECIMAL(18, 6)) AS unit_price"),
    ),
    "what could not be read": ((r",\s+MIN\(written\) AS written", ""),),
}


def scan_of(file: Path) -> str:
    """Return the step that reads the source, as `rfm sql` prints it."""
    rfm = Path(sys.executable).with_name("rfm")
    printed = subprocess.run([str(rfm), "sql", str(file)], check=True, capture_output=True, text=True).stdout
    # Up to the comment line of the CTE that follows `customers`.
    ctes, _, _ = re.split(r"\n--[^\n]*\n(as_of) AS \(", printed[printed.index("WITH") :], maxsplit=1)
    return f"{ctes.rstrip().rstrip(',')}\nSELECT * FROM customers"


def without(scan: str, part: Part) -> str | None:
    """Return the step with a part simplified; None if it has no such part."""
    for found, instead in part:
        scan, count = re.subn(found, instead, scan, flags=re.DOTALL)
        if not count:
            return None
    return scan


def seconds(connection: duckdb.DuckDBPyConnection, query: str) -> float:
    """What it takes to make a table of a query."""
    started = time.perf_counter()
    connection.execute(f"CREATE OR REPLACE TABLE result AS {query}")
    return time.perf_counter() - started


def main() -> None:
    """Prints what each part takes."""
    file = Path(sys.argv[1])
    scan = scan_of(file)
    queries = {"the whole": scan}
    queries |= {name: simpler for name, part in PARTS.items() if (simpler := without(scan, part))}
    with duckdb.connect() as connection:
        connection.execute("SET threads = GREATEST(4, current_setting('threads'))")
        connection.execute("SET preserve_insertion_order = false")
        read = connection.read_csv if file.suffix == ".csv" else connection.read_parquet
        read(str(file)).create_view("source")
        queries["the floor"] = FLOOR.read_text(encoding="utf-8")
        took: dict[str, list[float]] = {name: [] for name in queries}
        for turn in range(ROUNDS + 1):
            for name, query in queries.items():
                spent = seconds(connection, query)
                if turn:
                    took[name].append(spent)
    whole, floor = took.pop("the whole"), took.pop("the floor")
    print(f"{file.name}, {ROUNDS} rounds: the whole {statistics.median(whole):.2f} s,", end=" ")
    print(f"the floor {statistics.median(floor):.2f} s; the share of the whole that a part takes:")
    for name, without_it in took.items():
        shares = [1 - one / of_all for one, of_all in zip(without_it, whole, strict=True)]
        print(f"{statistics.median(shares):5.0%}  {name}")


if __name__ == "__main__":
    main()
