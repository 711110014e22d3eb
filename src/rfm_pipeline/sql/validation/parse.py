"""Parsing of a user's SQL as part of one SELECT, with sqlglot, without executing anything."""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_NONDETERMINISTIC = {
    "age", "ago", "assert_true", "columns",
    "currval", "error", "gen_random_uuid", "generate_uuid", "get_current_time",
    "get_current_timestamp", "getenv", "getvariable", "in_search_path", "localtime", "localtimestamp",
    "nextval", "now", "pg_conf_load_time", "pg_postmaster_start_time", "pg_sleep", "query", "query_table",
    "rand", "random", "read_blob", "read_text", "session_user", "setseed", "setval", "sleep_ms", "stats",
    "today", "transaction_timestamp", "txid_current", "user", "uuid", "uuidv4", "uuidv7", "vector_type",
    "version", "write_log",
}  # fmt: skip
"""Functions whose value does not depend on their arguments alone, so that two runs could differ.

The same holds for every function whose name begins with `current_`.
"""


class InvalidSqlError(Exception):
    """A user's SQL is not accepted; the message is a clause such as "it has a comment"."""


def unquoted(text: str, dialect: str) -> str:
    """Return SQL text without the parts in quotes.

    Forbidden characters are searched in this text rather than in the parser's tokens, so that an error of the
    parser can't hide them.

    >>> unquoted("status = 'a;b' OR note = 'c--d'", "duckdb")
    'status =  OR note = '
    """
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


def reject_tokens(unquoted_text: str, rejected: Mapping[str, str]) -> None:
    """Raise if a text contains a rejected token.

    Args:
        unquoted_text: SQL without the parts in quotes.
        rejected: Tokens, such as `;`, and what they are, such as "a semicolon".

    Raises:
        InvalidSqlError: If the text contains one of them.
    """
    for token, label in rejected.items():
        if token in unquoted_text:
            raise InvalidSqlError(f"it has {label}")


def parse_single(text: str, template: str, clauses: set[str], expected: str, dialect: str) -> exp.Select:
    """Parse SQL within a SELECT that encloses it, and return that SELECT.

    Args:
        text: The user's SQL.
        template: The enclosing SELECT, with `{}` for `text`. The text must be followed by a line break, so
        that
            no comment in it can hide the closing parenthesis.
        clauses: The clauses, as named by sqlglot, that the SELECT consists of. A text that closes the
            parenthesis itself adds others.
        expected: What the text must be, such as "one expression", for the message.
        dialect: Name of the SQL dialect.

    Raises:
        InvalidSqlError: If the text can't be parsed, has a comment, or is more than a part of one SELECT.
    """
    try:
        tokens = sqlglot.tokenize(text, read=dialect)
        statements = sqlglot.parse(template.format(text), read=dialect)
    except SqlglotError:
        raise InvalidSqlError("it can't be parsed") from None
    except RecursionError:
        raise InvalidSqlError("its parentheses are nested too deeply") from None
    if any(token.comments for token in tokens):
        raise InvalidSqlError("it has a comment")
    select = statements[0] if len(statements) == 1 else None
    if (
        not isinstance(select, exp.Select)
        or {name for name, value in select.args.items() if value} != clauses
    ):
        raise InvalidSqlError(f"it is not {expected}")
    return select


def nondeterministic_function(tree: exp.Expr) -> str | None:
    """Return the name of a called function that is not deterministic; None if there is none.

    The value of a deterministic function depends on its arguments alone. Functions in a namespace, such as
    `NET.HOST` or a user's own, are treated as not deterministic.
    """
    for node in tree.find_all(exp.Func):
        names = [node.name] if isinstance(node, exp.Anonymous) else node.sql_names()
        for name in map(str.casefold, names):
            if name in _NONDETERMINISTIC or name.startswith("current_"):
                return name
        if isinstance(node.parent, exp.Dot) and node.parent.expression is node:
            return f"{node.parent.this.name}.{node.name}"
    return None
