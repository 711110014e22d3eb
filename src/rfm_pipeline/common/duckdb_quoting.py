"""Quoting of text, identifiers and paths for DuckDB SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path


def text_literal(value: str) -> str:
    """Return `value` as a string literal.

    >>> text_literal("it's")
    "'it''s'"
    """
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return `name` as a quoted identifier.

    >>> identifier("Customer ID")
    '"Customer ID"'
    """
    return '"' + name.replace('"', '""') + '"'


def qualified_name(*parts: str) -> str:
    """Return the quoted name of a table or a catalog, given its parts.

    >>> qualified_name("destination", "main", "rfm_segments")
    '"destination"."main"."rfm_segments"'
    """
    return ".".join(identifier(part) for part in parts)


def paths_literal(paths: Iterable[Path]) -> str:
    """Return the first argument of a table function such as `read_csv`: a string literal, or a list of them.

    DuckDB treats each path as a glob pattern, so the special characters of glob patterns are put in brackets.

    >>> paths_literal([Path("orders [1].csv")])
    "'orders [[]1].csv'"
    """
    literals = [text_literal(re.sub(r"([\[*?])", r"[\1]", str(path))) for path in paths]
    return literals[0] if len(literals) == 1 else "[" + ", ".join(literals) + "]"


def columns_literal(columns: Iterable[tuple[str, str]]) -> str:
    """Return the `columns` argument of `read_csv` or `read_json` for pairs of column name and DuckDB type.

    >>> columns_literal([("Invoice", "VARCHAR")])
    "{'Invoice': 'VARCHAR'}"
    """
    return "{" + ", ".join(f"{text_literal(name)}: {text_literal(type_)}" for name, type_ in columns) + "}"
