"""The bytes that statements in BigQuery read: columns by rows, as BigQuery bills them.

A query is billed for each column of a table that it uses, once, whether in one place or several; a DELETE
besides for all columns of the partitions that it changes. The widths are those of Google's price list: two
bytes and the length of a text, nothing for NULL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

TEXT = 12
"""Bytes of an id or a name of ten characters."""
_WIDTHS: Mapping[str, int] = {
    **dict.fromkeys(("customer_id", "order_id", "customer", "order_no", "segment", "previous_segment"), TEXT),
    **dict.fromkeys(("rfm_score", "run_id"), TEXT),
    **dict.fromkeys(("amount", "monetary", "avg_order_value"), 16),
    # Almost all rows have NULL.
    **dict.fromkeys(("reason", "late_reason", "manifest"), 0),
}


def billed_widths(sql: str, columns: Mapping[str, tuple[str, ...]]) -> list[tuple[str, int]]:
    """Return the tables that a statement, or a script of several, reads, with the bytes of a row of each.

    Args:
        sql: The statement.
        columns: The columns of each table by its name in lower case, without project and dataset.
    """
    return [
        (table, sum(_WIDTHS.get(column.removeprefix("kept_"), 8) for column in used))
        for statement in sqlglot.parse(sql, dialect="bigquery")
        if statement
        for table, used in _used_columns(statement, columns).items()
    ]


def created_columns(sql: str) -> dict[str, tuple[str, ...]]:
    """Return the columns of the table that a CREATE TABLE AS statement makes, by the table's name."""
    statement = sqlglot.parse(sql, dialect="bigquery")[0]
    if not isinstance(statement, exp.Create) or statement.expression is None:
        return {}
    (table,) = statement.this.find_all(exp.Table)
    return {table.name.lower(): tuple(statement.expression.named_selects)}


def _used_columns(statement: exp.Expr, columns: Mapping[str, tuple[str, ...]]) -> dict[str, set[str]]:
    used: dict[str, set[str]] = {}
    if isinstance(statement, exp.Delete):
        used[statement.this.name.lower()] = set(columns.get(statement.this.name.lower(), ()))
    for select in _queries(statement):
        for table, name in _columns_of(select, columns):
            used.setdefault(table, set()).add(name)
    return used


def _queries(statement: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(statement, exp.Query):
        yield statement
    elif isinstance(statement, exp.Create | exp.Insert) and isinstance(statement.expression, exp.Query):
        yield statement.expression


def _columns_of(select: exp.Expr, columns: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    """Yield the columns of tables that a query uses, each with the table's name."""
    select = select.copy()
    for table in select.find_all(exp.Table):
        table.set("db", None)
        table.set("catalog", None)
        # The optimizer folds the names of columns, and those of tables without a dataset.
        table.set("this", exp.to_identifier(table.name.lower()))
    schema: dict[str, object] = {name: dict.fromkeys(names, "STRING") for name, names in columns.items()}
    qualified = qualify(select, schema=schema, dialect="bigquery", validate_qualify_columns=False)
    for scope in traverse_scope(pushdown_projections(qualified)):
        for alias, source in scope.sources.items():
            if isinstance(source, exp.Table) and source.name in columns:
                for column in scope.source_columns(alias):
                    yield source.name, column.name
