"""Vocabulary: the words of exports in several languages, as TOML files beside this module.

The files are data: names of columns, statuses, placeholders, months. A file is read when it is first used, so
that a command that profiles no source reads none.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl", "pl")
"""Languages of the vocabularies: ISO 639-1 codes, and the keys of the words in the files."""


@cache
def load(name: str) -> Mapping[str, Any]:
    """Return the parsed file `name` of this package, without its suffix; the same object at each call.

    >>> sorted(load("column_names"))[:3]
    ['amount', 'balance', 'cost']
    """
    text = resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
