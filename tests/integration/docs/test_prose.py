"""The check of the prose in `make lint` finds long sentences and replaced words, and no others."""

from __future__ import annotations

import runpy

import pytest

from support.paths import ROOT

PROSE = runpy.run_path(str(ROOT / ".ci" / "prose.py"))


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("# Title\n\nShort. Now " + "word " * 45 + "end.\n", [(3, "a sentence of 47 words")]),
        ("word " * 30 + "end. " + "Word " * 30 + "end.\n", []),
        ("- one\n- Likewise two\n", [(2, "'likewise': write 'also'")]),
        ("```text\nwhoever\n```\n\n| whom |\n", []),
        ("`whom` in code, and a [link](whom.md)\n", []),
    ],
)
def test_a_problem_is_found_with_its_line(page: str, found: list[tuple[int, str]]) -> None:
    problems = list(PROSE["problems"](page))
    assert [line for line, _ in problems] == [line for line, _ in found]
    assert all(message.startswith(start) for (_, message), (_, start) in zip(problems, found, strict=True))
