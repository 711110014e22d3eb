"""What a publish, a rollback and a record change at the destination; each is one transaction's statements.

The row of the run comes last: whoever sees it sees all the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from rfm_pipeline.results.tables import RESULT_COLUMNS, RUN_COLUMNS, Tables
from rfm_pipeline.sql.dialects.base import Dialect


def publish_sql(
    tables: Tables,
    staged: str,
    as_of: date,
    *,
    replaces_current: bool,
    history_from: date | None,
    dialect: Dialect,
) -> list[str]:
    """Puts a staged result in its place.

    Args:
        tables: Where it goes.
        staged: Its rows, likewise as they stand behind FROM.
        as_of: Its as-of date: what the history has of that date is replaced.
        replaces_current: Whether it is the newest result, or goes into the history alone.
        history_from: The oldest as-of date that the history keeps; None keeps all.
        dialect: The engine's words.
    """
    changed = (
        [f"TRUNCATE TABLE {tables.current}", _filled(tables.current, staged)] if replaces_current else []
    )
    changed.append(f"DELETE FROM {tables.history}\nWHERE as_of_date = {dialect.literal(as_of)}")
    changed.append(_filled(tables.history, staged))
    if history_from:
        changed.append(f"DELETE FROM {tables.history}\nWHERE as_of_date < {dialect.literal(history_from)}")
    return changed


def restore_sql(tables: Tables, as_of: date, dialect: Dialect) -> list[str]:
    """Makes the history's rows of an as-of date the current result."""
    rows = _filled(tables.current, tables.history)
    return [f"TRUNCATE TABLE {tables.current}", f"{rows}\nWHERE as_of_date = {dialect.literal(as_of)}"]


def record_sql(tables: Tables, row: Mapping[str, Any], dialect: Dialect) -> list[str]:
    """Puts a run on record. BigQuery may run it twice, which is as good as once.

    Args:
        tables: Where.
        row: A value for each column of `layout.RUN_COLUMNS`.
        dialect: The engine's words.
    """
    values = ",\n".join(f"  {_value(row[name], about.holds, dialect)}" for name, about in RUN_COLUMNS.items())
    return [
        f"DELETE FROM {tables.runs}\nWHERE run_id = {dialect.literal(row['run_id'])}",
        f"INSERT INTO {tables.runs} ({', '.join(RUN_COLUMNS)})\nVALUES (\n{values}\n)",
    ]


def _filled(table: str, rows: str) -> str:
    names = ", ".join(RESULT_COLUMNS)
    return f"INSERT INTO {table} ({names})\nSELECT {names}\nFROM {rows}"


def _value(value: Any, holds: str, dialect: Dialect) -> str:
    if value is None:
        return "NULL"
    if holds == "money":
        return dialect.money(value)
    return dialect.literal(value)
