"""The gate for audits: a user's SQL text passes only as one SELECT over the result and what stood before."""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from rfm_pipeline.common.formatting import truncate
from rfm_pipeline.errors import ExpressionError
from rfm_pipeline.sql.validation.expression import InvalidSqlError, bare, unrepeatable_call

TABLES = ("segments", "previous")
"""What an audit can read."""

HINT = (
    "write one SELECT over `segments` (the result to be) and `previous` (what stands now) that finds what"
    " must not be, such as SELECT customer_id FROM segments WHERE monetary > 1000000."
)
"""What to do about an audit that is not usable."""

# What the parser is not asked about, as it might be mistaken: each is looked for outside of quotes.
_MARKS = {
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
# Of names like these all engines agree which are the same; of ß and SS they don't.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def validate_audit_query(text: str, name: str, dialect: str) -> None:
    """Lets a query pass, or says why not.

    Args:
        text: The user's SQL, without a semicolon at its end.
        name: The name that the audit was configured under, for messages.
        dialect: Whose SQL it is, as sqlglot names it.

    Raises:
        ExpressionError: It is not one SELECT, reads another table, or has another answer on another day.
    """
    try:
        query = _parsed(text, dialect)
        _check_nodes(query)
        _check_sources(query)
        _check_tables(query)
        _check_columns(query)
    except InvalidSqlError as refusal:
        refused = f"The audit `{name}` is not usable: {refusal} ({truncate(text)})."
        raise ExpressionError(refused, HINT) from None


def _parsed(text: str, dialect: str) -> exp.Query:
    """The one query that the text is."""
    plain = bare(text, dialect)
    for mark, what in _MARKS.items():
        if mark in plain:
            raise InvalidSqlError(f"it has {what}")
    # The parser notes on stderr what it does not know, which no SELECT is.
    if not re.match(r"\s*(SELECT|WITH)\b", plain, re.IGNORECASE):
        raise InvalidSqlError("it is not one SELECT")
    try:
        tokens = sqlglot.tokenize(text, read=dialect)
        # In parentheses on lines of their own, as it will run: no comment can take them away.
        statements = sqlglot.parse(f"SELECT * FROM (\n{text}\n) AS found", read=dialect)
    except SqlglotError:
        raise InvalidSqlError("it can't be parsed") from None
    except RecursionError:
        raise InvalidSqlError("its parentheses are nested too deeply") from None
    if any(token.comments for token in tokens):
        raise InvalidSqlError("it has a comment")
    outer = statements[0] if len(statements) == 1 else None
    if not isinstance(outer, exp.Select) or {part for part, value in outer.args.items() if value} != {
        "expressions",
        "from_",
    }:
        raise InvalidSqlError("it is not one SELECT")
    held = outer.args["from_"].this
    if not isinstance(held, exp.Subquery) or not isinstance(held.this, exp.Query) or held.args.get("joins"):
        raise InvalidSqlError("it is not one SELECT")
    return held.this


def _check_nodes(query: exp.Query) -> None:
    if called := unrepeatable_call(query):
        raise InvalidSqlError(f"it calls {called}, whose value is not a matter of the rows")
    for forbidden in query.find_all(*_FORBIDDEN):
        parameters = (exp.Parameter, exp.Placeholder, exp.SessionParameter)
        used = "a parameter" if isinstance(forbidden, parameters) else forbidden.key.replace("_", " ")
        raise InvalidSqlError(f"it uses {used}, and can only read")


def _check_sources(query: exp.Query) -> None:
    """What stands behind FROM and JOIN is a table's name, a query in parentheses, or a list of values."""
    for place in query.find_all(exp.From, exp.Join, exp.Lateral, exp.Subquery):
        source = place.this
        if isinstance(place, exp.Subquery):
            # In parentheses DuckDB also takes SHOW and DESCRIBE, which look like tables with another name.
            is_known = isinstance(source, exp.Query | exp.Values)
        elif isinstance(place, exp.Lateral):
            is_known = isinstance(source, exp.Subquery)
        else:
            is_known = isinstance(source, exp.Table | exp.Subquery | exp.Unnest | exp.Values | exp.Lateral)
        if not is_known:
            what = source.sql() if isinstance(source, exp.Expr) else place.key
            raise InvalidSqlError(f"it reads {what}, which is neither a table's name nor a query")


def _check_tables(query: exp.Query) -> None:
    """Each table is one of ours, or stands before it in the text's own WITH."""
    known = set(TABLES)
    for name, part in _parts(query):
        if name in TABLES:
            raise InvalidSqlError(f"it gives the name {name} to something else")
        for table in part.find_all(exp.Table):
            read = ".".join(piece.sql() for piece in table.parts) or table.sql()
            is_plain = len(table.parts) == 1 and isinstance(table.this, exp.Identifier)
            if not is_plain or not _NAME.fullmatch(table.name) or table.name.lower() not in known:
                raise InvalidSqlError(f"it reads {read}, and an audit reads {' and '.join(TABLES)}")
        known.add(name)


def _parts(query: exp.Query) -> Iterator[tuple[str, exp.Expr]]:
    """The queries of the text's WITH by name, in their order, and the rest without one."""
    outer = query.args.get("with_")
    if any(inner is not outer for inner in query.find_all(exp.With)):
        # Then where a name is known would be a matter of where it stands.
        raise InvalidSqlError("it has a WITH that is not at its beginning")
    if outer and outer.args.get("recursive"):
        raise InvalidSqlError("it has a WITH that may never end")
    for cte in outer.expressions if outer else ():
        if not _NAME.fullmatch(cte.alias) or not isinstance(cte.this, exp.Query):
            raise InvalidSqlError(f"its WITH has {cte.alias}, which is not a plain name for a query")
        yield cte.alias.lower(), cte.this
    rest = query.copy()
    rest.set("with_", None)
    yield "", rest


def _check_columns(query: exp.Query) -> None:
    names = [name.casefold() for name in query.named_selects if name not in ("", "*")]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InvalidSqlError(f"it has two columns with the name {twice}")
