"""Vocabulary: the words of exports in several languages, as TOML files beside this module.

The files are data: names of columns, statuses, placeholders, months. A file is read when it is first used, so
that a command that profiles no source reads none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl", "pl")
"""Languages of the vocabularies: ISO 639-1 codes, and the keys of the words in the files."""

# The part of TOML that the files use: tables, arrays of tables, and keys. Values are text between ''', values
# of JSON on one line, or arrays that end with a bracket at the start of a line.
_STATEMENT = re.compile(
    r"""(?ms)^(?:\[\[(\w+)\]\]|\[(\w+)\]|("[^"\n]*"|\w+) = ('''.*?'''|\[\n.*?^\]|[^\n]+))$"""
)
_LAST_COMMA = re.compile(r",(?=\s*\])")


@cache
def load(name: str) -> Mapping[str, Any]:
    """Return the parsed file `name` of this package, without its suffix; the same object at each call.

    >>> sorted(load("column_names"))[:3]
    ['amount', 'balance', 'cost']
    """
    return _parsed(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))


def _parsed(text: str) -> Mapping[str, Any]:
    """Return the content of a file; `tomllib`, which is written in Python, takes five times as long."""
    content: dict[str, Any] = {}
    table = content
    for array, name, key, value in _STATEMENT.findall(text):
        if array:
            table = {}
            content.setdefault(array, []).append(table)
        elif name:
            table = content[name] = {}
        elif value.startswith("'''"):
            table[key] = value[3:-3].removeprefix("\n")
        else:
            table[key.strip('"')] = msgspec.json.decode(_LAST_COMMA.sub("", value))
    return content
