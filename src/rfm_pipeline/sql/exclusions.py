"""Exclusions: a user's condition, made safe to stand in the query.

A test of one column is quoted by us. An expression is parsed, and must be one boolean expression over the
columns of the source: nothing that reads another table, calls an aggregate, or ends the expression early.
"""

from __future__ import annotations

from rfm_pipeline.common.schema import Schema
from rfm_pipeline.config.column_mapping import find_column, unknown_column
from rfm_pipeline.config.settings import ColumnCondition, Condition
from rfm_pipeline.sql.dialects.base import Dialect


def condition_sql(condition: Condition, reason: str, schema: Schema, dialect: Dialect) -> str:
    """The condition as boolean SQL that can stand in a CASE.

    Args:
        condition: SQL text, or a test of one column.
        reason: The name it was configured under, for messages.
        schema: The columns that it may use.
        dialect: The engine that reads it; SQL text is in that engine's own words.

    Raises:
        ExpressionError: The text is not one boolean expression over the source.
        ColumnError: A column is not there.
    """
    if isinstance(condition, ColumnCondition):
        return _column_test(condition, reason, schema, dialect)
    # Parsing takes a library that takes a while to load, and most runs have no SQL of their own.
    from rfm_pipeline.sql.validation.expression import validate_expression

    validate_expression(condition, reason, schema, dialect.name)
    # The text itself runs, not what the parser made of it. The line break ends nothing: comments are refused.
    return f"({condition.strip()})"


def _column_test(test: ColumnCondition, reason: str, schema: Schema, dialect: Dialect) -> str:
    column = find_column(schema, test.column)
    if column is None:
        raise unknown_column(schema, test.column, f"The exclusion `{reason}`")
    if test.blank is not None:
        blank = dialect.is_blank(dialect.column(column), column.kind)
        return blank if test.blank else f"NOT {blank}"
    value = dialect.plain_text(dialect.column(column), column.kind)
    listed = ", ".join(dialect.literal(text) for text in test.equals or test.not_equals or ())
    if test.equals:
        return f"{value} IN ({listed})"
    return f"COALESCE({value} NOT IN ({listed}), TRUE)"
