"""Validation of a user's audit: the SQL must be one SELECT over the staged result and the current result."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from rfm_pipeline.common.formatting import truncate
from rfm_pipeline.errors import ExpressionError
from rfm_pipeline.sql.validation.parse import (
    InvalidSqlError,
    nondeterministic_function,
    parse_single,
    reject_tokens,
    unquoted,
)

AUDIT_TABLES = ("segments", "previous")
"""The relations that an audit may read: the rows to publish, and the rows that are published now."""

AUDIT_HINT = (
    "write one SELECT over `segments` (the rows to publish) and `previous` (the rows that are published now)"
    " that returns the invalid rows, such as SELECT customer_id FROM segments WHERE monetary > 1000000."
)
"""Hint of the error for an invalid audit."""

_REJECTED_TOKENS = {
    "--": "a comment",
    "/*": "a comment",
    "#": "a comment",
    ";": "a semicolon",
    "?": "a parameter",
    "@": "a parameter",
    "$": "a parameter",
    "|>": "a pipe",
}
_FORBIDDEN = (
    exp.Command, exp.DDL, exp.DML, exp.Describe, exp.Into, exp.Lock, exp.MatchRecognize, exp.Parameter,
    exp.Placeholder, exp.SessionParameter, exp.Summarize, exp.TableSample,
)  # fmt: skip
# Engines compare other names, such as ß and SS, by different rules.
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def validate_audit_query(text: str, name: str, dialect: str) -> None:
    """Raise unless a text is one SELECT that reads `AUDIT_TABLES` only and has the same rows on every day.

    Args:
        text: The user's SQL, without a semicolon at its end.
        name: Name of the audit, for messages.
        dialect: Name of the SQL dialect.

    Raises:
        ExpressionError: If the text is not such a SELECT.
    """
    try:
        query = _parse(text, dialect)
        _check_nodes(query)
        _check_sources(query)
        _check_tables(query)
        _check_columns(query)
    except InvalidSqlError as error:
        message = f"The audit `{name}` is not usable: {error} ({truncate(text)})."
        raise ExpressionError(message, AUDIT_HINT) from None


def _parse(text: str, dialect: str) -> exp.Query:
    """Return the text's one query."""
    plain = unquoted(text, dialect)
    reject_tokens(plain, _REJECTED_TOKENS)
    # sqlglot prints a warning on stderr for statements that it does not know; none of them is a SELECT.
    if not re.match(r"\s*(SELECT|WITH)\b", plain, re.IGNORECASE):
        raise InvalidSqlError("it is not one SELECT")
    template = "SELECT * FROM (\n{}\n) AS found"
    select = parse_single(text, template, {"expressions", "from_"}, "one SELECT", dialect)
    subquery = select.args["from_"].this
    is_query = isinstance(subquery, exp.Subquery) and isinstance(subquery.this, exp.Query)
    if not is_query or subquery.args.get("joins"):
        raise InvalidSqlError("it is not one SELECT")
    query: exp.Query = subquery.this
    return query


def _check_nodes(query: exp.Query) -> None:
    if function := nondeterministic_function(query):
        raise InvalidSqlError(f"it calls {function}, whose value does not depend on the rows alone")
    for node in query.find_all(*_FORBIDDEN):
        is_parameter = isinstance(node, exp.Parameter | exp.Placeholder | exp.SessionParameter)
        label = "a parameter" if is_parameter else node.key.replace("_", " ")
        raise InvalidSqlError(f"it uses {label}, but may only read")


def _check_sources(query: exp.Query) -> None:
    """Raise unless FROM and JOIN read tables by name, queries in parentheses and lists of values only."""
    for clause in query.find_all(exp.From, exp.Join, exp.Lateral, exp.Subquery):
        source = clause.this
        if isinstance(clause, exp.Subquery):
            # DuckDB also accepts SHOW and DESCRIBE in parentheses; sqlglot parses some of them as tables.
            is_allowed = isinstance(source, exp.Query | exp.Values)
        elif isinstance(clause, exp.Lateral):
            is_allowed = isinstance(source, exp.Subquery)
        else:
            is_allowed = isinstance(source, exp.Table | exp.Subquery | exp.Unnest | exp.Values | exp.Lateral)
        if not is_allowed:
            label = source.sql() if isinstance(source, exp.Expr) else clause.key
            raise InvalidSqlError(f"it reads {label}, which is neither a table's name nor a query")


def _check_tables(query: exp.Query) -> None:
    """Raise unless each table is one of `AUDIT_TABLES` or an earlier CTE of the text."""
    readable = set(AUDIT_TABLES)
    for name, part in _parts(query):
        if name in AUDIT_TABLES:
            raise InvalidSqlError(f"it gives the name {name} to something else")
        for table in part.find_all(exp.Table):
            label = ".".join(part_of_name.sql() for part_of_name in table.parts) or table.sql()
            is_plain = len(table.parts) == 1 and isinstance(table.this, exp.Identifier)
            if not is_plain or not _PLAIN_NAME.fullmatch(table.name) or table.name.lower() not in readable:
                raise InvalidSqlError(f"it reads {label}, but may only read {' and '.join(AUDIT_TABLES)}")
        readable.add(name)


def _parts(query: exp.Query) -> Iterator[tuple[str, exp.Expr]]:
    """Yield the name and query of each CTE, in order, then an empty name and the query without its WITH."""
    outer = query.args.get("with_")
    if any(inner is not outer for inner in query.find_all(exp.With)):
        # The names of a nested WITH are valid in a part of the text only.
        raise InvalidSqlError("it has a WITH that is not at its beginning")
    if outer and outer.args.get("recursive"):
        raise InvalidSqlError("it has a recursive WITH, which may never end")
    for cte in outer.expressions if outer else ():
        if not _PLAIN_NAME.fullmatch(cte.alias) or not isinstance(cte.this, exp.Query):
            raise InvalidSqlError(f"its WITH has {cte.alias}, which is not a plain name for a query")
        yield cte.alias.lower(), cte.this
    rest = query.copy()
    rest.set("with_", None)
    yield "", rest


def _check_columns(query: exp.Query) -> None:
    names = [name.casefold() for name in query.named_selects if name not in ("", "*")]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate:
        raise InvalidSqlError(f"it has two columns with the name {duplicate}")
