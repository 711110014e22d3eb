"""Validation of a source that is a .sql file: the text must be one SELECT, which only reads."""

from __future__ import annotations

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import ParseError, SqlglotError

from rfm_pipeline.errors import SourceError

QUERY_HINT = "a source is one SELECT, which may begin with WITH; it returns one row per line."
"""Hint of the error for an invalid query."""

_BEGINNINGS = {TokenType.SELECT, TokenType.WITH, TokenType.FROM, TokenType.L_PAREN}
_FORBIDDEN = (
    exp.Command, exp.DDL, exp.DML, exp.Describe, exp.Into, exp.Lock, exp.Parameter, exp.Placeholder,
    exp.SessionParameter, exp.Summarize,
)  # fmt: skip
_PARAMETERS = (exp.Parameter, exp.Placeholder, exp.SessionParameter)


def validate_source_query(text: str, name: str, dialect: str) -> str:
    """Return a query without a semicolon at its end; its lines keep their numbers.

    Args:
        text: The content of the file; comments are allowed.
        name: Name of the file, for messages.
        dialect: Name of the SQL dialect.

    Raises:
        SourceError: If the text is not one SELECT, or does more than read; the message has the line.
    """
    try:
        tokens = sqlglot.tokenize(text, read=dialect)
    except SqlglotError:
        raise SourceError(f"{name} can't be read as SQL: a quote is never closed.", QUERY_HINT) from None
    if tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        text = text[: tokens[-1].start]
        tokens = tokens[:-1]
    _check_tokens(tokens, name)
    _check_nodes(_parse(text, name, dialect), name, dialect)
    return text


def file_patterns(text: str) -> tuple[str, ...]:
    """Return the paths and glob patterns that a valid query of DuckDB reads, as in `FROM 'orders.csv'`."""
    patterns: list[str] = []
    for table in sqlglot.parse_one(text, read="duckdb").find_all(exp.Table):
        if isinstance(table.this, exp.Identifier):
            patterns += [table.this.name] if table.this.quoted else []
        elif isinstance(table.this, exp.Expr):
            patterns += [literal.name for literal in table.this.find_all(exp.Literal) if literal.is_string]
    return tuple(dict.fromkeys(patterns))


def _check_tokens(tokens: list[Token], name: str) -> None:
    """Raise unless there is one statement, and it begins as a SELECT does.

    Checked before the text is parsed, because sqlglot prints a warning for statements that it does not know.
    """
    if not tokens:
        raise SourceError(f"{name} holds no query.", QUERY_HINT)
    first = tokens[0]
    if first.token_type not in _BEGINNINGS:
        raise SourceError(f"{name}, line {first.line}: it begins with {first.text.upper()}.", QUERY_HINT)
    for token, following in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
        if token.token_type is TokenType.SEMICOLON:
            line = following.line
            raise SourceError(f"{name}, line {line}: there is a second statement.", QUERY_HINT)


def _parse(text: str, name: str, dialect: str) -> exp.Query:
    try:
        (statement,) = (found for found in sqlglot.parse(text, read=dialect) if found is not None)
    except ParseError as error:
        found = error.errors[0] if error.errors else {}
        near = f" near '{found['highlight']}'" if found.get("highlight") else ""
        where = f"{name}, line {found['line']}" if found.get("line") else name
        raise SourceError(f"{where}: the SQL can't be parsed{near}.", QUERY_HINT) from None
    except SqlglotError:
        raise SourceError(f"{name} can't be parsed as SQL.", QUERY_HINT) from None
    except RecursionError:
        raise SourceError(f"{name}: its parentheses are nested too deeply.", QUERY_HINT) from None
    if not isinstance(statement, exp.Query):
        raise SourceError(f"{name} is not one SELECT.", QUERY_HINT)
    return statement


def _check_nodes(query: exp.Query, name: str, dialect: str) -> None:
    for node in query.find_all(*_FORBIDDEN):
        if isinstance(node, _PARAMETERS):
            raise SourceError(
                f"{name}{_line_of(node)}: it has a parameter, {node.sql(dialect)}, which has no value.",
                "write the value into the query.",
            )
        label = node.key.replace("_", " ").upper()
        raise SourceError(f"{name}{_line_of(node)}: it uses {label}, but may only read.", QUERY_HINT)


def _line_of(node: exp.Expr) -> str:
    lines = [line for inner in node.walk() if (line := inner.meta.get("line"))]
    return f", line {min(lines)}" if lines else ""
