"""The tree of the package with one line per module, as docs/contributing/architecture.md shows it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from support.paths import ROOT

PACKAGE = ROOT / "src" / "rfm_pipeline"
_WIDTH = 118


def package_tree() -> str:
    """Each folder and module of the package, with the first line of its docstring."""
    return "\n".join(["src/rfm_pipeline/", *_lines(PACKAGE, 1)])


def _lines(folder: Path, depth: int) -> Iterator[str]:
    entries = sorted(folder.iterdir(), key=lambda path: (path.is_dir(), path.name))
    for path in entries:
        if path.name in {"__init__.py", "__pycache__", "py.typed"}:
            continue
        if path.is_dir() and list(path.rglob("*.py")):
            yield _line(f"{path.name}/", path / "__init__.py", depth)
            yield from _lines(path, depth + 1)
        elif path.suffix == ".py":
            yield _line(path.name, path, depth)


def _line(name: str, module: Path, depth: int) -> str:
    entry = f"{'  ' * depth}{name}"
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    summary = docstring.partition("\n")[0].rstrip(".")
    line = f"{entry:<32}{'' if len(entry) < 31 else ' '}{summary}".rstrip()
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1].rpartition(' ')[0]}…"
