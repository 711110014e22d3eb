"""The commands of a tutorial in docs/tutorials, with the output that the page shows for them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Final

from support.paths import ROOT

TUTORIALS: Final = ROOT / "docs" / "tutorials"
_BLOCK: Final = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARIABLE: Final = (
    (re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}"), "20260401T053000-1f9c3a"),
    (re.compile(r"\b\d+\.\d s\b"), "0.4 s"),
)


@dataclass
class Step:
    """A block of commands.

    Attributes:
        commands: The arguments of each `rfm`.
        shown: The output that the page shows of the last one; None if it shows none.
        position: Where the shown output begins and ends in the page.
    """

    commands: list[list[str]]
    shown: str | None = None
    position: tuple[int, int] = (0, 0)


def steps(page: str) -> list[Step]:
    """Return the steps of a page, in order."""
    found: list[Step] = []
    for block in _BLOCK.finditer(page):
        if block[1] == "sh":
            lines = [line for line in block[2].splitlines() if line.startswith("rfm ")]
            found.append(Step([shlex.split(line)[1:] for line in lines]))
        else:
            found[-1].shown, found[-1].position = block[2], block.span(2)
    return found


def printed(output: str) -> str:
    """Return output as a page shows it: without trailing blanks, with the id and the seconds of one run."""
    text = "".join(f"{line.rstrip()}\n" for line in output.splitlines())
    for pattern, example in _VARIABLE:
        text = pattern.sub(example, text)
    return text


def is_excerpt(shown: str, output: str) -> bool:
    """Say whether the lines of an excerpt are lines of the output, in order, apart from `...`."""
    lines = iter(printed(output).splitlines())
    return all(any(line == actual for actual in lines) for line in shown.splitlines() if line != "...")
