"""User text inside a query: string literals, paths and identifiers, quoted for DuckDB."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


def text_literal(value: str) -> str:
    """A string literal.

    >>> text_literal("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted identifier.

    >>> identifier("Customer ID")
    '"Customer ID"'
    """
    return '"' + name.replace('"', '""') + '"'


def paths_literal(paths: Iterable[Path]) -> str:
    """The files for a table function: one literal, or a list of them.

    DuckDB takes each for a glob, so the characters that a glob treats specially are bracketed.

    >>> paths_literal([Path("orders [1].csv")])
    "'orders [[]1].csv'"
    """
    literals = [text_literal(re.sub(r"([\[*?])", r"[\1]", str(path))) for path in paths]
    return literals[0] if len(literals) == 1 else "[" + ", ".join(literals) + "]"


def columns_literal(columns: Iterable[tuple[str, str]]) -> str:
    """The `columns` argument of `read_csv` and `read_json`: names and types.

    >>> columns_literal([("Invoice", "VARCHAR")])
    "{'Invoice': 'VARCHAR'}"
    """
    return "{" + ", ".join(f"{text_literal(name)}: {text_literal(type_)}" for name, type_ in columns) + "}"
