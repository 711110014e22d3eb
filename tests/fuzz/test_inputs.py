"""Inputs from grammars: each ends in a documented exit code, with the earlier result as it was.

The seeds are fixed. An input that failed once is kept in tests/data/fuzz: the message of a failure is such a
file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, seed
from hypothesis.strategies import SearchStrategy

from support import fuzz_destinations, fuzz_schedules, fuzz_settings, fuzz_sources, fuzz_sql
from support.cli import Rfm
from support.fuzz import CORPUS, Arena, Input
from support.lanes import fuzz_examples

GRAMMARS: Mapping[str, tuple[SearchStrategy[Input], int]] = {
    "sources": (fuzz_sources.inputs(), 150),
    "settings": (fuzz_settings.inputs(), 350),
    "sql": (fuzz_sql.inputs(), 200),
    "destinations": (fuzz_destinations.inputs(), 150),
    "schedules": (fuzz_schedules.inputs(), 150),
}
"""Each grammar, with the number of inputs of a part: a thousand together."""
PARTS = [pytest.param(part, marks=pytest.mark.long if part else ()) for part in range(21)]
"""The seeds: the first is for `make test-all`, the other twenty for `make test-long`."""


@pytest.fixture
def arena(tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> Arena:
    return Arena(tmp_path, rfm, monkeypatch)


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.json")), ids=lambda path: path.stem)
def test_an_input_that_failed_once(path: Path, arena: Arena) -> None:
    arena.check(Input.from_json(path.read_text(encoding="utf-8")))


@pytest.mark.guarantee("errors", "exit-codes", "previous-result-unchanged")
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("grammar", GRAMMARS)
def test_any_input_ends_as_documented(grammar: str, part: int, arena: Arena) -> None:
    inputs, count = GRAMMARS[grammar]

    @seed(part)
    @fuzz_examples(count)
    @given(inputs)
    def check(given_input: Input) -> None:
        arena.check(given_input)

    check()
