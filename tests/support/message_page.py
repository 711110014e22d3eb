"""docs/reference/messages.md: the errors that the code raises, with their hints, read from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from rfm_pipeline import errors
from support.paths import ROOT

CLASSES: Final = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.RfmError)
}
HEADINGS: Final = {
    2: "The command line, the settings, the source or the destination",
    3: "Audits",
    4: "The warehouse, and files that can't be written",
    5: "Another run",
    6: "The cost limit",
}
_SOURCE: Final = ROOT / "src" / "rfm_pipeline"


@cache
def messages() -> tuple[tuple[int, str, str], ...]:
    """Return the exit code, the message and the hint of each error that is raised with fixed words.

    A value of the situation at hand is its name in braces, or `...` if it is computed in place.
    """
    return tuple(sorted(set(_messages())))


def _messages() -> Iterator[tuple[int, str, str]]:
    for path in _SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "Error(" in text else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES:
                texts = [_text(argument) for argument in node.args[:2]]
                if texts and texts[0] and re.search(r"[a-z]{3}", texts[0]):
                    yield CLASSES[node.func.id].exit_code, texts[0], texts[1] if len(texts) > 1 else ""


def _text(node: ast.expr) -> str:
    """Return the text of a literal, with names for values; blank if it is none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_part(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_text(node.left), _text(node.right)]
        return (
            " ... ".join(part.strip() for part in parts) if not all(parts) and any(parts) else "".join(parts)
        )
    return ""


def _part(node: ast.expr) -> str:
    if isinstance(node, ast.FormattedValue):
        value = node.value
        name = (
            value.id
            if isinstance(value, ast.Name)
            else value.attr
            if isinstance(value, ast.Attribute)
            else ""
        )
        return f"{{{name}}}" if name.islower() and not name.startswith("_") else "..."
    return _text(node)


def page(generated: str) -> str:
    """Return the page; `generated` is the line that says how it is made."""
    parts = [
        f"""# Messages

{generated}
An error is one sentence with what was expected and what was found, then a hint. These are the errors with
fixed words; a name in braces, or `...`, is a value of the situation at hand. Errors about how a source is
read are in [questions](questions.md), failed checks of a result in [audits](audits.md).
"""
    ]
    for code, heading in HEADINGS.items():
        entries = "".join(
            f"- {_code(message)}\n" + (f"  What to do: {_code(hint)}\n" if hint else "")
            for exit_code, message, hint in messages()
            if exit_code == code
        )
        if entries:
            parts.append(f"## {heading}\n\nExit code {code}.\n\n{entries}")
    return "\n".join(parts)


def _code(text: str) -> str:
    return f"`` {' '.join(text.split())} ``"
