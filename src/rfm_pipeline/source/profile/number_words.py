"""Words beside numbers that are no currency: pieces (`2 pcs`), and other units."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from rfm_pipeline.config.vocabulary import load

_WITH_WORD = re.compile(r"([^\W\d]{1,12}\.?)?\s?([0-9][0-9.,]*?)\s?([^\W\d]{1,12}\.?)?")


@cache
def _pieces() -> frozenset[str]:
    return frozenset(word for words in load("piece_words").values() for word in words)


def words_beside(value: str) -> str | None:
    """Return the word beside a number; None if there is none, or no number.

    >>> words_beside("2 kg"), words_beside("x2"), words_beside("12"), words_beside("1e5")
    ('kg', 'x', None, None)
    """
    match = _WITH_WORD.fullmatch(value.strip())
    if match is None or bool(match[1]) == bool(match[3]):
        return None
    return match[1] or match[3]


def words_of_pieces(values: Sequence[str]) -> tuple[str, ...]:
    """Return the words for pieces beside the numbers of a column; empty if some value has another word.

    >>> words_of_pieces(["1 Stück", "2 Stk", "3"]), words_of_pieces(["1 pc", "2 kg"])
    (('Stk', 'Stück'), ())
    """
    words = set()
    for value in values:
        if value.replace(".", "").isdecimal():
            continue
        word = words_beside(value)
        if word is None or word.casefold() not in _pieces():
            return ()
        words.add(word)
    return tuple(sorted(words))


def without_words(values: Sequence[str], words: Sequence[str]) -> Sequence[str]:
    """Return values of a column without the words beside their numbers."""
    if not words:
        return values
    pattern = re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))), re.IGNORECASE)
    return [pattern.sub("", value).strip() for value in values]
