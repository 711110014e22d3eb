"""Statements that change the published tables: each function returns the statements of one transaction.

The run's row in the runs table is written last, so that a reader of the row can also read the run's result.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from rfm_pipeline.results.tables import RESULT_COLUMNS, RUN_COLUMNS, UNPUBLISHED_STATUSES, Tables
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.publication import Publication
from rfm_pipeline.sql.stored_files import publish_files_sql, restore_file_sql
from rfm_pipeline.sql.stored_rows import publish_rows_sql, restore_date_sql

PUBLISHED_MEANWHILE = "another run of rfm has published since this one began"
"""Text of the error that the statement of `unchanged_sql` raises."""


def unchanged_sql(tables: Tables, run_id: str, published_runs: int, dialect: Dialect) -> str:
    """Return a statement that fails if a run has published since a plan looked at the destination.

    It is the first statement of a publish's transaction: what the plan decided (which result is the current
    one, and what each customer's earlier segment was) holds as long as no other result was published. The
    runs are counted, because the clocks of two machines may differ.

    Args:
        tables: The published tables.
        run_id: The run that publishes, which is not counted: its job may be executed twice.
        published_runs: Number of runs that had changed the results, as the plan saw them.
        dialect: The SQL dialect.
    """
    statuses = ", ".join(dialect.literal(status) for status in UNPUBLISHED_STATUSES)
    return (
        "SELECT CASE\n"
        f"  WHEN COUNT(*) <> {published_runs} THEN ERROR({dialect.literal(PUBLISHED_MEANWHILE)})\n"
        "END\n"
        f"FROM {tables.runs}\n"
        f"WHERE status NOT IN ({statuses}) AND run_id <> {dialect.literal(run_id)}"
    )


def publish_sql(tables: Tables, publication: Publication, dialect: Dialect) -> list[str]:
    """Return the statements that publish a staged result.

    Args:
        tables: The published tables.
        publication: The result, and its place among those of other dates.
        dialect: The SQL dialect.
    """
    if tables.dates:
        publish = publish_rows_sql if tables.rows else publish_files_sql
        return publish(tables, publication, dialect)
    staged, statements = publication.staged, []
    if publication.replaces_current:
        statements += [f"TRUNCATE TABLE {tables.current}", _insert(tables.current, staged)]
    day = dialect.literal(publication.as_of)
    statements += [f"DELETE FROM {tables.history}\nWHERE as_of_date = {day}", _insert(tables.history, staged)]
    if publication.history_from:
        oldest = dialect.literal(publication.history_from)
        statements.append(f"DELETE FROM {tables.history}\nWHERE as_of_date < {oldest}")
    return statements


def restore_sql(tables: Tables, as_of: date, dialect: Dialect) -> list[str]:
    """Return the statements that make the history's rows of an as-of date the current result."""
    if tables.dates:
        restore = restore_date_sql if tables.rows else restore_file_sql
        return restore(tables, as_of, dialect)
    insert = _insert(tables.current, tables.history)
    return [f"TRUNCATE TABLE {tables.current}", f"{insert}\nWHERE as_of_date = {dialect.literal(as_of)}"]


def record_sql(tables: Tables, row: Mapping[str, Any], dialect: Dialect) -> list[str]:
    """Return the statements that write a row of the runs table.

    They are idempotent, because a retry may execute them twice in BigQuery.

    Args:
        tables: The published tables.
        row: A value for each of `RUN_COLUMNS`.
        dialect: The SQL dialect.
    """
    values = ",\n".join(
        f"  {_value(row[name], column.holds, dialect)}" for name, column in RUN_COLUMNS.items()
    )
    return [
        f"DELETE FROM {tables.runs}\nWHERE run_id = {dialect.literal(row['run_id'])}",
        f"INSERT INTO {tables.runs} ({', '.join(RUN_COLUMNS)})\nVALUES (\n{values}\n)",
    ]


def _insert(table: str, rows: str) -> str:
    names = ", ".join(RESULT_COLUMNS)
    return f"INSERT INTO {table} ({names})\nSELECT {names}\nFROM {rows}"


def _value(value: Any, holds: str, dialect: Dialect) -> str:
    if value is None:
        return "NULL"
    if holds == "money":
        return dialect.money(value)
    return dialect.literal(value)
