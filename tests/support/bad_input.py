"""Cases of bad input: a command, its files, the expected error, and the check that nothing changes."""

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

from rfm_pipeline.config.loader import load_configuration
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import run
from support.cli import Outcome, Rfm
from support.orders import contents, published, refused

HEADER = "customer_id,order_id,ordered_at,amount\n"
# Twelve customers with one order each, on the first twelve days of 2025.
ORDERS = HEADER + "".join(f"c{n},o{n},2025-01-{n:02d},{n * 10}.50\n" for n in range(1, 13))

JARGON = re.compile(
    r"(Binder|Parser|Catalog|IO|Input|Conversion|Range|Memory) Error|VARCHAR|_LITERAL|explicit cast|LINE 1"
    r"|auto_detect|SELECT [*] FROM read|msgspec|`(int|str|object|array)`|Errno|NoneType|Traceback|/rfm-"
)
"""Terms of DuckDB, of libraries and of the implementation, which do not help the user."""


@cache
def _earlier_files() -> dict[str, bytes]:
    """Return the content by name of the files that `make_shop` writes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "orders.csv"
        source.write_text(ORDERS, encoding="utf-8")
        outputs = [folder / "segments.csv", folder / "segments.xlsx"]
        flags = {"source": str(source), "to": f"duckdb:{folder / 'rfm.duckdb'}", "output": outputs}
        run(load_configuration(flags, folder=folder, environ={}), NullObserver())
        assert len(published(folder / "rfm.duckdb")) == 12
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def make_shop(folder: Path) -> Path:
    """Fill a folder with `orders.csv` and the results of an earlier run: `rfm.duckdb` and two outputs."""
    for name, content in _earlier_files().items():
        (folder / name).write_bytes(content)
    return folder


@dataclass(frozen=True)
class Case:
    """A command on bad input and its expected error.

    Attributes:
        command: Command line after `rfm`.
        message_parts: Parts that the error sentence must contain; they name the fault.
        hint_part: Part that the hint must contain.
        code: Exit code.
        files: Content of further files by name.
        prepare: Function that prepares the folder further.
        environment: Environment variables.
    """

    command: str
    message_parts: tuple[str, ...]
    hint_part: str
    code: int
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    prepare: Callable[[Path], object] = lambda folder: folder
    environment: Mapping[str, str] = field(default_factory=dict)

    def prepare_folder(self, folder: Path) -> Path:
        make_shop(folder)
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.prepare(folder)
        return folder


def case(
    name: str,
    command: str,
    *message_parts: str,
    hints: str,
    code: int = 2,
    toml: str | None = None,
    **options: Any,
) -> Any:
    """Return one parameter set for `pytest.mark.parametrize`; `toml` is the content of `rfm.toml`."""
    files = {**options.pop("files", {}), **({"rfm.toml": toml} if toml is not None else {})}
    return pytest.param(Case(command, message_parts, hints, code, files, **options), id=name)


def check(case: Case, folder: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command and assert the expected error, and that all files are unchanged."""
    case.prepare_folder(folder)
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    before = contents(folder)
    assert_error(rfm(*shlex.split(case.command)), case)
    assert contents(folder) == before


def assert_error(ended: Outcome, case: Case) -> None:
    """Assert the exit code, one sentence with the expected parts, a hint, and no jargon."""
    sentence, hint = refused(ended, case.code)
    for part in case.message_parts:
        assert part in sentence
    assert case.hint_part in hint
    assert not JARGON.search(f"{sentence} {hint}"), (sentence, hint)
