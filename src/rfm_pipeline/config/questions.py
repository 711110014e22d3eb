"""The questions that a source can raise: their texts are data, in `questions.toml` beside this module.

A question is an error of exit code 2 about how a source is read. The file is read when a question is raised.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from msgspec import Struct, convert

from rfm_pipeline.errors import ColumnError


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """Texts of a question, with `{name}` for each fact.

    Attributes:
        message: What the source has, and the readings that it allows.
        hint: The flags that choose a reading.
        flags: Flags that the hint may name.
    """

    message: str
    hint: str
    flags: tuple[str, ...]


@cache
def questions() -> Mapping[str, Question]:
    """Return all questions by id, in the order of the file."""
    text = Path(__file__).with_name("questions.toml").read_text(encoding="utf-8")
    return convert(tomllib.loads(text), dict[str, Question])


def question(name: str, /, **facts: object) -> ColumnError:
    """Return the error that asks a question.

    Args:
        name: Id of the question.
        facts: Value of each placeholder in its texts.

    >>> question("currency_without_rate", column="Währung", currencies="CHF", rates="CHF = RATE").hint
    'add CHF = RATE to rates under [currency] in rfm.toml.'
    """
    return ColumnError(*question_texts(name, **facts))


def question_texts(name: str, /, **facts: object) -> tuple[str, str]:
    """Return the message and the hint of a question, for an error of another class than `ColumnError`."""
    texts = questions()[name]
    return texts.message.format(**facts), texts.hint.format(**facts)
