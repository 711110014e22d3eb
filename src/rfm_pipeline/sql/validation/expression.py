"""Validation of an exclusion: a user's SQL must be one boolean expression over the columns of the source."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from sqlglot import exp

from rfm_pipeline.common.schema import Schema
from rfm_pipeline.config.column_mapping import find_column, unknown_column
from rfm_pipeline.errors import ExpressionError
from rfm_pipeline.sql.validation.parse import (
    InvalidSqlError,
    nondeterministic_function,
    parse_single,
    reject_tokens,
    unquoted,
)

_REJECTED_TOKENS = {"--": "a comment", "/*": "a comment", "#": "a comment", ";": "a semicolon"}
_BOOLEAN = (
    exp.Predicate, exp.Connector, exp.Not, exp.Boolean, exp.Column, exp.Anonymous, exp.Func, exp.Escape,
)  # fmt: skip
_FORBIDDEN = (
    exp.Query, exp.Subquery, exp.AggFunc, exp.Window, exp.Star, exp.Placeholder, exp.Parameter,
    exp.SessionParameter, exp.Command, exp.DDL, exp.DML, exp.Alias, exp.Lambda, exp.Explode, exp.Unnest,
)  # fmt: skip
_LABELS: Mapping[type[exp.Expr], str] = {
    exp.Query: "a subquery",
    exp.Window: "a window",
    exp.AggFunc: "an aggregate",
    exp.Star: "`*`",
    exp.Alias: "a name given with AS",
    exp.Explode: "unnest",
    exp.SessionParameter: "a parameter",
    exp.Placeholder: "a parameter",
    exp.Parameter: "a parameter",
}
# Word processors turn quotes into these.
_TYPOGRAPHIC_QUOTES = "\u2018\u2019\u201c\u201d\u201e\u00b4"

EXCLUSION_HINT = (
    "write one condition, such as \"Country\" = 'Germany' (names in double, text in single quotes), or"
    ' TRY_CAST("Quantity" AS DECIMAL) > 100.'
)
"""Hint of the error for an invalid exclusion."""


def validate_expression(text: str, reason: str, schema: Schema, dialect: str) -> None:
    """Raise unless a text is one boolean expression whose value depends on the columns of one line alone.

    Args:
        text: The user's SQL.
        reason: Name of the exclusion, for messages.
        schema: The columns that the expression may use.
        dialect: Name of the SQL dialect.

    Raises:
        ExpressionError: If the text is not such an expression.
        ColumnError: If it uses a column that is not in `schema`.
    """
    try:
        condition = _parse(text, dialect)
        _check_nodes(condition)
    except InvalidSqlError as error:
        excerpt = textwrap.shorten(text, 80, placeholder=" …")
        message = f"The exclusion `{reason}` is not usable: {error} ({excerpt})."
        raise ExpressionError(message, EXCLUSION_HINT) from None
    for column in condition.find_all(exp.Column):
        name = ".".join(part.name for part in column.parts)
        if find_column(schema, name) is None and find_column(schema, column.parts[0].name) is None:
            is_quoted = column.this.args.get("quoted") or name[0] in _TYPOGRAPHIC_QUOTES
            hint = "write text in plain single quotes, as in 'Germany'; " if is_quoted else ""
            raise unknown_column(schema, name, f"The exclusion `{reason}`", hint)


def _parse(text: str, dialect: str) -> exp.Paren:
    """Return the text's one expression, in parentheses."""
    reject_tokens(unquoted(text, dialect), _REJECTED_TOKENS)
    select = parse_single(text, "SELECT ({}\n)", {"expressions"}, "one expression", dialect)
    expression = select.expressions[0]
    if len(select.expressions) != 1 or not isinstance(expression, exp.Paren):
        raise InvalidSqlError("it is not one expression")
    return expression


def _check_nodes(condition: exp.Expr) -> None:
    if function := nondeterministic_function(condition):
        raise InvalidSqlError(f"it calls {function}, whose value does not depend on the line alone")
    for node in condition.find_all(*_FORBIDDEN):
        if isinstance(node, exp.Unnest) and isinstance(node.parent, exp.In):
            continue  # A list of values in the line; it returns no rows.
        raise InvalidSqlError(f"it uses {_label(node)}, but may only use values of the line itself")
    expression = condition
    while isinstance(expression, exp.Paren):
        expression = expression.this
    if not isinstance(expression, _BOOLEAN):
        raise InvalidSqlError("it is not a condition that is true or false")


def _label(node: exp.Expr) -> str:
    label = next((label for kind, label in _LABELS.items() if isinstance(node, kind)), None)
    return label or node.key.replace("_", " ")
