"""The command line in this process: the type of the fixture `rfm`, and the outcome of a command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """What it printed, as one JSON object."""
        return json.loads(self.stdout)


Rfm = Callable[..., Outcome]
