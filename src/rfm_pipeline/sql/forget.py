"""Queries and statements of `rfm forget`: find customers in the published tables, and remove them."""

from __future__ import annotations

from collections.abc import Sequence

from rfm_pipeline.common.schema import Kind
from rfm_pipeline.results.tables import Tables
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.stored_files import forget_in_files_sql


def normalized_ids_sql(customers: Sequence[str], dialect: Dialect) -> str:
    """Return the SELECT of ids in the form that a run publishes, one row per customer.

    The columns are `position`, from 0, and `customer_id`, which is NULL if the text is no id.
    """
    rows = "\nUNION ALL\n".join(
        f"SELECT {position} AS position, {dialect.literal(customer)} AS typed"
        for position, customer in enumerate(customers)
    )
    key = dialect.customer_key("typed", Kind.TEXT)
    return f"SELECT position, {key} AS customer_id\nFROM (\n{rows}\n) AS given"


def rows_of_customers_sql(table: str, customer_ids: Sequence[str], dialect: Dialect) -> str:
    """Return the SELECT of the number of rows of some customers by customer, as-of date and run."""
    return (
        "SELECT customer_id, as_of_date, run_id, COUNT(*) AS customers\n"
        f"FROM {table}\nWHERE {are_customers(customer_ids, dialect)}\n"
        "GROUP BY customer_id, as_of_date, run_id"
    )


def are_customers(customer_ids: Sequence[str], dialect: Dialect) -> str:
    """Return the condition that a row is of one of some customers."""
    return f"customer_id IN ({', '.join(map(dialect.literal, customer_ids))})"


def forget_sql(tables: Tables, customer_ids: Sequence[str], dialect: Dialect) -> list[str]:
    """Return the statements that remove customers from the current result and the history."""
    condition = are_customers(customer_ids, dialect)
    if tables.dates and not tables.rows:
        return forget_in_files_sql(tables, condition, dialect)
    stored = (tables.rows,) if tables.rows else (tables.current, tables.history)
    return [f"DELETE FROM {table}\nWHERE {condition}" for table in stored]
