"""Month names in the languages of `vocabulary/months.toml`, in full and abbreviated.

A name is known by its first three letters: `octobre`, `oct.` and `Oktober` have the keys `oct` and `okt`.
Only French `juin` and `juillet` share three letters: `jui` is read as `ju`, which makes their keys `jun` and
`jul`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from rfm_pipeline.config import vocabulary

FRENCH_PREFIX, SHORTENED_PREFIX = "jui", "ju"


def month_key(name: str) -> str:
    """Return the key of a month name in lower case.

    >>> month_key("juillet"), month_key("dezember")
    ('jul', 'dez')
    """
    return name.replace(FRENCH_PREFIX, SHORTENED_PREFIX)[:3]


@cache
def month_names() -> Mapping[str, int]:
    """Return the number of the month by its name in lower case, without a point."""
    return {
        name: number
        for months in vocabulary.load("months").values()
        for number, names in enumerate(months, start=1)
        for name in names
    }


@cache
def month_keys() -> Mapping[str, int]:
    """Return the number of the month by the key of its names, ordered by number and key.

    >>> month_keys()["okt"]
    10
    """
    keys = {month_key(name): number for name, number in month_names().items()}
    return dict(sorted(keys.items(), key=lambda item: (item[1], item[0])))
