"""SQL of a DuckDB file that stores the rows of each as-of date once: its views, and changes behind them.

The current result and the history are views over the same rows, so that a publish writes each row once, and
a rollback only marks another date as the current one. What can be derived from other columns is not stored.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from rfm_pipeline.results.tables import RESULT_COLUMNS, STORED_COLUMNS, Tables
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.publication import Publication

_NAMES = ", ".join(STORED_COLUMNS["rows"])


def view_sql(role: str, rows: str, dates: str, dialect: Dialect) -> str:
    """Return the SELECT of a view, with the columns of the published result.

    Args:
        role: `current` or `history`.
        rows: The table of rows. Its name must not have a catalog, because a reader may attach the file under
            any name; DuckDB looks for the table beside the view.
        dates: The table of dates, as above.
        dialect: The SQL dialect.
    """
    derived = {
        "recency_days": "CAST(r.as_of_date - r.last_order_date AS INTEGER)",
        "avg_order_value": f"CAST({dialect.average('r.monetary', 'r.frequency')} AS DECIMAL(38, 9))",
        "r_score": "CAST(r.r_score AS INTEGER)",
        "f_score": "CAST(r.f_score AS INTEGER)",
        "m_score": "CAST(r.m_score AS INTEGER)",
        "rfm_score": "CONCAT_WS(d.score_separator, r.r_score, r.f_score, r.m_score)",
        "run_id": "d.run_id",
    }
    columns = ",\n".join(
        f"  {derived[name]} AS {name}" if name in derived else f"  r.{name}" for name in RESULT_COLUMNS
    )
    condition = "\nWHERE d.is_current" if role == "current" else ""
    return (
        f"SELECT\n{columns}\nFROM {rows} AS r\nJOIN {dates} AS d\n  ON d.as_of_date = r.as_of_date{condition}"
    )


def publish_rows_sql(tables: Tables, publication: Publication, dialect: Dialect) -> list[str]:
    """Return the statements that publish a staged result."""
    staged, day = publication.staged, dialect.literal(publication.as_of)
    statements = [
        f"DELETE FROM {tables.rows}\nWHERE as_of_date = {day}",
        f"INSERT INTO {tables.rows} ({_NAMES})\nSELECT {_NAMES}\nFROM {staged}",
        f"DELETE FROM {tables.dates}\nWHERE as_of_date = {day}",
        _insert_dates(tables, staged, "FALSE"),
    ]
    if publication.replaces_current:
        statements += restore_date_sql(tables, publication.as_of, dialect)
    if publication.history_from:
        # Retention never removes the current date.
        older = f"as_of_date < {dialect.literal(publication.history_from)}"
        current = f"SELECT as_of_date FROM {tables.dates} WHERE is_current"
        statements += [
            f"DELETE FROM {tables.rows}\nWHERE {older} AND as_of_date NOT IN ({current})",
            f"DELETE FROM {tables.dates}\nWHERE {older} AND NOT is_current",
        ]
    return statements


def restore_date_sql(tables: Tables, as_of: date, dialect: Dialect) -> list[str]:
    """Return the statements that make the rows of an as-of date the current result."""
    return [f"UPDATE {tables.dates}\nSET is_current = (as_of_date = {dialect.literal(as_of)})"]


def convert_sql(tables: Tables, existing: Collection[str]) -> list[str]:
    """Return the statements that move the rows of format 1 behind the views, and drop its tables.

    The rows come from the history. If the history has no rows as of the date of the current result, the rows
    of that date come from the current result.

    Args:
        tables: The published tables.
        existing: Which of `current` and `history` exist; one of them at least.
    """
    tables_by_role = {"history": tables.history, "current": tables.current}
    sources = [table for role, table in tables_by_role.items() if role in existing]
    moves = [
        f"INSERT INTO {tables.rows} ({_NAMES})\nSELECT {_NAMES}\nFROM {table}\n"
        f"WHERE as_of_date NOT IN (SELECT DISTINCT as_of_date FROM {tables.rows})"
        for table in sources
    ]
    current = f"SELECT MAX(as_of_date) FROM {tables.current}" if "current" in existing else "NULL"
    both = "\nUNION ALL\n".join(f"SELECT as_of_date, run_id, rfm_score FROM {table}" for table in sources)
    is_current = f"COALESCE(as_of_date = ({current}), FALSE)"
    drops = [f"DROP TABLE {table}" for table in sources]
    return [*moves, _insert_dates(tables, f"(\n{both}\n) AS published", is_current), *drops]


def _insert_dates(tables: Tables, published: str, is_current: str) -> str:
    separator = "CASE WHEN MIN(rfm_score) LIKE '%-%' THEN '-' ELSE '' END"
    return (
        f"INSERT INTO {tables.dates} ({', '.join(STORED_COLUMNS['dates'])})\n"
        f"SELECT as_of_date, MIN(run_id), {separator}, {is_current}\nFROM {published}\nGROUP BY as_of_date"
    )
