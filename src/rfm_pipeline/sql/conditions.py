"""Exclusions: a user's condition, made safe to stand in the query.

A test of one column is quoted by us. An expression is parsed, and must be one boolean expression over the
columns of the source: nothing that reads another table, calls an aggregate, or ends the expression early.
"""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType

from rfm_pipeline.columns import find_column, unknown_column
from rfm_pipeline.config import ColumnCondition, Condition
from rfm_pipeline.errors import ExpressionError
from rfm_pipeline.schema import Schema
from rfm_pipeline.sql.dialect import Dialect

_BOOLEAN = (
    exp.Predicate, exp.Connector, exp.Not, exp.Boolean, exp.Paren, exp.Column, exp.Anonymous, exp.Func, exp.Is,
)  # fmt: skip
_FORBIDDEN = (
    exp.Query, exp.Subquery, exp.AggFunc, exp.Window, exp.Star, exp.Placeholder, exp.Parameter,
    exp.SessionParameter, exp.Command, exp.DDL, exp.DML, exp.Alias, exp.Lambda,
    exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentTime, exp.CurrentDatetime, exp.Rand, exp.CurrentUser,
)  # fmt: skip
_UNREPEATABLE = {
    "random", "uuid", "gen_random_uuid", "generate_uuid", "now", "today", "getenv", "current_setting",
    "read_text", "read_blob", "nextval", "currval", "get_current_timestamp", "session_user", "query",
    "query_table", "localtimestamp", "localtime", "transaction_timestamp", "current_localtimestamp",
    "current_localtime", "setseed", "txid_current", "version", "error",
}  # fmt: skip
"""Functions whose value is not a matter of the line alone: with them two runs could differ."""


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
    _gate(condition, reason, schema, dialect)
    # The text itself runs, not what the parser made of it. The line break ends nothing: comments are refused.
    return f"({condition.strip()})"


def _column_test(test: ColumnCondition, reason: str, schema: Schema, dialect: Dialect) -> str:
    column = find_column(schema, test.column)
    if column is None:
        raise unknown_column(schema, test.column, f"The exclusion `{reason}`")
    if test.blank is not None:
        blank = dialect.is_blank(dialect.column(column), column.kind)
        return blank if test.blank else f"NOT {blank}"
    value = dialect.text(dialect.column(column), column.kind)
    listed = ", ".join(dialect.literal(text) for text in test.equals or test.not_equals or ())
    if test.equals:
        return f"{value} IN ({listed})"
    return f"COALESCE({value} NOT IN ({listed}), TRUE)"


def _gate(text: str, reason: str, schema: Schema, dialect: Dialect) -> None:
    def refused(why: str, hint: str | None = None) -> ExpressionError:
        shown = " ".join(text.split())
        return ExpressionError(
            f"The exclusion `{reason}` is not usable: {why} ({shown[:80]}{'…' if len(shown) > 80 else ''}).",
            hint or "write one condition over the columns of the source, such as \"Country\" = 'Germany'.",
        )

    try:
        tokens = sqlglot.tokenize(text, read=dialect.name)
        if any(token.comments for token in tokens) or "--" in text or "/*" in text or "#" in _bare(text):
            raise refused("it has a comment")
        if any(token.token_type is TokenType.SEMICOLON for token in tokens):
            raise refused("it has a semicolon")
        parsed = sqlglot.parse(f"SELECT ({text}\n)", read=dialect.name)
    except SqlglotError:
        raise refused("it can't be parsed") from None
    select = parsed[0] if len(parsed) == 1 else None
    if (
        not isinstance(select, exp.Select)
        or set(_given(select)) != {"expressions"}
        or len(select.expressions) != 1
    ):
        raise refused("it is not one expression")
    outer = select.expressions[0]
    if not isinstance(outer, exp.Paren):
        raise refused("it is not one expression")
    expression = outer.this
    while isinstance(expression, exp.Paren):
        expression = expression.this
    for node in outer.find_all(*_FORBIDDEN):
        raise refused(f"it uses {_called(node)}, and only values of the line itself can decide")
    for node in outer.find_all(exp.Anonymous, exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        if name.casefold() in _UNREPEATABLE:
            raise refused(f"it calls {name.lower()}, whose value is not a matter of the line")
    if not isinstance(expression, _BOOLEAN):
        raise refused("it is not a condition that is true or false")
    for column in outer.find_all(exp.Column):
        name = ".".join(part.name for part in column.parts)
        if find_column(schema, name) is None and find_column(schema, column.parts[0].name) is None:
            raise unknown_column(schema, name, f"The exclusion `{reason}`")


def _given(node: exp.Expression) -> list[str]:
    return [name for name, value in node.args.items() if value]


def _bare(text: str) -> str:
    """The text without what stands in quotes."""
    bare, quote = [], ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"`":
            quote = character
        else:
            bare.append(character)
    return "".join(bare)


def _called(node: exp.Expression) -> str:
    kinds = {
        exp.Query: "a subquery", exp.Subquery: "a subquery", exp.Window: "a window", exp.AggFunc: "an aggregate",
        exp.Star: "`*`", exp.Placeholder: "a parameter", exp.Parameter: "a parameter",
    }  # fmt: skip
    return next((name for kind, name in kinds.items() if isinstance(node, kind)), node.key.replace("_", " "))
