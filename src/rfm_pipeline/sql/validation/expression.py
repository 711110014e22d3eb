"""The gate: a user's SQL text passes only as one boolean expression over the columns of the source."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from rfm_pipeline.common.schema import Schema
from rfm_pipeline.config.column_mapping import find_column, unknown_column
from rfm_pipeline.errors import ExpressionError

_BOOLEAN = (
    exp.Predicate, exp.Connector, exp.Not, exp.Boolean, exp.Column, exp.Anonymous, exp.Func, exp.Escape,
)  # fmt: skip
_FORBIDDEN = (
    exp.Query, exp.Subquery, exp.AggFunc, exp.Window, exp.Star, exp.Placeholder, exp.Parameter,
    exp.SessionParameter, exp.Command, exp.DDL, exp.DML, exp.Alias, exp.Lambda, exp.Explode, exp.Unnest,
)  # fmt: skip
_UNREPEATABLE = {
    "age", "ago", "assert_true", "columns",
    "currval", "error", "gen_random_uuid", "generate_uuid", "get_current_time",
    "get_current_timestamp", "getenv", "getvariable", "in_search_path", "localtime", "localtimestamp",
    "nextval", "now", "pg_conf_load_time", "pg_postmaster_start_time", "pg_sleep", "query", "query_table",
    "rand", "random", "read_blob", "read_text", "session_user", "setseed", "setval", "sleep_ms", "stats",
    "today", "transaction_timestamp", "txid_current", "user", "uuid", "uuidv4", "uuidv7", "vector_type",
    "version", "write_log",
}  # fmt: skip
"""Functions whose value is not a matter of the line alone: with them two runs could differ.

So could they with any function whose name begins with `current_`.
"""

# What a word processor makes of quotes.
_TYPOGRAPHIC = "\u2018\u2019\u201c\u201d\u201e\u00b4"

HINT = (
    "write one condition, such as \"Country\" = 'Germany' (names in double, text in single quotes), or"
    ' TRY_CAST("Quantity" AS DECIMAL) > 100.'
)
"""What to do about an exclusion that is not usable."""


def validate_expression(text: str, reason: str, schema: Schema, dialect: str) -> None:
    """Lets an expression pass, or says why not.

    Args:
        text: The user's SQL.
        reason: The name that the exclusion was configured under, for messages.
        schema: The columns that it may use.
        dialect: Whose SQL it is, as sqlglot names it.

    Raises:
        ExpressionError: It is not one boolean expression, or its value is not a matter of the line alone.
        ColumnError: It uses a column that is not there.
    """
    try:
        condition = _parsed(text, dialect)
        _check_nodes(condition)
    except InvalidSqlError as refusal:
        shown = textwrap.shorten(text, 80, placeholder=" …")
        raise ExpressionError(f"The exclusion `{reason}` is not usable: {refusal} ({shown}).", HINT) from None
    for column in condition.find_all(exp.Column):
        name = ".".join(part.name for part in column.parts)
        if find_column(schema, name) is None and find_column(schema, column.parts[0].name) is None:
            quoted = column.this.args.get("quoted") or name[0] in _TYPOGRAPHIC
            text = "text stands in plain single quotes, as in 'Germany'; " if quoted else ""
            raise unknown_column(schema, name, f"The exclusion `{reason}`", text)


class InvalidSqlError(Exception):
    """Why a user's SQL does not pass."""


def _parsed(text: str, dialect: str) -> exp.Expr:
    """The one expression that the text is."""
    plain = bare(text, dialect)
    if any(mark in plain for mark in ("--", "/*", "#")):
        raise InvalidSqlError("it has a comment")
    if ";" in plain:
        raise InvalidSqlError("it has a semicolon")
    try:
        tokens = sqlglot.tokenize(text, read=dialect)
        # The parenthesis on a line of its own: a comment that the tokens don't show can't take it away.
        statements = sqlglot.parse(f"SELECT ({text}\n)", read=dialect)
    except SqlglotError:
        raise InvalidSqlError("it can't be parsed") from None
    except RecursionError:
        raise InvalidSqlError("its parentheses are nested too deeply") from None
    if any(token.comments for token in tokens):
        raise InvalidSqlError("it has a comment")
    select = statements[0] if len(statements) == 1 else None
    if not isinstance(select, exp.Select) or [name for name, value in select.args.items() if value] != [
        "expressions"
    ]:
        raise InvalidSqlError("it is not one expression")
    outer = select.expressions[0]
    if len(select.expressions) != 1 or not isinstance(outer, exp.Paren):
        raise InvalidSqlError("it is not one expression")
    return outer


def unrepeatable_call(tree: exp.Expr) -> str | None:
    """A function whose value is a matter of more than its arguments, where a tree calls one."""
    for node in tree.find_all(exp.Func):
        names = [node.name] if isinstance(node, exp.Anonymous) else node.sql_names()
        for name in map(str.casefold, names):
            if name in _UNREPEATABLE or name.startswith("current_"):
                return name
        if isinstance(node.parent, exp.Dot) and node.parent.expression is node:
            # Models and keys: the parser knows SAFE. and NET., and what else has a name before its name.
            return f"{node.parent.this.name}.{node.name}"
    return None


def _check_nodes(condition: exp.Expr) -> None:
    if called := unrepeatable_call(condition):
        raise InvalidSqlError(f"it calls {called}, whose value is not a matter of the line")
    for forbidden in condition.find_all(*_FORBIDDEN):
        if isinstance(forbidden, exp.Unnest) and isinstance(forbidden.parent, exp.In):
            continue  # a list of values in the line, and no set of rows
        raise InvalidSqlError(f"it uses {_called(forbidden)}, and only values of the line itself can decide")
    expression = condition
    while isinstance(expression, exp.Paren):
        expression = expression.this
    if not isinstance(expression, _BOOLEAN):
        raise InvalidSqlError("it is not a condition that is true or false")


def bare(text: str, dialect: str) -> str:
    """The text without what stands in quotes: what a parser is not asked for, as it might be mistaken."""
    plain, quote, is_escaped = [], "", False
    for character in text:
        if is_escaped:
            is_escaped = False
        elif quote and character == "\\" and dialect == "bigquery":
            is_escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"`":
            quote = character
        else:
            plain.append(character)
    return "".join(plain)


_NAMES: Mapping[type[exp.Expr], str] = {
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


def _called(node: exp.Expr) -> str:
    name = next((name for kind, name in _NAMES.items() if isinstance(node, kind)), None)
    return name or node.key.replace("_", " ")
