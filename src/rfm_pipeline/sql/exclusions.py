"""SQL conditions of a user's exclusions.

A condition on one column becomes SQL with quoted names and values. An SQL expression is parsed first, and
must be one boolean expression over the columns of the source: it can't read a table, aggregate or end early.
"""

from __future__ import annotations

from rfm_pipeline.common.schema import Schema
from rfm_pipeline.config.column_mapping import find_column, unknown_column
from rfm_pipeline.config.settings import ColumnCondition, Condition
from rfm_pipeline.sql.dialects.base import Dialect


def condition_sql(condition: Condition, reason: str, schema: Schema, dialect: Dialect) -> str:
    """Return an exclusion as a boolean SQL expression.

    Args:
        condition: SQL text in the engine's dialect, or a condition on one column.
        reason: Name of the exclusion, for messages.
        schema: The columns that it may use.
        dialect: The engine's SQL dialect.

    Raises:
        ExpressionError: If the text is not one boolean expression over the source.
        ColumnError: If it uses a column that is not in `schema`.
    """
    if isinstance(condition, ColumnCondition):
        return _column_condition_sql(condition, reason, schema, dialect)
    # Imports sqlglot, which takes half a second; most runs have no SQL of a user.
    from rfm_pipeline.sql.validation.expression import validate_expression

    validate_expression(condition, reason, schema, dialect.name)
    # The engine gets the user's text, not SQL that sqlglot generates from it.
    return f"({condition.strip()})"


def _column_condition_sql(condition: ColumnCondition, reason: str, schema: Schema, dialect: Dialect) -> str:
    column = find_column(schema, condition.column)
    if column is None:
        raise unknown_column(schema, condition.column, f"The exclusion `{reason}`")
    if condition.blank is not None:
        blank = dialect.is_blank(dialect.column(column), column.kind)
        return blank if condition.blank else f"NOT {blank}"
    value = dialect.plain_text(dialect.column(column), column.kind)
    listed = ", ".join(dialect.literal(text) for text in condition.equals or condition.not_equals or ())
    if condition.equals:
        return f"{value} IN ({listed})"
    return f"COALESCE({value} NOT IN ({listed}), TRUE)"
