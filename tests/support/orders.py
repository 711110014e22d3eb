"""A small shop with known figures, its published table, and checks of files and errors."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from support.cli import Outcome
from support.databases import database

# Four customers: 007 has two orders with three lines, ann one, bob two and a return, cyd one.
ORDERS = """\
customer_id,order_id,order_date,quantity,unit_price,country
007,A1,2024-01-10,2,10.00,DE
007,A1,2024-01-10,1,5.50,DE
007,A2,2024-03-01,1,100,DE
ann,B1,2024-02-01,3,0.3333,FR
bob,C1,2023-12-31,1,20,FR
bob,C2,2024-02-20,4,2.5,FR
bob,C3,2024-02-25,-1,2.5,FR
,D1,2024-02-26,1,9,FR
cyd,E1,2024-02-30,1,9,FR
cyd,E2,2024-02-29,1,0,FR
cyd,E3,2024-02-28,1,7,FR
"""
EXPECTED_ROWS = [
    ("007", 0, 2, Decimal("125.50"), "2024-01-10", "2024-03-01"),
    ("ann", 29, 1, Decimal("0.9999"), "2024-02-01", "2024-02-01"),
    ("bob", 10, 2, Decimal("30.00"), "2023-12-31", "2024-02-20"),
    ("cyd", 2, 1, Decimal("7.00"), "2024-02-28", "2024-02-28"),
]

TABLE = {
    "customer_id": "VARCHAR",
    "recency_days": "BIGINT",
    "frequency": "BIGINT",
    "monetary": "DECIMAL(38, 9)",
    "avg_order_value": "DECIMAL(38, 9)",
    "first_order_date": "DATE",
    "last_order_date": "DATE",
    "r_score": "BIGINT",
    "f_score": "BIGINT",
    "m_score": "BIGINT",
    "rfm_score": "VARCHAR",
    "segment": "VARCHAR",
    "previous_segment": "VARCHAR",
    "segment_since": "DATE",
    "as_of_date": "DATE",
    "run_id": "VARCHAR",
}
"""Columns of the published table in order, each with a type that holds its values exactly."""


def published(file: Path, select: str = "FROM rfm_segments ORDER BY customer_id") -> list[tuple[Any, ...]]:
    with database(file) as connection:
        return connection.execute(select).fetchall()


def without_run_id(file: Path) -> list[tuple[Any, ...]]:
    return [row[:-1] for row in published(file)]


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return the modification time and the contents of every file below a folder, by path.

    Of a destination, the rows of its tables except the run log, which a failed run changes; the file with the
    staging tables of a rejected run is left out.
    """
    return {
        str(path.relative_to(folder)): _contents_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not re.search(r"\.rejected-.*\.duckdb$|\.duckdb\.wal$", path.name)
    }


def _contents_of(path: Path) -> tuple[int, bytes]:
    if path.suffix == ".duckdb" and (rows := _rows_of(path)) is not None:
        return 0, rows
    return path.stat().st_mtime_ns, path.read_bytes()


_rows_by_digest: dict[bytes, bytes] = {}


def _rows_of(path: Path) -> bytes | None:
    """Return what readers of a destination see except the run log, or None if the file is no destination.

    A file whose bytes are known is not opened again.
    """
    if path.with_name(f"{path.name}.wal").exists():
        return _read_rows(path)
    digest = hashlib.blake2b(path.read_bytes()).digest()
    if digest not in _rows_by_digest and (rows := _read_rows(path)) is not None:
        _rows_by_digest[digest] = rows
    return _rows_by_digest.get(digest)


def _read_rows(path: Path) -> bytes | None:
    try:
        with database(path) as connection:
            tables = connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall()
            if ("rfm_segments_runs",) not in tables:
                return None
            tables.remove(("rfm_segments_runs",))
            return repr([(name, connection.table(name).fetchall()) for (name,) in tables]).encode()
    except duckdb.Error:
        return None


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a new process, in which nothing is imported yet."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RFM_")}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**plain, **environment},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def refused(ended: Outcome, code: int = 2) -> tuple[str, str]:
    """Return the message and the hint of a failed command, after checking its exit code and format."""
    assert ended.code == code, ended
    assert ended.stdout == ""
    match = re.fullmatch(r"error: ([^\n]+[.!?])\nhint: ([^\n]+)\n", ended.stderr)
    assert match, ended.stderr
    return match[1], match[2]
