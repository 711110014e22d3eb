"""A case of bad input: what is typed on what is there, what must be said, and that all stays as it was."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rfm_pipeline.config.loader import load
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import run
from support.cli import Outcome, Rfm
from support.orders import contents, published, refused

HEADER = "customer_id,order_id,ordered_at,amount\n"
# Twelve customers, an order each, on the first twelve days of 2025.
ORDERS = HEADER + "".join(f"c{n},o{n},2025-01-{n:02d},{n * 10}.50\n" for n in range(1, 13))

_JARGON = re.compile(
    r"(Binder|Parser|Catalog|IO|Input|Conversion|Range|Memory) Error|VARCHAR|_LITERAL|explicit cast|LINE 1"
    r"|auto_detect|SELECT [*] FROM read|msgspec|`(int|str|object|array)`|Errno|NoneType|Traceback|/rfm-"
)
"""What belongs to the engine, to a library or to us, and says nothing to whoever made the mistake."""


@cache
def _earlier() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "orders.csv"
        source.write_text(ORDERS, encoding="utf-8")
        outputs = [folder / "segments.csv", folder / "segments.xlsx"]
        flags = {"source": str(source), "to": f"duckdb:{folder / 'rfm.duckdb'}", "output": outputs}
        run(load(flags, folder=folder, environ={}), NullObserver())
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def shop(folder: Path) -> Path:
    """A folder with `orders.csv`, and all that a run made of it earlier: `rfm.duckdb` and two outputs."""
    for name, content in _earlier().items():
        (folder / name).write_bytes(content)
    return folder


@dataclass(frozen=True)
class Case:
    """What is typed, on what is there, and what must come of it.

    Attributes:
        typed: The command line after `rfm`.
        says: What the sentence must hold: it names what is wrong.
        hints: What the hint must hold.
        code: The exit code.
        files: What is there besides the shop, by name.
        prepare: What else is to be prepared in the folder.
        environment: Variables.
    """

    typed: str
    says: tuple[str, ...]
    hints: str
    code: int
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    prepare: Callable[[Path], object] = lambda folder: folder
    environment: Mapping[str, str] = field(default_factory=dict)

    def prepared(self, folder: Path) -> Path:
        shop(folder)
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.prepare(folder)
        return folder


def case(
    name: str, typed: str, *says: str, hints: str, code: int = 2, toml: str | None = None, **given: Any
) -> Any:
    """One row of a table of cases, for `pytest.mark.parametrize`; `toml` is an `rfm.toml`."""
    files = {**given.pop("files", {}), **({"rfm.toml": toml} if toml is not None else {})}
    return pytest.param(Case(typed, says, hints, code, files, **given), id=name)


def check(case: Case, folder: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Types it, and looks at what is said, and that every file is as it was."""
    case.prepared(folder)
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    before, rows = contents(folder), published(folder / "rfm.duckdb")
    said_well(rfm(*shlex.split(case.typed)), case)
    assert contents(folder) == before
    assert published(folder / "rfm.duckdb") == rows
    assert len(rows) == 12


def said_well(ended: Outcome, case: Case) -> None:
    """The exit code, a sentence that names what is wrong, a hint, and nothing else."""
    sentence, hint = refused(ended, case.code)
    for words in case.says:
        assert words in sentence
    assert case.hints in hint
    assert not _JARGON.search(f"{sentence} {hint}"), (sentence, hint)
