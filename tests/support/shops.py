"""A shop of 40 days, the rows at its destination, and checks of these rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from support.databases import database

FIRST = date(2024, 1, 1)
DAYS = 40
TABLES = ("rfm_segments", "rfm_segments_history", "rfm_segments_runs")
Row = dict[str, Any]


def day(number: int) -> str:
    """Return the date of a day of the shop, counted from 0."""
    return (FIRST + timedelta(days=number)).isoformat()


def write_orders(folder: Path, customers: int = 30, seed: int = 1) -> Path:
    """Write orders of customers who buy irregularly over 40 days; some start late, some buy once."""
    random = Random(seed)
    lines = ["customer_id,order_id,date,amount"]
    for customer in range(customers):
        first = random.randrange(DAYS - 5)
        for order in range(random.choice([1, 1, 2, 3, 6])):
            when = min(first + order * random.randrange(1, 12), DAYS - 1)
            lines.append(f"c{customer:03},{customer}-{order},{day(when)},{random.randrange(100, 9999) / 100}")
    path = folder / "orders.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def rows_of(file: Path, select: str) -> list[Row]:
    with database(file) as connection:
        cursor = connection.execute(select)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def history(file: Path, *, with_run_id: bool = False) -> dict[str, list[Row]]:
    """Return the rows of the history by as-of date, sorted."""
    rows_by_date: dict[str, list[Row]] = {}
    for row in rows_of(file, "FROM rfm_segments_history ORDER BY as_of_date, customer_id"):
        kept = row if with_run_id else {name: value for name, value in row.items() if name != "run_id"}
        rows_by_date.setdefault(row["as_of_date"].isoformat(), []).append(kept)
    return rows_by_date


def current(file: Path) -> list[Row]:
    """Return the rows of the current result."""
    rows = rows_of(file, "FROM rfm_segments ORDER BY customer_id")
    return [{name: value for name, value in row.items() if name != "run_id"} for row in rows]


def runs(file: Path) -> list[Row]:
    """Return the rows of the runs table, oldest first."""
    return rows_of(file, "FROM rfm_segments_runs ORDER BY started_at, run_id")


def assert_segment_changes(rows_by_date: Mapping[str, list[Row]]) -> None:
    """Assert that `previous_segment` and `segment_since` are those of a walk over the dates in order."""
    before: dict[str, Row] = {}
    for as_of, rows in sorted(rows_by_date.items()):
        for row in rows:
            earlier = before.get(row["customer_id"])
            assert row["previous_segment"] == (earlier["segment"] if earlier else None), (as_of, row)
            stayed = earlier is not None and earlier["segment"] == row["segment"]
            since = earlier["segment_since"] if earlier and stayed else row["as_of_date"]
            assert row["segment_since"] == since, (as_of, row)
        before = {row["customer_id"]: row for row in rows}


def check_consistency(file: Path) -> tuple[str, int]:
    """Assert that the three tables agree; return the current date and the number of published runs."""
    with database(file) as connection:
        counted = connection.execute(
            "SELECT MIN(as_of_date)::TEXT, MAX(as_of_date)::TEXT, MIN(run_id), MAX(run_id), COUNT(*)"
            " FROM rfm_segments"
        ).fetchone()
        published = connection.execute(
            "SELECT run_id, as_of_date::TEXT, customers FROM rfm_segments_runs"
            " WHERE status IN ('published', 'history_only') AND kind <> 'rollback'"
        ).fetchall()
        dates = connection.execute(
            "SELECT as_of_date::TEXT, MIN(run_id), MAX(run_id), COUNT(*) FROM rfm_segments_history GROUP BY 1"
        ).fetchall()
        differing = connection.execute(
            "SELECT COUNT(*) FROM (FROM rfm_segments EXCEPT FROM rfm_segments_history)"
        ).fetchone()
    assert counted is not None
    assert counted[0] == counted[1]
    assert counted[2] == counted[3], "rows of several runs"
    assert differing == (0,), "the history has other rows of the current date"
    on_record = {run_id: (as_of, customers) for run_id, as_of, customers in published}
    assert on_record[counted[2]] == (counted[0], counted[4])
    for as_of, first, last, customers in dates:
        assert first == last, "rows of several runs"
        assert on_record[first] == (as_of, customers)
    return counted[0], len(published)


def remove_checksums(connection: duckdb.DuckDBPyConnection) -> None:
    """Remove the checksums from the runs on record, as an earlier version of rfm wrote them."""
    connection.execute(
        "UPDATE rfm_segments_runs SET rules = json_merge_patch(rules, '{\"checksum\": null}')"
        " WHERE rules LIKE '%checksum%'"
    )


def store_in_tables(file: Path, table: str = "rfm_segments", *, has_marks: bool = True) -> None:
    """Rewrite a destination as format 1 had it: the current result and the history are tables.

    Args:
        file: The DuckDB file.
        table: Name of the current result.
        has_marks: Whether the comments of the tables have marks, which the first versions did not write.
    """
    roles = {table: "current", f"{table}_history": "history", f"{table}_runs": "runs"}
    with database(file, read_only=False) as connection:
        connection.execute("BEGIN")
        for name, role in roles.items():
            if role != "runs":
                connection.execute(f"CREATE TABLE copied AS FROM {name}")
                connection.execute(f"DROP VIEW {name}")
                connection.execute(f"ALTER TABLE copied RENAME TO {name}")
            mark = f"'Segments. [rfm: {role} of {table}, format 1]'" if has_marks else "NULL"
            connection.execute(f"COMMENT ON TABLE {name} IS {mark}")
        connection.execute(f"DROP TABLE {table}_rows")
        connection.execute(f"DROP TABLE {table}_dates")
        connection.execute("COMMIT")
