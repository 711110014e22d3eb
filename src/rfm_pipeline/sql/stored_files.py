"""Statements that prepare a change of a destination of Parquet files.

Such a destination has a file of rows for each as-of date. While it is open, the table `dates` in memory has a
row for each of these files: `as_of_date`; `is_current`; `new_rows`, the SELECT of the rows to write; and
`becomes_current`, whether the rows replace the current result. A publish executes the statements, and then
writes the files that the table `dates` asks for.
"""

from __future__ import annotations

from datetime import date

from rfm_pipeline.results.tables import RESULT_COLUMNS, Tables
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.publication import Publication

_NAMES = ", ".join(RESULT_COLUMNS)


def publish_files_sql(tables: Tables, publication: Publication, dialect: Dialect) -> list[str]:
    """Return the statements that publish a staged result."""
    day = dialect.literal(publication.as_of)
    new_rows = dialect.literal(f"SELECT {_NAMES}\nFROM {publication.staged}")
    columns = "as_of_date, is_current, becomes_current, new_rows"
    statements = [
        f"DELETE FROM {tables.dates}\nWHERE as_of_date = {day}",
        f"INSERT INTO {tables.dates} ({columns})\nVALUES ({day}, FALSE, FALSE, {new_rows})",
    ]
    if publication.replaces_current:
        statements += restore_file_sql(tables, publication.as_of, dialect)
    if publication.history_from:
        # Retention never removes the current date.
        older = f"as_of_date < {dialect.literal(publication.history_from)}"
        statements.append(f"DELETE FROM {tables.dates}\nWHERE {older} AND NOT is_current")
    return statements


def restore_file_sql(tables: Tables, as_of: date, dialect: Dialect) -> list[str]:
    """Return the statements that make the rows of an as-of date the current result."""
    is_date = f"(as_of_date = {dialect.literal(as_of)})"
    return [f"UPDATE {tables.dates}\nSET is_current = {is_date}, becomes_current = {is_date}"]


def forget_in_files_sql(tables: Tables, condition: str, dialect: Dialect) -> list[str]:
    """Return the statements that write each file with rows of some customers again, without these rows.

    Args:
        tables: The published tables.
        condition: SQL condition that a row is of one of the customers.
        dialect: The SQL dialect.
    """
    remaining = f"SELECT {_NAMES}\nFROM {tables.history}\nWHERE NOT ({condition}) AND as_of_date = DATE '"
    # The file of the current result is that of its date in the history, unless somebody removed the latter.
    remaining_current = f"SELECT {_NAMES}\nFROM {tables.current}\nWHERE NOT ({condition})"
    new_rows = f"CONCAT({dialect.literal(remaining)}, as_of_date, {dialect.literal(chr(39))})"
    new_current = dialect.literal(remaining_current)
    history = (
        f"UPDATE {tables.dates}\nSET new_rows = {new_rows}, becomes_current = is_current\n"
        f"WHERE as_of_date IN (SELECT as_of_date FROM {tables.history} WHERE {condition})"
    )
    current = (
        f"UPDATE {tables.dates}\nSET new_rows = {new_current}, becomes_current = TRUE\n"
        "WHERE is_current AND new_rows IS NULL\n"
        f"  AND as_of_date IN (SELECT as_of_date FROM {tables.current} WHERE {condition})"
    )
    return [history, current]
