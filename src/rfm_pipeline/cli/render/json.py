"""JSON output of the commands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout, in which control characters are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    print(text if text.isprintable() else "".join(map(_escape, text)))


def _escape(character: str) -> str:
    return character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]
